//! `runwrit adopt`: takes what stands already into a tenant, after showing what that changes.

use std::sync::Arc;

use clap::Args;
use runwrit_capabilities::hetzner::{Adoptable, Project};
use runwrit_model::document::rules;
use runwrit_model::exit::Exit;
use runwrit_model::failure::Failure;
use runwrit_model::grant::Grant;
use runwrit_model::hetzner::Kind;
use runwrit_model::id::{Digest, RunId, Scope};
use runwrit_model::journal::Created;
use runwrit_model::money::Eur;
use runwrit_model::world::DEFAULT_CREDENTIAL;
use serde::Serialize;

use crate::adoption::{self, Adoption, Names};
use crate::ambient;
use crate::configuration::Configuration;
use crate::confirm;
use crate::credentials::Wallet;
use crate::error::Error;
use crate::installation::Installation;
use crate::output::Style;
use crate::session::Session;
use crate::surroundings::{Subject, Surroundings, connect};

/// What to take, and into which tenant.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A tenant that lives in the registry of this installation
    tenant: String,
    /// A network, by its name; repeat for more
    #[arg(long = "network", value_name = "NAME")]
    networks: Vec<String>,
    /// A server, by its name; repeat for more
    #[arg(long = "server", value_name = "NAME")]
    servers: Vec<String>,
    /// A volume, by its name; repeat for more
    #[arg(long = "volume", value_name = "NAME")]
    volumes: Vec<String>,
    /// The credential that opens the project
    #[arg(long, value_name = "NAME", default_value = DEFAULT_CREDENTIAL)]
    credential: String,
    /// Only show what would change
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Adopt without asking
    #[arg(long)]
    yes: bool,
}

/// What would be adopted, for a program.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line<'a> {
    event: &'static str,
    kind: &'a str,
    id: String,
    name: &'a str,
    tenant: &'a str,
    eur_per_month: Eur,
    /// They stay.
    labels: &'a std::collections::BTreeMap<String, String>,
}

/// Adopts.
pub fn execute(arguments: Arguments, session: &Session) -> Result<Exit, Error> {
    let configuration = Configuration::read(session)?;
    let scope = scope(&arguments.tenant)?;
    let names = names(&arguments)?;
    session.block_on(async {
        let installation = Installation::open(session, &configuration)?;
        let wallet = Wallet::real(&session.ambient, &configuration);
        let client =
            connect(wallet.credential(&arguments.credential)?, &installation, &configuration)?;
        let home = installation.engine.home(&scope).await?.ok_or_else(|| no_tenant(&scope))?;
        let key = installation.key.clone();
        let project = Project { client: Arc::new(client), key, scope: scope.clone() };
        let found = look(&project, &names).await?;
        tell(&arguments.tenant, &found, session);
        if arguments.dry_run {
            return Ok(Exit::Done);
        }
        let question = "adopt them? Type `yes` (`--yes` does not ask):";
        if !arguments.yes && !confirm::ask(question, session)?.ok_or_else(nobody)? {
            session.note(Style::Plain, "nothing was changed");
            return Ok(Exit::Done);
        }
        let of = (arguments.tenant.as_str(), arguments.credential.as_str());
        let grant = adoption::grant(of, &found, ambient::now_unix_ms())?;
        let run = installation.engine.new_run_id();
        let subject = subject(&run, &scope, &grant, &configuration);
        let surroundings = Surroundings::new(subject, &wallet, &installation, &configuration)?;
        let worlds = surroundings.enter(Some(&home)).await?;
        let created = Created { worlds, ..created(&run, &scope, (&grant, &names), session) };
        let guest = Adoption::of(&created, || surroundings.hetzner()).ok_or_else(no_project)?;
        session.signals.watch(&installation.progress);
        let ended = installation.engine.start(created, guest, &surroundings).await;
        installation.conclude(&run, ended, session).await
    })
}

fn scope(tenant: &str) -> Result<Scope, Error> {
    match (rules::TENANT.holds)(tenant) {
        true => Ok(Scope::tenant(tenant)),
        false => {
            let expected = rules::TENANT.expects;
            Err(Error::usage(format!("`{tenant}` is no tenant: expected {expected}")))
        }
    }
}

