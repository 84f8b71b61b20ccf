//! Compiling in a child process: a component of a few megabytes can cost gigabytes and minutes.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use runwrit_model::{limits, text};
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

/// The hidden word with which the binary starts itself as the child.
pub const COMPILE_WORD: &str = "__compile";

/// What the child says about a failure is cut beyond this.
const COMPLAINT_BYTES_MAX: u64 = 64 << 10;
/// What a person reads of it.
const REASON_BYTES_MAX: usize = 600;

/// What a child that panicked exits with.
const PANICKED: i32 = 101;
/// How a refusal begins.
const REFUSED: &str = "the component does not compile: ";

/// What a compilation may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileBounds {
    /// Address space of the child.
    pub address_space_bytes_max: u64,
    /// Processor time of the child.
    pub cpu_seconds_max: u64,
    /// Time by the clock.
    pub wall_max: Duration,
}

impl Default for CompileBounds {
    fn default() -> Self {
        Self {
            address_space_bytes_max: limits::COMPILE_ADDRESS_SPACE_BYTES_MAX,
            cpu_seconds_max: limits::COMPILE_CPU_SECONDS_MAX,
            wall_max: limits::COMPILE_WALL_MAX,
        }
    }
}

/// Starts the child: `program` must answer [`COMPILE_WORD`] with [`compile_as_child`].
#[derive(Debug, Clone)]
pub struct Compiler {
    /// This binary.
    pub program: PathBuf,
    /// What each compilation may cost.
    pub bounds: CompileBounds,
}

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The child could not be started or spoken to.
    #[error("the process that compiles runbooks does not start: `{}`", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The child said why.
    #[error("{REFUSED}{0}")]
    Refused(String),
    /// Too expensive in time.
    #[error(
        "compiling the component took more than {seconds} s, which counts as an attack; split its \
         largest functions, or leave out what it does not need"
    )]
    Slow {
        /// The limit.
        seconds: u64,
    },
    /// Too expensive in memory.
    #[error(
        "compiling the component took more than {} MiB of memory, which counts as an attack; \
         split its largest functions, or leave out what it does not need", bytes >> 20
    )]
    Large {
        /// The limit.
        bytes: u64,
    },
    /// The child broke down.
    #[error("the process that compiles runbooks broke down ({status}): {said}")]
    Broken {
        /// How it ended.
        status: String,
        /// The last it said.
        said: String,
    },
    /// The limits of the child could not be set; without them nothing is compiled.
    #[error("the limits of the compiling process could not be set")]
    Limits(#[source] rustix::io::Errno),
    /// The arguments of the child are none.
    #[error("`{COMPILE_WORD}` is an internal word: it takes two numbers and a component on stdin")]
    Arguments,
    /// The pipe broke.
    #[error("the component or its code could not be passed on")]
    Pipe(#[source] std::io::Error),
}

impl Compiler {
    /// Compiles a component. The child gets no environment, so no credential is near the compiler.
    pub async fn compile(&self, wasm: &[u8]) -> Result<Vec<u8>, CompileError> {
        let bounds = self.bounds;
        let mut child = Command::new(&self.program)
            .arg(COMPILE_WORD)
            .arg(bounds.address_space_bytes_max.to_string())
            .arg(bounds.cpu_seconds_max.to_string())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| CompileError::Start { program: self.program.clone(), source })?;
        let seconds = bounds.wall_max.as_secs();
        let talk = tokio::time::timeout(bounds.wall_max, talk(&mut child, wasm)).await;
        let Answer { code, said, status } = talk.map_err(|_| CompileError::Slow { seconds })??;
        if status.success() { Ok(code) } else { Err(self.why(status, &said)) }
    }

    fn why(&self, status: ExitStatus, said: &str) -> CompileError {
        use std::os::unix::process::ExitStatusExt;
        let CompileBounds { address_space_bytes_max, cpu_seconds_max, .. } = self.bounds;
        let said = text::truncate(said.trim(), REASON_BYTES_MAX);
        let is_signal = |signal: rustix::process::Signal| status.signal() == Some(signal.as_raw());
        if is_signal(rustix::process::Signal::XCPU) || is_signal(rustix::process::Signal::KILL) {
            return CompileError::Slow { seconds: cpu_seconds_max };
        }
        if said.contains("memory allocation of") || said.contains("Cannot allocate memory") {
            return CompileError::Large { bytes: address_space_bytes_max };
        }
        match status.code() {
            Some(PANICKED) | None => CompileError::Broken { status: status.to_string(), said },
            Some(_) => CompileError::Refused(reason(&said).to_owned()),
        }
    }
}

/// Returns what the child says without the words that the parent says again.
fn reason(said: &str) -> &str {
    let said = said.lines().next().unwrap_or(said);
    said.strip_prefix("error: ").unwrap_or(said).trim_start_matches(REFUSED)
}

struct Answer {
    code: Vec<u8>,
    said: String,
    status: ExitStatus,
}

/// Feeds the child and reads it at once, so that no pipe fills up on either side.
async fn talk(child: &mut Child, wasm: &[u8]) -> Result<Answer, CompileError> {
    let stdin = child.stdin.take();
    let feed = async {
        let Some(mut stdin) = stdin else { return };
        // A child that dies early closes the pipe; its status tells more than this error.
        let _ = stdin.write_all(wasm).await;
        let _ = stdin.shutdown().await;
    };
    let code = read(child.stdout.take(), limits::COMPILED_BYTES_MAX);
    let said = read(child.stderr.take(), COMPLAINT_BYTES_MAX);
    let ((), code, said) = tokio::join!(feed, code, said);
    let status = child.wait().await.map_err(CompileError::Pipe)?;
    let said = String::from_utf8_lossy(&said.map_err(CompileError::Pipe)?).into_owned();
    Ok(Answer { code: code.map_err(CompileError::Pipe)?, said, status })
}

async fn read(
    pipe: Option<impl AsyncRead + Unpin>,
    bytes_max: u64,
) -> Result<Vec<u8>, std::io::Error> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(bytes_max).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Is the child: limits itself for good, reads a component, writes its code.
///
/// `arguments` are those after [`COMPILE_WORD`]. An error is to be printed to standard error, and
/// the process to end with an error.
pub fn compile_as_child(
    arguments: &[String],
    input: &mut dyn Read,
    output: &mut dyn Write,
) -> Result<(), CompileError> {
    let [address_space, cpu_seconds] = arguments else { return Err(CompileError::Arguments) };
    let number = |text: &String| text.parse::<u64>().map_err(|_| CompileError::Arguments);
    let (address_space, cpu_seconds) = (number(address_space)?, number(cpu_seconds)?);
    limit(Resource::As, address_space)?;
    limit(Resource::Cpu, cpu_seconds)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    let mut wasm = Vec::new();
    let bytes_max = limits::COMPONENT_BYTES_MAX + 1;
    input.take(bytes_max).read_to_end(&mut wasm).map_err(CompileError::Pipe)?;
    let refused = |error: wasmtime::Error| CompileError::Refused(format!("{error:#}"));
    let engine = crate::sandbox::engine().map_err(refused)?;
    let code = engine.precompile_component(&wasm).map_err(refused)?;
    output.write_all(&code).and_then(|()| output.flush()).map_err(CompileError::Pipe)
}

/// Sets a limit that the process cannot raise again.
fn limit(resource: Resource, max: u64) -> Result<(), CompileError> {
    let both = Rlimit { current: Some(max), maximum: Some(max) };
    setrlimit(resource, both).map_err(CompileError::Limits)
}
