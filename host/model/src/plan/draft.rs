//! Writes a plan from what a rehearsal noted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{End, Given, Plan, Read, Recovery, Step, VERSION};
use super::noted::{Asked, Noted};
use super::tokens::{Values, know};
use crate::call::{CallClass, CallId};
use crate::cost::{Cost, Prices};
use crate::id::Digest;
use crate::journal::{Outcome, Refinement, World};
use crate::money::Eur;
use crate::settings;

/// What surrounds the effects of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// The runbook's name and version.
    pub runbook: String,
    /// The component's digest.
    pub component: Digest,
    /// The digest of the canonical `runbook.toml`.
    pub manifest: Digest,
    /// The interfaces that the runbook asks for.
    pub asks: Vec<String>,
    /// The inputs.
    pub inputs: BTreeMap<String, Value>,
    /// The digest of the canonical grant.
    pub grant: Digest,
    /// The tenant.
    pub tenant: Option<String>,
    /// The worlds.
    pub worlds: BTreeMap<String, World>,
    /// What stood in those that no run marked yet.
    pub landmarks: BTreeMap<String, BTreeSet<String>>,
    /// What the grant gives.
    pub given: Given,
    /// The choices of the configuration.
    pub settings: settings::Hetzner,
    /// Every value that was there before the rehearsal.
    pub known: BTreeSet<String>,
    /// What things cost that were there, as the journals tell it.
    pub prices: Prices,
}

/// What has been drafted so far.
struct Drafting {
    values: Values,
    known: BTreeSet<String>,
    step: String,
    reads: Vec<Read>,
    effects: Vec<Step>,
    recovery: Recovery,
    octets: BTreeMap<String, u64>,
    prices: Prices,
}

/// Writes the plan.
pub fn draft(frame: Frame, noted: &[Noted], end: End) -> Plan {
    let mut known = frame.known;
    frame.inputs.values().for_each(|input| know(input, &mut known));
    let mut drafting = Drafting {
        values: Values::default(),
        known,
        step: String::new(),
        reads: Vec::new(),
        effects: Vec::new(),
        recovery: Recovery::default(),
        octets: BTreeMap::new(),
        prices: frame.prices,
    };
    noted.iter().for_each(|noted| drafting.take(noted));
    let Drafting { reads, effects, recovery, octets, .. } = drafting;
    let settings = narrowed(frame.settings, &effects);
    let plan = Plan {
        version: VERSION,
        runbook: frame.runbook,
        component: frame.component,
        manifest: frame.manifest,
        asks: frame.asks,
        inputs: frame.inputs,
        grant: frame.grant,
        tenant: frame.tenant,
        octets,
        assumed: assumed(&frame.worlds, &effects),
        worlds: frame.worlds,
        landmarks: frame.landmarks,
        given: frame.given,
        settings: serde_json::to_value(settings).expect("settings are texts and numbers"),
        reads,
        eur_per_month: effects.iter().filter_map(|effect| effect.eur_per_month).sum::<Eur>(),
        ended_eur_per_month: ended(&effects),
        effects,
        recovery,
        end,
        digest: Digest::of(b""),
    };
    plan.sealed()
}

impl Drafting {
    fn take(&mut self, noted: &Noted) {
        match noted {
            Noted::Step(title) => self.step.clone_from(title),
            Noted::Refined(refinement) => self.refine(refinement),
            Noted::Read { call, operation, request, outcome } => {
                let (call, operation) = (*call, operation.clone());
                self.reads.push(Read { call, operation, request: self.values.template(request) });
                know(request, &mut self.known);
                self.learn(call, outcome);
            }
            Noted::Asked(asked) => self.ask(asked),
            Noted::Ended(call, outcome) => {
                self.price(*call, outcome);
                self.learn(*call, outcome);
            }
        }
    }

    fn learn(&mut self, call: CallId, outcome: &Outcome) {
        if let Outcome::Ok(answer) = outcome {
            let (id, octet) = (answer.get("id"), answer.get("octet"));
            let tenant = id.and_then(Value::as_str).zip(octet.and_then(Value::as_u64));
            self.octets.extend(tenant.map(|(id, octet)| (id.to_owned(), octet)));
            self.values.learn(&call.to_string(), answer, &self.known);
        }
    }

    /// Keeps the price of what was made, for its deletion.
    fn price(&mut self, call: CallId, outcome: &Outcome) {
        let made = self.effects.iter().find(|effect| effect.call == call);
        let priced = made.and_then(|made| Some((made.kind.clone()?, made.eur_per_month?)));
        let (Some((kind, price)), Outcome::Ok(answer)) = (priced, outcome) else { return };
        if let Some(id) = answer.get("id").and_then(Value::as_str) {
            self.prices.insert((kind, id.to_owned()), price);
        }
    }

