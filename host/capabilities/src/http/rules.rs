//! What a request may look like, checked before grant and journal see it.

use std::time::Duration;

use reqwest::Url;
use runwrit_model::breakable::is_broken;
use runwrit_model::failure::{Failure, Problem};
use runwrit_model::id::Digest;
use runwrit_model::limits;
use serde_json::{Value, json};

/// Headers that belong to the client, or that would carry a secret through a journal.
const REFUSED: [&str; 13] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A sound request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) timeout: Duration,
}

impl Request {
    /// Returns what the journal keeps: of the body its digest, since it may be large.
    pub(super) fn record(&self) -> Value {
        json!({
            "method": self.method,
            "url": self.url,
            "headers": self.headers,
            "body-sha256": Digest::of(&self.body),
            "body-bytes": self.body.len(),
            "timeout-seconds": self.timeout.as_secs(),
        })
    }

    /// Refuses whatever is not exactly what would be sent; `methods` are those of the function.
    pub(super) fn checked(self, methods: &[&str]) -> Result<Self, Failure> {
        if !methods.contains(&self.method.as_str()) {
            let allowed = methods.join("`, `");
            let message = format!("`{}` is none of `{allowed}`", self.method);
            return Err(invalid("method", message));
        }
        check_url(&self.url)?;
        check_headers(&self.headers)?;
        self.check_body()?;
        let (seconds, max) = (self.timeout.as_secs(), limits::HTTP_TIMEOUT_SECONDS_MAX);
        if !(1..=u64::from(max)).contains(&seconds) {
            let message = format!("a timeout of {seconds} s was asked for; 1 to {max} are allowed");
            return Err(invalid("timeout-seconds", message));
        }
        Ok(self)
    }

    fn check_body(&self) -> Result<(), Failure> {
        let (has, max) = (self.body.len(), limits::HTTP_REQUEST_BODY_BYTES_MAX);
        if has > max {
            return Err(invalid(
                "body",
                format!("the body has {has} bytes; at most {max} are sent"),
            ));
        }
        if has > 0 && matches!(self.method.as_str(), "GET" | "HEAD") {
            return Err(invalid("body", format!("a `{}` has no body", self.method)));
        }
        Ok(())
    }
}

/// Refuses a URL that a client would send in another spelling: the grant compares bytes.
fn check_url(text: &str) -> Result<(), Failure> {
    let max = limits::HTTP_URL_BYTES_MAX;
    if text.len() > max {
        return Err(invalid("url", format!("it has {} bytes; at most {max} are sent", text.len())));
    }
    let url = Url::parse(text).map_err(|error| invalid("url", format!("`{text}`: {error}")))?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none();
    if !is_plain && !is_broken("url-plain") {
        let message = format!("`{text}` is no `http` or `https` URL without user and fragment");
        return Err(invalid("url", message));
    }
    if url.as_str() != text && !is_broken("url-spelling") {
        return Err(invalid("url", format!("`{text}` would be sent as `{url}`; write it so")));
    }
    Ok(())
}

fn check_headers(headers: &[(String, String)]) -> Result<(), Failure> {
    let (count, max) = (headers.len(), limits::HTTP_HEADERS_MAX);
    if count > max {
        return Err(invalid("headers", format!("{count} were given; at most {max} are sent")));
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let max = limits::HTTP_HEADER_BYTES_MAX;
    if bytes > max {
        return Err(invalid("headers", format!("they have {bytes} bytes; at most {max} are sent")));
    }
    headers.iter().try_for_each(|(name, value)| check_header(name, value))
}

fn check_header(name: &str, value: &str) -> Result<(), Failure> {
    let is_name = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !is_name {
        let message = format!("`{name}` is no header name of `a-z`, `0-9` and `-`");
        return Err(invalid("headers", message));
    }
    if REFUSED.contains(&name) && !is_broken("header-reserved") {
        return Err(invalid("headers", format!("`{name}` belongs to the host")));
    }
    // A line feed in a value would begin another header.
    if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(invalid("headers", format!("the value of `{name}` is not printable ASCII")));
    }
    Ok(())
}

