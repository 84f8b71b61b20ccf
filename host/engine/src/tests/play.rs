//! Toy runbooks: lists of what to do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use runwrit_capabilities::gate::{CallError, Gate, Notice};
use runwrit_model::failure::{DIFFERS, Failure, Problem};
use runwrit_model::id::RunId;
use runwrit_model::journal::Refinement;

use super::effects::Toy;
use crate::books::Books;
use crate::gate::RunGate;
use crate::guest::{Guest, GuestEnd};
use crate::store::Store;

/// One thing that a toy runbook does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Step(&'static str),
    Note(&'static str),
    Net(&'static str),
    Server(&'static str),
    Servers(&'static [&'static str]),
    Link(&'static str, &'static str),
    Marked(&'static str),
    Twin(&'static str),
    Row(&'static str),
    Shout(&'static str),
    Read(&'static str),
    Sleep(u32),
    Keep,
    Pivot,
    HoldsData,
    Output(&'static str, &'static str),
    Log(&'static str),
    /// Notes time and randomness.
    Look,
    /// Somebody cancels from another process.
    Cancel,
    /// Goes on in spite of a failure.
    TryNet(&'static str),
    Fail,
    Differ,
    Trap,
    Starve,
    Panic,
}

/// A toy runbook at work.
pub struct Player {
    pub toy: Toy,
    pub acts: Vec<Act>,
    pub store: Arc<dyn Store>,
    pub run: RunId,
    /// What it saw, for comparison with other attempts.
    pub seen: Arc<Mutex<Vec<String>>>,
}

impl Guest for Player {
    async fn run(self, gate: RunGate, _: Books) -> GuestEnd {
        let mut hand = Hand { gate, ids: BTreeMap::new() };
        for act in self.acts.clone() {
            match act {
                Act::Fail => return GuestEnd::Failed(failure("the runbook gave up")),
                Act::Differ => {
                    let found = Problem::new(DIFFERS, "the gate is open");
                    return GuestEnd::Failed(Failure::Failed(found));
                }
                Act::Trap => return GuestEnd::Trapped("unreachable".to_owned()),
                Act::Starve => return GuestEnd::Starved("computed for 30 s".to_owned()),
                // Without the hook, which would fill the output of the tests.
                Act::Panic => std::panic::resume_unwind(Box::new("on purpose")),
                _ => {}
            }
            match self.act(&mut hand, act).await {
                Ok(()) => {}
                Err(CallError::Failed(failure)) => return GuestEnd::Failed(failure),
                Err(CallError::Stopped(stop)) => return GuestEnd::Stopped(stop),
            }
        }
        GuestEnd::Returned
    }
}

/// The gate and what was made through it.
struct Hand {
    gate: RunGate,
    ids: BTreeMap<String, String>,
}

impl Player {
    async fn act(&self, hand: &mut Hand, act: Act) -> Result<(), CallError> {
        let toy = &self.toy;
        match act {
            Act::Step(text) => hand.gate.step(text.to_owned(), false).await?,
            Act::Note(text) => hand.gate.step(text.to_owned(), true).await?,
            Act::Net(name) => self.made(hand, toy.net(name)).await?,
            Act::Marked(name) => self.made(hand, toy.marked(name)).await?,
            Act::Twin(name) => self.made(hand, toy.twin(name)).await?,
            Act::Row(name) => self.made(hand, toy.row(name)).await?,
            Act::Server(name) => self.made(hand, toy.server(name, &hand.ids["net"])).await?,
            Act::Servers(names) => {
                let net = hand.ids["net"].clone();
                let effects = names.iter().map(|name| toy.server(name, &net)).collect();
                for made in hand.gate.pass_batch(effects).await? {
                    let made = made?;
                    self.see(&made.name);
                    hand.ids.insert(made.name, made.id);
                }
            }
            Act::Link(one, two) => {
                let link = toy.link(&hand.ids[one], &hand.ids[two]);
                hand.gate.pass(link).await?;
            }
            Act::Shout(text) => hand.gate.pass(toy.shout(text)).await?,
            Act::Read(name) => {
                let read = hand.gate.observe(toy.get(&hand.ids[name])).await?;
                self.see(&read);
            }
            Act::Sleep(seconds) => hand.gate.sleep(seconds).await?,
            Act::Keep => hand.gate.refine(Refinement::Keep(last(&hand.gate))).await?,
            Act::Pivot => hand.gate.refine(Refinement::Pivot).await?,
            Act::HoldsData => {
                let data = "customer data".to_owned();
                hand.gate.refine(Refinement::HoldsData(last(&hand.gate), data)).await?;
            }
            Act::Output(name, value) => {
                hand.gate.notify(Notice::Output(name.to_owned(), value.to_owned()));
            }
            Act::Log(text) => {
                hand.gate.notify(Notice::Log("info".to_owned(), text.to_owned()));
            }
            Act::Look => {
                let draws = (hand.gate.random(4), hand.gate.random(4));
                self.see(&format!("{} {draws:?}", hand.gate.now_unix_ms()));
            }
            Act::Cancel => self.store.request_cancel(&self.run, "ada").await.unwrap(),
            Act::TryNet(name) => {
                let told = hand.gate.pass(toy.net(name)).await;
                match told {
                    Err(CallError::Failed(failure)) => self.see(&failure.to_string()),
                    Err(stop) => return Err(stop),
                    Ok(made) => self.see(&made.name),
                }
            }
            Act::Fail | Act::Differ | Act::Trap | Act::Starve | Act::Panic => {
                unreachable!("the loop ends with these")
            }
        }
        Ok(())
    }

    async fn made(&self, hand: &mut Hand, effect: super::effects::Make) -> Result<(), CallError> {
        let made = hand.gate.pass(effect).await?;
        self.see(&made.name);
        hand.ids.insert(made.name, made.id);
        Ok(())
    }

    fn see(&self, text: &str) {
        self.seen.lock().unwrap().push(text.to_owned());
    }
}

fn last(gate: &RunGate) -> u32 {
    gate.last_call().unwrap()
}

fn failure(message: &str) -> Failure {
    Failure::Failed(Problem::new("trial", message))
}
