//! Requests that only read.

use std::sync::Arc;

use runwrit_model::call::{Call, CallClass};

use super::client::Broken;
use super::rules::Request;
use super::{Requests, Response};
use crate::gate::{CallError, Observation, Permit, Provenance};

/// Reads with `GET` or `HEAD`.
pub(super) struct Read {
    pub(super) requests: Arc<Requests>,
    pub(super) request: Request,
}

impl Observation for Read {
    type Output = Response;

    fn call(&self) -> Call {
        super::effects::call("http.requests.read", CallClass::Read, &self.request)
    }

    async fn permit(&self, _: &dyn Provenance) -> Result<Permit, CallError> {
        self.requests.permit("http.requests.read", &self.request)
    }

    async fn read(&self, _: &dyn Provenance) -> Result<Response, CallError> {
        let answer = self.requests.client.exchange(&self.request).await;
        answer.map_err(|broken| match broken {
            Broken::Unsent(failure) | Broken::Unclear(failure) | Broken::Answered(failure) => {
                failure.into()
            }
        })
    }
}
