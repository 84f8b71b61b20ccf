//! Made-up credentials: they open simulators and nothing else.

/// How many characters a token of Hetzner has.
const TOKEN_CHARS: usize = 64;

/// Returns a token that any simulator takes and no real endpoint is ever sent. Each name opens a
/// project of its own.
pub fn simulated_token(name: &str) -> String {
    let mut token = format!("simulated{name}");
    token.retain(|letter| letter.is_ascii_alphanumeric());
    token.truncate(TOKEN_CHARS);
    token.extend(std::iter::repeat_n('0', TOKEN_CHARS - token.len()));
    token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_token_has_the_shape_of_one() {
        for name in ["", "demo", "with-dash", &"x".repeat(80)] {
            let token = simulated_token(name);
            assert_eq!(token.len(), 64, "{name}");
            assert!(token.starts_with("simulated"), "{name}");
            assert!(token.chars().all(|letter| letter.is_ascii_alphanumeric()), "{name}");
        }
    }
}