fn names(arguments: &Arguments) -> Result<Names, Error> {
    let Arguments { networks, servers, volumes, .. } = arguments;
    let all = [(Kind::Network, networks), (Kind::Server, servers), (Kind::Volume, volumes)];
    let (mut names, mut wrong) = (Names::new(), Vec::new());
    for (kind, given) in all {
        let is_wrong = |name: &&String| !(rules::NAME.holds)(name);
        wrong.extend(given.iter().filter(is_wrong).map(|name| unnameable(kind, name)));
        let mut given = given.clone();
        given.sort();
        given.dedup();
        names.insert(kind, given);
    }
    if !wrong.is_empty() {
        let error = Error::usage("nothing was adopted").hint("rename it at Hetzner first");
        return Err(wrong.into_iter().fold(error, Error::detail));
    }
    match names.values().all(Vec::is_empty) {
        true => Err(Error::usage("nothing was named")
            .hint("name it with `--network`, `--server` or `--volume`")),
        false => Ok(names),
    }
}

/// What no grant can name can belong to no tenant.
fn unnameable(kind: Kind, name: &str) -> String {
    let expected = rules::NAME.expects;
    format!("no grant can name `{name}` of the {}: expected {expected}", kind.plural())
}

/// Looks everything up, and tells all that cannot be adopted at once.
async fn look(project: &Project, names: &Names) -> Result<Vec<Adoptable>, Error> {
    let (mut found, mut refused): (Vec<_>, Vec<Failure>) = (Vec::new(), Vec::new());
    for (kind, names) in names {
        for name in names {
            match project.adoptable(*kind, name).await {
                Ok(one) => found.push(one),
                Err(failure) => refused.push(failure),
            }
        }
    }
    if refused.is_empty() {
        return Ok(found);
    }
    let error = Error::usage("nothing was adopted");
    Err(refused.iter().fold(error, |error, failure| error.detail(failure.to_string())))
}

fn tell(tenant: &str, found: &[Adoptable], session: &Session) {
    for Adoptable { kind, id, name, labels, eur_per_month, .. } in found {
        let (kind, id) = (kind.as_str(), id.to_string());
        if session.output.is_json {
            let (event, eur_per_month) = ("adoptable", *eur_per_month);
            session.output.object(&Line { event, kind, id, name, tenant, eur_per_month, labels });
            continue;
        }
        let kind = kind.trim_start_matches("hetzner.");
        let kept: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let kept = match kept.is_empty() {
            true => String::new(),
            false => format!(", and keeps {}", kept.join(", ")),
        };
        let price = match *eur_per_month == Eur::ZERO {
            true => "free".to_owned(),
            false => format!("EUR {} a month", eur_per_month.plain()),
        };
        session.output.data(&format!(
            "{kind} {name} (id {id}), {price}: gets the labels of tenant {tenant}{kept}"
        ));
    }
    let told = "nothing else of them changes now; runbooks of the tenant may change and delete \
                them from then on";
    session.note(Style::Plain, told);
}

fn subject(run: &RunId, scope: &Scope, grant: &Grant, configuration: &Configuration) -> Subject {
    Subject {
        run: run.clone(),
        scope: scope.clone(),
        grant: grant.clone(),
        settings: configuration.settings.hetzner.clone(),
        is_loopback_only: false,
    }
}

fn created(
    run: &RunId,
    scope: &Scope,
    (grant, names): (&Grant, &Names),
    session: &Session,
) -> Created {
    let blank = Created {
        run: run.clone(),
        runbook: String::new(),
        component: Digest::of(b""),
        manifest: String::new(),
        grant: grant.canonical(),
        inputs: Default::default(),
        settings: serde_json::json!({}),
        scope: scope.clone(),
        worlds: Default::default(),
        starter: session.ambient.starter(),
        deadline: None,
        on_failure: Default::default(),
        host: env!("CARGO_PKG_VERSION").to_owned(),
        plan: None,
        provenance: None,
        endorsement: None,
    };
    adoption::created(scope, names, blank)
}

fn no_tenant(scope: &Scope) -> Error {
    let tenant = scope.tenant_id().unwrap_or_default();
    Error::usage(format!("the registry of this installation has no living tenant `{tenant}`"))
        .hint("things are adopted into a tenant that stands: provision it first")
}

fn no_project() -> Error {
    Error::usage("the grant of the adoption opens no project")
}

fn nobody() -> Error {
    Error::usage("nobody is there to be asked").hint("look with `--dry-run`, then say `--yes`")
}