fn invalid(field: &str, message: String) -> Failure {
    Failure::Invalid(Problem::new("invalid-request", message).with_field(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            method: "POST".to_owned(),
            url: "https://acme.example.org/health?deep=1".to_owned(),
            headers: vec![("accept".to_owned(), "text/plain".to_owned())],
            body: b"x".to_vec(),
            timeout: Duration::from_secs(5),
        }
    }

    fn check(request: Request) -> Result<Request, Failure> {
        request.checked(&["GET", "POST"])
    }

    #[test]
    fn a_plain_request_passes_unchanged() {
        assert_eq!(check(request()), Ok(request()));
    }

    #[test]
    fn urls_that_would_be_sent_in_another_spelling_are_refused() {
        let long = format!("https://a.example/{}", "x".repeat(limits::HTTP_URL_BYTES_MAX));
        let urls = [
            "",
            "/health",
            "ftp://a.example/",
            "https://",
            "file:///etc/passwd",
            "https://a.example",
            "https://A.example/",
            "HTTPS://a.example/",
            "https://a.example:443/",
            "https://a.example/x/../y",
            "https://a.example/./y",
            "https://a.example/ü",
            "https://u@a.example/",
            "https://u:p@a.example/",
            "https://a.example/#f",
            "https://a.example/a b",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://127.1/",
            "https://а.example/",
            "https://a.example\\@b.example/",
            " https://a.example/",
            "https://a.example/\n",
        ];
        for url in urls.into_iter().chain([long.as_str()]) {
            let checked = check(Request { url: url.to_owned(), ..request() });
            assert!(checked.is_err(), "`{url}` passed");
        }
    }

    #[test]
    fn headers_that_belong_to_the_client_are_refused() {
        let names = REFUSED.iter().copied().chain(["", "Accept", "x y", "x:", "x\r\ny", "é"]);
        for name in names {
            let headers = vec![(name.to_owned(), "1".to_owned())];
            assert!(check(Request { headers, ..request() }).is_err(), "`{name}` passed");
        }
        for value in ["a\r\nhost: b", "a\0", "ä"] {
            let headers = vec![("x".to_owned(), value.to_owned())];
            assert!(check(Request { headers, ..request() }).is_err(), "value `{value}` passed");
        }
        let many = vec![("x".to_owned(), "1".to_owned()); limits::HTTP_HEADERS_MAX + 1];
        assert!(check(Request { headers: many, ..request() }).is_err(), "too many");
        let large = vec![("x".to_owned(), "1".repeat(limits::HTTP_HEADER_BYTES_MAX))];
        assert!(check(Request { headers: large, ..request() }).is_err(), "too large");
    }

    #[test]
    fn methods_bodies_and_timeouts_out_of_range_are_refused() {
        let large = vec![0; limits::HTTP_REQUEST_BODY_BYTES_MAX + 1];
        let seconds = |seconds| Duration::from_secs(seconds);
        let rows = [
            ("lower case", Request { method: "post".to_owned(), ..request() }),
            ("of the other function", Request { method: "PUT".to_owned(), ..request() }),
            ("body of a GET", Request { method: "GET".to_owned(), ..request() }),
            ("large body", Request { body: large, ..request() }),
            ("no timeout", Request { timeout: seconds(0), ..request() }),
            ("long timeout", Request { timeout: seconds(121), ..request() }),
        ];
        for (row, request) in rows {
            assert!(check(request).is_err(), "{row}");
        }
    }

    /// Switches one rule off at a time: what it refuses must then pass.
    #[cfg(feature = "breakable")]
    #[test]
    fn each_rule_refuses_what_no_other_does() {
        use runwrit_model::breakable::with_broken;

        let to = |url: &str| Request { url: url.to_owned(), ..request() };
        let host = vec![("host".to_owned(), "b.example".to_owned())];
        let rows = [
            ("url-plain", to("https://u@a.example/")),
            ("url-spelling", to("https://a.example/x/../y")),
            ("header-reserved", Request { headers: host, ..request() }),
        ];
        for (rule, request) in rows {
            assert!(check(request.clone()).is_err(), "{rule}");
            assert!(with_broken(rule, || check(request)).is_ok(), "without {rule}");
        }
    }
}
