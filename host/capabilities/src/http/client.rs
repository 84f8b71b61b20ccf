//! One exchange with a granted URL.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, redirect, retry};
use runwrit_model::breakable::is_broken;
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::limits;

use super::Response;
use super::addresses::PublicOnly;
use super::rules::Request;

/// Sends requests that were permitted.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    is_predicting: bool,
}

/// The HTTP client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be set up: is a TLS provider installed?")]
pub struct ClientError(#[source] reqwest::Error);

/// How far an exchange came before it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// No byte was sent.
    Unsent(Failure),
    /// The request may have been acted upon.
    Unclear(Failure),
    /// It was answered, but the answer cannot be passed on.
    Answered(Failure),
}

impl Client {
    /// Builds a client that follows no redirect, obeys no proxy and repeats nothing by itself.
    pub fn new() -> Result<Self, ClientError> {
        let redirects = match is_broken("redirect-followed") {
            true => redirect::Policy::limited(1),
            false => redirect::Policy::none(),
        };
        let http = reqwest::Client::builder()
            .user_agent(concat!("runwrit/", env!("CARGO_PKG_VERSION")))
            .redirect(redirects)
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .dns_resolver(Arc::new(PublicOnly))
            .build()
            .map_err(ClientError)?;
        Ok(Self { http, is_predicting: false })
    }

    /// Returns a client that reads, but answers by itself what may change something.
    pub fn predicting(self) -> Self {
        Self { is_predicting: true, ..self }
    }

    /// Sends a request that may change something, or predicts its answer: 200 and nothing else.
    pub(super) async fn change(&self, request: &Request) -> Result<Response, Broken> {
        match self.is_predicting {
            true => Ok(Response { status: 200, headers: Vec::new(), body: Vec::new() }),
            false => self.exchange(request).await,
        }
    }

    /// Sends one request once.
    pub(super) async fn exchange(&self, request: &Request) -> Result<Response, Broken> {
        let method = Method::from_bytes(request.method.as_bytes());
        let method = method.map_err(|error| Broken::Unsent(failed("method", &error)))?;
        let mut builder = self.http.request(method, &request.url).timeout(request.timeout);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if !request.body.is_empty() {
            builder = builder.body(request.body.clone());
        }
        let response = builder.send().await.map_err(|error| judge(&error, request))?;
        read(response, request).await
    }
}

async fn read(mut response: reqwest::Response, request: &Request) -> Result<Response, Broken> {
    let status = response.status().as_u16();
    let headers = read_headers(response.headers()).map_err(Broken::Answered)?;
    let (mut body, max) = (Vec::new(), limits::HTTP_RESPONSE_BODY_BYTES_MAX);
    while let Some(chunk) = response.chunk().await.map_err(|error| judge(&error, request))? {
        if body.len() + chunk.len() > max {
            let message = format!("the answer of `{}` has more than {max} bytes", request.url);
            let problem = Problem::new("answer-too-long", message);
            return Err(Broken::Answered(Failure::Failed(problem)));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response { status, headers, body })
}

fn read_headers(headers: &HeaderMap) -> Result<Vec<(String, String)>, Failure> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
        .collect();
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > limits::HTTP_HEADERS_MAX || bytes > limits::HTTP_HEADER_BYTES_MAX {
        let (count, max) = (headers.len(), limits::HTTP_HEADERS_MAX);
        let message = format!("the answer has {count} headers of {bytes} bytes; {max} are read");
        return Err(Failure::Failed(Problem::new("answer-too-long", message)));
    }
    Ok(headers)
}

/// Tells what a transport error proves.
fn judge(error: &reqwest::Error, request: &Request) -> Broken {
    let (url, seconds) = (&request.url, request.timeout.as_secs());
    if error.is_connect() || error.is_builder() {
        let message = format!("`{url}` cannot be reached: {}", causes(error));
        return Broken::Unsent(Failure::Unavailable(Problem::new("unreachable", message)));
    }
    if error.is_timeout() {
        let message = format!("`{url}` did not answer within {seconds} s");
        return Broken::Unclear(Failure::TimedOut(Problem::new("timed-out", message)));
    }
    Broken::Unclear(failed(url, error))
}

