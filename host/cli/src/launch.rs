//! Puts a run in motion: admission in its order, then the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use runwrit_engine::admission::Package;
use runwrit_engine::cell::StartingCell;
use runwrit_model::admission::{Gap, Gaps, Origin, admit, ask_within_grant};
use runwrit_model::cost::Prices;
use runwrit_model::document::Faults;
use runwrit_model::exit::Exit;
use runwrit_model::grant::Grant;
use runwrit_model::id::{Digest, RunId, Scope};
use runwrit_model::inputs::{self, Given, Inputs};
use runwrit_model::journal::{Created, World};
use runwrit_model::limits;
use runwrit_model::plan::{self, End, Plan};
use runwrit_model::settings;

use crate::ambient;
use crate::configuration::Configuration;
use crate::endorsement::Answer;
use crate::error::Error;
use crate::installation::Installation;
use crate::keyring::Vouching;
use crate::session::Session;
use crate::surroundings::{Subject, Surroundings};

/// What stands in projects that no run marked yet, by capability.
pub type Landmarks = BTreeMap<String, BTreeSet<String>>;

/// What an operator gave to start a run.
pub struct Order {
    /// The runbook.
    pub package: Package,
    /// Who vouches for it.
    pub vouching: Vouching,
    /// Where it comes from.
    pub origin: Origin,
    /// The grant.
    pub grant: Grant,
    /// Who answers for it.
    pub answer: Answer,
    /// Each `NAME=VALUE`.
    pub arguments: Vec<String>,
    /// A file of inputs.
    pub file: Option<PathBuf>,
}

/// An order that was found to be allowed.
pub struct Admitted {
    package: Package,
    vouching: Vouching,
    grant: Grant,
    answer: Answer,
    inputs: Inputs,
    run: RunId,
    plan: Option<Plan>,
}

impl Order {
    /// Checks what was signed against `runbook.toml`, the imports against the ask, the ask against
    /// the grant, and the inputs, in this order; each check tells all that is wrong at once.
    pub fn admit(self, run: RunId) -> Result<Admitted, Error> {
        self.vouching.agrees(&self.package.folder, &self.package.manifest)?;
        let inputs = self.inputs();
        let manifest = &self.package.manifest;
        // Without inputs nobody knows the scope; their own error comes after the gaps.
        let scope = match &inputs {
            Ok(inputs) => inputs::scope(manifest, inputs, &run),
            Err(_) => self.grant.scope(&run),
        };
        let now = ambient::now_unix_ms();
        let gaps = ask_within_grant((manifest, &self.origin), &self.grant, &scope, now);
        admit(self.package.gaps(), gaps)?;
        let inputs = inputs?;
        let Self { package, vouching, grant, answer, .. } = self;
        Ok(Admitted { package, vouching, grant, answer, inputs, run, plan: None })
    }

    fn inputs(&self) -> Result<Inputs, Error> {
        let bytes_max = limits::DOCUMENT_BYTES_MAX;
        let file = self.file.as_ref();
        let name = file.map(|path| path.display().to_string()).unwrap_or_default();
        let text = file.map(|path| ambient::read_text("inputs file", path, bytes_max));
        let text = text.transpose()?;
        let file = text.as_ref().map(|text| (name.as_str(), text.as_str()));
        let given = Given { arguments: &self.arguments, file };
        inputs::read(&self.package.manifest, given).map_err(|faults: Faults| faults.into())
    }
}

impl Admitted {
    /// Runs it to its end, as far as this process goes.
    pub async fn start(
        self,
        installation: &Installation,
        (surroundings, cell): (Surroundings, StartingCell),
        session: &Session,
    ) -> Result<Exit, Error> {
        let Self { package, inputs, run, .. } = &self;
        let assemble = surroundings.assembler(&package.manifest, inputs);
        let guest =
            installation.guest(cell, &package.component, &package.linked(), assemble).await?;
        let home = installation.engine.home(&self.scope()).await?;
        let worlds = surroundings.enter(home.as_ref()).await?;
        installation.store.put_component(package.component.clone()).await?;
        let settings = serde_json::to_value(surroundings.settings())
            .expect("settings are maps of strings and numbers");
        let created = Created { worlds, settings, ..self.created(session) };
        let ended = installation.engine.start(created, guest, &surroundings).await;
        installation.conclude(run, ended, session).await
    }

