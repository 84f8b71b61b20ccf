//! The one place that prints. It escapes whatever guests and remotes may have written.
//!
//! A closed pipe or terminal never ends a run: what cannot be written is dropped.

use std::io::{self, Write};
use std::sync::Mutex;

use runwrit_model::text;
use serde::Serialize;

use crate::ambient::Ambient;
use crate::error::Error;

/// How a line looks on a terminal with colour; without colour all look plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// Of less importance.
    Faint,
    /// What stands out.
    Strong,
    /// Went well.
    Good,
    /// Needs a look.
    Warning,
    /// Went wrong.
    Bad,
}

impl Style {
    /// Returns the escape sequence that begins the style.
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Faint => "\x1b[2m",
            Self::Strong => "\x1b[1m",
            Self::Good => "\x1b[32m",
            Self::Warning => "\x1b[33m",
            Self::Bad => "\x1b[31m",
        }
    }

    /// Returns `text`, escaped, in this style where `has_colour`.
    pub fn paint(self, text: &str, has_colour: bool) -> String {
        let escaped = text::escape(text);
        if has_colour && self != Self::Plain {
            format!("{}{escaped}\x1b[0m", self.code())
        } else {
            escaped
        }
    }
}

/// Standard output and standard error.
#[derive(Debug)]
pub struct Output {
    /// Whether standard output carries JSON, one object per line.
    pub is_json: bool,
    /// Whether standard error is a terminal that shows live progress.
    pub is_live: bool,
    has_colour_out: bool,
    has_colour_err: bool,
    order: Mutex<()>,
}

impl Output {
    /// Looks at the terminal and at `NO_COLOR`.
    pub fn new(ambient: &Ambient, is_json: bool) -> Self {
        let has_colour = ambient.variable("NO_COLOR").is_none()
            && ambient.variable("TERM").is_none_or(|terminal| terminal != "dumb");
        Self {
            is_json,
            is_live: ambient.is_stderr_terminal && has_cursor(ambient),
            has_colour_out: has_colour && ambient.is_stdout_terminal,
            has_colour_err: has_colour && ambient.is_stderr_terminal,
            order: Mutex::new(()),
        }
    }

    /// Writes one line of data to standard output.
    pub fn data(&self, line: &str) {
        self.styled_data(Style::Plain, line);
    }

    /// Writes one line of data in a style.
    pub fn styled_data(&self, style: Style, line: &str) {
        self.write(io::stdout(), &style.paint(line, self.has_colour_out));
    }

    /// Writes one object to standard output, on a line of its own.
    pub fn object(&self, object: &impl Serialize) {
        let line = serde_json::to_string(object).unwrap_or_else(|error| {
            serde_json::json!({"event": "error", "message": error.to_string()}).to_string()
        });
        self.write(io::stdout(), &ascii_controls(&line));
    }

    /// Writes one line for the person who watches to standard error.
    pub fn note(&self, style: Style, line: &str) {
        self.write(io::stderr(), &self.painted(style, line));
    }

    /// Returns a line as [`Output::note`] would write it.
    pub fn painted(&self, style: Style, line: &str) -> String {
        style.paint(line, self.has_colour_err)
    }

    /// Writes an error with its details and hints to standard error.
    pub fn error(&self, error: &Error) {
        let label = |style: Style, word: &str, line: &str| {
            format!("{} {}", style.paint(word, self.has_colour_err), text::escape(line))
        };
        self.write(io::stderr(), &label(Style::Bad, "error:", &error.message));
        for detail in &error.details {
            self.write(io::stderr(), &format!("  {}", text::escape(detail)));
        }
        for hint in &error.hints {
            self.write(io::stderr(), &label(Style::Good, "hint:", hint));
        }
    }

    /// Writes text that `clap` rendered, which holds only our own words and the arguments.
    pub fn help(&self, rendered: &str, is_error: bool) {
        let text = rendered.trim_end();
        if is_error { self.write(io::stderr(), text) } else { self.write(io::stdout(), text) }
    }

    /// Writes a line whole, in order, and drops it where nobody reads.
    fn write(&self, mut stream: impl Write, line: &str) {
        let _guard = self.order.lock();
        let _ = stream.write_all(format!("{line}\n").as_bytes());
        let _ = stream.flush();
    }
}

/// Writes what JSON leaves as it is but a terminal does not (bidirectional marks, C1 controls) as
/// `\u` escapes. They can only stand inside of strings.
fn ascii_controls(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut buffer = [0; 2];
    for letter in json.chars() {
        if letter.is_ascii() || text::escape(letter.encode_utf8(&mut [0; 4])).starts_with(letter) {
            out.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut buffer) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

/// Tells terminals on which a line can be drawn again.
fn has_cursor(ambient: &Ambient) -> bool {
    ambient.variable("TERM").is_some_and(|terminal| terminal != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paint_escapes_what_it_is_given_and_nothing_else() {
        let rows = [
            (Style::Plain, "a\x1b[2J", true, "a\\u{1b}[2J"),
            (Style::Bad, "a\x1b[2J", true, "\x1b[31ma\\u{1b}[2J\x1b[0m"),
            (Style::Bad, "plain", false, "plain"),
        ];
        for (style, text, has_colour, expected) in rows {
            assert_eq!(style.paint(text, has_colour), expected);
        }
    }

    #[test]
    fn json_stays_json_and_carries_no_mark_that_reorders() {
        let json = serde_json::to_string("ä \u{202e}x\u{9b}\u{e0001}\\").unwrap();
        let safe = ascii_controls(&json);
        assert_eq!(safe, r#""ä \u202ex\u009b\udb40\udc01\\""#);
        assert_eq!(
            serde_json::from_str::<String>(&safe).unwrap(),
            serde_json::from_str::<String>(&json).unwrap()
        );
    }
}
