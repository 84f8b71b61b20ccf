//! The official OpenAPI document of Hetzner Cloud as a judge of every answer a test sees.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jsonschema::{ValidationError, Validator};
use serde_json::{Value, json};

/// The document, with the schemas compiled so far.
pub struct OpenApi {
    document: Value,
    validators: Mutex<BTreeMap<String, Option<Arc<Validator>>>>,
    /// Long answers that were found to fit: every run reads the same price list.
    fitting: Mutex<BTreeSet<Fingerprint>>,
}

/// Tells answers apart, by what they answer, their length and their hash.
type Fingerprint = (String, usize, u64);

/// Answers of fewer bytes are judged sooner than remembered.
const LONG_BYTES_MIN: usize = 4 << 10;

/// An answer of a server, as a test sees it.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The method that was asked with.
    pub method: &'a str,
    /// The path after `/v1`.
    pub path: &'a str,
    /// The status.
    pub status: u16,
    /// The body; absent for 204 and for what is no JSON.
    pub body: Option<&'a Value>,
}

/// Judges answers and remembers what it found; its clones are the same judge.
#[derive(Clone)]
pub struct Judge {
    document: Arc<OpenApi>,
    notes: Arc<Mutex<Verdict>>,
}

/// Judges every answer of one simulator, and fails its test at the end when one did not fit.
pub struct Watch(Option<Judge>);

/// What a judge saw.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Answers that the document knows and that were compared with it.
    pub judged: usize,
    /// Operations of the document that were judged.
    pub operations: BTreeSet<String>,
    /// Answers on paths that the document does not have.
    pub unknown: BTreeSet<String>,
    /// What did not fit, one line each.
    pub findings: Vec<String>,
}

/// Returns where the document lies: `RUNWRIT_HETZNER_SPEC`, or beside the workspace.
pub fn path() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/hetzner/cloud.spec.json");
    std::env::var_os("RUNWRIT_HETZNER_SPEC").map_or_else(|| beside.into(), PathBuf::from)
}

/// Reads the document; without it a test must skip, which this says loudly.
///
/// # Panics
///
/// When `RUNWRIT_REQUIRE_SHARED=1` and the document is absent, or when it is no JSON.
pub fn load() -> Option<OpenApi> {
    let path = path();
    let Ok(text) = std::fs::read(&path) else {
        let is_required = std::env::var_os("RUNWRIT_REQUIRE_SHARED").is_some_and(|one| one == "1");
        assert!(!is_required, "`{}` is absent but required", path.display());
        eprintln!("SKIPPED: `{}` is absent; set RUNWRIT_HETZNER_SPEC", path.display());
        return None;
    };
    let document = serde_json::from_slice(&text).expect("the OpenAPI document is JSON");
    Some(OpenApi { document, validators: Mutex::default(), fitting: Mutex::default() })
}

impl OpenApi {
    /// Returns the path of the document that a path after `/v1` fits; fixed words win.
    pub fn template(&self, path: &str) -> Option<&str> {
        let fits = |template: &&String| {
            let (wanted, given) = (template.split('/'), path.split('/'));
            wanted.clone().count() == given.clone().count()
                && wanted.zip(given).all(|(wanted, given)| {
                    wanted == given || (wanted.starts_with('{') && !given.is_empty())
                })
        };
        let parameters = |template: &&String| template.matches('{').count();
        let paths = self.document["paths"].as_object()?;
        paths.keys().filter(fits).min_by_key(parameters).map(String::as_str)
    }

    /// Returns every operation of the document as `METHOD /path`.
    pub fn operations(&self) -> BTreeSet<String> {
        let paths = self.document["paths"].as_object();
        paths
            .into_iter()
            .flatten()
            .flat_map(|(path, item)| {
                item.as_object()
                    .into_iter()
                    .flat_map(|item| item.keys())
                    .map(move |method| format!("{} {path}", method.to_uppercase()))
            })
            .collect()
    }

    /// Compares an answer with the document and returns what does not fit.
    pub fn check(&self, answer: Answer) -> Vec<String> {
        let Answer { method, path, status, body } = answer;
        let Some(template) = self.template(path) else {
            return Vec::new();
        };
        let method = method.to_lowercase();
        let responses = &self.document["paths"][template][&method]["responses"];
        if responses.is_null() {
            return Vec::new();
        }
        let class = format!("{}XX", status / 100);
        let found =
            [status.to_string(), class].into_iter().find(|status| responses.get(status).is_some());
        let Some(key) = found else {
            return vec![format!("status {status} is not documented")];
        };
        let name = format!("{method} {template} {key}");
        match (self.validator(&name, &responses[&key]), body) {
            (None, None) => Vec::new(),
            (None, Some(_)) => vec![format!("status {status} is documented without a body")],
            (Some(_), None) => vec![format!("status {status} is documented with a body")],
            (Some(validator), Some(body)) => self.compare(name, &validator, body),
        }
    }

    fn compare(&self, name: String, validator: &Validator, body: &Value) -> Vec<String> {
        let print = fingerprint(name, body);
        let fitting = || self.fitting.lock().unwrap_or_else(PoisonError::into_inner);
        if fitting().contains(&print) {
            return Vec::new();
        }
        let told = |error: ValidationError<'_>| format!("at `{}`: {error}", error.instance_path());
        let problems: Vec<String> = validator.iter_errors(body).map(told).collect();
        if problems.is_empty() && print.1 >= LONG_BYTES_MIN {
            fitting().insert(print);
        }
        problems
    }

