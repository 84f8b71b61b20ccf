//! One line of the table: what was promised, and what was seen.

/// One measurement.
pub struct Row {
    /// What was measured.
    pub what: &'static str,
    /// What was seen.
    pub seen: String,
    /// What was promised.
    pub bound: String,
    /// Whether the promise was kept.
    pub is_kept: bool,
}

impl Row {
    /// Compares a number with the most that it may be.
    pub fn at_most(what: &'static str, seen: f64, unit: &str, most: f64) -> Self {
        let (shown, bound) = (number(seen), number(most));
        Self {
            what,
            seen: format!("{shown}{unit}"),
            bound: format!("≤ {bound}{unit}"),
            is_kept: seen <= most,
        }
    }

    /// Compares a number with the least that it may be.
    pub fn at_least(what: &'static str, seen: f64, unit: &str, least: f64) -> Self {
        let (shown, bound) = (number(seen), number(least));
        Self {
            what,
            seen: format!("{shown}{unit}"),
            bound: format!("≥ {bound}{unit}"),
            is_kept: seen >= least,
        }
    }

    /// Adds in brackets what the number was made of.
    pub fn of(mut self, parts: &str) -> Self {
        self.seen = format!("{} ({parts})", self.seen);
        self
    }
}

/// Shows three digits of a small number and all of a large one, in groups.
fn number(value: f64) -> String {
    if value < 100.0 {
        let shown = format!("{value:.2}");
        return shown.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Lays the rows out as a table of Markdown.
pub fn table(rows: &[Row]) -> String {
    let head = "| Measured | Seen | Promised | Kept |\n| --- | --- | --- | --- |\n".to_owned();
    rows.iter().fold(head, |text, row| {
        let kept = if row.is_kept { "yes" } else { "**no**" };
        text + &format!("| {} | {} | {} | {kept} |\n", row.what, row.seen, row.bound)
    })
}
