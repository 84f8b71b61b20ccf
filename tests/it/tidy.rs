//! What a machine can check of the house style: heads, lengths, floors, order, names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders that hold source, and no others stand at the top.
const FOLDERS: [&str; 6] = ["host", "wit", "runbooks", "sdk", "examples", "tests"];
/// A file without its tests; beyond this a reader tires.
const FILE_LINES_MAX: usize = 500;
/// A function; most have ten.
const FUNCTION_LINES_MAX: usize = 70;
/// A line fits two windows side by side.
const LINE_CHARS_MAX: usize = 100;
/// Rooms that would take in anything.
const FORBIDDEN_ROOMS: [&str; 9] =
    ["util", "utils", "common", "commons", "helper", "helpers", "misc", "manager", "shared"];
/// Who may import whom among our crates.
const FLOORS: [(&str, &[&str]); 8] = [
    ("model", &[]),
    ("trust", &["runwrit-model"]),
    ("distribution", &["runwrit-model", "runwrit-trust"]),
    ("simulator", &["runwrit-model"]),
    ("capabilities", &["runwrit-model"]),
    ("engine", &["runwrit-model", "runwrit-trust", "runwrit-capabilities"]),
    (
        "cli",
        &[
            "runwrit-model",
            "runwrit-trust",
            "runwrit-distribution",
            "runwrit-capabilities",
            "runwrit-engine",
            "runwrit-simulator",
        ],
    ),
    ("xtask", &["runwrit-model", "runwrit-trust"]),
];

/// One file of ours.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn shown(&self) -> String {
        self.path.strip_prefix(root()).unwrap_or(&self.path).display().to_string()
    }

    /// Whether the file is a module of tests: its parent lists it under `#[cfg(test)]`.
    fn is_test(&self) -> bool {
        self.path.ancestors().any(|path| {
            let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { return false };
            let Some(folder) = path.parent().filter(|folder| folder.starts_with(root())) else {
                return false;
            };
            let parents = [
                folder.join("mod.rs"),
                folder.join("lib.rs"),
                folder.join("main.rs"),
                folder.with_extension("rs"),
            ];
            let lines =
                ["", "pub(crate) "].map(|reach| format!("#[cfg(test)]\n{reach}mod {name};"));
            let mut texts = parents.iter().flat_map(fs::read_to_string);
            texts.any(|text| lines.iter().any(|line| text.contains(line)))
        })
    }

    /// The lines before the unit tests.
    fn product_lines(&self) -> Vec<&str> {
        if self.is_test() {
            return Vec::new();
        }
        let lines: Vec<&str> = self.text.lines().collect();
        let is_tests = |start: usize| {
            let mut rest = lines[start + 1..].iter();
            lines[start] == "#[cfg(test)]"
                && rest
                    .find(|line| line.starts_with("mod "))
                    .is_some_and(|line| line.trim_end().ends_with('{'))
        };
        let end = (0..lines.len()).find(|start| is_tests(*start));
        lines[..end.unwrap_or(lines.len())].to_vec()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand below the root")
}

