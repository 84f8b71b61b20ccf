//! Looks a whole project over for leftovers, and again for what may land after a rollback.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use runwrit_capabilities::gate::{UndoError, UndoRequest, Undone};
use runwrit_model::breakable::crash_point;
use runwrit_model::call::{CallId, Rank};
use runwrit_model::history::{Effect, History};
use runwrit_model::id::{RunId, Scope};
use runwrit_model::journal::World;
use runwrit_model::labels;
use runwrit_model::sweep::{Found, Judgement, Known, Left, Sighting, claimed, judge, judge_claim};
use runwrit_model::undo::is_late_look_wanted;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::outside::WorldsError;
use crate::rollback::request;
use crate::store::{RunState, StoreError, Sweep, SweepOutcome};

/// A project that a credential opens, without any run.
pub trait Place: Send + Sync {
    /// Reads which project it is; nothing where it carries no marker.
    fn world(&self) -> BoxFuture<'_, Result<Option<World>, WorldsError>>;

    /// Returns everything in it that carries labels of this host, its marker excepted.
    fn look(&self) -> BoxFuture<'_, Result<Vec<Sighting>, WorldsError>>;

    /// Deletes the claim of this installation on a scope in which nothing stands any more. Returns
    /// whether it is gone.
    fn release<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<bool, WorldsError>>;

    /// Reverts one call that a run in `scope` made, by its data and the labels that prove it.
    fn undo<'a>(
        &'a self,
        scope: &'a Scope,
        request: &'a UndoRequest,
    ) -> BoxFuture<'a, Result<Undone, UndoError>>;
}

/// Something that is left over.
#[derive(Debug, Clone, PartialEq)]
pub struct Leftover {
    /// What was seen.
    pub sighting: Sighting,
    /// Why it counts as left over.
    pub left: Left,
    /// What became of it.
    pub fate: Fate,
}

/// What a sweep did with a leftover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was told and not touched.
    Reported,
    /// It was deleted, and verified to be gone.
    Deleted,
    /// It should be gone and could not be deleted.
    Failed(String),
}

/// What a sweep of one project found.
#[derive(Debug, Default)]
pub struct Swept {
    /// Which project it is; nothing where it carries no marker.
    pub world: Option<World>,
    /// What is left over.
    pub leftovers: Vec<Leftover>,
    /// How many things are where a journal wants them.
    pub in_place: usize,
    /// Why the journals of some runs cannot be read whose things were seen.
    pub damaged: Vec<EngineError>,
}

/// The journals that a sweep asked for.
#[derive(Default)]
struct Journals {
    by_short: BTreeMap<String, (History, bool)>,
    /// By the short names of their runs, why some cannot be read.
    damaged: BTreeMap<String, EngineError>,
}

impl Engine {
    /// Looks a project over. With `is_deleting`, what a journal of this store proves undone or
    /// abandoned is deleted; all else is only told, whatever its labels say.
    pub async fn sweep(&self, place: &dyn Place, is_deleting: bool) -> Result<Swept, SweepError> {
        let world = place.world().await?;
        let sightings = place.look().await?;
        // Read after the look: what was seen was promised before it was made.
        let journals = self.journals(&sightings).await?;
        let mut swept = Swept { world: world.clone(), ..Swept::default() };
        let idle = self.claims(&sightings).await?;
        let sightings = sightings.into_iter().filter(|it| claimed(it).is_none());
        for sighting in sightings {
            let find = |short: &str| journals.find(short);
            match judge(&self.host().key, &sighting, world.as_ref(), find) {
                Judgement::InPlace => swept.in_place += 1,
                Judgement::Left(left) => {
                    swept.leftovers.push(Leftover { sighting, left, fate: Fate::Reported });
                }
            }
        }
        if is_deleting {
            delete(place, &journals, &mut swept.leftovers).await;
        }
        swept.damaged = journals.damaged.into_values().collect();
        for mut leftover in idle {
            if is_deleting && leftover.left.cause.is_proven() {
                match self.release(place, &leftover.sighting).await? {
                    Some(fate) => leftover.fate = fate,
                    // A run has begun there since: the claim is its own.
                    None => continue,
                }
            }
            swept.leftovers.push(leftover);
        }
        Ok(swept)
    }

