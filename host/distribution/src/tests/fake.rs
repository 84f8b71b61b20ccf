//! A registry in this process that can lie. Honest behaviour is shown by a real one elsewhere.
#![expect(clippy::disallowed_methods, reason = "it listens on loopback, for tests")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use runwrit_model::id::Digest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it answers to a request; nothing lets it answer as a registry does.
pub type Trick = Box<dyn Fn(&Asked) -> Option<Reply> + Send + Sync>;

/// A request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// With its query.
    pub path: String,
    pub authorization: Option<String>,
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// A registry.
#[derive(Clone)]
pub struct Fake {
    pub host: String,
    inner: Arc<Inner>,
}

struct Inner {
    has_lists: AtomicBool,
    trick: Mutex<Trick>,
    things: Mutex<BTreeMap<String, Vec<u8>>>,
    asked: Mutex<Vec<Asked>>,
}

impl Reply {
    pub fn of(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Fake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let inner = Arc::new(Inner {
            has_lists: AtomicBool::new(false),
            trick: Mutex::new(Box::new(|_| None)),
            things: Mutex::default(),
            asked: Mutex::default(),
        });
        let fake = Self { host, inner };
        let own = fake.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let own = own.clone();
                tokio::spawn(async move { own.serve(socket).await });
            }
        });
        fake
    }

    /// Plays a trick from now on.
    pub fn play(&self, trick: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) {
        *self.inner.trick.lock().unwrap() = Box::new(trick);
    }

    /// Keeps lists of referrers from now on, or says so.
    pub fn keep_lists(&self) {
        self.inner.has_lists.store(true, Ordering::Relaxed);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().unwrap().clone()
    }

    async fn serve(&self, mut socket: TcpStream) {
        let Some(asked) = read(&mut socket).await else { return };
        self.inner.asked.lock().unwrap().push(asked.clone());
        let tricked = (self.inner.trick.lock().unwrap())(&asked);
        let reply = tricked.unwrap_or_else(|| self.honest(&asked));
        let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", reply.status);
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let is_told = reply.headers.iter().any(|(name, _)| *name == "content-length");
        if !is_told {
            head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
        }
        let _ = socket.write_all(format!("{head}\r\n").as_bytes()).await;
        if asked.method != "HEAD" {
            let _ = socket.write_all(&reply.body).await;
        }
        let _ = socket.shutdown().await;
    }

    /// Answers as a registry does; without lists of referrers, unless it was told to keep them.
    fn honest(&self, asked: &Asked) -> Reply {
        let path = asked.path.split('?').next().unwrap_or_default();
        let mut things = self.inner.things.lock().unwrap();
        match asked.method.as_str() {
            "POST" => Reply::of(202, "").with("location", format!("{path}upload")),
            "PUT" if path.ends_with("upload") => {
                let digest = Digest::of(&asked.body);
                things.insert(
                    path.replace("uploads/upload", &digest.to_string()),
                    asked.body.clone(),
                );
                Reply::of(201, "")
            }
            "PUT" => {
                let digest = Digest::of(&asked.body).to_string();
                let by_digest = path.rsplit_once('/').map(|(base, _)| format!("{base}/{digest}"));
                things.insert(by_digest.unwrap(), asked.body.clone());
                things.insert(path.to_owned(), asked.body.clone());
                let text = String::from_utf8_lossy(&asked.body);
                let has_lists = self.inner.has_lists.load(Ordering::Relaxed);
                match has_lists && text.contains("\"subject\"") {
                    true => Reply::of(201, "").with("oci-subject", "sha256:told"),
                    false => Reply::of(201, ""),
                }
            }
            _ => match things.get(path) {
                Some(bytes) => Reply::of(200, bytes.clone()),
                None => Reply::of(404, r#"{"errors":[{"code":"UNKNOWN","message":"no such"}]}"#),
            },
        }
    }
}

async fn read(socket: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break end;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let header = |name: &str| {
        let is_it = |line: &&str| line.to_ascii_lowercase().starts_with(&format!("{name}:"));
        let line = head.lines().find(is_it)?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let length = header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if socket.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let mut words = head.lines().next()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Asked { method, path, authorization: header("authorization"), body })
}