fn failed(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::Failed(Problem::new("broken", format!("`{what}`: {}", causes(error))))
}

/// Returns the innermost causes of an error; the outer ones repeat the URL.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    if causes.is_empty() { error.to_string() } else { causes.join(": ") }
}

#[expect(clippy::disallowed_methods, reason = "the server of these tests listens on loopback")]
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one request with these bytes, and returns its URL.
    async fn serve(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4_096]).await;
            let _ = socket.write_all(&answer).await;
        });
        url
    }

    async fn exchange(url: String) -> Result<Response, Broken> {
        // Another test may have installed it first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (headers, body, timeout) = (Vec::new(), Vec::new(), Duration::from_secs(5));
        let request = Request { method: "GET".to_owned(), url, headers, body, timeout };
        Client::new().unwrap().exchange(&request).await
    }

    #[tokio::test]
    async fn a_redirect_is_returned_and_not_followed() {
        let answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\
            content-length: 0\r\n\r\n";
        let response = exchange(serve(answer.to_vec()).await).await.unwrap();
        assert_eq!(response.status, 302);
        assert!(response.headers.iter().any(|(name, _)| name == "location"));
    }

    #[tokio::test]
    async fn an_answer_is_cut_off_at_the_limit() {
        let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        answer.resize(answer.len() + limits::HTTP_RESPONSE_BODY_BYTES_MAX, b'x');
        let fits = exchange(serve(answer.clone()).await).await.unwrap();
        assert_eq!(fits.body.len(), limits::HTTP_RESPONSE_BODY_BYTES_MAX);
        answer.push(b'x');
        let broken = exchange(serve(answer).await).await.unwrap_err();
        assert!(matches!(broken, Broken::Answered(_)), "{broken:?}");
    }

    #[tokio::test]
    async fn only_what_was_never_sent_counts_as_unsent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let rows = [("a closed port", closed, true), ("no answer", serve(vec![]).await, false)];
        for (row, url, is_unsent) in rows {
            let broken = exchange(url).await.unwrap_err();
            assert_eq!(matches!(broken, Broken::Unsent(_)), is_unsent, "{row}: {broken:?}");
        }
    }

    #[tokio::test]
    async fn a_name_never_leads_to_loopback_but_an_address_may() {
        let url = serve(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
        let named = url.replace("127.0.0.1", "localhost");
        let Broken::Unsent(failure) = exchange(named).await.unwrap_err() else { panic!("sent") };
        assert!(failure.to_string().contains("no public address"), "{failure}");
        assert_eq!(exchange(url).await.unwrap().status, 200);
    }

    /// Switches one rule off at a time: the request must then go where it should not.
    #[cfg(feature = "breakable")]
    #[test]
    fn each_rule_keeps_a_request_from_where_it_should_not_go() {
        use runwrit_model::breakable::with_broken;

        let there = |rule: &'static str, leads: fn(String) -> (String, String)| {
            let executor = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let visit = async move {
                let aim = serve(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
                let (answer, url) = leads(aim);
                match answer.is_empty() {
                    true => exchange(url).await,
                    false => exchange(serve(answer.into_bytes()).await).await,
                }
            };
            let visited = with_broken(rule, || executor.unwrap().block_on(visit));
            visited.is_ok_and(|response| response.status == 204)
        };
        let named = |aim: String| (String::new(), aim.replace("127.0.0.1", "localhost"));
        let moved = |aim: String| {
            let head = "HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: ";
            (format!("{head}{aim}\r\n\r\n"), String::new())
        };
        assert!(!there("no rule", named) && there("public-only", named));
        assert!(!there("no rule", moved) && there("redirect-followed", moved));
    }
}
