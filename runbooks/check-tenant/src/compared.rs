//! What holds and what does not, noted one by one.

/// What a comparison showed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// What is as it should be.
    pub agreements: Vec<String>,
    /// What is not.
    pub differences: Vec<String>,
}

impl Compared {
    /// Notes whether something holds.
    pub fn note(&mut self, holds: bool, agreement: String, difference: impl FnOnce() -> String) {
        match holds {
            true => self.agreements.push(agreement),
            false => self.differences.push(difference()),
        }
    }
}
