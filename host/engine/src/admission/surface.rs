//! What a component imports and exports, read from its bytes: nothing runs and nothing compiles.

use std::collections::BTreeSet;

use runwrit_model::admission::Import;
use runwrit_model::limits;
use runwrit_model::operations::is_full_operation;
use serde::Serialize;
use wasmparser::component_types::{ComponentEntityType, ComponentItem};
use wasmparser::types::Types;
use wasmparser::{
    BinaryReader, BinaryReaderError, Encoding, Parser, Payload, ProducersSectionReader, Validator,
    WasmFeatures,
};
use wasmtime::Engine;

/// What a runbook's component must export.
const ENTRY: &str = "run";
/// Tools that made a component; more of them is noise.
const PRODUCERS_MAX: usize = 20;

/// The outside of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surface {
    /// What it imports, by name.
    pub imports: Vec<Import>,
    /// The operations that these imports let it call, for example `hetzner.servers.create`.
    pub operations: BTreeSet<String>,
    /// What it exports, by name.
    pub exports: Vec<String>,
    /// What it says about the tools that made it.
    pub producers: Vec<Producer>,
}

/// A tool that took part in making a component, by the component's own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Producer {
    /// `language`, `sdk` or `processed-by`.
    pub role: String,
    /// The tool.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Why bytes are no component that this host can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SurfaceError {
    /// Not Wasm.
    #[error("it is no WebAssembly file; give the component that the build of the runbook makes")]
    NotWasm,
    /// Native code.
    #[error(
        "it is compiled code, not a component; compiled code cannot be checked, so give the \
         `.wasm` that it was compiled from"
    )]
    Precompiled,
    /// A core module.
    #[error(
        "it is a core module, not a component; make a component of it with `wasm-tools \
         component new` or the crate `wit-component`"
    )]
    CoreModule,
    /// The file ends too early.
    #[error("it ends in the middle, after {bytes} bytes; copy or build it again")]
    Truncated {
        /// The length.
        bytes: usize,
    },
    /// It breaks the rules of WebAssembly, or uses a proposal that this host refuses.
    #[error("it is not valid for this host: {cause}; build it without that, or build it again")]
    Invalid {
        /// Where and why.
        cause: String,
    },
    /// More imports than any honest component has.
    #[error("it has {count} imports, and a runbook may have {}", limits::COMPONENT_IMPORTS_MAX)]
    TooManyImports {
        /// How many.
        count: usize,
    },
    /// It is no runbook.
    #[error("it exports {}, and a runbook exports a function `run`", listed(exports))]
    NoEntry {
        /// What it exports.
        exports: Vec<String>,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { format!("`{}`", names.join("`, `")) }
}

impl Surface {
    /// Reads a component.
    pub fn read(bytes: &[u8]) -> Result<Self, SurfaceError> {
        refuse_others(bytes)?;
        let types = validate(bytes)?;
        let names = Names::read(bytes).map_err(|error| invalid(bytes, &error))?;
        if names.imports.len() > limits::COMPONENT_IMPORTS_MAX {
            return Err(SurfaceError::TooManyImports { count: names.imports.len() });
        }
        let entry = types.component_item_for_export(ENTRY).map(|item| item.ty);
        if !matches!(entry, Some(ComponentEntityType::Func(_))) {
            return Err(SurfaceError::NoEntry { exports: names.exports });
        }
        let operations = names.imports.iter().flat_map(|name| operations(&types, name)).collect();
        let import = |name: String| {
            let item = types.component_item_for_import(&name)?;
            // A type by itself, as a world that uses one imports it, is no interface.
            let is_interface = !matches!(item.ty, ComponentEntityType::Type { .. });
            let is_type_only = brings_types_only(&types, item);
            is_interface.then_some(Import { name, is_type_only })
        };
        let imports = names.imports.into_iter().filter_map(import).collect();
        let Names { exports, producers, .. } = names;
        Ok(Self { imports, operations, exports, producers })
    }
}

