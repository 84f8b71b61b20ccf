//! Text from guests and remotes, made harmless at the one place that prints.

/// Returns `text` with control and bidirectional characters written as escapes, so that it can
/// neither move the cursor nor reorder what stands beside it. Line feeds become `\n`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            _ if letter.is_control() || is_invisible(letter) => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(letter)));
            }
            _ => out.push(letter),
        }
    }
    out
}

/// Tells characters that change the direction or hide inside of a line.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns at most `bytes_max` bytes of `text`, cut at a character, with a mark when cut.
pub fn truncate(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = (0..=bytes_max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{} [cut: {} of {} bytes]", &text[..end], end, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_the_cursor_or_the_direction_survives() {
        let rows = [
            ("plain äöü", "plain äöü"),
            ("a\x1b[31mred", "a\\u{1b}[31mred"),
            ("two\nlines\r", "two\\nlines\\u{d}"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
            ("\u{9b}31m", "\\u{9b}31m"),
        ];
        for (text, expected) in rows {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(truncate("äää", 3), "ä [cut: 2 of 6 bytes]");
        assert_eq!(truncate("abc", 3), "abc");
    }
}
