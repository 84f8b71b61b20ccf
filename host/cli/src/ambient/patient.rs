//! A file that may be a pipe, whose writer is waited for within a limit.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;

/// Reads a file. Where nothing comes for too long that is an error: somebody forgot the writer.
pub struct Patient {
    file: File,
    /// How many bytes an ordinary file holds; nothing of what must be waited for.
    size: Option<u64>,
    wait_max: Duration,
}

impl Patient {
    /// Opens a file. `wait_max` is how long each read may take.
    #[expect(clippy::disallowed_methods, reason = "this is where files enter")]
    pub fn open(path: &Path, wait_max: Duration) -> io::Result<Self> {
        // To open a pipe waits for its writer without this flag.
        let flags = (OFlags::NONBLOCK | OFlags::CLOEXEC).bits();
        let flags = i32::try_from(flags).expect("these flags of Linux fit 31 bits");
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        let size = metadata.is_file().then_some(metadata.len());
        Ok(Self { file, size, wait_max })
    }

    /// Returns room for all of the file and for the look beyond its end, of `bytes_max` at most.
    pub fn room(&self, bytes_max: u64) -> Vec<u8> {
        let bytes = self.size.map_or(0, |size| size.min(bytes_max) + 1);
        Vec::with_capacity(usize::try_from(bytes).unwrap_or_default())
    }
}

impl Read for Patient {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.size.is_some() {
            return self.file.read(bytes);
        }
        let timeout = Timespec::try_from(self.wait_max).map_err(io::Error::other)?;
        loop {
            let mut readable = [PollFd::new(&self.file, PollFlags::IN)];
            if poll(&mut readable, Some(&timeout))? == 0 {
                let text = format!("nobody wrote to it for {} s", self.wait_max.as_secs_f32());
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            match self.file.read(bytes) {
                // Another reader of the same pipe was faster.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;
    use std::thread;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn pipe(folder: &tempfile::TempDir) -> PathBuf {
        let path = folder.path().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        path
    }

    fn read(path: &Path, wait_ms: u64) -> io::Result<String> {
        let mut text = String::new();
        Patient::open(path, Duration::from_millis(wait_ms))?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn a_pipe_without_a_writer_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(&pipe(&folder), 50).unwrap_err();
        assert_eq!(error.to_string(), "nobody wrote to it for 0.05 s");
    }

    #[test]
    fn a_writer_that_says_nothing_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(&folder);
        let _writer = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        assert_eq!(read(&path, 50).unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn a_writer_that_comes_late_and_pauses_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(&folder);
        let to = path.clone();
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            let mut pipe = OpenOptions::new().write(true).open(to).unwrap();
            for part in ["version", " = 1"] {
                pipe.write_all(part.as_bytes()).unwrap();
                thread::sleep(Duration::from_millis(50));
            }
        });
        assert_eq!(read(&path, 60_000).unwrap(), "version = 1");
        writer.join().unwrap();
    }

    #[test]
    fn an_ordinary_file_is_read_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "text").unwrap();
        assert_eq!(read(&path, 0).unwrap(), "text");
    }
}
