//! Label selectors: `k=v`, `k!=v`, `k`, `!k`, `k in (a,b)`, `k notin (a,b)`, joined by commas.

use super::labels::{Labels, is_key, is_value};
use super::refusal::Refusal;

/// A conjunction of terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Present(String),
    Absent(String),
    In(String, Vec<String>),
    // Like in Kubernetes, these also match what lacks the key.
    NotIn(String, Vec<String>),
}

impl Selector {
    /// Reads a selector; an empty one matches everything.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |problem: String| {
            Refusal::invalid("label_selector", format!("invalid label_selector: {problem}"))
        };
        let mut reader = Reader { text, position: 0 };
        let mut terms = Vec::new();
        reader.skip_spaces();
        while reader.position < text.len() {
            terms.push(reader.term().map_err(refuse)?);
            reader.skip_spaces();
            if reader.position < text.len() && !reader.take(",") {
                return Err(refuse(format!("expected comma at pos {}", reader.position)));
            }
            reader.skip_spaces();
        }
        Ok(Self { terms })
    }

    /// Tells whether a set of labels fulfils every term.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.terms.iter().all(|term| match term {
            Term::Present(key) => labels.contains_key(key),
            Term::Absent(key) => !labels.contains_key(key),
            Term::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Term::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
        })
    }

    /// Tells whether there is no term at all.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.position..]
    }

    fn skip_spaces(&mut self) {
        self.position += self.rest().len() - self.rest().trim_start_matches(' ').len();
    }

    fn take(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.position += token.len();
        }
        is_next
    }

    fn word(&mut self) -> String {
        let is_end = |letter: char| " ,=!()".contains(letter);
        let end = self.rest().find(is_end).unwrap_or(self.rest().len());
        let word = self.rest()[..end].to_owned();
        self.position += end;
        word
    }

    fn key(&mut self) -> Result<String, String> {
        let key = self.word();
        if is_key(&key) {
            return Ok(key);
        }
        Err("key contains invalid characters or is malformed".into())
    }

    fn value(&mut self) -> Result<String, String> {
        let value = self.word();
        if is_value(&value) {
            return Ok(value);
        }
        Err("value contains invalid characters or is malformed".into())
    }

    fn term(&mut self) -> Result<Term, String> {
        if self.take("!") {
            self.skip_spaces();
            return Ok(Term::Absent(self.key()?));
        }
        let key = self.key()?;
        self.skip_spaces();
        if self.take("!=") {
            self.skip_spaces();
            return Ok(Term::NotIn(key, vec![self.value()?]));
        }
        if self.take("==") || self.take("=") {
            self.skip_spaces();
            return Ok(Term::In(key, vec![self.value()?]));
        }
        let before = self.position;
        match self.word().as_str() {
            "in" => Ok(Term::In(key, self.values()?)),
            "notin" => Ok(Term::NotIn(key, self.values()?)),
            _ => {
                self.position = before;
                Ok(Term::Present(key))
            }
        }
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        self.skip_spaces();
        if !self.take("(") {
            return Err(format!("expected opening parenthesis at pos {}", self.position));
        }
        let mut values = Vec::new();
        loop {
            self.skip_spaces();
            values.push(self.value()?);
            self.skip_spaces();
            if self.take(")") {
                return Ok(values);
            }
            if !self.take(",") {
                return Err(format!("expected closing parenthesis at pos {}", self.position));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_pick_what_they_say() {
        let labels: Labels = [("env", "prod"), ("tier", ""), ("runwrit/run", "r1")]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        let rows = [
            ("", true),
            ("env", true),
            ("!env", false),
            ("env=prod", true),
            ("env==prod", true),
            ("env = prod", true),
            ("env=test", false),
            ("env!=prod", false),
            ("env!=test", true),
            ("missing!=test", true),
            ("missing", false),
            ("!missing", true),
            ("tier=", true),
            ("env in (prod,test)", true),
            ("env in ( test , dev )", false),
            ("env notin (test)", true),
            ("missing notin (test)", true),
            ("missing in (test)", false),
            ("env=prod,!missing,runwrit/run=r1", true),
            ("env=prod, runwrit/run!=r1", false),
        ];
        for (text, expected) in rows {
            let selector = Selector::parse(text).expect(text);
            assert_eq!(selector.matches(&labels), expected, "{text:?}");
        }
    }

    #[test]
    fn broken_selectors_are_refused_in_the_words_of_the_api() {
        let rows = [
            ("env=a/b", "value contains invalid characters or is malformed"),
            ("env=prod tier=x", "expected comma at pos 9"),
            ("=prod", "key contains invalid characters or is malformed"),
            ("env in prod", "expected opening parenthesis at pos 7"),
            ("env in (prod", "expected closing parenthesis at pos 12"),
            ("env,,tier", "key contains invalid characters or is malformed"),
            ("ключ", "key contains invalid characters or is malformed"),
        ];
        for (text, problem) in rows {
            let refusal = Selector::parse(text).expect_err(text);
            assert_eq!(refusal.code, "invalid_input", "{text:?}");
            assert!(refusal.message.contains(problem), "{text:?}: {}", refusal.message);
        }
    }
}
