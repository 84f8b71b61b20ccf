//! A cloud that lands late, loses answers, lags, locks and refuses.

use std::collections::BTreeSet;

use crate::call::{CallClass, CallId};
use crate::journal::UnixMs;

use super::Dice;

/// No request takes effect later than this after it was sent.
const LATE_MAX: u64 = 60_000;
/// No look misses something older than this. With `LATE_MAX` it stays below the settle time.
const LAG_MAX: u64 = 20_000;

/// Something that exists, or did.
pub(super) struct Thing {
    pub(super) id: u64,
    pub(super) name: String,
    /// The call by its labels; nothing where somebody else made it.
    pub(super) call: Option<CallId>,
    pub(super) is_alive: bool,
    seen_from: UnixMs,
}

/// What a creation was told.
pub(super) enum Told {
    Made(u64),
    Conflict,
    Refused,
    Unknown,
}

/// What a deletion was told.
pub(super) enum Gone {
    Deleted,
    Absent,
    Later,
    Never,
}

/// The cloud.
#[derive(Default)]
pub(super) struct Cloud {
    pub(super) things: Vec<Thing>,
    /// What cannot be deleted.
    pub(super) protected: BTreeSet<String>,
    /// Opaque calls that arrived.
    pub(super) delivered: Vec<CallId>,
    landing: Vec<(UnixMs, CallId, CallClass)>,
}

impl Cloud {
    /// Puts something there that no run made.
    pub(super) fn plant(&mut self, name: String) {
        self.land_thing(name, None, 0);
    }

    /// Lets everything land that is due.
    pub(super) fn settle(&mut self, now: UnixMs) {
        let (due, later) = self.landing.drain(..).partition(|(at, ..)| *at <= now);
        self.landing = later;
        let due: Vec<(UnixMs, CallId, CallClass)> = due;
        for (at, call, class) in due {
            let _ = self.land(call, class, at);
        }
    }

    /// Returns when something lands next.
    pub(super) fn lands_at(&self) -> Option<UnixMs> {
        self.landing.iter().map(|(at, ..)| *at).min()
    }

    pub(super) fn send(
        &mut self,
        call: CallId,
        class: CallClass,
        now: UnixMs,
        dice: &mut Dice,
    ) -> Told {
        let seen_from = now + dice.below(LAG_MAX);
        match dice.below(100) {
            0..=9 => {
                let _ = self.land(call, class, seen_from);
                Told::Unknown
            }
            10..=19 => {
                self.landing.push((now + dice.below(LATE_MAX), call, class));
                Told::Unknown
            }
            20..=23 => Told::Unknown,
            24..=27 => Told::Refused,
            _ => self.land(call, class, seen_from).map_or(Told::Conflict, Told::Made),
        }
    }

    /// Returns what stands under the name, as far as a look can see: its id and call.
    pub(super) fn look(&self, name: &str, now: UnixMs) -> Vec<(u64, Option<CallId>)> {
        let seen = self.things.iter().filter(|thing| thing.is_alive && thing.seen_from <= now);
        seen.filter(|thing| thing.name == name).map(|thing| (thing.id, thing.call)).collect()
    }

    pub(super) fn delete(&mut self, id: u64, dice: &mut Dice) -> Gone {
        let chance = dice.below(100);
        let Some(thing) = self.things.iter_mut().find(|thing| thing.id == id) else {
            return Gone::Absent;
        };
        if !thing.is_alive {
            return Gone::Absent;
        }
        if self.protected.contains(&thing.name) {
            return Gone::Never;
        }
        match chance {
            0..=14 => Gone::Later,
            // Deleted, but the answer was lost.
            15..=24 => {
                thing.is_alive = false;
                Gone::Later
            }
            _ => {
                thing.is_alive = false;
                Gone::Deleted
            }
        }
    }

    pub(super) fn alive(&self, call: CallId) -> usize {
        let alive = self.things.iter().filter(|thing| thing.is_alive);
        alive.filter(|thing| thing.call == Some(call)).count()
    }

    fn land(&mut self, call: CallId, class: CallClass, seen_from: UnixMs) -> Option<u64> {
        let name = name(call);
        match class {
            CallClass::KeyedCreate if self.is_taken(&name) => None,
            CallClass::KeyedCreate | CallClass::ProbeCreate => {
                Some(self.land_thing(name, Some(call), seen_from))
            }
            CallClass::Opaque => {
                self.delivered.push(call);
                Some(0)
            }
            CallClass::Converge | CallClass::Read | CallClass::Local => Some(0),
        }
    }

    fn is_taken(&self, name: &str) -> bool {
        self.things.iter().any(|thing| thing.is_alive && thing.name == name)
    }

    fn land_thing(&mut self, name: String, call: Option<CallId>, seen_from: UnixMs) -> u64 {
        let id = self.things.len() as u64 + 1;
        self.things.push(Thing { id, name, call, is_alive: true, seen_from });
        id
    }
}

/// The key of a call, as `tale::intent` has it.
pub(super) fn name(call: CallId) -> String {
    format!("thing-{call}")
}
