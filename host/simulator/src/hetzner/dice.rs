//! Seeded chance: the same seed gives the same run.

/// SplitMix64 (Steele, Lea, Flood 2014): tiny, and good enough for delays and passwords of a toy.
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Starts a sequence that depends on `seed` only.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns the next number of the sequence.
    pub fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `bound`, and 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll().checked_rem(bound).unwrap_or(0)
    }

    /// Returns true `parts` times in a million on average.
    pub fn strikes(&mut self, parts_per_million: u64) -> bool {
        self.below(1_000_000) < parts_per_million
    }

    /// Returns `length` characters of `[a-zA-Z0-9]`.
    pub fn word(&mut self, length: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
        (0..length)
            .map(|_| char::from(LETTERS[self.below(LETTERS.len() as u64) as usize]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_same_seed_rolls_the_same_numbers() {
        let (mut one, mut same, mut other) = (Dice::new(7), Dice::new(7), Dice::new(8));
        let first: Vec<u64> = (0..8).map(|_| one.roll()).collect();
        assert_eq!(first, (0..8).map(|_| same.roll()).collect::<Vec<_>>());
        assert_ne!(first, (0..8).map(|_| other.roll()).collect::<Vec<_>>());
    }

    #[test]
    fn chance_keeps_its_ends() {
        let mut dice = Dice::new(1);
        assert!((0..1000).all(|_| dice.strikes(1_000_000)));
        assert!((0..1000).all(|_| !dice.strikes(0)));
        assert_eq!(dice.below(0), 0);
    }
}
