//! Requests to URLs that the grant names one by one.

use crate::Capabilities;
use crate::bindings::runwrit::http::requests;
use crate::gate::{CallError, Gate};

/// Leave to send requests.
pub struct Requests {}

impl<G: Gate> requests::Host for Capabilities<G> {
    async fn read(&mut self, _: requests::Request) -> Result<requests::Response, CallError> {
        Err(crate::failure::not_held("http"))
    }
    async fn send(&mut self, _: requests::Request) -> Result<requests::Response, CallError> {
        Err(crate::failure::not_held("http"))
    }
}
