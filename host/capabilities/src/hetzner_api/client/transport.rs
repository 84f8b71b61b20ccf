//! One exchange with the API over HTTP.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url, redirect, retry};
use runwrit_model::endpoint::{Endpoint, TokenError, check_token, is_simulated};
use runwrit_model::limits::API_RESPONSE_BYTES_MAX;
use runwrit_model::secret::Secret;
use serde_json::Value;

use super::error::{ApiError, Refusal};
use crate::hetzner_api::budget::Levels;

/// What tells the provider who asks.
const USER_AGENT: &str = concat!("runwrit/", env!("CARGO_PKG_VERSION"));

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    /// How.
    pub method: Method,
    /// For example `servers/4711/actions/poweron`.
    pub path: String,
    /// Pairs after the path.
    pub query: Vec<(String, String)>,
    /// The JSON body.
    pub body: Option<Value>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The body of a success; null where it is empty.
    pub answer: Result<Value, ApiError>,
    /// What the API said about the rate limit.
    pub levels: Option<Levels>,
    /// The clock of the API, to the second.
    pub date_unix_ms: Option<u64>,
}

/// Sends requests with the token of one credential to its one endpoint.
#[derive(Debug)]
pub struct Transport {
    http: reqwest::Client,
    endpoint: Endpoint,
    base: Url,
    /// Marked as sensitive, so that no debug print shows it.
    authorization: HeaderValue,
    is_simulated: bool,
}

/// A token, and the one endpoint that it is sent to.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// The token.
    pub token: Secret,
    /// The endpoint.
    pub endpoint: Endpoint,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The token must not be sent there.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The endpoint cannot be reached by any request.
    #[error("`{0}` is no address of an API")]
    Endpoint(String),
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up: is a TLS provider installed?")]
    Http(#[source] reqwest::Error),
}

impl Request {
    /// Reads `path`.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), query: Vec::new(), body: None }
    }

    /// Sends `body` to `path`.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::POST, path: path.into(), query: Vec::new(), body: Some(body) }
    }

    /// Replaces members of what stands at `path`.
    pub fn put(path: impl Into<String>, body: Value) -> Self {
        Self { method: Method::PUT, path: path.into(), query: Vec::new(), body: Some(body) }
    }

    /// Deletes `path`.
    pub fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, path: path.into(), query: Vec::new(), body: None }
    }

    /// Adds a pair to the query.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// Returns whether the request changes nothing.
    pub fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    /// Returns bytes that tell this request from others, for jitter.
    pub fn seed(&self) -> Vec<u8> {
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        format!("{} {} {:?} {body}", self.method, self.path, self.query).into_bytes()
    }
}

impl Transport {
    /// Builds a client that follows no redirect, obeys no proxy of the environment and repeats
    /// nothing by itself: a token goes where its credential says, once for each attempt.
    pub fn new(credential: Credential, timeout: Duration) -> Result<Self, ClientError> {
        let Credential { name, token, endpoint } = credential;
        check_token(&name, &token, &endpoint)?;
        let unusable = || ClientError::Endpoint(endpoint.to_string());
        let base = Url::parse(endpoint.as_str()).map_err(|_| unusable())?;
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| unusable())?;
        authorization.set_sensitive(true);
        let mut http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .https_only(endpoint.is_encrypted())
            .referer(false)
            .timeout(timeout);
        if !endpoint.is_encrypted() {
            // To read the system's certificates takes longer than a whole call to a simulator.
            http = http.tls_certs_only([]);
        }
        let http = http.build().map_err(ClientError::Http)?;
        let is_simulated = is_simulated(&token);
        Ok(Self { http, endpoint, base, authorization, is_simulated })
    }

    /// Returns where requests go.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    fn url(&self, request: &Request) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/{}", self.base.path().trim_end_matches('/'), request.path));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        url
    }

    /// Sends one request once.
    pub async fn exchange(&self, request: &Request) -> Reply {
        let url = self.url(request);
        let mut builder = self.http.request(request.method.clone(), url);
        builder = builder.header(AUTHORIZATION, self.authorization.clone());
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        match builder.send().await {
            Ok(response) => {
                let levels = read_levels(response.headers(), self.is_simulated);
                let date_unix_ms = read_date(response.headers());
                let answer = read(response, request.is_read()).await;
                Reply { answer, levels, date_unix_ms }
            }
            Err(error) if error.is_connect() || error.is_builder() => {
                Reply::broken(ApiError::Unreachable(describe(&error)))
            }
            Err(error) => Reply::broken(ApiError::Unclear(describe(&error))),
        }
    }
}

impl Reply {
    fn broken(error: ApiError) -> Self {
        Self { answer: Err(error), levels: None, date_unix_ms: None }
    }
}

fn read_date(headers: &HeaderMap) -> Option<u64> {
    let date = jiff::fmt::rfc2822::parse(headers.get("date")?.to_str().ok()?).ok()?;
    u64::try_from(date.timestamp().as_millisecond()).ok()
}

