//! How the Wasm engine is configured: what a guest may use, and what compiled code depends on.

use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;

use runwrit_model::id::Digest;
use sha2::Digest as _;
use wasmtime::{Config, Engine, Error, ModuleVersionStrategy, WasmFeatures};

/// Counts up with every change below that compiled code depends on.
const VERSION: u32 = 1;

/// The version of wasmtime that `Cargo.lock` pins; a test compares them. Wasmtime itself only tells
/// code of other major versions apart, but patch releases mend miscompilations.
const WASMTIME: &str = "48.0.8";

/// More frames than this tell nobody anything.
const BACKTRACE_FRAMES_MAX: NonZeroUsize = NonZeroUsize::new(20).expect("20 is not zero");

/// Builds the one engine of this process.
pub fn engine() -> Result<Engine, Error> {
    Engine::new(&config()?)
}

/// Returns the version of the Wasm engine as journals and caches name it.
pub fn version() -> String {
    format!("wasmtime {WASMTIME}, configuration {VERSION}")
}

/// Returns what all code that `engine` compiles depends on, beside the component: the version of
/// wasmtime, the configuration and the processor.
pub fn fingerprint(engine: &Engine) -> Digest {
    let mut hasher = Fingerprint(sha2::Sha256::new());
    version().hash(&mut hasher);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    Digest::from(<[u8; 32]>::from(hasher.0.finalize()))
}

fn config() -> Result<Config, Error> {
    let mut config = Config::new();
    // A run is interrupted by epochs: they cost half of what fuel costs.
    config.epoch_interruption(true).consume_fuel(false);
    // A replay may happen on another processor, where NaNs have other bits.
    config.cranelift_nan_canonicalization(true);
    refuse_proposals(&mut config);
    config.wasm_backtrace_max_frames(Some(BACKTRACE_FRAMES_MAX)).native_unwind_info(false);
    config.module_version(ModuleVersionStrategy::Custom(version()))?;
    Ok(config)
}

/// Switches off what no guest of any language needs: less of the engine is exposed.
///
/// Multi-memory stays on, because wasmtime panics without it on components with adapters.
fn refuse_proposals(config: &mut Config) {
    let refused = WasmFeatures::GC
        | WasmFeatures::FUNCTION_REFERENCES
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::THREADS;
    config.wasm_features(refused, false);
    config.shared_memory(false);
    config.wasm_memory64(false).wasm_relaxed_simd(false).wasm_tail_call(false);
    config.wasm_wide_arithmetic(false).wasm_custom_page_sizes(false);
    config.wasm_component_model_map(false).wasm_component_model_gc(false);
    config.wasm_component_model_memory64(false).wasm_component_model_fixed_length_lists(false);
    config.wasm_component_model_implements(false).wasm_component_model_error_context(false);
}

/// Feeds what is hashed into SHA-256: the hashers of the standard library change with the compiler.
struct Fingerprint(sha2::Sha256);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest: [u8; 32] = self.0.clone().finalize().into();
        digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_pinned_one() {
        let lock = include_str!("../../../../Cargo.lock");
        let pinned = format!("name = \"wasmtime\"\nversion = \"{WASMTIME}\"");
        assert!(lock.contains(&pinned), "Cargo.lock pins another wasmtime than {WASMTIME}");
    }

    #[test]
    fn the_fingerprint_is_stable_within_a_process() {
        assert_eq!(fingerprint(&engine().unwrap()), fingerprint(&engine().unwrap()));
    }
}