    /// Deletes a claim, unless something stands in its scope after all. No run of this store can
    /// begin there meanwhile: it would find the claim held, and go on without one. Returns nothing
    /// where one has begun already.
    async fn release(
        &self,
        place: &dyn Place,
        sighting: &Sighting,
    ) -> Result<Option<Fate>, EngineError> {
        let Some(tenant) = claimed(sighting) else { return Ok(Some(Fate::Reported)) };
        let scope = Scope::tenant(tenant);
        // Whoever takes a run over holds its scope, also that of one that is over; where this
        // process is killed, its `resume` gives the scope free.
        let rows = self.store().runs().await?;
        let Some(row) = rows.into_iter().find(|row| row.scope == scope) else {
            let text = "this store has no run of its tenant: delete the placement group by hand";
            return Ok(Some(Fate::Failed(text.to_owned())));
        };
        let claim = match self.store().claim(&row.run).await {
            Ok(claim) => claim,
            Err(StoreError::Busy { .. } | StoreError::Live { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        crash_point("sweep-claimed", "sweep");
        let fate = match self.store().run(&row.run).await?.state {
            RunState::Finished(_) => Some(delete_claim(place, &scope).await),
            // It was begun, or taken up again, and left since.
            RunState::Working | RunState::Interrupted | RunState::Parked(_) => None,
        };
        self.store().release(&claim.fence).await?;
        Ok(fate)
    }

    /// Judges the claims on scopes among what was seen. One that is where it belongs is not told:
    /// what it stands for is.
    async fn claims(&self, sightings: &[Sighting]) -> Result<Vec<Leftover>, EngineError> {
        let rows = self.store().runs().await?;
        let is_open = |scope: &Scope| {
            rows.iter()
                .any(|row| row.scope == *scope && !matches!(row.state, RunState::Finished(_)))
        };
        let stands = |tenant: &str| {
            let things = sightings.iter().filter(|it| claimed(it).is_none());
            let mut tenants = things.filter_map(|it| it.labels.get(labels::TENANT));
            tenants.any(|label| label == tenant)
        };
        let mut idle = Vec::new();
        for sighting in sightings {
            let Some(tenant) = claimed(sighting) else { continue };
            let is_wanted = stands(tenant) || is_open(&Scope::tenant(tenant));
            let judged = judge_claim(&self.host().key, sighting, tenant, is_wanted);
            if let Judgement::Left(left) = judged {
                let sighting = sighting.clone();
                idle.push(Leftover { sighting, left, fate: Fate::Reported });
            }
        }
        Ok(idle)
    }

    /// Looks for one creation that may have landed after its undo, and deletes it. Nothing is
    /// touched, and the sweep stays open, while its run is open again.
    pub async fn sweep_late(
        &self,
        sweep: &Sweep,
        place: &dyn Place,
    ) -> Result<Option<SweepOutcome>, SweepError> {
        let history = self.history(&sweep.run).await?;
        let name = sweep.key.clone().unwrap_or_else(|| sweep.call.to_string());
        if history.ending().is_none() {
            return Ok(None);
        }
        let world = place.world().await?;
        let capability = sweep.kind.split('.').next().unwrap_or_default();
        let bound = history.created.worlds.get(capability);
        if bound.is_none() || bound != world.as_ref() {
            let run = sweep.run.clone();
            return Err(SweepError::OtherWorld(run));
        }
        let effect = history.effects.get(&sweep.call);
        // A person may have said since that it stays.
        let effect = effect.filter(|it| is_late_look_wanted(&history, it));
        let Some((effect, plan)) = effect.and_then(|it| Some((it, it.intent.undo.clone()?))) else {
            return Ok(Some(SweepOutcome::Nothing));
        };
        // The id is left out: that one is gone, and what may stand there now has another.
        let request = UndoRequest { remote_id: None, ..request(effect, plan) };
        match place.undo(&history.created.scope, &request).await {
            Ok(Undone::Done) => Ok(Some(SweepOutcome::Deleted(name))),
            Ok(Undone::Absent | Undone::NotOurs) => Ok(Some(SweepOutcome::Nothing)),
            Err(UndoError::Later(cause)) => Err(SweepError::NotDeleted { name, cause }),
            Err(UndoError::Never(_)) => Ok(Some(SweepOutcome::Reported(name))),
        }
    }

    async fn journals(&self, sightings: &[Sighting]) -> Result<Journals, EngineError> {
        let seen = sightings.iter().filter_map(|it| it.labels.get(labels::RUN));
        let seen: std::collections::BTreeSet<&String> = seen.collect();
        let mut journals = Journals::default();
        for row in self.store().runs().await? {
            let short = row.run.short();
            if !seen.contains(&short) {
                continue;
            }
            let goes_on = matches!(row.state, RunState::Working | RunState::Parked(Some(_)));
            match self.history(&row.run).await {
                Ok(history) => drop(journals.by_short.insert(short, (history, goes_on))),
                Err(error) if error.is_damage() => drop(journals.damaged.insert(short, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(journals)
    }
}

/// Why a project could not be looked over.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The store, or a journal in it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The project could not be read.
    #[error(transparent)]
    Worlds(#[from] WorldsError),
    /// The credential leads elsewhere now.
    #[error("run {0} acted in another project than its credential opens now")]
    OtherWorld(RunId),
    /// It may pass.
    #[error("`{name}` could not be deleted: {cause}")]
    NotDeleted {
        /// The name.
        name: String,
        /// Why.
        cause: String,
    },
}

impl Journals {
    fn find(&self, short: &str) -> Found<'_> {
        if self.damaged.contains_key(short) {
            return Found::Damaged;
        }
        let known = self.by_short.get(short);
        known.map_or(Found::Nothing, |(history, goes_on)| {
            Found::Known(Known { history, goes_on: *goes_on })
        })
    }

    fn effect(&self, run: &RunId, call: CallId) -> Option<(&Scope, &Effect)> {
        let (history, _) = self.by_short.get(&run.short())?;
        Some((&history.created.scope, history.effects.get(&call)?))
    }
}

async fn delete_claim(place: &dyn Place, scope: &Scope) -> Fate {
    match place.release(scope).await {
        Ok(true) => Fate::Deleted,
        Ok(false) => Fate::Failed("something stands in its scope after all".to_owned()),
        Err(error) => Fate::Failed(error.to_string()),
    }
}

/// Deletes what is proven, in the order of a rollback: what others hang on comes last.
async fn delete(place: &dyn Place, journals: &Journals, leftovers: &mut [Leftover]) {
    let rank = |left: &Left| {
        let (run, call) = left.made_by.as_ref()?;
        let (_, effect) = journals.effect(run, *call)?;
        effect.intent.undo.as_ref().map(|plan| plan.rank)
    };
    let mut proven: Vec<&mut Leftover> =
        leftovers.iter_mut().filter(|leftover| leftover.left.cause.is_proven()).collect();
    proven.sort_by_key(|leftover| rank(&leftover.left).unwrap_or(Rank::Audit));
    for leftover in proven {
        leftover.fate = delete_one(place, journals, leftover).await;
    }
}

async fn delete_one(place: &dyn Place, journals: &Journals, leftover: &Leftover) -> Fate {
    let made_by = leftover.left.made_by.as_ref();
    let Some((scope, effect)) = made_by.and_then(|(run, call)| journals.effect(run, *call)) else {
        return Fate::Reported;
    };
    let Some(plan) = effect.intent.undo.clone() else { return Fate::Reported };
    let remote_id = Some(leftover.sighting.id.clone());
    let request = UndoRequest { remote_id, ..request(effect, plan) };
    match place.undo(scope, &request).await {
        Ok(Undone::Done | Undone::Absent) => Fate::Deleted,
        Ok(Undone::NotOurs) => Fate::Failed("its labels changed meanwhile".to_owned()),
        Err(UndoError::Later(cause) | UndoError::Never(cause)) => Fate::Failed(cause),
    }
}
