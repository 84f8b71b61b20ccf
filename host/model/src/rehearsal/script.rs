//! What a rehearsed guest does.

use crate::call::{CallClass, CallId, Rank};
use crate::id::Digest;
use crate::journal::Intent;
use crate::tale;

use super::{Dice, Weather};

/// The calls of a guest, in order, and how it ends.
pub(super) struct Script {
    pub(super) calls: Vec<Line>,
    pub(super) fails: bool,
}

/// One call.
pub(super) enum Line {
    Read,
    Step,
    /// Waits so many milliseconds.
    Sleep(u64),
    /// Effects of one class; a batch where there are several.
    Effects(CallClass, Vec<Part>),
}

/// One effect.
pub(super) struct Part {
    pub(super) rank: Rank,
    pub(super) needs: Vec<CallId>,
}

impl Script {
    pub(super) fn write(dice: &mut Dice, weather: Weather) -> Self {
        let count = 2 + dice.below(8);
        let mut made: Vec<CallId> = Vec::new();
        let mut calls = Vec::new();
        for index in 0..count as u32 {
            let line = match dice.below(10) {
                0 => Line::Read,
                1 => Line::Step,
                2 => Line::Sleep(dice.below(50_000)),
                _ => Self::effects(dice, weather, index, &made),
            };
            if let Line::Effects(class, parts) = &line
                && matches!(class, CallClass::KeyedCreate | CallClass::ProbeCreate)
            {
                made.extend((0..parts.len()).map(|item| id(index, item, parts.len())));
            }
            calls.push(line);
        }
        Self { calls, fails: dice.percent(40) }
    }

    fn effects(dice: &mut Dice, weather: Weather, index: u32, made: &[CallId]) -> Line {
        // Without a unique key nothing keeps a woken zombie from creating again.
        let class = match (weather, dice.below(10)) {
            (Weather::Zombies, _) | (_, 0..=6) => CallClass::KeyedCreate,
            (_, 7) => CallClass::ProbeCreate,
            (_, 8) => CallClass::Opaque,
            _ => CallClass::Converge,
        };
        let is_batch = class == CallClass::KeyedCreate && index > 0 && dice.percent(30);
        let size = if is_batch { 2 + dice.below(3) } else { 1 };
        let part = |dice: &mut Dice| {
            let ranks = [Rank::Dns, Rank::Server, Rank::Firewall, Rank::Network, Rank::Volume];
            let rank = ranks[dice.below(5) as usize];
            let needs = made.iter().copied().filter(|_| dice.percent(30)).collect();
            Part { rank, needs }
        };
        Line::Effects(class, (0..size).map(|_| part(dice)).collect())
    }

    /// Returns the calls that create something.
    pub(super) fn creations(&self) -> Vec<CallId> {
        let mut creations = Vec::new();
        for (index, line) in self.calls.iter().enumerate() {
            if let Line::Effects(CallClass::KeyedCreate | CallClass::ProbeCreate, parts) = line {
                creations.extend((0..parts.len()).map(|item| id(index as u32, item, parts.len())));
            }
        }
        creations
    }
}

/// Returns the id of an effect: batches have items.
pub(super) fn id(index: u32, item: usize, size: usize) -> CallId {
    match size {
        1 => CallId::single(index),
        _ => CallId::item(index, item as u16),
    }
}

/// Returns what the gate would promise for an effect.
pub(super) fn intent(call: CallId, class: CallClass, part: &Part) -> Intent {
    let mut intent = tale::intent(call, class);
    intent.depends_on = part.needs.clone();
    match (class, &mut intent.undo) {
        (CallClass::Opaque | CallClass::Converge, undo) => *undo = None,
        (_, Some(plan)) => plan.rank = part.rank,
        (_, None) => {}
    }
    intent
}

pub(super) fn digest(index: u32) -> Digest {
    Digest::of(format!("call {index}").as_bytes())
}
