//! Serving the API over HTTP, and the control port beside it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request as HttpRequest, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use futures_util::stream;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::auth::Presented;
use super::control::Control;
use super::desk;
use super::options::{Options, Seen};
use super::paging::link_header;
use super::request::{Reply, Request, query_pairs};
use super::wire::{CuttableListener, Open, Switch};
use super::world::{Answer, Content, Delivery};

// The largest legal body is a server with 32 KiB of user data, or a zone file.
const BODY_MAX: usize = 1 << 20;

/// Starts simulators.
pub struct Simulator;

/// A running simulator; dropping it stops it without waiting.
pub struct Handle {
    /// Where the API listens; its base is `http://{api}/v1`.
    pub api: SocketAddr,
    /// Where the control port listens, if it does.
    pub control: Option<SocketAddr>,
    desk: Control,
    open: Open,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Why a simulator did not start.
#[derive(Debug, Error)]
#[error("cannot listen on `{address}`; is the port free and the address local?")]
pub struct StartError {
    address: SocketAddr,
    source: io::Error,
}

impl Simulator {
    /// Binds the addresses of `options` and serves until the handle is stopped or dropped.
    pub async fn start(options: Options) -> Result<Handle, StartError> {
        let desk = Control::new(&options);
        let (stop, stopped) = watch::channel(false);
        let (listener, api) = bind(options.listen).await?;
        let open = Open::default();
        let service = Router::new()
            .fallback(answer)
            .with_state(desk.clone())
            .into_make_service_with_connect_info::<Switch>();
        let serving = axum::serve(CuttableListener::new(listener, open.clone()), service)
            .with_graceful_shutdown(until(stopped.clone()));
        let mut tasks = vec![tokio::spawn(async move { report(serving.await) })];
        let mut control = None;
        if let Some(address) = options.control {
            let (listener, address) = bind(address).await?;
            control = Some(address);
            let serving = axum::serve(listener, desk::router(desk.clone()))
                .with_graceful_shutdown(until(stopped));
            tasks.push(tokio::spawn(async move { report(serving.await) }));
        }
        Ok(Handle { api, control, desk, open, stop, tasks })
    }
}

impl Handle {
    /// Returns the control functions, without going through HTTP.
    pub fn desk(&self) -> &Control {
        &self.desk
    }

    /// Returns the endpoint for clients, e.g. for `HCLOUD_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}/v1", self.api)
    }

    /// Returns how many connections to the API are open. Once it is zero, whatever clients that
    /// are gone have sent was handled or is lost.
    pub fn connections(&self) -> usize {
        self.open.count()
    }

    /// Lets requests in flight end, for a moment, and stops.
    pub async fn stop(mut self) {
        // Nobody listening means that the tasks ended already.
        let _ = self.stop.send(true);
        for task in std::mem::take(&mut self.tasks) {
            let abort = task.abort_handle();
            // Idle connections that a client keeps open must not hold the stop up.
            if tokio::time::timeout(Duration::from_secs(1), task).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "to listen is what a simulator is started for")]
async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let refuse = |source| StartError { address, source };
    let listener = TcpListener::bind(address).await.map_err(refuse)?;
    let address = listener.local_addr().map_err(refuse)?;
    Ok((listener, address))
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the handle is gone, which is a stop as well.
    let _ = stopped.wait_for(|is_stopped| *is_stopped).await;
}

fn report(outcome: io::Result<()>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "the simulator stopped serving");
    }
}

async fn answer(
    State(control): State<Control>,
    ConnectInfo(switch): ConnectInfo<Switch>,
    request: HttpRequest,
) -> Response {
    let request = read(request).await;
    let (path, query) = (request.path.clone(), request.query.clone());
    let method = request.method.clone();
    let origin = request.origin.clone();
    let (answer, now) = control.receive(request);
    match answer.delivery {
        Delivery::Dropped => switch.cut(),
        Delivery::Slow(delay_ms) => sleep(Duration::from_millis(delay_ms / 2)).await,
        Delivery::Whole => {}
    }
    let link = match &answer.content {
        Content::Reply(Reply { pages: Some(pages), .. }) => {
            Some(link_header(&format!("{origin}{path}"), &query, *pages))
        }
        _ => None,
    };
    let mut response = body_of(&answer);
    if let Some(witness) = control.witness() {
        witness.see(&seen(&method, &path, &answer));
    }
    let headers = response.headers_mut();
    put(headers, "ratelimit-limit", answer.rate.limit);
    put(headers, "ratelimit-remaining", answer.rate.remaining);
    put(headers, "ratelimit-reset", answer.rate.reset);
    put(headers, "x-correlation-id", &answer.correlation_id);
    put(headers, "date", control.date().strftime("%a, %d %b %Y %H:%M:%S GMT"));
    put(headers, "x-simulator-time", now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"));
    put(headers, "x-simulator-time-factor", control.time_factor());
    if let Some(link) = link {
        put(headers, "link", link);
    }
    if !answer.allowed.is_empty() {
        put(headers, "allow", answer.allowed.join(", "));
    }
    response
}

fn seen<'a>(method: &'a str, path: &'a str, answer: &'a Answer) -> Seen<'a> {
    let (status, body) = match &answer.content {
        Content::Reply(reply) => (reply.status, reply.body.as_ref()),
        Content::Html(status) => (*status, None),
    };
    Seen { method, path, status, body }
}

fn put(headers: &mut HeaderMap, name: &'static str, value: impl ToString) {
    // What a client sent in its query may come back in `Link`; escapes keep it a legal value.
    if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

async fn read(request: HttpRequest) -> Request {
    let (parts, body) = request.into_parts();
    let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(HOST).unwrap_or("localhost");
    // Paths outside `/v1` exist on no server of the provider; they fit no route.
    let path = parts.uri.path().strip_prefix("/v1").unwrap_or_default();
    Request {
        method: parts.method.as_str().to_owned(),
        path: path.to_owned(),
        query: query_pairs(parts.uri.query().unwrap_or_default()),
        origin: format!("http://{host}/v1"),
        token: Presented::from_header(text(AUTHORIZATION)),
        body: to_bytes(body, BODY_MAX).await.ok().map(|bytes| bytes.to_vec()),
    }
}

fn body_of(answer: &Answer) -> Response {
    let (status, kind, text) = match &answer.content {
        Content::Html(status) => (*status, "text/html", gateway_page(*status)),
        Content::Reply(Reply { status, body: Some(body), .. }) => {
            (*status, "application/json", body.to_string())
        }
        Content::Reply(Reply { status, body: None, .. }) => (*status, "", String::new()),
    };
    let body = match answer.delivery {
        Delivery::Slow(delay_ms) => in_two_halves(text, Duration::from_millis(delay_ms / 2)),
        Delivery::Whole | Delivery::Dropped => Body::from(text),
    };
    let mut response = Response::new(body);
    // A fault may ask for a status that HTTP does not know.
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !kind.is_empty() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}

fn in_two_halves(text: String, pause: Duration) -> Body {
    let bytes = Bytes::from(text);
    let halves = [bytes.slice(..bytes.len() / 2), bytes.slice(bytes.len() / 2..)];
    let halves = stream::unfold(halves.into_iter().enumerate(), move |mut halves| async move {
        let (index, half) = halves.next()?;
        if index > 0 {
            sleep(pause).await;
        }
        Some((Ok::<_, Infallible>(half), halves))
    });
    Body::from_stream(halves)
}

fn gateway_page(status: u16) -> String {
    format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n")
}
