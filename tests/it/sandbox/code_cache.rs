//! Compiled code is kept, trusted only with its MAC, and made within limits.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use runwrit_engine::admission::{Surface, SurfaceError};
use runwrit_engine::code_cache::{CodeCache, CodeError, CompileBounds, Compiler};
use runwrit_engine::sandbox::{Bounds, Sandbox, fingerprint};
use runwrit_model::id::Digest;
use runwrit_model::labels::HostKey;
use tempfile::TempDir;

use super::bench::{self, wrap};
use super::handwritten::{CALLS_OF_A_BOMB, FUNCTION, TYPE, beside_quiet, bomb, code};

struct Bench {
    folder: TempDir,
    sandbox: Sandbox,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("the temporary folder is writable");
        Self { folder, sandbox: Sandbox::new(Bounds::default()).expect("the engine starts") }
    }

    /// What a cell tells the host for which code is kept.
    fn fingerprint(&self) -> Digest {
        fingerprint(self.sandbox.engine())
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("code")
    }

    fn cache(&self, key: u8, bounds: CompileBounds) -> CodeCache {
        let compiler = Compiler { program: bench::program(), bounds };
        CodeCache::open(&self.path(), &HostKey::from_bytes([key; 32]), compiler)
            .expect("the folder is ours")
    }

    fn file(&self, extension: &str) -> PathBuf {
        let files = fs::read_dir(self.path()).expect("the cache is there").flatten();
        let mut paths = files.map(|file| file.path());
        let is_wanted = |path: &PathBuf| path.extension().is_some_and(|it| it == extension);
        paths.find(is_wanted).expect("the cache holds one entry")
    }

    /// What the cache holds, as far as it holds anything.
    fn bytes(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = fs::read_dir(self.path()).expect("the cache is there").flatten();
        let of_code = files.map(|file| file.path()).filter(|path| path.extension().is_some());
        let mut found: Vec<_> =
            of_code.map(|path| (path.clone(), fs::read(path).expect("it is ours"))).collect();
        found.sort();
        found
    }

    fn written(&self) -> SystemTime {
        let metadata = fs::metadata(self.file("cwasm")).expect("it is there");
        metadata.modified().expect("the disk keeps times")
    }
}

fn change_byte(path: &Path, place: usize) {
    let mut bytes = fs::read(path).expect("it is there");
    bytes[place] ^= 1;
    fs::write(path, bytes).expect("it is ours");
}

#[tokio::test]
async fn code_is_compiled_once_and_again_when_it_was_touched() {
    let bench = Bench::new();
    let quiet = bench::component("quiet");
    let cache = bench.cache(1, CompileBounds::default());
    assert!(!cache.holds(&bench.fingerprint(), &Digest::of(&quiet)));
    cache.load(&bench.fingerprint(), &quiet).await.expect("it compiles");
    assert!(cache.holds(&bench.fingerprint(), &Digest::of(&quiet)));
    let first = bench.written();
    cache.load(&bench.fingerprint(), &quiet).await.expect("it is kept");
    assert_eq!(bench.written(), first, "kept code was compiled again");

    type Damage = (&'static str, fn(&Bench));
    let damages: [Damage; 5] = [
        ("a byte of the code", |bench| change_byte(&bench.file("cwasm"), 4_000)),
        ("a byte of the MAC", |bench| change_byte(&bench.file("mac"), 3)),
        ("no MAC", |bench| fs::remove_file(bench.file("mac")).expect("it is there")),
        ("half of the code", |bench| {
            let bytes = fs::read(bench.file("cwasm")).expect("it is there");
            fs::write(bench.file("cwasm"), &bytes[..bytes.len() / 2]).expect("it is ours");
        }),
        ("no code", |bench| fs::remove_file(bench.file("cwasm")).expect("it is there")),
    ];
    for (what, damage) in damages {
        damage(&bench);
        let damaged = bench.bytes();
        cache
            .load(&bench.fingerprint(), &quiet)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_ne!(bench.bytes(), damaged, "{what} was trusted");
        let kept = bench.written();
        cache.load(&bench.fingerprint(), &quiet).await.expect("it is kept");
        assert_eq!(bench.written(), kept, "after {what} the code was not made whole");
    }
}

#[tokio::test]
async fn code_of_another_host_key_or_component_is_not_trusted() {
    let bench = Bench::new();
    let quiet = bench::component("quiet");
    let bounds = CompileBounds::default();
    bench.cache(1, bounds).load(&bench.fingerprint(), &quiet).await.expect("it compiles");
    let first = fs::read(bench.file("mac")).expect("it is there");
    bench.cache(2, bounds).load(&bench.fingerprint(), &quiet).await.expect("it compiles again");
    assert_ne!(fs::read(bench.file("mac")).expect("it is there"), first);

    // The code of one component under the name of another: its MAC holds for its own name only.
    let (code, mac) = (bench.file("cwasm"), bench.file("mac"));
    let panic = bench::component("panic");
    let other = code.file_name().expect("it has one").to_string_lossy().into_owned();
    let other = other.replace(&Digest::of(&quiet).hex(), &Digest::of(&panic).hex());
    let other = bench.path().join(other);
    fs::rename(code, &other).expect("both are in the folder");
    fs::rename(mac, other.with_extension("mac")).expect("both are in the folder");
    let planted = fs::read(&other).expect("it is there");
    bench.cache(2, bounds).load(&bench.fingerprint(), &panic).await.expect("it compiles");
    assert_ne!(fs::read(&other).expect("it is there"), planted, "planted code was kept");
}

#[tokio::test]
async fn a_folder_that_others_can_write_to_is_refused() {
    let bench = Bench::new();
    drop(bench.cache(1, CompileBounds::default()));
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&bench.path()), 0o700);
    fs::set_permissions(bench.path(), fs::Permissions::from_mode(0o770)).expect("it is ours");
    let compiler = Compiler { program: bench::program(), bounds: CompileBounds::default() };
    let opened = CodeCache::open(&bench.path(), &HostKey::from_bytes([1; 32]), compiler);
    assert!(matches!(opened, Err(CodeError::Open { mode: 0o770, .. })));
    // Only root can give a folder away; nobody else can be tricked so.
    fs::set_permissions(bench.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
    if std::os::unix::fs::chown(bench.path(), Some(12_345), None).is_ok() {
        let compiler = Compiler { program: bench::program(), bounds: CompileBounds::default() };
        let opened = CodeCache::open(&bench.path(), &HostKey::from_bytes([1; 32]), compiler);
        assert!(matches!(opened, Err(CodeError::Foreign { owner: 12_345, .. })));
    }
}

