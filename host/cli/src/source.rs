//! From the source folder of a runbook to the bytes of its component.

use std::path::{Path, PathBuf};

use runwrit_model::limits;
use runwrit_model::recipe::{self, Recipe};
use runwrit_trust::parcel::COMPONENT;
use wit_component::ComponentEncoder;

use crate::ambient::{self, trusted};
use crate::error::Error;
use crate::output::Style;
use crate::session::Session;

/// How all WebAssembly begins.
const WASM: &[u8] = b"\0asm";
/// How a core module begins; a component differs in the last two bytes.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Returns the component of `folder`: the file that was named, else what its `build.toml` makes,
/// else its `component.wasm`. A core module that carries its world becomes a component.
pub fn component(folder: &Path, named: Option<&Path>, session: &Session) -> Result<Vec<u8>, Error> {
    let recipe = folder.join(recipe::FILE);
    let file = match named {
        Some(file) => file.to_owned(),
        None if ambient::exists(&recipe) => make(folder, &recipe, session)?,
        None => folder.join(COMPONENT),
    };
    let bytes = ambient::read("component", &file, limits::COMPONENT_BYTES_MAX)?;
    if !bytes.starts_with(WASM) {
        let shown = file.display();
        return Err(Error::usage(format!("`{shown}` is no WebAssembly file"))
            .hint("give the component, or the core module, that the build of the runbook makes"));
    }
    match bytes.starts_with(CORE_MODULE) {
        true => componentize(&file, &bytes),
        false => Ok(bytes),
    }
}

/// Follows a recipe; returns the file that it makes.
fn make(folder: &Path, recipe: &Path, session: &Session) -> Result<PathBuf, Error> {
    let shown = recipe.display().to_string();
    let text = ambient::read_text("recipe", recipe, limits::DOCUMENT_BYTES_MAX)?;
    let Recipe { command, output: made, .. } = Recipe::parse(&shown, &text)?;
    session.note(Style::Faint, &format!("building in {}: {command}", folder.display()));
    trusted::build_by_program(&command, folder)?;
    let made = folder.join(made);
    match ambient::exists(&made) {
        true => Ok(made),
        false => {
            let missing = format!("the command of `{shown}` made no `{}`", made.display());
            Err(Error::usage(missing)
                .hint(format!("`output` of `{shown}` names what it makes, seen from its folder")))
        }
    }
}

fn componentize(file: &Path, module: &[u8]) -> Result<Vec<u8>, Error> {
    let encode = |mut encoder: ComponentEncoder| encoder.encode();
    let encoded = ComponentEncoder::default().validate(true).module(module).and_then(encode);
    encoded.map_err(|error| {
        let shown = file.display();
        Error::usage(format!("the core module `{shown}` makes no component: {error:#}"))
            .hint("build it with bindings of our WIT packages, which note its world in it")
    })
}
