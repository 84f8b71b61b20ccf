//! A server on loopback that acts upon requests and tells nobody.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what it is sent. The first `silent` requests get no answer.
pub struct Hook {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
    read: Arc<AtomicUsize>,
}

impl Hook {
    /// Listens until the process of the tests ends.
    pub fn start(silent: usize) -> Self {
        Self::answering(silent, "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_owned())
    }

    /// Sends whoever asks to another place.
    pub fn redirecting(location: &str) -> Self {
        let head = "HTTP/1.1 307 Temporary Redirect\r\ncontent-length: 0";
        Self::answering(0, format!("{head}\r\nlocation: {location}\r\n\r\n"))
    }

    fn answering(silent: usize, answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (taken, read) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (count, reads) = (Arc::clone(&taken), Arc::clone(&read));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut stream = stream;
                let mut buffer = [0; 4_096];
                if !stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    continue;
                }
                reads.fetch_add(usize::from(buffer.starts_with(b"GET ")), Ordering::SeqCst);
                if count.fetch_add(1, Ordering::SeqCst) >= silent {
                    let _ = stream.write_all(answer.as_bytes());
                }
            }
        });
        Self { address, taken, read }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Returns how many requests it has taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// Returns how many of them could change something.
    pub fn changes(&self) -> usize {
        self.taken() - self.read.load(Ordering::SeqCst)
    }
}