    fn validator(&self, name: &str, response: &Value) -> Option<Arc<Validator>> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let compile = || {
            let schema = response.pointer("/content/application~1json/schema")?;
            // References inside the schema start at the root of the document.
            let rooted = json!({"allOf": [schema], "components": self.document["components"]});
            let validator = jsonschema::options().should_validate_formats(true).build(&rooted);
            Some(Arc::new(validator.expect("the schemas of the document compile")))
        };
        validators.entry(name.to_owned()).or_insert_with(compile).clone()
    }
}

fn fingerprint(name: String, body: &Value) -> Fingerprint {
    let text = body.to_string();
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    (name, text.len(), hasher.finish())
}

impl Judge {
    /// Appoints a judge.
    pub fn new(document: OpenApi) -> Self {
        Self { document: Arc::new(document), notes: Arc::default() }
    }

    /// Judges one answer.
    pub fn see(&self, seen: Answer) {
        let is_page = seen.body.is_none() && seen.status != 204;
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(template) = self.document.template(seen.path) else {
            notes.unknown.insert(format!("{} {}", seen.method, seen.path));
            return;
        };
        // The page of a gateway in front is none of the API's answers.
        if is_page {
            return;
        }
        notes.judged += 1;
        notes.operations.insert(format!("{} {template}", seen.method));
        for problem in self.document.check(seen) {
            let line = format!("{} {} {}: {problem}", seen.method, seen.path, seen.status);
            notes.findings.push(line);
        }
    }

    /// Returns what was found so far.
    pub fn verdict(&self) -> Verdict {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Watch {
    /// Begins; without the document nothing is judged, which is said loudly.
    #[expect(clippy::new_without_default, reason = "it reads a file, which no default should")]
    pub fn new() -> Self {
        // Compiled schemas are kept for every simulator of this process.
        static DOCUMENT: OnceLock<Option<Arc<OpenApi>>> = OnceLock::new();
        let document = DOCUMENT.get_or_init(|| load().map(Arc::new));
        let judge = |document: &Arc<OpenApi>| Judge {
            document: Arc::clone(document),
            notes: Arc::default(),
        };
        Self(document.as_ref().map(judge))
    }

    /// Returns the judge, for whoever is shown the answers.
    pub fn judge(&self) -> Option<Judge> {
        self.0.clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(judge) = &self.0 else { return };
        let findings = judge.verdict().findings;
        // A test that fails already has its own reason.
        let is_judged = findings.is_empty() || std::thread::panicking();
        assert!(is_judged, "answers that are not as documented: {findings:#?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> OpenApi {
        let response = |schema: Value| json!({"content": {"application/json": {"schema": schema}}});
        let thing = json!({
            "type": "object",
            "required": ["at"],
            "properties": {"at": {"type": "string", "format": "date-time"}},
        });
        let document = json!({"paths": {
            "/things": {"get": {"responses": {"200": response(thing.clone())}}},
            "/things/{id}": {"delete": {"responses": {"204": {}, "4XX": response(thing)}}},
            "/things/last": {"get": {"responses": {"200": {}}}},
        }});
        OpenApi { document, validators: Mutex::default(), fitting: Mutex::default() }
    }

    #[test]
    fn a_long_answer_that_fits_excuses_no_other() {
        let document = small();
        let long = |at: &str| json!({"at": at, "more": "x".repeat(LONG_BYTES_MIN)});
        let check = |body: &Value| {
            let body = Some(body);
            document.check(Answer { method: "GET", path: "/things", status: 200, body })
        };
        for _ in 0..2 {
            assert!(check(&long("2026-11-21T12:00:00Z")).is_empty());
            assert_eq!(check(&long("2026-11-21T12:00:00!")).len(), 1, "of the same length");
        }
        assert_eq!(document.fitting.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_judge_finds_what_does_not_fit() {
        let good = json!({"at": "2026-11-21T12:00:00Z"});
        let rows = [
            ("GET", "/things", 200, Some(good.clone()), true),
            ("GET", "/things", 200, Some(json!({"at": "noon"})), false),
            ("GET", "/things", 200, Some(json!({})), false),
            ("GET", "/things", 200, None, false),
            ("GET", "/things", 201, Some(good.clone()), false),
            ("DELETE", "/things/7", 204, None, true),
            ("DELETE", "/things/7", 204, Some(good.clone()), false),
            ("DELETE", "/things/7", 404, Some(good.clone()), true),
            ("DELETE", "/things/7", 404, Some(json!({})), false),
            ("DELETE", "/things/7", 500, Some(good), false),
        ];
        let document = small();
        for (method, path, status, body, fits) in rows {
            let answer = Answer { method, path, status, body: body.as_ref() };
            let findings = document.check(answer);
            assert_eq!(findings.is_empty(), fits, "{method} {path} {status}: {findings:?}");
        }
        assert_eq!(document.template("/things/last"), Some("/things/last"));
        assert_eq!(document.template("/things/1/2"), None);
    }
}