#[tokio::test]
async fn compiled_code_is_no_component() {
    let bench = Bench::new();
    let cache = bench.cache(1, CompileBounds::default());
    cache.load(&bench.fingerprint(), &bench::component("quiet")).await.expect("it compiles");
    let code = fs::read(bench.file("cwasm")).expect("it is there");
    let error = cache.load(&bench.fingerprint(), &code).await.expect_err("it is refused");
    assert!(matches!(error, CodeError::Precompiled), "{error}");
}

#[tokio::test]
async fn a_component_bomb_ends_in_its_child() {
    let bench = Bench::new();
    let (wall, default) = (Duration::from_secs(120), CompileBounds::default());
    let slow = CompileBounds { cpu_seconds_max: 2, wall_max: wall, ..default };
    let large = CompileBounds { address_space_bytes_max: 400 << 20, wall_max: wall, ..default };
    let waited = CompileBounds { wall_max: Duration::from_secs(1), ..default };
    bench
        .cache(1, default)
        .load(&bench.fingerprint(), &bomb(10))
        .await
        .expect("a small one compiles");
    let bomb = bomb(CALLS_OF_A_BOMB);
    let mut texts = Vec::new();
    for bounds in [slow, large, waited] {
        let error = bench.cache(1, bounds).load(&bench.fingerprint(), &bomb).await.err();
        texts.push(error.expect("it does not compile").to_string());
    }
    insta::assert_snapshot!(wrap(&texts.join("\n")), @r"
    compiling the component took more than 2 s, which counts as an attack; split its
      largest functions, or leave out what it does not need
    compiling the component took more than 400 MiB of memory, which counts as an attack;
      split its largest functions, or leave out what it does not need
    compiling the component took more than 1 s, which counts as an attack; split its
      largest functions, or leave out what it does not need
    ");
}

/// A proposal that no guest needs, and a core module that uses nothing else.
fn proposals() -> Vec<(&'static str, Vec<u8>)> {
    let function = |body: &[u8]| [TYPE, FUNCTION, &code(body)].concat();
    let vector = [&[0xfd, 0x0c][..], &[0; 16]].concat(); // v128.const 0
    let swizzle = [&[0][..], &vector, &vector, &[0xfd, 0x80, 0x02, 0x1a, 0x0b]].concat();
    let zeros = [0x42, 0].repeat(4); // i64.const 0
    let wide = [&[0][..], &zeros, &[0xfc, 0x13, 0x1a, 0x1a, 0x0b]].concat();
    vec![
        ("a type that others may extend", vec![1, 6, 1, 0x50, 0, 0x60, 0, 0]),
        ("a reference to a function", function(&[0, 0xd0, 0, 0x14, 0, 0x0b])),
        ("an exception", [TYPE, &[13, 3, 1, 0, 0]].concat()),
        ("shared memory", vec![5, 4, 1, 3, 1, 1]),
        ("memory of 64 bits", vec![5, 3, 1, 4, 1]),
        ("pages of one byte", vec![5, 4, 1, 8, 1, 0]),
        ("a tail call", function(&[0, 0x12, 0, 0x0b])),
        ("relaxed vectors", function(&swizzle)),
        ("wide arithmetic", function(&wide)),
    ]
}

/// Admission refuses them too, before the engine sees them: each alone must be enough.
#[tokio::test]
async fn the_engine_itself_refuses_what_admission_refuses() {
    let bench = Bench::new();
    let cache = bench.cache(1, CompileBounds::default());
    let plain = beside_quiet(&[TYPE, FUNCTION, &code(&[0, 0x0b])].concat());
    cache.load(&bench.fingerprint(), &plain).await.expect("a plain module is compiled");
    Surface::read(&plain).expect("a plain module is admitted");
    let mut wrong = Vec::new();
    for (what, sections) in proposals() {
        let probe = beside_quiet(&sections);
        let compiled = cache.load(&bench.fingerprint(), &probe).await.err();
        let admitted = Surface::read(&probe).err();
        let (compiled, admitted) = (compiled.map(|it| it.to_string()), admitted);
        match (compiled, admitted) {
            (Some(text), Some(SurfaceError::Invalid { .. })) if !text.contains("attack") => {}
            other => wrong.push(format!("{what}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
