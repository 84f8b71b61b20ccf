//! Requests to a registry: who one is, where answers may lead, and how much of them is read.

use std::sync::Mutex;

use bytes::Bytes;
use data_encoding::BASE64;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LINK, LOCATION, WWW_AUTHENTICATE,
};
use reqwest::{Method, Response, Url, redirect, retry};
use runwrit_model::endpoint::is_loopback;
use runwrit_model::limits;
use serde::Deserialize;

use super::Credential;
use crate::challenge::Challenge;
use crate::error::TransferError;
use crate::reference::base;

/// What a registry may say about an error; more is for nobody.
const SAID_BYTES_MAX: usize = 300;

/// Somebody who talks to one registry.
#[derive(Debug)]
pub struct Exchange {
    http: reqwest::Client,
    host: String,
    origin: Url,
    scope: String,
    credential: Option<Credential>,
    /// What is sent along with each request, once it is known.
    authorization: Mutex<Option<HeaderValue>>,
}

/// One request, and what it is about for errors.
#[derive(Debug, Clone)]
struct Ask<'a> {
    what: &'a str,
    method: Method,
    url: Url,
    accept: Option<&'a str>,
    body: Option<(&'a str, Bytes)>,
}

/// What a registry answered.
#[derive(Debug)]
pub struct Answer {
    response: Response,
    what: String,
    host: String,
    origin: Url,
}

/// A token, under either of its two names.
#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
}

