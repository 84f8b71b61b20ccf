//! Who may ask: tokens, reduced to digests on arrival.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::options::Tokens;
use super::refusal::Refusal;

/// What a request brought as its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presented {
    Nothing,
    Malformed,
    Token(Digest),
}

/// The digest of a token: enough to tell two apart, useless to sign in with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(String);

/// What a token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub project: String,
    pub is_read_only: bool,
    pub is_revoked: bool,
}

/// The tokens known to a simulator.
#[derive(Debug, Clone)]
pub struct Guard {
    accepts_any: bool,
    known: BTreeMap<Digest, Access>,
}

impl Digest {
    /// Digests a token.
    pub fn of(token: &str) -> Self {
        Self(HEXLOWER.encode(&Sha256::digest(token.as_bytes())))
    }

    /// Returns the name of the project that a token opens when no rule says otherwise.
    pub fn project_name(&self) -> String {
        format!("project-{}", &self.0[..12])
    }
}

impl Presented {
    /// Reads an `Authorization` header.
    pub fn from_header(header: Option<&str>) -> Self {
        let Some(header) = header else {
            return Self::Nothing;
        };
        let token =
            header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        match token.map(|(_, token)| token.trim()) {
            None | Some("") => Self::Nothing,
            Some(token) if is_well_formed(token) => Self::Token(Digest::of(token)),
            Some(_) => Self::Malformed,
        }
    }
}

fn is_well_formed(token: &str) -> bool {
    token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl Guard {
    /// Knows the tokens of the options.
    pub fn new(tokens: &Tokens) -> Self {
        let mut guard = Self { accepts_any: matches!(tokens, Tokens::Any), known: BTreeMap::new() };
        if let Tokens::Only(rules) = tokens {
            for rule in rules {
                let access = Access {
                    project: rule.project.clone(),
                    is_read_only: rule.is_read_only,
                    is_revoked: false,
                };
                guard.set(Digest::of(&rule.token), access);
            }
        }
        guard
    }

    /// Changes what a token may do from now on.
    pub fn set(&mut self, token: Digest, access: Access) {
        self.known.insert(token, access);
    }

    /// Returns what the credential opens.
    pub fn admit(&self, presented: &Presented) -> Result<Access, Refusal> {
        let refuse = |message| Err(Refusal::new(401, "unauthorized", message));
        let digest = match presented {
            Presented::Nothing => return refuse("token is required"),
            Presented::Malformed => return refuse("the token you have provided is invalid"),
            Presented::Token(digest) => digest,
        };
        match self.known.get(digest) {
            Some(access) if !access.is_revoked => Ok(access.clone()),
            None if self.accepts_any => Ok(Access {
                project: digest.project_name(),
                is_read_only: false,
                is_revoked: false,
            }),
            _ => refuse("the token you have provided is invalid"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::TokenRule;
    use super::*;

    #[test]
    fn only_a_well_formed_token_opens_a_project() {
        let good = "a".repeat(64);
        let rows = [
            (None, "token is required"),
            (Some("Bearer ".into()), "token is required"),
            (Some("Basic dXNlcjpwYXNz".into()), "token is required"),
            (Some("Bearer short".into()), "the token you have provided is invalid"),
            (Some(format!("Bearer {}", "-".repeat(64))), "the token you have provided is invalid"),
            (Some(format!("Bearer {good}")), ""),
            (Some(format!("bearer {good}")), ""),
        ];
        let guard = Guard::new(&Tokens::Any);
        for (header, message) in rows {
            let outcome = guard.admit(&Presented::from_header(header.as_deref()));
            let refused = outcome.err().map(|refusal| refusal.message).unwrap_or_default();
            assert_eq!(refused, message, "{header:?}");
        }
    }

    #[test]
    fn a_list_admits_its_tokens_only_and_shares_projects() {
        let rule = |letter: &str, is_read_only| TokenRule {
            token: letter.repeat(64),
            project: "acme".into(),
            is_read_only,
        };
        let guard = Guard::new(&Tokens::Only(vec![rule("a", false), rule("b", true)]));
        let admit = |letter: &str| guard.admit(&Presented::Token(Digest::of(&letter.repeat(64))));
        assert!(admit("a").is_ok_and(|access| access.project == "acme" && !access.is_read_only));
        assert!(admit("b").is_ok_and(|access| access.project == "acme" && access.is_read_only));
        assert!(admit("c").is_err());
    }
}
