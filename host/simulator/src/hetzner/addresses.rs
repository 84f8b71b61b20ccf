//! Address arithmetic: private ranges, subnets, free addresses, firewall blocks.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::refusal::Refusal;

/// Reads the range of a network: RFC 1918, /24 or wider, no host bits.
pub fn network_range(field: &str, text: &str) -> Result<Ipv4Net, Refusal> {
    let range = private_range(field, text)?;
    if range.prefix_len() > 24 {
        return Err(Refusal::invalid(field, "network must be at least a /24"));
    }
    Ok(range)
}

/// Reads the range of a subnet: RFC 1918, /30 or wider, no host bits.
pub fn subnet_range(field: &str, text: &str) -> Result<Ipv4Net, Refusal> {
    let range = private_range(field, text)?;
    if range.prefix_len() > 30 {
        return Err(Refusal::invalid(field, "subnet must be at least a /30"));
    }
    Ok(range)
}

fn private_range(field: &str, text: &str) -> Result<Ipv4Net, Refusal> {
    let range: Ipv4Net = text
        .parse()
        .map_err(|_| Refusal::invalid(field, "is not a valid IPv4 network in CIDR notation"))?;
    if range.trunc() != range {
        return Err(Refusal::invalid(field, "has host bits set"));
    }
    if !is_private(&range) {
        return Err(Refusal::invalid(field, "must be within a private range of RFC 1918"));
    }
    Ok(range)
}

fn is_private(range: &Ipv4Net) -> bool {
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
        .iter()
        .filter_map(|text| text.parse::<Ipv4Net>().ok())
        .any(|private| private.contains(range))
}

/// Tells whether two ranges share an address.
pub fn overlaps(one: &Ipv4Net, other: &Ipv4Net) -> bool {
    one.contains(other) || other.contains(one)
}

/// Returns the first /24 of `range` that meets none of `taken`.
pub fn free_subnet(range: &Ipv4Net, taken: &[Ipv4Net]) -> Option<Ipv4Net> {
    range.subnets(24).ok()?.find(|subnet| !taken.iter().any(|other| overlaps(other, subnet)))
}

/// Tells whether a host inside `subnet` may hold `address` in a network of `range`.
///
/// Reserved are the network's gateway (its first address), the first and last address of the
/// subnet, and the metadata gateway 172.31.1.1.
pub fn is_assignable(range: &Ipv4Net, subnet: &Ipv4Net, address: Ipv4Addr) -> bool {
    subnet.contains(&address)
        && address != gateway(range)
        && address != subnet.network()
        && address != subnet.broadcast()
        && address != Ipv4Addr::new(172, 31, 1, 1)
}

/// Returns the gateway of a network: its first usable address.
pub fn gateway(range: &Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(range.network()).saturating_add(1))
}

/// Returns the lowest address of `subnet` that is assignable and not `taken`.
pub fn free_address(
    range: &Ipv4Net,
    subnet: &Ipv4Net,
    taken: &dyn Fn(Ipv4Addr) -> bool,
) -> Option<Ipv4Addr> {
    // More hosts than a network may hold members, so the search always ends early.
    const CANDIDATES_MAX: usize = 4096;
    subnet
        .hosts()
        .take(CANDIDATES_MAX)
        .find(|address| is_assignable(range, subnet, *address) && !taken(*address))
}

/// Reads a block of a firewall rule and returns its canonical text: host bits must be empty.
pub fn firewall_block(field: &str, text: &str) -> Result<String, Refusal> {
    let block: IpNet = text
        .parse()
        .map_err(|_| Refusal::invalid(field, format!("{text} is not a valid CIDR block")))?;
    if block.trunc() != block {
        return Err(Refusal::invalid(field, format!("{text} is not the start of the CIDR block")));
    }
    Ok(block.to_string())
}

/// Returns the `index`-th public IPv4 address, from a block reserved for benchmarks (RFC 2544) so
/// that nobody reaches a stranger's host by it.
pub fn public_ipv4(index: u64) -> Ipv4Addr {
    let base = u32::from(Ipv4Addr::new(198, 18, 0, 0));
    // 131,070 usable addresses; the pool of a project never comes near.
    Ipv4Addr::from(base + 1 + u32::try_from(index % 131_070).unwrap_or(0))
}

/// Returns the `index`-th public IPv6 /64 out of the documentation block (RFC 3849).
pub fn public_ipv6(index: u64) -> Ipv6Addr {
    let low = u16::try_from(index & 0xffff).unwrap_or(0);
    let high = u16::try_from((index >> 16) & 0xffff).unwrap_or(0);
    Ipv6Addr::new(0x2001, 0x0db8, high, low, 0, 0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().expect("a literal range")
    }

    #[test]
    fn ranges_are_private_wide_enough_and_without_host_bits() {
        let rows = [
            ("10.0.0.0/16", true, true),
            ("10.0.0.0/8", true, true),
            ("192.168.1.0/24", true, true),
            ("172.16.0.0/12", true, true),
            ("10.0.0.0/25", false, true),
            ("10.0.0.0/30", false, true),
            ("10.0.0.0/31", false, false),
            ("10.0.0.1/16", false, false),
            ("8.8.8.0/24", false, false),
            ("0.0.0.0/0", false, false),
            ("172.16.0.0/11", false, false),
            ("10.0.0.0", false, false),
            ("fd00::/64", false, false),
            ("", false, false),
        ];
        for (text, is_network, is_subnet) in rows {
            assert_eq!(network_range("ip_range", text).is_ok(), is_network, "network {text}");
            assert_eq!(subnet_range("ip_range", text).is_ok(), is_subnet, "subnet {text}");
        }
    }

    #[test]
    fn the_first_free_subnet_and_address_are_found() {
        let range = net("10.0.0.0/16");
        assert_eq!(free_subnet(&range, &[]), Some(net("10.0.0.0/24")));
        let taken = [net("10.0.0.0/23"), net("10.0.2.128/25")];
        assert_eq!(free_subnet(&range, &taken), Some(net("10.0.3.0/24")));
        assert_eq!(free_subnet(&net("10.0.0.0/24"), &[net("10.0.0.0/25")]), None);
        let nobody = |_| false;
        let first = free_address(&range, &net("10.0.0.0/24"), &nobody);
        assert_eq!(first, Some(Ipv4Addr::new(10, 0, 0, 2)), "the gateway is reserved");
        let first = free_address(&range, &net("10.0.1.0/24"), &nobody);
        assert_eq!(first, Some(Ipv4Addr::new(10, 0, 1, 1)), "another subnet starts at 1");
        let all = |_| true;
        assert_eq!(free_address(&range, &net("10.0.1.0/30"), &all), None);
    }

    #[test]
    fn firewall_blocks_are_canonical_or_refused() {
        let rows = [
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("192.0.2.2/32", Some("192.0.2.2/32")),
            ("2001:0db8:0::/32", Some("2001:db8::/32")),
            ("::/0", Some("::/0")),
            ("192.0.2.2/24", None),
            ("192.0.2.2", None),
            ("2001:db8::1/32", None),
            ("any", None),
        ];
        for (text, expected) in rows {
            let outcome = firewall_block("source_ips", text).ok();
            assert_eq!(outcome.as_deref(), expected, "{text}");
        }
    }
}
