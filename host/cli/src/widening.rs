//! What a package newly wants, beside what this host knows of it.

use runwrit_engine::admission::Package;
use runwrit_model::reach::{Change, Reach};

use crate::error::Error;
use crate::keyring::{Trust, Vouching, untrusted};
use crate::output::Style;
use crate::session::Session;

/// Returns how far a package reaches.
pub fn reach(package: &Package) -> Reach {
    Reach::new(&package.manifest, &package.surface.operations)
}

/// Returns what a package wants beyond what ran here under its name or was approved; nothing where
/// it never was.
pub fn newly(trust: &Trust, name: &str, package: &Package) -> Vec<Change> {
    let known = trust.floors.wanted(name);
    known.map_or_else(Vec::new, |known| reach(package).beyond(known))
}

/// Tells what a package newly wants; where the keyring says so, it has to be approved first.
pub fn admit(
    trust: &Trust,
    vouching: &Vouching,
    package: &Package,
    session: &Session,
) -> Result<(), Error> {
    let Vouching::Signed(vouched, _) = vouching else { return Ok(()) };
    let (changes, id) = (newly(trust, &vouched.release.package, package), vouched.release.id());
    if changes.is_empty() {
        return Ok(());
    }
    if !trust.keyring.policy.reapprove_wider {
        tell(trust, vouching, package, session);
        return Ok(());
    }
    let file = trust.file.display();
    let message = format!("{id} wants more than was approved here, and `{file}` asks for a word");
    let error = changes.iter().fold(untrusted(message), |error, it| error.detail(it.to_string()));
    let folder = package.folder.display();
    Err(error.hint(format!("after a look, `runwrit trust approve {folder}` lets it run")))
}

/// Tells whoever plans what a package newly wants, and whether its run will wait for a word.
pub fn tell(trust: &Trust, vouching: &Vouching, package: &Package, session: &Session) {
    let Vouching::Signed(vouched, _) = vouching else { return };
    let (changes, id) = (newly(trust, &vouched.release.package, package), vouched.release.id());
    for change in &changes {
        session.note(Style::Warning, &format!("{id} {change}"));
    }
    if trust.keyring.policy.reapprove_wider && !changes.is_empty() {
        let folder = package.folder.display();
        let text = format!("`run` will refuse it until `runwrit trust approve {folder}`");
        session.note(Style::Warning, &text);
    }
}

/// Remembers what a package wants before its run begins. What was approved stays approved.
pub fn remember(trust: &Trust, vouching: &Vouching, package: &Package) -> Result<(), Error> {
    let Vouching::Signed(vouched, _) = vouching else { return Ok(()) };
    let name = &vouched.release.package;
    let is_kept = trust.keyring.policy.reapprove_wider && trust.floors.wanted(name).is_some();
    match is_kept {
        true => Ok(()),
        false => approve(trust, name, package),
    }
}

/// Remembers that a package may want what it wants.
pub fn approve(trust: &Trust, name: &str, package: &Package) -> Result<(), Error> {
    let reach = reach(package);
    if trust.floors.wanted(name) == Some(reach.wants()) {
        return Ok(());
    }
    trust.change(|floors| Ok(floors.note_wanted(name, reach.wants())))
}
