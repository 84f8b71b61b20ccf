//! Values of records, in the form that they are compared in.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::name::is_label;
use super::{RecordError, RecordType};
use crate::limits::{DOMAIN_BYTES_MAX, RECORD_VALUE_BYTES_MAX};

/// Reads a value of a guest.
pub(super) fn parse(kind: RecordType, text: &str) -> Result<String, RecordError> {
    let read = read(kind, text);
    RecordError::unless(read.is_some(), ("value-malformed", "values"), text, || {
        format!("expected {}", expects(kind))
    })?;
    Ok(read.unwrap_or_else(|| text.to_owned()))
}

/// Returns a value that a provider tells, in the form that it is compared in; one that is not
/// understood is compared as it is.
pub fn canonical(kind: RecordType, text: &str) -> String {
    read(kind, text).unwrap_or_else(|| text.to_owned())
}

fn read(kind: RecordType, text: &str) -> Option<String> {
    let is_plain = text.len() <= RECORD_VALUE_BYTES_MAX
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if !is_plain {
        return None;
    }
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    match (kind, words.as_slice()) {
        (RecordType::A, [word]) => word.parse::<Ipv4Addr>().ok().map(|ip| ip.to_string()),
        (RecordType::Aaaa, [word]) => word.parse::<Ipv6Addr>().ok().map(|ip| ip.to_string()),
        (RecordType::Cname | RecordType::Ns | RecordType::Ptr, [word]) => host(word),
        (RecordType::Mx, [preference, word]) => {
            Some(format!("{} {}", number(preference)?, host(word)?))
        }
        (RecordType::Srv, [priority, weight, port, word]) => {
            let numbers = (number(priority)?, number(weight)?, number(port)?);
            let target = if *word == "." { (*word).to_owned() } else { host(word)? };
            Some(format!("{} {} {} {target}", numbers.0, numbers.1, numbers.2))
        }
        (RecordType::Caa, [flags, tag, ..]) => certifier(text, flags, tag),
        (RecordType::Txt, _) => strings(text),
        _ => None,
    }
}

fn expects(kind: RecordType) -> &'static str {
    match kind {
        RecordType::A => "an IPv4 address such as `192.0.2.1`",
        RecordType::Aaaa => "an IPv6 address such as `2001:db8::1`",
        RecordType::Cname | RecordType::Ns | RecordType::Ptr => {
            "a host name in full with a dot at the end, such as `www.example.org.`"
        }
        RecordType::Mx => "a preference and a host name, such as `10 mail.example.org.`",
        RecordType::Srv => "priority, weight, port and host, such as `1 1 443 www.example.org.`",
        RecordType::Caa => "flags, tag and a quoted value, such as `0 issue \"ca.example\"`",
        RecordType::Txt => "texts in double quotes, of at most 255 bytes each, such as `\"a b\"`",
    }
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|number: &u16| number.to_string() == text)
}

fn host(text: &str) -> Option<String> {
    let domain = text.strip_suffix('.')?.to_ascii_lowercase();
    let holds = domain.len() <= DOMAIN_BYTES_MAX && domain.split('.').all(is_label);
    holds.then(|| format!("{domain}."))
}

fn certifier(text: &str, flags: &str, tag: &str) -> Option<String> {
    let flags: u8 = flags.parse().ok()?;
    let is_tag = tag.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let quoted = &text[text.find('"')?..];
    let quoted = strings(quoted).filter(|_| is_tag)?;
    let is_one = !quoted.contains("\" \"");
    is_one.then(|| format!("{flags} {} {quoted}", tag.to_ascii_lowercase()))
}

/// Reads one or more texts in double quotes, with one space between them.
fn strings(text: &str) -> Option<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut open: Option<String> = None;
    let mut is_escaped = false;
    for letter in text.chars() {
        match (&mut open, letter) {
            (None, ' ') => {}
            (None, '"') => open = Some(String::new()),
            (None, _) => return None,
            (Some(inside), '"') if !is_escaped => {
                texts.push(format!("\"{inside}\""));
                open = None;
            }
            (Some(inside), letter) => {
                inside.push(letter);
                is_escaped = letter == '\\' && !is_escaped;
            }
        }
    }
    // A length octet counts the bytes of a text in a record.
    let holds = open.is_none() && !texts.is_empty() && texts.iter().all(|it| it.len() <= 257);
    holds.then(|| texts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_form_or_are_refused() {
        use RecordType::{A, Aaaa, Caa, Cname, Mx, Srv, Txt};
        let rows = [
            (A, "192.0.2.1", Some("192.0.2.1")),
            (A, " 192.0.2.1", Some("192.0.2.1")),
            (A, "192.0.2.256", None),
            (A, "192.0.2.1 192.0.2.2", None),
            (Aaaa, "2001:DB8:0:0::1", Some("2001:db8::1")),
            (Aaaa, "192.0.2.1", None),
            (Cname, "WWW.Example.Org.", Some("www.example.org.")),
            (Cname, "www.example.org", None),
            (Cname, ".", None),
            (Cname, "*.example.org.", None),
            (Mx, "10  mail.example.org.", Some("10 mail.example.org.")),
            (Mx, "010 mail.example.org.", None),
            (Srv, "1 2 443 host.example.", Some("1 2 443 host.example.")),
            (Srv, "1 2 443 .", Some("1 2 443 .")),
            (Srv, "1 2 host.example.", None),
            (Caa, "0 issue \"ca.example\"", Some("0 issue \"ca.example\"")),
            (Caa, "0 issue ca.example", None),
            (Caa, "256 issue \"ca.example\"", None),
            (Txt, "\"v=spf1 -all\"", Some("\"v=spf1 -all\"")),
            (Txt, "\"a\"  \"b\"", Some("\"a\" \"b\"")),
            (Txt, "\"a \\\" b\"", Some("\"a \\\" b\"")),
            (Txt, "\"open", None),
            (Txt, "bare", None),
            (Txt, "\"é\"", None),
            (Txt, "", None),
        ];
        for (kind, text, expected) in rows {
            assert_eq!(read(kind, text).as_deref(), expected, "{kind} {text:?}");
        }
        assert_eq!(read(Txt, &format!("\"{}\"", "x".repeat(256))), None);
        assert!(read(Txt, &format!("\"{}\"", "x".repeat(255))).is_some());
    }

    #[test]
    fn what_a_provider_tells_is_never_refused() {
        assert_eq!(canonical(RecordType::A, "what?"), "what?");
        assert_eq!(canonical(RecordType::Aaaa, "2001:DB8::1"), "2001:db8::1");
    }
}