    /// Returns what the thing costs that is to be deleted.
    fn ends(&self, asked: &Asked) -> Option<Cost> {
        let kind = asked.kind.as_ref().filter(|_| asked.is_deletion())?;
        let id = asked.request.get("id")?.as_str()?;
        let price = self.prices.get(&(kind.clone(), id.to_owned())).map(Eur::plain);
        let cost = Cost::of(kind, &[price.as_deref()]);
        Some(cost).filter(|cost| *cost != Cost::Known(Eur::ZERO))
    }

    fn ask(&mut self, asked: &Asked) {
        let values = &self.values;
        let whole = |value: &Value| values.template(value);
        self.effects.push(Step {
            call: asked.call,
            step: self.step.clone(),
            operation: asked.operation.clone(),
            class: asked.class,
            kind: asked.kind.clone(),
            resource: values.template_text(&asked.subject),
            request: whole(&asked.request),
            found: asked.found.as_ref().map(whole),
            before: asked.before.as_ref().map(whole),
            eur_per_month: asked.eur_per_month,
            ended_eur_per_month: self.ends(asked),
            scope_eur_per_month: asked.scope_eur_per_month,
            scope_count: asked.scope_count,
            assumed: assumed_of(asked),
        });
        // A value that stands for a token is not known by being asked for.
        know(&self.effects[self.effects.len() - 1].request, &mut self.known);
    }

    fn refine(&mut self, refinement: &Refinement) {
        let recovery = &mut self.recovery;
        match refinement {
            Refinement::Keep(index) => {
                let kept = self.effects.iter().find(|effect| effect.call.index == *index);
                recovery.keep.extend(kept.map(|effect| effect.operation.clone()));
            }
            Refinement::UndoWith(_, plans) => {
                recovery.undo_with.extend(plans.iter().map(|plan| plan.operation.clone()));
            }
            Refinement::Pivot => recovery.pivot = true,
            Refinement::HoldsData(..) => {}
        }
        for list in [&mut recovery.keep, &mut recovery.undo_with] {
            list.sort();
            list.dedup();
        }
    }
}

/// Adds up what deleted things cost. What nobody knows is not added to what is known.
fn ended(effects: &[Step]) -> Option<Cost> {
    let costs = effects.iter().filter_map(|effect| effect.ended_eur_per_month);
    costs.reduce(|sum, cost| match (sum, cost) {
        (Cost::Known(sum), Cost::Known(cost)) => Cost::Known(sum + cost),
        _ => Cost::Unknown,
    })
}

fn assumed_of(asked: &Asked) -> Vec<String> {
    match asked.class {
        CallClass::Opaque => vec!["it is answered with 200 and nothing else".to_owned()],
        CallClass::KeyedCreate | CallClass::ProbeCreate if asked.eur_per_month.is_some() => {
            vec!["stock and quota last until then".to_owned()]
        }
        _ => Vec::new(),
    }
}

fn assumed(worlds: &BTreeMap<String, World>, effects: &[Step]) -> Vec<String> {
    let unmarked = worlds.iter().filter(|(_, world)| world.marker.is_empty());
    let mut assumed: Vec<String> = unmarked
        .map(|(name, _)| {
            format!("`{name}` has no mark of a project yet: the run leaves a free one first")
        })
        .collect();
    if !effects.is_empty() {
        assumed.push("ids, addresses and times are assigned later; they stand in braces".into());
    }
    assumed
}

/// Narrows each role to the types that were chosen for it, and each fallback to the locations.
fn narrowed(settings: settings::Hetzner, effects: &[Step]) -> settings::Hetzner {
    let mut settings = settings;
    let mut roles: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut fallbacks: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for effect in effects {
        let text = |value: &Value, key: &str| value.get(key)?.as_str().map(str::to_owned);
        let Some(found) = &effect.found else { continue };
        let (role, asked) = (text(&effect.request, "role"), text(&effect.request, "location"));
        let (chosen, place) = (text(found, "server-type"), text(found, "location"));
        let (Some(role), Some(asked), Some(chosen), Some(place)) = (role, asked, chosen, place)
        else {
            continue;
        };
        let types = roles.entry(role).or_default();
        if !types.contains(&chosen) {
            types.push(chosen);
        }
        let others = fallbacks.entry(asked.clone()).or_default();
        if place != asked && !others.contains(&place) {
            others.push(place);
        }
    }
    settings.roles.extend(roles);
    settings.fallback_locations.extend(fallbacks);
    settings
}
