//! The side of the host: starts a cell, answers its calls, and tells how its guest ended.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Pair;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use runwrit_capabilities::dispatch::{Asked, DispatchError, dispatch};
use runwrit_capabilities::gate::{Gate, Notice, Stop};
use runwrit_capabilities::{Capabilities, linker};
use runwrit_model::id::Digest;
use runwrit_model::{limits, text};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::inmate::CELL_WORD;
use super::wire::{self, Ended, Said, Start};
use crate::books::Books;
use crate::code_cache::Code;
use crate::gate::RunGate;
use crate::guest::{Guest, GuestEnd};
use crate::sandbox::{Bounds, Desk as _};

/// What a broken cell says is cut beyond this.
const COMPLAINT_BYTES_MAX: u64 = 4 << 10;
/// A machine on which a process needs longer to start would time every guest out.
const READY_MAX: Duration = Duration::from_secs(60);

/// A cell that is about to start. It gets ready while the host finds out what is to run in it, and
/// ends with this value where that is nothing.
pub struct StartingCell {
    stream: io::Result<Pair>,
    process: oneshot::Receiver<io::Result<Process>>,
}

/// A cell that has been told nothing yet: no code, no grant. It ends with this value.
pub struct VacantCell {
    cell: Cell,
    /// What code depends on that can run in it, beside the component. It was told before any guest
    /// was near, by this very program.
    pub fingerprint: Digest,
}

/// Why there is no cell for a guest. Nothing of the runbook ran.
#[derive(Debug, thiserror::Error)]
#[error("the cell of the runbook does not start: {0}; free memory, processes or files, and retry")]
pub struct NoCell(String);

/// The process of a cell.
struct Process {
    child: Child,
    complaints: Option<ChildStderr>,
}

/// A component with what its run was granted, ready to run once in a cell of its own.
pub struct CellGuest<F> {
    cell: Cell,
    granted: BTreeSet<String>,
    /// Puts the capabilities of the run together around its gate.
    assemble: F,
}

impl StartingCell {
    /// Starts one. `program` is this binary: it must answer [`CELL_WORD`] with
    /// [`super::run_as_cell`]. What stands in its way is told when a guest is to run in it.
    pub fn start(program: PathBuf) -> Self {
        let (ready, process) = oneshot::channel();
        let runtime = Handle::current();
        let stream = Pair::pair().map(|(ours, theirs)| {
            // To start a process keeps its thread waiting until the system has made it; the host
            // has other things to do meanwhile.
            let starter = thread::Builder::new().name("cell-start".to_owned()).spawn(move || {
                let _entered = runtime.enter();
                // Nobody may want it any more; it ends with this value then.
                drop(ready.send(Process::start(program, theirs)));
            });
            // Without a thread the sender is gone, which is told as a cell that does not start.
            drop(starter);
            // Where the new thread was put behind this one, it would start the cell only when the
            // host has to wait for something.
            thread::yield_now();
            ours
        });
        Self { stream, process }
    }

    /// Waits until the cell can take code in.
    pub async fn ready(self) -> Result<VacantCell, NoCell> {
        let told = |error: io::Error| NoCell(error.to_string());
        let stream = self.stream.map_err(told)?;
        stream.set_nonblocking(true).map_err(told)?;
        let mut stream = UnixStream::from_std(stream).map_err(told)?;
        let said = tokio::time::timeout(READY_MAX, wire::hear(&mut stream)).await;
        let said = said.map_err(|_| NoCell(format!("it was not ready in {READY_MAX:?}")))?;
        let process = self.process.await;
        let process = process.map_err(|_| NoCell("the system has no room for a thread".into()))?;
        let Process { child, complaints } = process.map_err(told)?;
        let mut cell = Cell { child, stream, complaints };
        match said {
            Ok(Said::Vacant(fingerprint)) => Ok(VacantCell { cell, fingerprint }),
            Ok(Said::Ended(Ended::NotSet(text))) => Err(NoCell(text)),
            Ok(said) => Err(NoCell(format!("it spoke out of turn: {said:?}"))),
            Err(error) if is_end(&error) => {
                let (status, said) = cell.last_words().await.map_err(told)?;
                let colon = if said.is_empty() { "" } else { ": " };
                Err(NoCell(format!("it ended ({status}){colon}{said}")))
            }
            Err(error) => Err(told(error)),
        }
    }
}

