//! WASI with nothing in it, for languages whose runtime cannot do without: no files, no
//! environment, no network, time that only moves when it is asked, and randomness of the run.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use runwrit_model::{limits, text};
use wasmtime::Error;
use wasmtime::component::{HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io, random};
use wasmtime_wasi::p2::{
    DynPollable, OutputStream, Pollable, StreamError, StreamResult, subscribe,
};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{
    Deterministic, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView, async_trait,
};

use super::desk::Desk;

/// What a run's randomness is dealt from; it repeats after as many bytes.
const RANDOMNESS_BYTES: u32 = 64 * limits::RANDOM_BYTES_MAX;
/// Time moves by this much at every reading, so that a loop that waits for it ends.
const TICK: Duration = Duration::from_micros(1);

/// Draws as often as it takes: one draw has its own limit.
fn deal(desk: &mut impl Desk) -> Vec<u8> {
    let draws = RANDOMNESS_BYTES / limits::RANDOM_BYTES_MAX;
    (0..draws).flat_map(|_| desk.random(limits::RANDOM_BYTES_MAX)).collect()
}

/// The context of one run.
pub struct Inert {
    context: WasiCtx,
    table: ResourceTable,
    clock: Arc<Clock>,
    output: Arc<Mutex<Output>>,
}

impl Inert {
    /// Makes a context; its time and randomness come from the gate, so a replay sees the same.
    pub fn new(desk: &mut impl Desk, handles_max: usize) -> Self {
        let [secure, insecure] = [(); 2].map(|()| deal(desk));
        Self::of(desk.now_unix_ms(), [secure, insecure], handles_max)
    }

    /// Stands in the state of a run that has no WASI.
    pub fn unused() -> Self {
        Self::of(0, [vec![0], vec![0]], 0)
    }

    fn of(unix_ms: u64, [secure, insecure]: [Vec<u8>; 2], handles_max: usize) -> Self {
        let clock = Arc::new(Clock::starting_at(unix_ms));
        let output = Arc::new(Mutex::new(Output::default()));
        let mut builder = WasiCtx::builder();
        builder.stdout(Pipe(Arc::clone(&output))).stderr(Pipe(Arc::clone(&output)));
        builder.wall_clock(Reader(Arc::clone(&clock)));
        builder.monotonic_clock(Reader(Arc::clone(&clock)));
        builder.secure_random(Deterministic::new(secure));
        builder.insecure_random(Deterministic::new(insecure)).insecure_random_seed(0);
        builder.max_random_size(limits::RANDOM_BYTES_MAX.into());
        builder.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        let mut table = ResourceTable::new();
        table.set_max_capacity(handles_max);
        Self { context: builder.build(), table, clock, output }
    }

    /// Returns the context as the bindings want it.
    pub fn view(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.context, table: &mut self.table }
    }

    /// Tells the watchers of the run the whole lines that were printed, and at its end the rest.
    pub fn flush(&self, desk: &mut impl Desk, is_end: bool) {
        // A poisoned lock means that a writer panicked, and then the run is over anyway.
        let Ok(mut output) = self.output.lock() else { return };
        for line in output.take_lines(is_end) {
            desk.log(line);
        }
    }
}

/// Links what an empty context can serve. Sockets and HTTP are not among it.
pub fn link<T: WasiView + 'static>(
    linker: &mut Linker<T>,
    inert: fn(&mut T) -> &mut Inert,
) -> Result<(), Error> {
    let l = linker;
    clocks::wall_clock::add_to_linker::<T, WasiClocks>(l, T::clocks)?;
    clocks::monotonic_clock::add_to_linker::<T, HasSelf<Inert>>(l, inert)?;
    filesystem::preopens::add_to_linker::<T, WasiFilesystem>(l, T::filesystem)?;
    filesystem::types::add_to_linker::<T, WasiFilesystem>(l, T::filesystem)?;
    random::random::add_to_linker::<T, WasiRandom>(l, |it| it.ctx().ctx.random())?;
    random::insecure::add_to_linker::<T, WasiRandom>(l, |it| it.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<T, WasiRandom>(l, |it| it.ctx().ctx.random())?;
    cli::exit::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::environment::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::stdin::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::stdout::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::stderr::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_input::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_output::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_stdin::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_stdout::add_to_linker::<T, WasiCli>(l, T::cli)?;
    cli::terminal_stderr::add_to_linker::<T, WasiCli>(l, T::cli)?;
    io::error::add_to_linker::<T, HasSelf<ResourceTable>>(l, |it| it.ctx().table)?;
    io::poll::add_to_linker::<T, HasSelf<ResourceTable>>(l, |it| it.ctx().table)?;
    io::streams::add_to_linker::<T, HasSelf<ResourceTable>>(l, |it| it.ctx().table)
}

/// Waiting moves the time and costs none: durable waits are calls of `run/clock`.
impl clocks::monotonic_clock::Host for Inert {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.clock.read())
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(nanoseconds(TICK))
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let wait = when.saturating_sub(self.clock.read());
        self.subscribe_duration(wait)
    }

    fn subscribe_duration(&mut self, wait: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.clock.advance(wait);
        let past = self.table.push(Past)?;
        subscribe(&mut self.table, past)
    }
}