async fn read(mut response: reqwest::Response, is_read: bool) -> Result<Value, ApiError> {
    let status = response.status();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > API_RESPONSE_BYTES_MAX => {
                let text = format!("the answer is larger than {API_RESPONSE_BYTES_MAX} bytes");
                return Err(ApiError::Unclear(text));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Err(ApiError::Unclear(describe(&error))),
        }
    }
    judge(status, &body, is_read)
}

/// A status of the 500s proves nothing, whatever its body says. One of the 400s proves that a write
/// had no effect only in the API's own envelope: a proxy that gave up waiting answers 408 itself,
/// after it passed the request on. Whoever answers a plain 429 has not let the request through.
fn judge(status: StatusCode, body: &[u8], is_read: bool) -> Result<Value, ApiError> {
    if status.is_success() {
        return match body {
            [] => Ok(Value::Null),
            body => serde_json::from_slice(body)
                .map_err(|_| ApiError::Unclear(format!("the answer to HTTP {status} is no JSON"))),
        };
    }
    let refusal = Refusal::read(status.as_u16(), body);
    let is_limited = status == StatusCode::TOO_MANY_REQUESTS;
    let is_foreign = status.is_client_error() && refusal.is_bare && !is_limited;
    match status.is_server_error() || (is_foreign && !is_read) {
        true => Err(ApiError::Unclear(refusal.to_string())),
        false => Err(ApiError::Refused(refusal)),
    }
}

/// Reads the headers of the rate limit. The wait is measured by the server's own clock where it
/// tells the time, since the two clocks need not agree; a simulator also tells how fast its runs.
fn read_levels(headers: &HeaderMap, is_simulated: bool) -> Option<Levels> {
    let text = |name| headers.get(name)?.to_str().ok();
    let number = |name| text(name)?.parse::<u64>().ok();
    let reset = i64::try_from(number("ratelimit-reset")?).ok()?;
    let simulated = || text("x-simulator-time")?.parse::<jiff::Timestamp>().ok();
    let real = || Some(jiff::fmt::rfc2822::parse(text("date")?).ok()?.timestamp());
    let now = if is_simulated { simulated() } else { real() };
    let seconds = now.map_or(0, |now| reset.saturating_sub(now.as_second()));
    let refill = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let factor = text("x-simulator-time-factor").filter(|_| is_simulated);
    let factor = factor.and_then(|factor| factor.parse::<f64>().ok()).unwrap_or(1.0);
    Some(Levels {
        limit: u32::try_from(number("ratelimit-limit")?).ok()?,
        remaining: u32::try_from(number("ratelimit-remaining")?).ok()?,
        refilled_after: Duration::try_from_secs_f64(refill.as_secs_f64() * factor)
            .unwrap_or(refill),
    })
}

/// Describes a transport error by its causes, without the address and its query.
fn describe(error: &reqwest::Error) -> String {
    let kind = match () {
        () if error.is_timeout() => "no answer in time",
        () if error.is_connect() => "no connection",
        () if error.is_body() || error.is_decode() => "the answer broke off",
        () => "the connection failed",
    };
    let mut causes = vec![kind.to_owned()];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_500s_proves_nothing() {
        for status in [500u16, 502, 503, 504] {
            let body = br#"{"error":{"code":"unavailable","message":"later"}}"#;
            let answer = judge(StatusCode::from_u16(status).unwrap(), body, false);
            assert!(matches!(answer, Err(ApiError::Unclear(_))), "HTTP {status}: {answer:?}");
        }
    }

    #[test]
    fn only_the_api_itself_proves_that_a_write_had_no_effect() {
        let envelope = br#"{"error":{"code":"x","message":"m","details":null}}"#;
        let rows: [(u16, &[u8], bool, bool); 8] = [
            (408, b"<html>timeout</html>", false, false),
            (400, b"", false, false),
            (404, br#"{"error":"text"}"#, false, false),
            (408, b"<html>timeout</html>", true, true),
            (429, b"<html>slow down</html>", false, true),
            (408, envelope, false, true),
            (422, envelope, false, true),
            (302, b"", false, true),
        ];
        for (status, body, is_read, is_proof) in rows {
            let answer = judge(StatusCode::from_u16(status).unwrap(), body, is_read);
            let is_refused = matches!(answer, Err(ApiError::Refused(_)));
            assert_eq!(is_refused, is_proof, "HTTP {status}, read {is_read}: {answer:?}");
        }
    }

    #[test]
    fn waits_are_measured_by_the_clock_of_the_server() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("ratelimit-limit", "3600"),
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", "1795435230"),
            ("date", "Mon, 23 Nov 2026 12:00:00 GMT"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let levels = read_levels(&headers, false).unwrap();
        assert_eq!((levels.limit, levels.remaining), (3600, 0));
        assert_eq!(levels.refilled_after, Duration::from_secs(30));
        headers.insert("x-simulator-time", "2026-11-23T12:00:20.500Z".parse().unwrap());
        headers.insert("x-simulator-time-factor", "0.001".parse().unwrap());
        let levels = read_levels(&headers, true).unwrap();
        assert_eq!(levels.refilled_after, Duration::from_millis(10));
    }
}