/// Returns all files below `folder` that end with `.extension`, but nothing that was built.
fn sources(folder: &Path, extension: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(sources(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            let text = fs::read_to_string(&path).expect("sources are readable UTF-8");
            found.push(Source { path, text });
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn all(extension: &str) -> Vec<Source> {
    FOLDERS.iter().flat_map(|folder| sources(&root().join(folder), extension)).collect()
}

/// Fails with every finding at once.
fn report(rule: &str, findings: Vec<String>) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

#[test]
fn only_known_folders_stand_at_the_top() {
    let mut findings = Vec::new();
    for entry in fs::read_dir(root()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_known = FOLDERS.contains(&name.as_str()) || name == "target";
        if entry.path().is_dir() && !name.starts_with('.') && !is_known {
            findings.push(name);
        }
    }
    report("a new top-level folder is a design change", findings);
}

#[test]
fn every_file_says_what_lives_in_it() {
    let mut findings = Vec::new();
    for source in all("rs") {
        if !source.text.starts_with("//! ") {
            findings.push(source.shown());
        }
    }
    for source in all("wit") {
        if !source.text.starts_with("/// ") {
            findings.push(source.shown());
        }
    }
    report("the first line is `//! What lives here.`", findings);
}

#[test]
fn no_file_line_or_function_tires_a_reader() {
    let mut findings = Vec::new();
    for source in all("rs") {
        let lines = source.product_lines();
        if lines.len() > FILE_LINES_MAX {
            findings.push(format!("{} has {} lines", source.shown(), lines.len()));
        }
        let mut is_snapshot = false;
        for (number, line) in source.text.lines().enumerate() {
            // What a person reads stands in a snapshot as it is printed.
            is_snapshot &= !line.trim_start().starts_with(['"']);
            let chars = line.chars().count();
            let is_whole = is_snapshot || is_one_long_word(line);
            is_snapshot |= ["@\"", "@r\"", "@r#\""].iter().any(|open| line.ends_with(open));
            if chars > LINE_CHARS_MAX && !is_whole {
                findings.push(format!("{}:{} has {chars} columns", source.shown(), number + 1));
            }
        }
        for (name, number, length) in functions(&lines) {
            if length > FUNCTION_LINES_MAX {
                findings.push(format!("{}:{number} `{name}` has {length} lines", source.shown()));
            }
        }
    }
    report("files, lines and functions have a length", findings);
}

/// A URL, a digest or JSON in a raw text cannot be broken.
fn is_one_long_word(line: &str) -> bool {
    let has_long_word = line.split_whitespace().any(|word| word.chars().count() > 40);
    has_long_word || line.trim_end().ends_with("\"#;")
}

/// Returns name, first line and length of each function, by the indentation that rustfmt keeps.
fn functions(lines: &[&str]) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let close = format!("{}}}", " ".repeat(indent));
        let is_end = |line: &str| line == close || line.starts_with(&format!("{close} "));
        // A declaration without a body ends with a semicolon, on this line or a later one.
        let head = lines[start..].iter().find(|line| line.ends_with(['{', '}', ';']));
        if !head.is_some_and(|head| head.ends_with('{')) {
            continue;
        }
        if let Some(length) = lines[start..].iter().position(|line| is_end(line)) {
            found.push((name, start + 1, length + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let mut rest = line.trim_start();
    for prefix in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    Some(name.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect())
}

#[test]
fn a_floor_imports_only_floors_below_it() {
    let mut findings = Vec::new();
    for (floor, allowed) in FLOORS {
        let manifest = fs::read_to_string(root().join("host").join(floor).join("Cargo.toml"));
        let manifest: toml::Table = manifest.unwrap().parse().unwrap();
        let Some(dependencies) = manifest.get("dependencies").and_then(|it| it.as_table()) else {
            continue;
        };
        for name in dependencies.keys() {
            let is_ours = name.starts_with("runwrit");
            if is_ours && !allowed.contains(&name.as_str()) {
                findings.push(format!("{floor} imports {name}"));
            }
            if name == "anyhow" && floor != "cli" && floor != "xtask" {
                findings.push(format!("{floor} imports anyhow"));
            }
        }
    }
    report("floors import downward only", findings);
}

#[test]
fn a_module_imports_only_modules_listed_before_it() {
    let mut findings = Vec::new();
    for (floor, _) in FLOORS {
        let source = root().join("host").join(floor).join("src");
        let Ok(head) = fs::read_to_string(source.join("lib.rs")) else { continue };
        let order = modules(&head);
        for (place, module) in order.iter().enumerate() {
            for file in module_files(&source, module) {
                for later in &order[place + 1..] {
                    for line in mentions(&file.product_lines(), later) {
                        findings.push(format!("{}:{line} imports `{later}`", file.shown()));
                    }
                }
            }
        }
    }
    report("`lib.rs` lists modules in reading order", findings);
}

/// Returns the modules that a `lib.rs` lists, in order, without those of tests.
fn modules(head: &str) -> Vec<String> {
    let names = head.lines().filter_map(|line| {
        let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';').map(str::to_owned)
    });
    names.filter(|name| name != "tests").collect()
}

fn module_files(source: &Path, module: &str) -> Vec<Source> {
    let file = source.join(format!("{module}.rs"));
    let mut files = sources(&source.join(module), "rs");
    if let Ok(text) = fs::read_to_string(&file) {
        files.push(Source { path: file, text });
    }
    files
}

/// Returns the numbers of the lines that name `crate::module` outside of comments.
fn mentions(lines: &[&str], module: &str) -> Vec<usize> {
    let path = format!("crate::{module}");
    let is_mention = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        code.split(&path)
            .skip(1)
            .any(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
    };
    let numbered = lines.iter().enumerate().filter(|(_, line)| is_mention(line));
    numbered.map(|(number, _)| number + 1).collect()
}

#[test]
fn capabilities_never_import_each_other() {
    let source = root().join("host/capabilities/src");
    let folders: Vec<String> = fs::read_dir(&source)
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().join("host.rs").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let mut findings = Vec::new();
    for folder in &folders {
        for file in sources(&source.join(folder), "rs") {
            for other in folders.iter().filter(|other| *other != folder) {
                for line in mentions(&file.product_lines(), other) {
                    findings.push(format!("{}:{line} imports `{other}`", file.shown()));
                }
            }
        }
    }
    report("what capabilities share is a trait above them", findings);
}

#[test]
fn every_room_is_named_after_a_noun() {
    let mut findings = Vec::new();
    for extension in ["rs", "wit", "toml"] {
        for source in all(extension) {
            let shown = source.shown();
            let mut words = shown.split(['/', '.']);
            if let Some(word) = words.find(|word| FORBIDDEN_ROOMS.contains(word)) {
                findings.push(format!("{shown} is in `{word}`"));
            }
        }
    }
    report("a room that takes in anything holds nothing", findings);
}

#[test]
fn nothing_is_left_half_done_in_the_code() {
    // Built here so that this file does not find itself.
    let marks = ["TO", "FIX", "HA", "XX"].map(|start| match start {
        "TO" => format!("{start}DO"),
        "FIX" => format!("{start}ME"),
        "HA" => format!("{start}CK"),
        other => format!("{other}X"),
    });
    let mut findings = Vec::new();
    for source in all("rs") {
        for (number, line) in source.text.lines().enumerate() {
            let comment = line.trim_start().strip_prefix("// ").unwrap_or_default();
            let has_mark = marks.iter().any(|mark| line.contains(mark.as_str()));
            if has_mark || is_code(comment) {
                findings.push(format!("{}:{}: {}", source.shown(), number + 1, line.trim()));
            }
        }
    }
    report("no notes to self and no code in comments", findings);
}

/// Tells a comment that was code once.
fn is_code(comment: &str) -> bool {
    let starts = ["let ", "use ", "fn ", "pub ", "return ", "if let ", "match ", "self."];
    let is_statement = comment.ends_with(';') || comment.ends_with(" {");
    is_statement && starts.iter().any(|start| comment.starts_with(start))
}

#[test]
fn documents_are_read_strictly() {
    // Built here so that this file does not find itself.
    let loose = [format!("serde({}", "untagged"), format!("serde({}", "flatten")];
    let mut findings = Vec::new();
    for source in all("rs") {
        for (number, line) in source.text.lines().enumerate() {
            if loose.iter().any(|loose| line.contains(loose.as_str())) {
                findings.push(format!("{}:{}", source.shown(), number + 1));
            }
        }
    }
    report("`untagged` and `flatten` accept what nobody meant", findings);
}

#[test]
fn panics_and_silenced_lints_give_a_reason() {
    let mut findings = Vec::new();
    for source in sources(&root().join("host"), "rs") {
        for (number, line) in source.product_lines().iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let is_silent = code.contains("#[allow(") || code.contains(".unwrap()");
            if is_silent || code.contains(".expect(\"\")") {
                findings.push(format!("{}:{}: {}", source.shown(), number + 1, line.trim()));
            }
        }
    }
    report("`expect` with a reason, for lints and for values alike", findings);
}

#[test]
fn error_texts_are_lower_case_without_a_full_stop() {
    let mut findings = Vec::new();
    for source in sources(&root().join("host"), "rs") {
        for (number, line) in source.text.lines().enumerate() {
            let Some(text) = line.trim().strip_prefix("#[error(\"") else { continue };
            let text = text.trim_end_matches(")]");
            let is_title = text.starts_with(char::is_uppercase) && !starts_with_a_name(text);
            if is_title || text.ends_with(".\"") {
                findings.push(format!("{}:{}: {}", source.shown(), number + 1, line.trim()));
            }
        }
    }
    report("error texts are lower case and end without a full stop", findings);
}

/// Tells names that are capitals everywhere, such as `URL` or `IPv4`.
fn starts_with_a_name(text: &str) -> bool {
    text.chars().nth(1).is_some_and(|second| second.is_uppercase())
}

#[test]
fn every_public_crate_says_what_it_is_for() {
    let mut findings = BTreeMap::new();
    for (floor, _) in FLOORS {
        let source = root().join("host").join(floor).join("src");
        let head = fs::read_to_string(source.join("lib.rs"))
            .or_else(|_| fs::read_to_string(source.join("main.rs")))
            .unwrap_or_default();
        let first = head.lines().next().unwrap_or_default();
        if first.len() < "//! ".len() + 20 {
            findings.insert(floor, first.to_owned());
        }
    }
    report(
        "the head of a crate says more than its name",
        findings.into_iter().map(|(floor, head)| format!("{floor}: {head}")).collect(),
    );
}

/// A switch that no test uses shows nothing about the check behind it. Tables of rows name the
/// rules that must refuse them, and whoever switches those off stands in the same folder.
#[test]
fn every_rule_that_can_be_switched_off_is_switched_off_by_a_test() {
    let all = all("rs");
    // Built here so that this file does not find itself.
    let switch = format!("{}_broken(", "with");
    let is_table = |source: &&Source| {
        ["row.rule", "rule"].iter().any(|it| source.text.contains(&format!("{switch}{it}")))
    };
    let tables: Vec<&Path> =
        all.iter().filter(is_table).filter_map(|source| source.path.parent()).collect();
    let is_used = |rule: &str| {
        all.iter().any(|source| {
            let is_in_table = tables.iter().any(|folder| source.path.starts_with(folder));
            let switched = source.text.contains(&format!("{switch}\"{rule}\""));
            switched || (is_in_table && source.text.contains(&format!("\"{rule}\"")))
        })
    };
    let mut rules = BTreeSet::new();
    for source in all.iter().filter(|source| source.path.starts_with(root().join("host"))) {
        for line in source.product_lines() {
            let parts = line.split("is_broken(\"").skip(1);
            rules.extend(parts.filter_map(|part| Some(part.split_once('"')?.0.to_owned())));
        }
    }
    assert!(rules.len() > 15, "only {rules:?} were found");
    let unused = rules.into_iter().filter(|rule| !is_used(rule)).collect();
    report("no test switches these rules off", unused);
}
