//! The canary: a token whose every piece is known in every form that a program may write it in.

use std::path::Path;

use regex::bytes::Regex;

/// The token of every case: made up, and searched for in everything that is written.
pub const TOKEN: &str = "simulatedCanaryCanaryCanaryCanaryCanaryCanaryCanaryCanaryCanary0";

/// Forms of any piece of the token that is twice as long as its period: raw, hexadecimal, numbers
/// with and without blanks, and Base64 (either alphabet) at each of its three alignments.
const FORMS: &str = "CanaryCanary|(?i:43616e61727943616e617279)\
    |67, ?97, ?110, ?97, ?114, ?121, ?67|Q2FuYXJ5|YW5hcnlD|bmFyeUNh";

/// Searches for the canary.
#[derive(Debug, Clone)]
pub struct Search(Regex);

impl Default for Search {
    fn default() -> Self {
        Self(Regex::new(FORMS).expect("a literal expression"))
    }
}

impl Search {
    /// Tells whether a piece of the token stands in `text`.
    pub fn is_told(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// Returns the first file below `folder` that tells it.
    pub fn telling_file(&self, folder: &Path) -> Option<std::path::PathBuf> {
        let mut files = Vec::new();
        collect(folder, &mut files);
        let is_telling = |file: &std::path::PathBuf| {
            self.is_told(&std::fs::read(file).expect("no process works on it any more"))
        };
        files.into_iter().find(is_telling)
    }
}

/// Lists every file below a folder, but for compiled code, which is the same for all cases.
fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_none_or(|extension| extension != "cwasm") {
            files.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As RFC 4648 says, without a library that could share a mistake with the product.
    fn base64(bytes: &[u8]) -> String {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let byte = |place: usize| u32::from(group.get(place).copied().unwrap_or(0));
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for place in 0..=group.len() {
                text.push(char::from(letters[(bits >> (18 - 6 * place) & 63) as usize]));
            }
        }
        text
    }

    #[test]
    fn the_canary_is_found_in_every_form_and_at_every_alignment() {
        let search = Search::default();
        let hex: String = TOKEN.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut rows = vec![
            ("raw", TOKEN.to_owned()),
            ("cut", TOKEN[..24].to_owned()),
            ("tail", TOKEN[45..].to_owned()),
            ("header", format!("Authorization: Bearer {TOKEN}")),
            ("hex", hex.clone()),
            ("upper hex", hex.to_uppercase()),
            ("numbers", format!("{:?}", TOKEN.as_bytes())),
            ("JSON numbers", format!("{:?}", TOKEN.as_bytes()).replace(' ', "")),
        ];
        for before in ["", "B", "Be", "Bearer "] {
            rows.push(("base64", base64(format!("{before}{TOKEN}").as_bytes())));
        }
        for (name, text) in rows {
            assert!(search.is_told(format!("x{text}y").as_bytes()), "{name}: {text}");
        }
        assert!(!search.is_told(b"the token of `hetzner` is simulated; a canary is a bird"));
    }

    #[test]
    fn a_file_that_tells_it_is_found_however_deep_it_lies() {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let deep = folder.path().join("state/runs");
        std::fs::create_dir_all(&deep).expect("writable");
        std::fs::write(deep.join("store.db-wal"), [&[0, 255], TOKEN.as_bytes()].concat())
            .expect("writable");
        let found = Search::default().telling_file(folder.path());
        assert_eq!(found, Some(deep.join("store.db-wal")));
    }
}
