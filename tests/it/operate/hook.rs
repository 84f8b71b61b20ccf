//! A server on loopback that acts upon requests and tells nobody.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what it is sent. The first `silent` requests get no answer.
pub struct Hook {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
}

impl Hook {
    /// Listens until the process of the tests ends.
    pub fn start(silent: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut stream = stream;
                let mut buffer = [0; 4_096];
                if !stream.read(&mut buffer).is_ok_and(|read| read > 0) {
                    continue;
                }
                if count.fetch_add(1, Ordering::SeqCst) >= silent {
                    let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
                    let _ = stream.write_all(answer);
                }
            }
        });
        Self { address, taken }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Returns how many requests it has taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}
