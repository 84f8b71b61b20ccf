//! What one cell of the matrix is: a scenario, a mood of the cloud, and where processes are killed.

use std::fmt;
use std::time::Duration;

use super::calls::{Calls, Nth};

/// How the run is meant to go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// It provisions a tenant.
    Success,
    /// The cloud refuses this request for good, so it rolls back.
    Fails(&'static Refused),
    /// The host lets this call fail before it has an effect, so it rolls back.
    FailsInside(Nth),
    /// A person cancels it after the first kill, so it rolls back.
    Canceled,
    /// A person cancels it while a process works on it, so it rolls back.
    CanceledAlive,
    /// It removes a tenant that stands.
    Deprovision,
    /// A guest does what no shipped runbook does: it says how one thing is undone, keeps another,
    /// waits, and sends what nobody can undo.
    LongHaul(End),
}

/// How the long haul ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// It passes its point of no return.
    Well,
    /// It fails, so it rolls back.
    Badly,
}

/// A call that the cloud refuses for good.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// The method.
    pub method: &'static str,
    /// The path after `/v1`, `*` for an id.
    pub path: &'static str,
    /// From which matching request on.
    pub nth: u64,
}

/// Every mutating request that `provision-tenant` sends on its way forward, in order; the servers
/// are one batch, of which the first, one in the middle and the last are refused.
pub static REFUSED: [Refused; 9] = [
    Refused { method: "POST", path: "/networks", nth: 1 },
    Refused { method: "POST", path: "/firewalls", nth: 1 },
    Refused { method: "POST", path: "/servers", nth: 1 },
    Refused { method: "POST", path: "/servers", nth: 2 },
    Refused { method: "POST", path: "/servers", nth: 3 },
    Refused { method: "POST", path: "/volumes", nth: 1 },
    Refused { method: "POST", path: "/volumes/*/actions/attach", nth: 1 },
    Refused { method: "POST", path: "/zones/*/rrsets", nth: 1 },
    Refused { method: "POST", path: "/zones/*/rrsets", nth: 2 },
];

/// What the cloud does to requests that change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mood {
    /// It answers.
    Normal,
    /// It acts, but the answer is lost.
    LostReply,
    /// The connection breaks, and the request takes effect later.
    LateCommit,
    /// It says `locked` at first.
    Locked,
    /// It says `conflict` at first.
    Conflict,
    /// It says `rate_limit_exceeded` at first.
    RateLimited,
    /// It acts, then answers with the error page of a gateway or of a proxy.
    ErrorAfterCommit,
    /// It acts and answers, but its lists show new things only after a while.
    ListLag,
    /// It takes its time for every action.
    SlowActions,
    /// The connection breaks, the request takes effect later, and networks may share a name.
    SharedNames,
}

/// Moods in which every scenario is played.
pub const MOODS: [Mood; 7] = [
    Mood::Normal,
    Mood::LostReply,
    Mood::LateCommit,
    Mood::Locked,
    Mood::Conflict,
    Mood::RateLimited,
    Mood::ErrorAfterCommit,
];

/// Moods that change how the cloud tells what it did. They meet whole procedures, forward and
/// back; which call it was that failed makes no difference to them.
pub const LATE_MOODS: [Mood; 3] = [Mood::ListLag, Mood::SlowActions, Mood::SharedNames];

/// Returns every cell: each call that can fail fails once, in every mood.
pub fn cells(calls: &Calls) -> Vec<(Scenario, Mood)> {
    let procedures = [
        Scenario::Success,
        Scenario::Canceled,
        Scenario::CanceledAlive,
        Scenario::Deprovision,
        Scenario::LongHaul(End::Well),
        Scenario::LongHaul(End::Badly),
    ];
    let mut scenarios = procedures.to_vec();
    scenarios.extend(REFUSED.iter().map(Scenario::Fails));
    scenarios.extend(calls.effects_inside().chain(calls.reads()).map(Scenario::FailsInside));
    let each = |scenarios: Vec<Scenario>, moods: &'static [Mood]| {
        let of_one = |scenario: Scenario| moods.iter().map(move |mood| (scenario.clone(), *mood));
        scenarios.into_iter().flat_map(of_one)
    };
    each(scenarios, &MOODS).chain(each(procedures.to_vec(), &LATE_MOODS)).collect()
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// How the run is meant to go.
    pub scenario: Scenario,
    /// How the cloud behaves.
    pub mood: Mood,
    /// The boundary at which the first, second, … process is killed; [`SPARED`] ones and later ones
    /// are left alone.
    /// A process that is canceled while it works is stopped there, and goes on afterwards.
    pub kills: Vec<u64>,
    /// A rule of the protocol that this build is told to break.
    pub broken: Option<&'static str>,
    /// How long a late commit takes to land.
    pub late_by: Duration,
}

/// Stands for the boundary of a process that is not killed.
pub const SPARED: u64 = 0;

/// Longer than a retry, shorter than the settle time. Both are counted from events in their order,
/// so a slow machine changes nothing: the cloud has taken in whatever a killed process sent before
/// the next one starts, and what is due by then has happened before a later request is answered.
const LATE_BY: Duration = Duration::from_millis(120);

impl Case {
    /// Names a case without kills.
    pub fn new(scenario: Scenario, mood: Mood) -> Self {
        Self { scenario, mood, kills: Vec::new(), broken: None, late_by: LATE_BY }
    }

    /// Kills the processes at these boundaries.
    pub fn killed_at(mut self, kills: &[u64]) -> Self {
        self.kills = kills.to_vec();
        self
    }

    /// Returns how many processes are to be killed.
    pub fn kills_meant(&self) -> usize {
        self.kills.iter().filter(|kill| **kill != SPARED).count()
    }

    /// Breaks a rule.
    pub fn breaking(mut self, rule: &'static str) -> Self {
        self.broken = Some(rule);
        self
    }

    /// Lets late commits land so late.
    pub fn late_by(mut self, delay: Duration) -> Self {
        self.late_by = delay;
        self
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => formatter.write_str("success"),
            Self::Canceled => formatter.write_str("cancel"),
            Self::CanceledAlive => formatter.write_str("cancel while it works"),
            Self::Deprovision => formatter.write_str("deprovision"),
            Self::LongHaul(End::Well) => formatter.write_str("long haul"),
            Self::LongHaul(End::Badly) => formatter.write_str("long haul that fails"),
            Self::FailsInside(call) => write!(formatter, "{call} fails"),
            Self::Fails(Refused { method, path, nth }) => {
                write!(formatter, "{method} {path} #{nth} fails")
            }
        }
    }
}

impl fmt::Display for Mood {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Normal => "normal",
            Self::LostReply => "lost reply",
            Self::LateCommit => "late commit",
            Self::Locked => "locked",
            Self::Conflict => "conflict",
            Self::RateLimited => "rate limited",
            Self::ErrorAfterCommit => "error after commit",
            Self::ListLag => "list lag",
            Self::SlowActions => "slow actions",
            Self::SharedNames => "shared names",
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, {}, killed at {:?}", self.scenario, self.mood, self.kills)?;
        match self.broken {
            Some(rule) => write!(formatter, ", breaking {rule}"),
            None => Ok(()),
        }
    }
}
