//! As much of HTTP as talking to a simulator on loopback takes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;

/// A simulator answers at once; one that does not is broken.
const LIMIT: Duration = Duration::from_secs(10);

/// A request to a loopback server.
pub struct Request<'a> {
    /// For example `POST`.
    pub method: &'a str,
    /// For example `http://127.0.0.1:8080/v1/ssh_keys`.
    pub url: &'a str,
    /// The token, where one is needed.
    pub token: Option<&'a str>,
    /// The JSON body, where there is one.
    pub body: Option<&'a Value>,
}

/// Sends a request and returns the JSON of its answer; an answer without a body is `null`.
pub fn send(request: &Request<'_>) -> Result<Value, Failure> {
    let text = exchange(request).map_err(|source| broken(request.url, &source.to_string()))?;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        return Err(broken(request.url, &format!("HTTP {status}: {body}")));
    }
    match body.trim().is_empty() {
        true => Ok(Value::Null),
        false => {
            serde_json::from_str(body).map_err(|error| broken(request.url, &error.to_string()))
        }
    }
}

fn exchange(request: &Request<'_>) -> std::io::Result<String> {
    let rest = request.url.strip_prefix("http://").unwrap_or(request.url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let body = request.body.map(Value::to_string).unwrap_or_default();
    let mut head = format!("{} /{path} HTTP/1.0\r\nhost: {host}\r\n", request.method);
    if let Some(token) = request.token {
        head.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn broken(url: &str, why: &str) -> Failure {
    Failure::Missing(
        format!("the simulator did not answer `{url}` as it should: {why}"),
        "its own messages above may say why".to_owned(),
    )
}