    /// Binds it to a plan. `worlds` are those that it would act in now; where anything is not as
    /// planned, nothing is started.
    pub fn follow(
        self,
        plan: Plan,
        (worlds, landmarks): (&BTreeMap<String, World>, &Landmarks),
    ) -> Result<Self, Error> {
        if let End::Fails(cause) = &plan.end {
            let message = format!("the plan ends in a failure: {cause}");
            return Err(Error::usage(message).hint("correct what failed, and plan again"));
        }
        let manifest = &self.package.manifest;
        let begun = plan::Start {
            runbook: &manifest.id(),
            component: self.package.digest,
            manifest: digest_of(&manifest.canonical()),
            inputs: &self.inputs,
            grant: digest_of(&self.grant.canonical()),
            worlds,
            landmarks,
        };
        let found = plan::start(&plan, &begun);
        if found.is_empty() {
            return Ok(Self { plan: Some(plan), ..self });
        }
        let error = Error::new(Exit::Differs, "the run was not started: it is not as planned");
        let error = found.into_iter().fold(error, Error::detail);
        Err(error.hint("nothing was touched; plan again, or run what was planned"))
    }

    /// Returns what a plan says beside its effects. `known` is every value that is there already,
    /// and `prices` what it costs.
    pub fn frame(
        &self,
        (worlds, landmarks): (BTreeMap<String, World>, Landmarks),
        settings: settings::Hetzner,
        (known, prices): (BTreeSet<String>, Prices),
    ) -> plan::Frame {
        let manifest = &self.package.manifest;
        plan::Frame {
            runbook: manifest.id(),
            component: self.package.digest,
            manifest: digest_of(&manifest.canonical()),
            asks: manifest.ask.iter().map(|ask| ask.interface.clone()).collect(),
            inputs: self.inputs.clone(),
            grant: digest_of(&self.grant.canonical()),
            tenant: self.grant.tenant().map(str::to_owned),
            worlds,
            landmarks,
            given: plan::Given::of(&self.grant),
            settings,
            known,
            prices,
        }
    }

    /// Returns what its surroundings depend on. A plan has pinned the choices.
    pub fn subject(&self, configuration: &Configuration) -> Subject {
        let pinned = self.plan.as_ref().map(|plan| serde_json::from_value(plan.settings.clone()));
        let pinned = pinned.and_then(Result::ok);
        Subject {
            run: self.run.clone(),
            scope: self.scope(),
            grant: self.grant.clone(),
            settings: pinned.unwrap_or_else(|| configuration.settings.hetzner.clone()),
            is_loopback_only: self.vouching.is_loopback_only() || self.answer.is_loopback_only(),
        }
    }

    /// Returns what the run will hold alone.
    pub fn scope(&self) -> Scope {
        inputs::scope(&self.package.manifest, &self.inputs, &self.run)
    }

    /// Returns the grant.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Returns who vouches for the package.
    pub fn vouching(&self) -> &Vouching {
        &self.vouching
    }

    /// Returns who answers for the grant.
    pub fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Returns the package.
    pub fn package(&self) -> &Package {
        &self.package
    }

    /// Returns the inputs.
    pub fn inputs_given(&self) -> &Inputs {
        &self.inputs
    }

    /// Returns what a journal of it begins with, but for its worlds and settings.
    pub fn created(&self, session: &Session) -> Created {
        let Self { package, vouching, grant, answer, inputs, run, plan } = self;
        let manifest = &package.manifest;
        Created {
            run: run.clone(),
            runbook: manifest.id(),
            component: package.digest,
            manifest: manifest.canonical(),
            grant: grant.canonical(),
            inputs: inputs.clone(),
            settings: serde_json::Value::Null,
            scope: self.scope(),
            worlds: Default::default(),
            starter: session.ambient.starter(),
            deadline: grant.deadline(run.unix_ms()),
            on_failure: grant.on_failure().or(manifest.on_failure).unwrap_or_default(),
            host: env!("CARGO_PKG_VERSION").to_owned(),
            plan: plan.as_ref().and_then(|plan| plan.text().ok()),
            provenance: Some(vouching.provenance()),
            endorsement: Some(answer.record(vouching.keyring())),
        }
    }
}

fn digest_of(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// All gaps, a line each.
impl From<Gaps> for Error {
    fn from(gaps: Gaps) -> Self {
        let error = Self::new(gaps.exit(), "the run was not started");
        gaps.0.iter().fold(error, |error, gap: &Gap| error.detail(gap.to_string()))
    }
}
