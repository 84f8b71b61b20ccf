//! Money: decimal euros, written the way the API writes them.

use rust_decimal::Decimal;
use serde_json::{Value, json};

/// German value-added tax, in percent.
pub const VAT_RATE: Decimal = Decimal::from_parts(19, 0, 0, false, 0);

/// Hours after which the monthly price is reached.
const HOURS_A_MONTH: Decimal = Decimal::from_parts(624, 0, 0, false, 0);

/// Writes an amount with ten places.
pub fn amount(value: Decimal) -> String {
    format!("{:.10}", value.round_dp(10))
}

/// Writes a net amount with its gross twin.
pub fn price(net: Decimal) -> Value {
    let gross = net + net * VAT_RATE / Decimal::ONE_HUNDRED;
    json!({"net": amount(net), "gross": amount(gross)})
}

/// Returns the hourly price that reaches `monthly` when the cap does.
pub fn hourly(monthly: Decimal) -> Decimal {
    monthly / HOURS_A_MONTH
}

/// Returns a literal price in ten-thousandths of a euro.
pub const fn euros(ten_thousandths: u32) -> Decimal {
    Decimal::from_parts(ten_thousandths, 0, 0, false, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_decimal_strings() {
        let rows = [
            (euros(54_900), "5.4900000000", "6.5331000000"),
            (euros(572), "0.0572000000", "0.0680680000"),
            (Decimal::ZERO, "0.0000000000", "0.0000000000"),
        ];
        for (net, net_text, gross_text) in rows {
            let expected = json!({"net": net_text, "gross": gross_text});
            assert_eq!(price(net), expected, "{net}");
        }
        assert_eq!(amount(hourly(euros(54_900))), "0.0087980769");
    }
}
