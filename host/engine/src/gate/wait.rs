//! Durable waits: the row stays, the memory goes.

use runwrit_capabilities::gate::Stop;
use runwrit_model::call::CallId;
use runwrit_model::event::Event;
use runwrit_model::id::Digest;
use runwrit_model::journal::{Record, UnixMs, Wait, WaitReason, Woken};
use runwrit_model::limits;
use runwrit_model::replay::Request;
use runwrit_model::timing::after;

use std::time::Duration;

use super::recall::Past;
use super::seat::Seat;
use super::{RunGate, local};

impl RunGate {
    /// Waits at least `seconds`, beyond the life of this process where it must.
    pub(super) async fn wait(&mut self, seconds: u32) -> Result<(), Stop> {
        let call = local::sleep(seconds);
        let digest = call.digest();
        let until = match self.recall(&call, Request::One(digest))? {
            Past::Timer { woken_at: Some(at), .. } => {
                self.consume(at);
                return Ok(());
            }
            Past::Timer { until, woken_at: None } => {
                self.seat.check().await?;
                until
            }
            Past::Live => {
                self.seat.check().await?;
                self.begin_wait(seconds, digest).await?
            }
            other => return Err(other.mismatch(self.next, &call)),
        };
        self.seat.wait_until(until, "the runbook waits").await?;
        let woken = Record::Woken(Woken { call: CallId::single(self.next) });
        let at = self.seat.recorder.append(vec![woken]).await?;
        self.consume(at);
        Ok(())
    }

    /// The end is fixed once, so that a resumed run does not wait again from the start.
    async fn begin_wait(&self, seconds: u32, digest: Digest) -> Result<UnixMs, Stop> {
        let wait = Duration::from_secs(seconds.min(limits::SLEEP_SECONDS_MAX).into());
        let until = after(self.seat.host.clock.now(), wait);
        let reason = WaitReason::Timer(until);
        let record = Record::Wait(Wait { call: CallId::single(self.next), digest, reason });
        self.seat.recorder.append(vec![record]).await?;
        Ok(until)
    }
}

impl Seat {
    /// Waits in memory when the time is near, else parks the run.
    pub(super) async fn wait_until(&self, until: UnixMs, reason: &str) -> Result<(), Stop> {
        let now = self.host.clock.now();
        if now >= until {
            return Ok(());
        }
        // A rehearsal waits for nothing, so it need not be parked.
        let is_long = after(now, limits::SLEEP_INLINE_MAX) < until;
        if is_long && !self.watch.is_rehearsal() {
            return Err(Stop::Parked(format!("{reason} until {}", crate::view::time(until))));
        }
        self.pause(until, reason).await
    }

    /// Waits in memory; an interrupt ends it.
    pub(super) async fn pause(&self, until: UnixMs, reason: &str) -> Result<(), Stop> {
        if self.host.clock.now() >= until {
            return Ok(());
        }
        let reason = reason.to_owned();
        let event = Event::Waiting { run: self.run(), reason, until_unix_ms: Some(until) };
        self.host.report(event);
        tokio::select! {
            () = self.host.clock.sleep_until(until) => Ok(()),
            () = self.host.interrupt.raised() => Err(Stop::Interrupted),
        }
    }
}
