//! Money in decimal arithmetic; never a float.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul};
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Net euros, exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Eur(Decimal);

/// So many hundredths, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(Decimal);

/// A text that is no amount.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no amount in EUR: expected a decimal number such as `19.50`, not negative")]
pub struct EurError(String);

impl Eur {
    /// No money.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Returns so many hundredths of the amount.
    pub fn percent(&self, percent: Percent) -> Self {
        Self(self.0 * percent.0 / Decimal::ONE_HUNDRED)
    }

    /// Returns the amount as a decimal string without trailing zeros.
    pub fn plain(&self) -> String {
        self.0.normalize().to_string()
    }
}

impl FromStr for Eur {
    type Err = EurError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match Decimal::from_str_exact(text) {
            Ok(amount) if is_plain && !text.is_empty() => Ok(Self(amount)),
            _ => Err(EurError(text.to_owned())),
        }
    }
}

impl FromStr for Percent {
    type Err = EurError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(|Eur(amount)| Self(amount))
    }
}

impl TryFrom<String> for Eur {
    type Error = EurError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Eur> for String {
    fn from(amount: Eur) -> Self {
        amount.plain()
    }
}

/// Shows two decimals, for people.
impl fmt::Display for Eur {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.2}", self.0)
    }
}

impl Add for Eur {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Mul<u32> for Eur {
    type Output = Self;

    fn mul(self, factor: u32) -> Self {
        Self(self.0 * Decimal::from(factor))
    }
}

impl Sum for Eur {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(text: &str) -> Eur {
        text.parse().unwrap()
    }

    #[test]
    fn sums_are_exact() {
        let sum = eur("5.49") * 3 + eur("0.50") * 3 + eur("0.0572") * 20;
        assert_eq!(sum.plain(), "19.114");
        assert_eq!(sum.to_string(), "19.11");
        assert!(eur("0.1") + eur("0.2") == eur("0.3000"));
        assert_eq!(eur("5.49").percent("20.5000000000".parse().unwrap()).plain(), "1.12545");
    }

    #[test]
    fn texts_that_are_no_amounts_are_refused() {
        for text in ["", "-1", "+1", "1e3", "1,50", " 1", "NaN", "1.2.3", "."] {
            assert!(text.parse::<Eur>().is_err(), "`{text}` was taken for an amount");
        }
    }
}
