//! Files that decide about trust, passphrases that a person types, and programs that hold a key or
//! build.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use runwrit_model::breakable::file_point;
use runwrit_model::secret::Secret;
use rustix::fs::FlockOperation;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::error::Error;

/// The terminal of this process, whatever its standard streams are.
const TERMINAL: &str = "/dev/tty";
/// A signature of a program; the largest has some 100 bytes.
const SIGNATURE_BYTES_MAX: u64 = 4_096;

/// Returns the owner and the mode of a file or directory; nothing where there is none.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn ownership(path: &Path) -> Option<(u32, u32)> {
    std::fs::metadata(path).ok().map(|found| (found.uid(), found.mode() & 0o7777))
}

/// Returns whether a file stands there itself, and not a link or a pipe.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn is_regular(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

/// Returns the user that this process acts as.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Writes a file whole or not at all, in place of one that stands there, and has both the file and
/// its name on disk before it returns.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn replace(what: &str, path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(mode).open(&partial)?;
        file_point("trust-file-opened");
        file.write_all(bytes)?;
        file.sync_all()?;
        file_point("trust-file-written");
        std::fs::rename(&partial, path)?;
        file_point("trust-file-renamed");
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|source: io::Error| {
        // What was begun is worth nothing.
        let _ = std::fs::remove_file(&partial);
        Error::usage(format!("the {what} `{}` cannot be written: {source}", path.display()))
            .hint("free space, or let this user write in its directory")
    })
}

/// Writes a new file; one that stands there already is an error.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn write_new(what: &str, path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source: io::Error| {
        let error = format!("the {what} `{}` cannot be written: {source}", path.display());
        match source.kind() {
            io::ErrorKind::AlreadyExists => {
                Error::usage(error).hint("it is not replaced: move it away, or name another file")
            }
            _ => Error::usage(error).hint("name a file in a directory that can be written"),
        }
    })
}

/// Makes a directory that everybody may read and only its owner may change, with those above it.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn make_directory(what: &str, path: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o755).create(path).map_err(|source| {
        Error::usage(format!("the {what} `{}` cannot be made: {source}", path.display()))
    })
}

/// Returns the name of a directory that is not finished, beside where it will be.
#[expect(clippy::disallowed_methods, reason = "this is where the process is known")]
pub fn partial(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!(".{name}.partial-{}", std::process::id()))
}

/// Gives a directory its name, all of it at once; whatever has that name already stays.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn publish(what: &str, from: &Path, to: &Path) -> Result<(), Error> {
    let publish = || {
        File::open(from)?.sync_all()?;
        rustix::fs::renameat_with(
            rustix::fs::CWD,
            from,
            rustix::fs::CWD,
            to,
            rustix::fs::RenameFlags::NOREPLACE,
        )?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    publish().map_err(|source: io::Error| {
        // What was begun is worth nothing.
        let _ = std::fs::remove_dir_all(from);
        Error::usage(format!("the {what} `{}` cannot be written: {source}", to.display()))
            .hint("free space, or let this user write in its directory")
    })
}

/// Has the names of what stands in a directory on disk before it returns.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn keep_names(what: &str, folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| {
        Error::usage(format!("the {what} in `{}` cannot be kept: {source}", folder.display()))
    })
}

/// Removes a file.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn remove(what: &str, path: &Path) -> Result<(), Error> {
    std::fs::remove_file(path).map_err(|source| {
        Error::usage(format!("the {what} `{}` cannot be removed: {source}", path.display()))
    })
}

/// Keeps other processes from changing what a lock file stands for, until it is dropped.
#[expect(clippy::disallowed_methods, reason = "this is where files enter")]
pub fn lock(what: &str, path: &Path) -> Result<File, Error> {
    let open = || {
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    };
    open().map_err(|source: io::Error| {
        Error::usage(format!("the {what} `{}` cannot be locked: {source}", path.display()))
            .hint("let this user write in its directory")
    })
}

/// Reads a descriptor that whoever started this process has opened.
pub fn read_descriptor(what: &str, number: u32) -> Result<Secret, Error> {
    first_line(what, &super::read(what, Path::new(&format!("/dev/fd/{number}")), 4_096)?)
}

/// Reads the first line of a private file.
pub fn read_line(what: &str, path: &Path) -> Result<Secret, Error> {
    first_line(what, &super::read_private(what, path, 4_096)?)
}

fn first_line(what: &str, bytes: &[u8]) -> Result<Secret, Error> {
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|_| Error::usage(format!("the {what} is not UTF-8")))?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}

/// Asks a person at the terminal, who does not see what is typed; nothing without a terminal.
#[expect(clippy::disallowed_methods, reason = "this is where a person enters")]
pub fn ask_secret(question: &str) -> Option<Result<Secret, Error>> {
    let mut terminal = File::options().read(true).write(true).open(TERMINAL).ok()?;
    let before = tcgetattr(&terminal).ok()?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&terminal, OptionalActions::Flush, &silent).ok()?;
    let mut ask = || {
        terminal.write_all(format!("{question}: ").as_bytes())?;
        let mut line = String::new();
        BufReader::new(&terminal).read_line(&mut line)?;
        Ok(line)
    };
    let answer: io::Result<String> = ask();
    // A terminal that stays silent would puzzle whoever types next.
    let _ = tcsetattr(&terminal, OptionalActions::Flush, &before);
    let _ = terminal.write_all(b"\n");
    Some(match answer {
        Ok(line) => Ok(Secret::new(line.trim_end_matches(['\n', '\r']))),
        Err(source) => Err(Error::usage(format!("the passphrase cannot be read: {source}"))),
    })
}

/// Has a program sign: the message goes to its standard input, the signature comes from its
/// standard output. It gets the environment of this process, because what opens a key may be there.
#[expect(clippy::disallowed_methods, reason = "this is where other programs enter")]
pub fn sign_by_program(line: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = |why: String| {
        Error::usage(format!("the signer `{line}` gave no signature: {why}"))
            .hint("it gets the bytes to sign on standard input and prints the bare signature")
    };
    let told = |source: io::Error| failed(source.to_string());
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(told)?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read its input has failed, and its exit says so.
        let _ = input.write_all(message);
    }
    let mut signature = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(SIGNATURE_BYTES_MAX).read_to_end(&mut signature).map_err(told)?;
    }
    let status = child.wait().map_err(told)?;
    match status.success() {
        true => Ok(signature),
        false => Err(failed(status.to_string())),
    }
}

/// Has a program build in a folder. What it prints goes to standard error: standard output is ours.
#[expect(clippy::disallowed_methods, reason = "this is where other programs enter")]
pub fn build_by_program(line: &str, folder: &Path) -> Result<(), Error> {
    let failed = |why: String| {
        Error::usage(format!("`{line}` in `{}` failed: {why}", folder.display()))
            .hint("what it printed stands above; run it there by hand")
    };
    let run = || {
        let printed = Stdio::from(io::stderr().as_fd().try_clone_to_owned()?);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).current_dir(folder).stdin(Stdio::null()).stdout(printed);
        command.status()
    };
    match run() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(status.to_string())),
        Err(source) => Err(failed(source.to_string())),
    }
}