impl Process {
    /// Starts it: no environment, no folder, no terminal; the stream is its input.
    #[expect(clippy::disallowed_methods, reason = "the caller names the program: this one")]
    fn start(program: PathBuf, stream: Pair) -> io::Result<Self> {
        let mut child = Command::new(program)
            .arg(CELL_WORD)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(stream)))
            // Nobody hears what it prints.
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // The signals of a terminal are for the host.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        drop(child.stdout.take());
        let complaints = child.stderr.take();
        Ok(Self { child, complaints })
    }
}

impl<F> CellGuest<F> {
    /// Hands a cell what is to run in it. `code` is compiled code whose MAC was checked; `granted`
    /// are the interfaces that exist for the guest, named as in an ask.
    pub fn new(
        VacantCell { cell, .. }: VacantCell,
        code: Code,
        bounds: Bounds,
        granted: &BTreeSet<String>,
        assemble: F,
    ) -> Result<Self, NoCell> {
        let start = Start { granted: linker::open(granted), bounds };
        let handed = wire::hand(&cell.stream, &start, code.into_file());
        handed.map_err(|error| NoCell(error.to_string()))?;
        Ok(Self { cell, granted: start.granted, assemble })
    }
}

impl<F> Guest for CellGuest<F>
where
    F: FnOnce(RunGate, Books) -> Capabilities<RunGate> + Send,
{
    async fn run(self, gate: RunGate, books: Books) -> GuestEnd {
        let Self { cell, granted, assemble } = self;
        let mut host = assemble(gate, books);
        cell.serve(&mut host, &granted).await
    }
}

/// The machine failed, not the runbook: the run is left as it is, to be resumed.
fn out_of_order<G: Gate>(host: &mut Capabilities<G>, what: String) -> GuestEnd {
    let told = format!("the cell of the runbook is out of order: {what}");
    host.gate.notify(Notice::Log("error".to_owned(), told));
    GuestEnd::Stopped(Stop::Interrupted)
}

/// A cell at work.
struct Cell {
    child: Child,
    stream: UnixStream,
    complaints: Option<ChildStderr>,
}

impl Cell {
    async fn serve<G: Gate + 'static>(
        mut self,
        host: &mut Capabilities<G>,
        open: &BTreeSet<String>,
    ) -> GuestEnd {
        loop {
            let answered = match wire::hear(&mut self.stream).await {
                Ok(Said::Ended(ended)) => return end(host, ended),
                Ok(said) => self.answer(host, open, said).await,
                Err(error) => return self.broken(host, error).await,
            };
            match answered {
                Ok(()) => {}
                Err(Refusal::End(end)) => return end,
                Err(Refusal::Broken(error)) => return self.broken(host, error).await,
            }
        }
    }

    async fn answer<G: Gate + 'static>(
        &mut self,
        host: &mut Capabilities<G>,
        open: &BTreeSet<String>,
        said: Said,
    ) -> Result<(), Refusal> {
        let answer = match said {
            Said::Call(interface, function, arguments) => {
                let asked = Asked { interface, function, arguments };
                dispatch(host, open, asked).await?
            }
            Said::Now => json!(host.now_unix_ms()),
            Said::Random(count) if count <= limits::RANDOM_BYTES_MAX => json!(host.random(count)),
            Said::Log(line) => {
                host.log(text::truncate(&line, limits::LOG_MESSAGE_BYTES_MAX));
                return Ok(());
            }
            // Each cell says so once, and waits for nothing.
            Said::Ready => return Ok(()),
            // A cell that waits for an answer would wait for ever, so it gets an end instead.
            said @ (Said::Random(_) | Said::Vacant(_) | Said::Ended(_)) => {
                let text = format!("the cell of the runbook spoke out of turn: {said:?}");
                return Err(Refusal::End(GuestEnd::Trapped(text)));
            }
        };
        wire::tell(&mut self.stream, &answer).await.map_err(Refusal::Broken)
    }

    /// Tells why the stream ended: by a guest that met the walls, or by the machine.
    async fn broken<G: Gate>(mut self, host: &mut Capabilities<G>, error: io::Error) -> GuestEnd {
        if !is_end(&error) {
            return GuestEnd::Trapped(format!("the cell of the runbook spoke nonsense: {error}"));
        }
        match self.last_words().await {
            Ok((status, said)) => judge(host, status, &said),
            Err(error) => out_of_order(host, error.to_string()),
        }
    }

    /// Waits for the end of its process, and returns what that complained of.
    async fn last_words(&mut self) -> io::Result<(ExitStatus, String)> {
        let mut said = Vec::new();
        if let Some(complaints) = self.complaints.take() {
            // Without its last words the status must do.
            let _ = complaints.take(COMPLAINT_BYTES_MAX).read_to_end(&mut said).await;
        }
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        Ok((self.child.wait().await?, text::truncate(&said, limits::LOG_MESSAGE_BYTES_MAX)))
    }
}

