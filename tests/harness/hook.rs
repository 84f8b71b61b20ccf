//! A server on loopback that acts upon requests and keeps no more of them than their number.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

type Counts = BTreeMap<(String, String), usize>;

/// Counts what it is sent, by method and path. The first `silent` requests get no answer.
#[derive(Debug, Clone)]
pub struct Hook {
    address: SocketAddr,
    taken: Arc<Mutex<Counts>>,
}

impl Hook {
    /// Listens until the process of the tests ends.
    pub fn start(silent: usize) -> Self {
        Self::answering(silent, ACCEPTED.to_owned())
    }

    /// Sends whoever asks to another place.
    pub fn redirecting(location: &str) -> Self {
        let head = "HTTP/1.1 307 Temporary Redirect\r\ncontent-length: 0";
        Self::answering(0, format!("{head}\r\nlocation: {location}\r\n\r\n"))
    }

    fn answering(silent: usize, answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let hook = Self { address, taken: Arc::default() };
        let served = hook.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                served.serve(stream, silent, &answer);
            }
        });
        hook
    }

    fn serve(&self, mut stream: TcpStream, silent: usize, answer: &str) {
        let mut buffer = [0; 4_096];
        let read = stream.read(&mut buffer).unwrap_or(0);
        let request = String::from_utf8_lossy(&buffer[..read]);
        let mut words = request.split(' ').map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return;
        };
        let mut taken = self.counts();
        *taken.entry((method, path)).or_default() += 1;
        let count: usize = taken.values().sum();
        drop(taken);
        if count > silent {
            let _ = stream.write_all(answer.as_bytes());
        }
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        self.url_of("/hook")
    }

    /// Returns the URL of a path.
    pub fn url_of(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns how many requests it has taken.
    pub fn taken(&self) -> usize {
        self.counts().values().sum()
    }

    /// Returns how many of them could change something.
    pub fn changes(&self) -> usize {
        self.count(|method, _| method != "GET")
    }

    /// Returns how many requests to one path it has taken, with all that was sent before this.
    /// Connections are served in the order in which they were made.
    pub fn taken_at(&self, path: &str) -> usize {
        let mut last = TcpStream::connect(self.address).expect("it listens");
        last.write_all(b"GET /drain HTTP/1.1\r\n\r\n").expect("it reads");
        last.read_to_end(&mut Vec::new()).expect("it answers");
        self.count(|_, it| it == path)
    }

    fn count(&self, is_meant: impl Fn(&str, &str) -> bool) -> usize {
        let counts = self.counts();
        let meant = counts.iter().filter(|((method, path), _)| is_meant(method, path));
        meant.map(|(_, count)| count).sum()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
