//! What a guest calls: `runwrit:http/requests`.

use std::sync::Arc;
use std::time::Duration;

use super::effects::Send;
use super::observations::Read;
use super::rules::Request;
use super::{Requests, Response};
use crate::Capabilities;
use crate::bindings::runwrit::http::requests;
use crate::gate::{CallError, Gate};

impl<G: Gate> requests::Host for Capabilities<G> {
    async fn read(&mut self, request: requests::Request) -> Result<requests::Response, CallError> {
        let requests = self.requests()?;
        let request = Request::from(request).checked(&["GET", "HEAD"])?;
        Ok(self.gate.observe(Read { requests, request }).await?.into())
    }

    async fn send(&mut self, request: requests::Request) -> Result<requests::Response, CallError> {
        let requests = self.requests()?;
        let request = Request::from(request).checked(&["POST", "PUT", "PATCH", "DELETE"])?;
        Ok(self.gate.pass(Send { requests, request }).await?.into())
    }
}

impl<G: Gate> Capabilities<G> {
    fn requests(&self) -> Result<Arc<Requests>, CallError> {
        self.http.clone().ok_or_else(|| crate::failure::not_held("http"))
    }
}

impl From<requests::Request> for Request {
    fn from(request: requests::Request) -> Self {
        let headers = request.headers.into_iter().map(|header| (header.name, header.value));
        Self {
            method: request.method,
            url: request.url,
            headers: headers.collect(),
            body: request.body,
            timeout: Duration::from_secs(request.timeout_seconds.into()),
        }
    }
}

impl From<Response> for requests::Response {
    fn from(response: Response) -> Self {
        let headers = response.headers.into_iter();
        let headers = headers.map(|(name, value)| requests::Header { name, value });
        Self { status: response.status, headers: headers.collect(), body: response.body }
    }
}
