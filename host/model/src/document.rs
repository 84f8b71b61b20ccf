//! Strict TOML documents, described as data: what is not described is refused, and every fault is
//! told at once with its line, its field, its value and what to write instead.

mod check;
pub mod rules;
pub mod variants;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use toml::de::DeTable;

use crate::limits;

/// One field of a document.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What it says, for people.
    pub about: &'static str,
    /// Whether it may be left out.
    pub presence: Presence,
    /// What it holds.
    pub kind: Kind,
}

/// Whether a field may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It must be there.
    Required,
    /// It may be absent.
    Optional,
    /// Exactly one of the fields of this group must be there.
    OneOf(&'static str),
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text.
    Text(&'static TextRule),
    /// A whole number.
    Integer(i64, i64),
    /// Yes or no.
    Boolean,
    /// A date and time with its offset.
    Instant,
    /// A list of different texts.
    Texts(&'static TextRule),
    /// A list of whole numbers.
    Integers(i64, i64),
    /// A table.
    Table(&'static [Field]),
    /// A list of tables.
    Tables(&'static [Field]),
    /// Tables by a name that the author chooses.
    Named(&'static TextRule, &'static [Field]),
    /// Lists of texts by a name that the author chooses.
    NamedTexts(&'static TextRule, &'static TextRule),
    /// A text, a whole number, or yes or no: whatever another field says it is.
    Scalar,
}

/// What a text may be.
#[derive(Debug, Clone, Copy)]
pub struct TextRule {
    /// In words, for the error.
    pub expects: &'static str,
    /// A text that is allowed, for the error and for tests.
    pub good: &'static str,
    /// Texts that are not allowed, for tests.
    pub bad: &'static [&'static str],
    /// Tells the one from the other.
    pub holds: fn(&str) -> bool,
}

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from one, where there is one.
    pub line: Option<usize>,
    /// The field, for example `hetzner.firewalls[0].name`.
    pub field: String,
    /// What is wrong with it, naming the value.
    pub problem: String,
    /// What to write instead.
    pub fix: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(formatter, "line {line}: ")?;
        }
        write!(formatter, "`{}` {}: {}", self.field, self.problem, self.fix)
    }
}

/// All that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Faults {
    /// The name of the document, for example `grants/acme.toml`.
    pub document: String,
    /// What is wrong, in the order of the lines.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is refused", self.document)?;
        for fault in &self.faults {
            write!(formatter, "\n  {fault}")?;
        }
        Ok(())
    }
}

/// The line of each field of a document, by its path.
pub type Lines = BTreeMap<String, usize>;

/// Reads a document that `schema` describes, and returns it with the lines of its fields.
pub fn read<T: DeserializeOwned>(
    document: &str,
    text: &str,
    schema: &'static [Field],
) -> Result<(T, Lines), Faults> {
    let refuse = |faults| Faults { document: document.to_owned(), faults };
    let lines = check(text, schema).map_err(refuse)?;
    match toml::from_str(text) {
        Ok(value) => Ok((value, lines)),
        Err(error) => Err(refuse(vec![syntax(text, &error)])),
    }
}

/// Reads a document whose names another one declares, and returns it with the lines of its names.
pub fn read_declared(document: &str, text: &str) -> Result<(toml::Table, Lines), Faults> {
    let refuse = |fault| Faults { document: document.to_owned(), faults: vec![fault] };
    if text.len() as u64 > limits::DOCUMENT_BYTES_MAX {
        return Err(refuse(too_large(text.len())));
    }
    let broken = |error| refuse(syntax(text, &error));
    let table = DeTable::parse(text).map_err(broken)?;
    let line = |key: &toml::Spanned<_>| line_of(text, key.span().start);
    let lines = table.get_ref().keys().map(|key| (key.get_ref().to_string(), line(key))).collect();
    Ok((toml::from_str(text).map_err(broken)?, lines))
}

/// Builds the error of a rule that spans several fields, or nothing when `faults` is empty.
pub fn settle(document: &str, lines: &Lines, mut faults: Vec<Fault>) -> Result<(), Faults> {
    for fault in &mut faults {
        fault.line = fault.line.or_else(|| lines.get(&fault.field).copied());
    }
    faults.sort_by_key(|fault| fault.line);
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Faults { document: document.to_owned(), faults }),
    }
}

impl Fault {
    /// Builds a fault whose line [`settle`] looks up.
    pub fn new(field: impl Into<String>, problem: String, fix: String) -> Self {
        Self { line: None, field: field.into(), problem, fix }
    }
}

fn check(text: &str, schema: &'static [Field]) -> Result<Lines, Vec<Fault>> {
    if text.len() as u64 > limits::DOCUMENT_BYTES_MAX {
        return Err(vec![too_large(text.len())]);
    }
    let table = DeTable::parse(text).map_err(|error| vec![syntax(text, &error)])?;
    let mut checker = check::Checker::new(text);
    checker.table("", table.get_ref(), schema, Some(1));
    match checker.faults.is_empty() {
        true => Ok(checker.lines),
        false => Err(checker.faults),
    }
}

fn too_large(bytes: usize) -> Fault {
    let max = limits::DOCUMENT_BYTES_MAX;
    let fix = format!("at most {max} bytes are read, since people write such files by hand");
    Fault::new("document", format!("has {bytes} bytes"), fix)
}

fn syntax(text: &str, error: &toml::de::Error) -> Fault {
    let line = error.span().map(|span| line_of(text, span.start));
    let problem = format!("is no valid TOML: {}", error.message().replace('\n', ", "));
    Fault { line, field: "document".into(), problem, fix: "correct the line".into() }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