/// Returns whether the other end of the stream is gone.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe)
}

/// Why a call got no answer.
enum Refusal {
    End(GuestEnd),
    Broken(io::Error),
}

impl From<DispatchError> for Refusal {
    fn from(error: DispatchError) -> Self {
        Self::End(match error {
            DispatchError::Stopped(stop) => GuestEnd::Stopped(stop),
            other => GuestEnd::Trapped(other.to_string()),
        })
    }
}

fn end<G: Gate>(host: &mut Capabilities<G>, ended: Ended) -> GuestEnd {
    match ended {
        Ended::Returned => GuestEnd::Returned,
        Ended::Failed(failure) => GuestEnd::Failed(failure),
        Ended::Trapped(text) => GuestEnd::Trapped(text),
        Ended::Starved(text) => GuestEnd::Starved(text),
        Ended::NotSet(text) => out_of_order(host, text),
    }
}

/// Ends that the machine brings about are no fault of the runbook.
fn judge<G: Gate>(host: &mut Capabilities<G>, status: ExitStatus, said: &str) -> GuestEnd {
    let said = text::truncate(said, limits::LOG_MESSAGE_BYTES_MAX);
    match status.signal() {
        Some(libc::SIGKILL | libc::SIGTERM) => {
            out_of_order(host, format!("somebody ended it ({status})"))
        }
        Some(libc::SIGSYS) => GuestEnd::Trapped(format!(
            "the cell of the runbook tried what the kernel refuses it ({status}): an attack, or a \
             bug of the sandbox"
        )),
        _ => GuestEnd::Starved(format!("the cell of the runbook broke down ({status}): {said}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(program: &str) -> String {
        let ready = StartingCell::start(program.into()).ready().await;
        ready.err().expect("it is no cell").to_string()
    }

    /// Makes a program that is started in the place of the cell.
    #[expect(clippy::disallowed_methods, reason = "the tests own their folder")]
    fn script(folder: &tempfile::TempDir, body: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn why_there_is_no_cell_is_told_before_anything_begins() {
        let rows = [
            ("exit 3", "does not start: it ended (exit status: 3);"),
            ("echo out of memory >&2; exit 1", "it ended (exit status: 1): out of memory;"),
            ("kill -9 $$", "it ended (signal: 9 (SIGKILL));"),
            (r#"printf '\004\000\000\000null' >&0"#, "does not start: "),
            (r#"printf '\007\000\000\000"Ready"' >&0"#, "it spoke out of turn: Ready;"),
            (
                r#"printf '\030\000\000\000{"Ended":{"NotSet":"x"}}' >&0"#,
                "the cell of the runbook does not start: x;",
            ),
        ];
        for (body, told) in rows {
            let folder = tempfile::tempdir().unwrap();
            let error = refused(&script(&folder, body)).await;
            assert!(error.contains(told), "{body}: {error}");
        }
        let error = refused("/absent").await;
        assert!(error.contains("No such file"), "{error}");
    }
}
