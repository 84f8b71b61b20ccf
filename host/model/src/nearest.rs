//! Which known name a person probably meant.

/// More edits than this make another word.
const EDITS_MAX: usize = 2;

/// Returns the name among `known` that differs from `name` by at most two edits.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let ranked = known.into_iter().map(|other| (edits(name, other), other));
    ranked.filter(|(count, _)| *count <= EDITS_MAX).min().map(|(_, other)| other)
}

/// The Levenshtein distance by letters, with case ignored.
fn edits(left: &str, right: &str) -> usize {
    let lower = |text: &str| text.chars().take(100).collect::<String>().to_lowercase();
    let (left, right) = (lower(left), lower(right));
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (above, one) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (place, other) in right.chars().enumerate() {
            let replaced = diagonal + usize::from(one != other);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(row[place] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognized_and_another_word_is_not() {
        let known = ["tenant", "octet", "location", "workers"];
        let rows = [
            ("tennant", Some("tenant")),
            ("Octet", Some("octet")),
            ("worker", Some("workers")),
            ("bastion", None),
            ("", None),
        ];
        for (name, expected) in rows {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