/// A moment that has come.
struct Past;

#[async_trait]
impl Pollable for Past {
    async fn ready(&mut self) {}
}

/// Time that only the guest moves.
struct Clock {
    start: Duration,
    nanoseconds: AtomicU64,
}

impl Clock {
    fn starting_at(unix_ms: u64) -> Self {
        Self { start: Duration::from_millis(unix_ms), nanoseconds: AtomicU64::new(0) }
    }

    fn advance(&self, by: u64) -> u64 {
        let moved = |now: u64| Some(now.saturating_add(by));
        let before = self.nanoseconds.fetch_update(Ordering::Relaxed, Ordering::Relaxed, moved);
        before.unwrap_or_else(|now| now).saturating_add(by)
    }

    fn read(&self) -> u64 {
        self.advance(nanoseconds(TICK))
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Lends the clock to the context.
struct Reader(Arc<Clock>);

impl HostWallClock for Reader {
    fn resolution(&self) -> Duration {
        TICK
    }

    fn now(&self) -> Duration {
        self.0.start.saturating_add(Duration::from_nanos(self.0.read()))
    }
}

impl HostMonotonicClock for Reader {
    fn resolution(&self) -> u64 {
        nanoseconds(TICK)
    }

    fn now(&self) -> u64 {
        self.0.read()
    }
}

/// What was printed and not told yet.
#[derive(Default)]
struct Output {
    pending: Vec<u8>,
    bytes: usize,
    is_cut: bool,
}

impl Output {
    /// Keeps what fits; the rest of a flood is dropped, with one line that says so.
    fn write(&mut self, bytes: &[u8]) {
        let room = limits::GUEST_OUTPUT_BYTES_MAX.saturating_sub(self.bytes);
        let kept = &bytes[..bytes.len().min(room)];
        self.bytes += kept.len();
        self.pending.extend_from_slice(kept);
        if kept.len() < bytes.len() && !self.is_cut {
            self.is_cut = true;
            let max = limits::GUEST_OUTPUT_BYTES_MAX;
            self.pending.extend_from_slice(
                format!("\n[this run has printed {max} bytes; what follows is not shown]\n")
                    .as_bytes(),
            );
        }
    }

    fn take_lines(&mut self, is_end: bool) -> Vec<String> {
        let end = match self.pending.iter().rposition(|byte| *byte == b'\n') {
            _ if is_end => self.pending.len(),
            Some(place) => place + 1,
            None if self.pending.len() > limits::LOG_MESSAGE_BYTES_MAX => self.pending.len(),
            None => 0,
        };
        let told: Vec<u8> = self.pending.drain(..end).collect();
        let told = String::from_utf8_lossy(&told);
        let lines = told.lines().filter(|line| !line.is_empty());
        lines.map(|line| text::truncate(line, limits::LOG_MESSAGE_BYTES_MAX)).collect()
    }
}

/// Standard output and standard error, both into the log of the run.
#[derive(Clone)]
struct Pipe(Arc<Mutex<Output>>);

impl IsTerminal for Pipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Pipe {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only WASI 0.3 asks for it, which is not linked.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Pipe {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Pipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut output = self.0.lock().map_err(|_| StreamError::Closed)?;
        output.write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(limits::LOG_MESSAGE_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_are_told_and_the_rest_at_the_end() {
        let mut output = Output::default();
        output.write(b"one\ntw");
        assert_eq!(output.take_lines(false), ["one"]);
        output.write(b"o");
        assert!(output.take_lines(false).is_empty());
        assert_eq!(output.take_lines(true), ["two"]);
    }

    #[test]
    fn a_flood_is_cut_once() {
        let mut output = Output::default();
        output.write(&vec![b'x'; limits::GUEST_OUTPUT_BYTES_MAX]);
        output.write(b"yes");
        output.write(b"yes");
        let lines = output.take_lines(true);
        assert_eq!(lines.len(), 2, "the flood and one note");
        assert!(lines[1].contains("what follows is not shown"), "{}", lines[1]);
    }

    #[test]
    fn time_moves_only_when_it_is_asked() {
        let clock = Clock::starting_at(5);
        assert_eq!(clock.read(), 1_000);
        assert_eq!(clock.advance(10), 1_010);
        assert_eq!(clock.advance(u64::MAX), u64::MAX);
    }
}