/// Tells apart what people confuse with a component.
fn refuse_others(bytes: &[u8]) -> Result<(), SurfaceError> {
    if !bytes.starts_with(b"\0asm") {
        return Err(match Engine::detect_precompiled(bytes) {
            Some(_) => SurfaceError::Precompiled,
            None => SurfaceError::NotWasm,
        });
    }
    if Parser::is_core_wasm(bytes) {
        return Err(SurfaceError::CoreModule);
    }
    Ok(())
}

/// Validates with no more proposals than the sandbox allows, so that a refusal names the proposal.
fn validate(bytes: &[u8]) -> Result<Types, SurfaceError> {
    Validator::new_with_features(features())
        .validate_all(bytes)
        .map_err(|error| invalid(bytes, &error))
}

fn invalid(bytes: &[u8], error: &BinaryReaderError) -> SurfaceError {
    let is_short =
        error.message().contains("unexpected end") || error.message().contains("extends past end");
    if is_short {
        return SurfaceError::Truncated { bytes: bytes.len() };
    }
    SurfaceError::Invalid { cause: error.to_string() }
}

/// What the sandbox allows: the same list as in its configuration.
fn features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::SIMD
        | WasmFeatures::FLOATS
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::COMPONENT_MODEL
        | WasmFeatures::GC_TYPES
}

/// Returns whether an import holds no function and no resource: nothing can be done with it.
fn brings_types_only(types: &Types, item: &ComponentItem) -> bool {
    match item.ty {
        ComponentEntityType::Instance(id) => types[id]
            .exports
            .values()
            .all(|item| matches!(item.ty, ComponentEntityType::Type { .. })),
        _ => false,
    }
}

/// Returns the operations of ours behind an import. Some languages leave out what they do not call.
fn operations(types: &Types, import: &str) -> Vec<String> {
    let path = import.strip_prefix("runwrit:").unwrap_or_default();
    let path = path.split_once('@').map_or(path, |(path, _)| path).replace('/', ".");
    let Some(item) = types.component_item_for_import(import) else { return Vec::new() };
    let ComponentEntityType::Instance(id) = item.ty else { return Vec::new() };
    let functions = types[id].exports.iter();
    let functions =
        functions.filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func { .. }));
    // A batch counts as its single operation, in grants as well.
    let operation =
        |name: &String| format!("{path}.{}", name.strip_suffix("-many").unwrap_or(name));
    functions.map(|(name, _)| operation(name)).filter(|it| is_full_operation(it)).collect()
}

/// The names at the outermost level.
#[derive(Default)]
struct Names {
    imports: Vec<String>,
    exports: Vec<String>,
    producers: Vec<Producer>,
}

impl Names {
    fn read(bytes: &[u8]) -> Result<Self, BinaryReaderError> {
        let mut names = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::Version { encoding: Encoding::Module | Encoding::Component, .. } => {
                    depth += 1;
                }
                Payload::End(_) => depth -= 1,
                payload if depth == 1 => names.add(payload)?,
                _ => {}
            }
        }
        Ok(names)
    }

    fn add(&mut self, payload: Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section {
                    self.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    self.exports.push(export?.name.name.to_owned());
                }
            }
            // A malformed one is no reason to refuse: it says nothing that anything rests on.
            Payload::CustomSection(section) if section.name() == "producers" => {
                let reader = BinaryReader::new(section.data(), section.data_offset());
                self.producers.extend(producers(reader).unwrap_or_default());
                self.producers.truncate(PRODUCERS_MAX);
            }
            _ => {}
        }
        Ok(())
    }
}

fn producers(reader: BinaryReader<'_>) -> Result<Vec<Producer>, BinaryReaderError> {
    let mut producers = Vec::new();
    for field in ProducersSectionReader::new(reader)? {
        let field = field?;
        for value in field.values {
            let value = value?;
            let [role, name, version] = [field.name, value.name, value.version].map(str::to_owned);
            producers.push(Producer { role, name, version });
        }
    }
    Ok(producers)
}
