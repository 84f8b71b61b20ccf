//! The smallest HTTP client: one request a connection, so that a cut one can be told.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A well-formed token for a throw-away project.
pub const TOKEN: &str = "runwrit0runwrit1runwrit2runwrit3runwrit4runwrit5runwrit6runwrit7";

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Value,
}

/// Somebody to ask.
#[derive(Clone, Copy)]
pub struct Client {
    pub address: SocketAddr,
    /// What stands before every path: `/v1` for the API, nothing for the control port.
    pub prefix: &'static str,
}

impl Client {
    /// Sends `METHOD /path` and returns the answer, or nothing when the connection was cut.
    pub async fn try_ask(&self, line: &str, body: Value) -> Option<Answer> {
        let (method, path) = line.split_once(' ').expect("a method and a path");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {}{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\n\
            content-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.prefix,
            self.address,
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).await.expect("the simulator listens");
        stream.write_all(request.as_bytes()).await.expect("the request is taken");
        let mut bytes = Vec::new();
        // A cut connection may end in a reset; what counts is that nothing arrived.
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, rest) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let body = serde_json::from_str(rest).unwrap_or(Value::Null);
        Some(Answer { status, head: head.to_lowercase(), body })
    }

    /// Sends and returns status and body.
    pub async fn ask(&self, line: &str, body: Value) -> Answer {
        self.try_ask(line, body).await.unwrap_or_else(|| panic!("{line}: no answer came"))
    }

    /// Sends what must succeed and returns its body.
    pub async fn make(&self, line: &str, body: Value) -> Value {
        let answer = self.ask(line, body).await;
        assert!(answer.status < 300, "{line}: {} {}", answer.status, answer.body);
        answer.body
    }

    /// Sends what must succeed, waits for the actions it began, and returns its body.
    pub async fn finish(&self, line: &str, body: Value) -> Value {
        let reply = self.make(line, body).await;
        let many = ["actions", "next_actions"].iter().filter_map(|key| reply[*key].as_array());
        let all = many.flatten().chain(std::iter::once(&reply["action"]));
        let ids: Vec<u64> = all.filter_map(|action| action["id"].as_u64()).collect();
        for id in ids {
            self.wait(id).await;
        }
        reply
    }

    async fn wait(&self, id: u64) {
        // The slowest simulated action takes four minutes, here a quarter of a second.
        const POLLS_MAX: usize = 2_000;
        for _ in 0..POLLS_MAX {
            let body = self.make(&format!("GET /actions/{id}"), Value::Null).await;
            match body["action"]["status"].as_str() {
                Some("running") => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
                Some("success") => return,
                _ => panic!("action {id} failed: {body}"),
            }
        }
        panic!("action {id} never ends");
    }
}