/// What a registry says about an error.
#[derive(Deserialize)]
struct Complaints {
    #[serde(default)]
    errors: Vec<Complaint>,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Exchange {
    /// Prepares to talk to a registry in the scope of one repository.
    pub fn new(
        host: &str,
        scope: String,
        credential: Option<Credential>,
    ) -> Result<Self, TransferError> {
        let unreachable = |why: String| TransferError::Unreachable { what: host.to_owned(), why };
        let origin = Url::parse(&base(host)).map_err(|error| unreachable(error.to_string()))?;
        // Whether an answer may lead elsewhere, and what is told there, is decided below.
        let http = reqwest::Client::builder()
            .user_agent(concat!("runwrit/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(limits::REQUEST_TIMEOUT)
            .read_timeout(limits::REGISTRY_SILENCE_MAX)
            .build()
            .map_err(|error| unreachable(causes(&error)))?;
        let authorization = match &credential {
            Some(Credential { user: None, secret, .. }) => Some(bearer(host, secret.expose())?),
            _ => None,
        };
        let (host, authorization) = (host.to_owned(), Mutex::new(authorization));
        Ok(Self { http, host, origin, scope, credential, authorization })
    }

    /// Reads, from wherever the registry keeps it.
    pub async fn get(&self, what: &str, url: Url, accept: &str) -> Result<Answer, TransferError> {
        let ask = |url| Ask { what, method: Method::GET, url, accept: Some(accept), body: None };
        let mut answer = self.known(ask(url)).await?;
        for _ in 0..limits::REDIRECTS_MAX {
            if !matches!(answer.status(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let url = answer.location()?;
            answer = self.once(ask(url)).await?;
        }
        let to = shown(answer.response.url());
        Err(TransferError::LedAway { what: what.to_owned(), to, why: "and on and on" })
    }

    /// Sends a request with a body of this type, where it has one.
    pub async fn send(
        &self,
        what: &str,
        method: Method,
        url: Url,
        body: Option<(&str, Bytes)>,
    ) -> Result<Answer, TransferError> {
        self.known(Ask { what, method, url, accept: None, body }).await
    }

    /// Sends a request, and once more when the registry asks who one is.
    async fn known(&self, ask: Ask<'_>) -> Result<Answer, TransferError> {
        let answer = self.once(ask.clone()).await?;
        if answer.status() != 401 || !self.is_own(&ask.url) {
            return Ok(answer);
        }
        let asked = answer.response.headers().get_all(WWW_AUTHENTICATE).into_iter();
        let challenge = asked.filter_map(|it| it.to_str().ok()).find_map(Challenge::parse);
        let Some(authorization) = self.answer(challenge).await? else { return Ok(answer) };
        self.set(authorization);
        self.once(ask).await
    }

    async fn once(&self, ask: Ask<'_>) -> Result<Answer, TransferError> {
        let Ask { what, method, url, accept, body } = ask;
        let mut request = self.http.request(method, url.clone());
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        // Nobody but the registry itself is told who one is.
        if let Some(authorization) = self.authorization().filter(|_| self.is_own(&url)) {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some((kind, bytes)) = body {
            request = request.header(CONTENT_TYPE, kind).body(bytes);
        }
        let (what, host, origin) = (what.to_owned(), self.host.clone(), self.origin.clone());
        match request.send().await {
            Ok(response) => Ok(Answer { response, what, host, origin }),
            Err(error) => Err(TransferError::Unreachable { what, why: causes(&error) }),
        }
    }

    /// Returns what to send along, by what the registry asks for; nothing where there is nothing to
    /// say.
    async fn answer(
        &self,
        challenge: Option<Challenge>,
    ) -> Result<Option<HeaderValue>, TransferError> {
        match (challenge, &self.credential) {
            (Some(Challenge::Basic), Some(Credential { user: Some(user), secret, .. })) => {
                basic(&self.host, user, secret.expose()).map(Some)
            }
            // A token that the registry did not take will not be taken a second time.
            (Some(Challenge::Bearer { .. }), Some(Credential { user: None, .. })) => Ok(None),
            (Some(Challenge::Bearer { realm, service }), _) => {
                self.token(&realm, service).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Gets a token for this repository alone, whatever the registry would have asked for.
    async fn token(
        &self,
        realm: &str,
        service: Option<String>,
    ) -> Result<HeaderValue, TransferError> {
        let away = |why| TransferError::LedAway {
            what: self.host.clone(),
            to: runwrit_model::text::escape(realm),
            why,
        };
        let mut url = Url::parse(realm).map_err(|_| away("which is no URL"))?;
        self.may_follow(&url).map_err(away)?;
        let mut request = {
            let mut query = url.query_pairs_mut();
            if let Some(service) = &service {
                query.append_pair("service", service);
            }
            query.append_pair("scope", &self.scope);
            drop(query);
            self.http.get(url.clone())
        };
        if let Some(Credential { user: Some(user), secret, token_service }) = &self.credential {
            if !self.is_own(&url) && token_service.as_deref() != Some(realm) {
                let realm = runwrit_model::text::escape(realm);
                return Err(TransferError::OtherRealm { host: self.host.clone(), realm });
            }
            request = request.header(AUTHORIZATION, basic(&self.host, user, secret.expose())?);
        }
        let what = format!("{} (its tokens)", self.host);
        let response = request.send().await;
        let response = response.map_err(|error| TransferError::Unreachable {
            what: what.clone(),
            why: causes(&error),
        })?;
        let (host, origin) = (self.host.clone(), self.origin.clone());
        let answer = Answer { response, what: what.clone(), host, origin };
        let answer = answer.success(&[200]).await?;
        let bytes = answer.body(limits::REGISTRY_ANSWER_BYTES_MAX).await?;
        let given = serde_json::from_slice(&bytes).ok();
        let token = given.and_then(|it: Given| it.token.or(it.access_token));
        let none = || TransferError::Unexpected {
            what,
            status: 200,
            said: ", but without a token".to_owned(),
        };
        bearer(&self.host, &token.ok_or_else(none)?)
    }

    fn may_follow(&self, url: &Url) -> Result<(), &'static str> {
        may_follow(&self.origin, url)
    }

    /// Returns whether a URL is of the registry itself.
    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.origin.origin()
    }

    fn authorization(&self) -> Option<HeaderValue> {
        self.authorization.lock().map_or_else(|broken| broken.into_inner().clone(), |it| it.clone())
    }

    fn set(&self, value: HeaderValue) {
        match self.authorization.lock() {
            Ok(mut held) => *held = Some(value),
            Err(broken) => *broken.into_inner() = Some(value),
        }
    }
}

impl Answer {
    /// Returns the status.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Returns a header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns where it leads.
    pub fn location(&self) -> Result<Url, TransferError> {
        let told = self.header(LOCATION.as_str()).unwrap_or_default();
        let away = |why| TransferError::LedAway {
            what: self.what.clone(),
            to: runwrit_model::text::escape(told.split('?').next().unwrap_or_default()),
            why,
        };
        let url = self.response.url().join(told).map_err(|_| away("which is no URL"))?;
        may_follow(&self.origin, &url).map_err(away)?;
        Ok(url)
    }

    /// Returns the next page of a list, where the registry keeps it itself.
    pub fn next_page(&self, base: &Url) -> Option<Url> {
        let link = self.header(LINK.as_str())?;
        let (target, rest) = link.strip_prefix('<')?.split_once('>')?;
        let url = self.response.url().join(target).ok()?;
        let is_next = rest.replace(' ', "").contains("rel=\"next\"");
        (is_next && url.origin() == base.origin()).then_some(url)
    }

    /// Goes on with these statuses alone.
    pub async fn success(self, expected: &[u16]) -> Result<Self, TransferError> {
        let status = self.status();
        if expected.contains(&status) {
            return Ok(self);
        }
        let (what, host) = (self.what.clone(), self.host.clone());
        let body = self.body(limits::REGISTRY_ANSWER_BYTES_MAX).await.unwrap_or_default();
        let said = said(&body);
        Err(match status {
            401 | 403 => TransferError::Denied { what, status, said, host },
            404 => TransferError::NotFound(what),
            _ => TransferError::Unexpected { what, status, said },
        })
    }

    /// Reads the body, but no more than this.
    pub async fn body(self, max: u64) -> Result<Vec<u8>, TransferError> {
        let Self { mut response, what, .. } = self;
        let too_large = || TransferError::TooLarge { what: what.clone(), bytes_max: max };
        if response.content_length().is_some_and(|length| length > max) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        loop {
            let chunk = response.chunk().await.map_err(|error| TransferError::Unreachable {
                what: what.clone(),
                why: causes(&error),
            })?;
            let Some(chunk) = chunk else { return Ok(bytes) };
            if (bytes.len() + chunk.len()) as u64 > max {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
    }
}

/// Says why nothing is sent to where a registry leads. One on this machine may lead to it again;
/// any other only to where the way is encrypted.
fn may_follow(origin: &Url, to: &Url) -> Result<(), &'static str> {
    let is_local = is_loopback(to.as_str());
    if !to.username().is_empty() || to.password().is_some() {
        return Err("which names a user");
    }
    match (to.scheme(), is_local, is_loopback(origin.as_str())) {
        ("https", false, _) | ("https" | "http", true, true) => Ok(()),
        ("https" | "http", true, false) => Err("which is this machine"),
        ("http", false, _) => Err("which is not encrypted"),
        _ => Err("which is not `https`"),
    }
}

/// Returns what a registry says about an error, from a colon on.
fn said(body: &[u8]) -> String {
    let complaints: Option<Complaints> = serde_json::from_slice(body).ok();
    let first = complaints.and_then(|it| it.errors.into_iter().next());
    first.map_or(String::new(), |Complaint { code, message }| {
        let text = runwrit_model::text::escape(&format!("{code} {message}"));
        format!(": {}", runwrit_model::text::truncate(text.trim(), SAID_BYTES_MAX))
    })
}

fn basic(host: &str, user: &str, password: &str) -> Result<HeaderValue, TransferError> {
    sensitive(host, format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes())))
}

fn bearer(host: &str, token: &str) -> Result<HeaderValue, TransferError> {
    sensitive(host, format!("Bearer {token}"))
}

/// Wraps what no log may show.
fn sensitive(host: &str, text: String) -> Result<HeaderValue, TransferError> {
    let malformed = |_| TransferError::Unreachable {
        what: host.to_owned(),
        why: "the token holds characters that no header can carry".to_owned(),
    };
    let mut value = HeaderValue::from_str(&text).map_err(malformed)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Returns a URL without its query, which may let whoever reads it in.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

/// Returns the causes of an error; the outermost one repeats the URL, with its query.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    if causes.is_empty() { "the request failed".to_owned() } else { causes.join(": ") }
}
