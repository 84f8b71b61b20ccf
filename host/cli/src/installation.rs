//! A state directory in use: its store, its key, its engine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use runwrit_engine::cell::{CellGuest, NoCell, StartingCell};
use runwrit_engine::code_cache::{CodeCache, CodeError, CompileBounds, Compiler};
use runwrit_engine::engine::Engine;
use runwrit_engine::error::EngineError;
use runwrit_engine::host::Host;
use runwrit_engine::interrupt::Interrupt;
use runwrit_engine::plan::{RehearsalClock, Silence};
use runwrit_engine::sandbox::{self, Bounds};
use runwrit_engine::store::{SqliteStore, Store, StoreError};
use runwrit_model::claim::Claimant;
use runwrit_model::event::RunOutcome;
use runwrit_model::exit::Exit;
use runwrit_model::id::RunId;
use runwrit_model::labels::HostKey;

use crate::ambient::{self, ThrowAway};
use crate::configuration::Configuration;
use crate::epoch;
use crate::error::Error;
use crate::host_key;
use crate::output::Style;
use crate::progress::Progress;
use crate::session::Session;
use crate::summary;

/// What all commands that touch runs need.
pub struct Installation {
    /// Where runs live.
    pub store: Arc<dyn Store>,
    /// What can be done with them.
    pub engine: Engine,
    /// What proves that a thing is ours.
    pub key: HostKey,
    /// How it claims scopes.
    pub claimant: Claimant,
    /// What shows runs.
    pub progress: Arc<Progress>,
    /// Raised by the first Ctrl-C.
    pub interrupt: Interrupt,
    state: PathBuf,
    is_kept: bool,
}

impl Installation {
    /// Opens the state directory that options and configuration name.
    pub fn open(session: &Session, configuration: &Configuration) -> Result<Self, Error> {
        Self::open_at(&configuration.state_directory(session)?, session, configuration)
    }

    /// Opens a state directory that vanishes with the process: no command can go on with its runs.
    pub fn open_thrown_away(
        state: &ThrowAway,
        session: &Session,
        configuration: &Configuration,
    ) -> Result<Self, Error> {
        let installation = Self::open_at(state.path(), session, configuration)?;
        Ok(Self { is_kept: false, ..installation })
    }

    fn open_at(
        state: &Path,
        session: &Session,
        configuration: &Configuration,
    ) -> Result<Self, Error> {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(state)?);
        let key = host_key::open(state)?;
        let claimant = epoch::claimant(state)?;
        let progress = Arc::new(Progress::new(Arc::clone(&session.output)));
        let interrupt = session.signals.interrupt.clone();
        let host = Host {
            clock: Arc::new(ambient::SystemClock),
            reporter: Arc::clone(&progress) as _,
            interrupt: interrupt.clone(),
            key: key.clone(),
            timing: configuration.settings.timing(),
            patience: None,
            entropy: Arc::new(ambient::fill_random),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            engine: sandbox::version(),
        };
        let engine = Engine::new(Arc::clone(&store), host);
        let state = state.to_owned();
        Ok(Self { store, engine, key, claimant, progress, interrupt, state, is_kept: true })
    }

    /// Returns where it lives.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Waits in memory for so long at most where it goes on with a rollback.
    pub fn with_patience(self, patience: Option<Duration>) -> Self {
        Self { engine: self.engine.with_patience(patience), ..self }
    }

    /// Opens a store that vanishes with `state`, for a rehearsal: same key, own time, no reports.
    pub fn rehearsal(
        &self,
        state: &ThrowAway,
        configuration: &Configuration,
    ) -> Result<Self, Error> {
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(state.path())?);
        let host = Host {
            clock: Arc::new(RehearsalClock::new(ambient::now_unix_ms())),
            reporter: Arc::new(Silence),
            interrupt: self.interrupt.clone(),
            key: self.key.clone(),
            timing: configuration.settings.timing(),
            patience: None,
            entropy: Arc::new(ambient::fill_random),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            engine: sandbox::version(),
        };
        let engine = Engine::new(Arc::clone(&store), host);
        Ok(Self {
            store,
            engine,
            key: self.key.clone(),
            claimant: self.claimant.clone(),
            progress: Arc::clone(&self.progress),
            interrupt: self.interrupt.clone(),
            state: state.path().to_owned(),
            is_kept: false,
        })
    }

    /// Returns an admitted component, ready to run in its cell; it is compiled where that was not
    /// done before. `assemble` puts the capabilities of its run together.
    pub async fn guest<F>(
        &self,
        cell: StartingCell,
        component: &[u8],
        granted: &BTreeSet<String>,
        assemble: F,
    ) -> Result<CellGuest<F>, Error> {
        let compiler = Compiler { program: ambient::program(), bounds: CompileBounds::default() };
        let cache = CodeCache::open(&self.state.join("code"), &self.key, compiler)?;
        let cell = cell.ready().await?;
        let code = cache.load(&cell.fingerprint, component).await?;
        Ok(CellGuest::new(cell, code, Bounds::default(), granted, assemble)?)
    }

    /// Turns what the engine said into an exit code, with the summary for people before it.
    pub async fn conclude(
        &self,
        run: &RunId,
        ended: Result<RunOutcome, EngineError>,
        session: &Session,
    ) -> Result<Exit, Error> {
        self.progress.close();
        let outcome = ended?;
        if !session.output.is_json {
            let (mut view, history) = self.engine.look(run).await?;
            if !self.is_kept {
                view.next_commands.clear();
            }
            summary::print(&view, outcome, &session.output);
            if let Some(denial) =
                summary::last_denial(&history).filter(|_| outcome != RunOutcome::Succeeded)
            {
                session.note(Style::Good, &format!("hint: {}", denial.hint));
            }
        }
        Ok(outcome.exit())
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        let told = Self::of(error.exit(), &error);
        match error.hint() {
            Some(hint) => told.hint(hint),
            None => told,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        EngineError::Store(error).into()
    }
}

impl From<NoCell> for Error {
    fn from(error: NoCell) -> Self {
        Self::of(Exit::Usage, &error)
    }
}

impl From<CodeError> for Error {
    fn from(error: CodeError) -> Self {
        let exit = match &error {
            CodeError::Precompiled | CodeError::Compile(_) => Exit::Untrusted,
            CodeError::Load { .. } => Exit::Bug,
            CodeError::Folder { .. } | CodeError::Open { .. } | CodeError::Foreign { .. } => {
                Exit::Usage
            }
        };
        Self::of(exit, &error)
    }
}
