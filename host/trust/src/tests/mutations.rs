//! No byte of a package and no field of a signature can be changed unseen.

use serde_json::Value;

use super::*;

/// Calls `visit` with every copy of a JSON text in which one field stands twice, with its name.
pub fn each_repetition(text: &str, visit: &mut dyn FnMut(&str, String)) {
    for (start, _) in text.match_indices('"') {
        let is_start = text[..start].ends_with(['{', ',']);
        let Some((name, _)) = text[start + 1..].split_once('"') else { continue };
        let is_name = text[start + name.len() + 2..].starts_with(':');
        if is_start && is_name {
            visit(name, format!("{}\"{name}\":0,{}", &text[..start], &text[start..]));
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let one = person("ops-1");
    let keyring = keyring(&[one.entry("")]);
    let good = signed(&[&one], &release(7));
    assert!(verdict(&good, &keyring).is_ok());
    let lengths = [good.manifest.len(), good.component.len(), good.signatures[0].1.len()];
    for (part, length) in lengths.into_iter().enumerate() {
        for place in 0..length {
            for bit in [0, 3, 5, 7] {
                let mut parcel = good.clone();
                let bytes = match part {
                    0 => &mut parcel.manifest,
                    1 => &mut parcel.component,
                    _ => &mut parcel.signatures[0].1,
                };
                bytes[place] ^= 1 << bit;
                let found = verdict(&parcel, &keyring);
                assert!(found.is_err(), "part {part}, byte {place}, bit {bit} went unseen");
            }
        }
    }
}

/// Calls `visit` with every copy of `value` in which one field is changed by `change`.
pub fn each_change(
    value: &Value,
    change: &dyn Fn(&Value) -> Vec<Value>,
    visit: &mut dyn FnMut(Value),
) {
    for changed in change(value) {
        visit(changed);
    }
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                each_change(inner, change, &mut |changed| {
                    let mut copy = value.clone();
                    copy[name.as_str()] = changed;
                    visit(copy);
                });
            }
        }
        Value::Array(items) => {
            for (place, inner) in items.iter().enumerate() {
                each_change(inner, change, &mut |changed| {
                    let mut copy = value.clone();
                    copy[place] = changed;
                    visit(copy);
                });
            }
        }
        _ => {}
    }
}

/// Deletes a field, adds one, or writes another type.
pub fn changes(value: &Value) -> Vec<Value> {
    let mut all = vec![Value::from(7), Value::from("text"), Value::Null, serde_json::json!({})];
    match value {
        Value::Object(fields) => {
            for name in fields.keys() {
                let mut copy = fields.clone();
                copy.remove(name);
                all.push(Value::Object(copy));
            }
            let mut copy = fields.clone();
            copy.insert("extra".to_owned(), Value::from(1));
            all.push(Value::Object(copy));
        }
        Value::Array(items) => {
            all.push(Value::Array([items.clone(), vec![Value::from(1)]].concat()));
            all.push(Value::Array([items.clone(), items.clone()].concat()));
            all.push(Value::Array(Vec::new()));
        }
        _ => {}
    }
    all.retain(|changed| changed != value);
    all
}

#[test]
fn every_changed_field_of_a_signature_is_refused_or_says_nothing() {
    let one = person("ops-1");
    let keyring = keyring(&[one.entry("")]);
    let good = signed(&[&one], &release(7));
    let bundle: Value = serde_json::from_slice(&good.signatures[0].1).unwrap();
    let (mut count, mut ignored) = (0, Vec::new());
    each_change(&bundle, &changes, &mut |changed| {
        count += 1;
        let mut parcel = good.clone();
        parcel.signatures[0].1 = changed.to_string().into_bytes();
        if verdict(&parcel, &keyring).is_ok() {
            ignored.push(changed);
        }
    });
    assert!(count > 60, "{count}");
    // Other signers leave these out: an empty list of log entries, and the second naming of a key.
    let is_known = |value: &Value| {
        let signature = &value["dsseEnvelope"]["signatures"][0];
        value["verificationMaterial"].get("tlogEntries").is_none()
            || signature.get("keyid").is_none_or(Value::is_null)
    };
    assert!(ignored.iter().all(is_known), "{ignored:#?}");
}

#[test]
fn a_repeated_field_is_refused_in_envelope_and_statement() {
    let one = person("ops-1");
    let keyring = keyring(&[one.entry("")]);
    let good = signed(&[&one], &release(7));
    let text = String::from_utf8(good.signatures[0].1.clone()).unwrap();
    for field in ["mediaType", "hint", "payload", "payloadType", "sig", "keyid", "dsseEnvelope"] {
        let start = text.find(&format!("\"{field}\":")).expect(field);
        let repeated = format!("{}\"{field}\":\"x\",{}", &text[..start], &text[start..]);
        let mut parcel = good.clone();
        parcel.signatures[0].1 = repeated.into_bytes();
        assert!(verdict(&parcel, &keyring).is_err(), "{field}");
    }
    let payload = Statement::new(&good.manifest, &good.component, release(7)).encode();
    let payload = String::from_utf8(payload).unwrap();
    let fields = ["_type", "predicateType", "package", "version", "channel", "sequence", "sha256"];
    for field in fields {
        let start = payload.find(&format!("\"{field}\":")).expect(field);
        let value = if field == "sequence" { "9" } else { "\"x\"" };
        let repeated = format!("{}\"{field}\":{value},{}", &payload[..start], &payload[start..]);
        let mut parcel = good.clone();
        parcel.signatures = vec![one.sign_bytes(repeated.into_bytes())];
        let found = verdict(&parcel, &keyring);
        assert!(found.is_err_and(|it| it.to_string().contains("not readable")), "{field}");
    }
}

#[test]
fn bytes_that_are_no_bundle_neither_pass_nor_panic() {
    let one = person("ops-1");
    let keyring = keyring(&[one.entry("")]);
    let good = signed(&[&one], &release(7));
    let bytes = &good.signatures[0].1;
    for length in 0..bytes.len() - 1 {
        let mut parcel = good.clone();
        parcel.signatures[0].1.truncate(length);
        assert!(verdict(&parcel, &keyring).is_err(), "cut after {length} bytes");
    }
    let deep = "[".repeat(60_000);
    for junk in ["", "null", "[]", deep.as_str(), "\u{0}", "{\"mediaType\":1e999}"] {
        let mut parcel = good.clone();
        parcel.signatures[0].1 = junk.as_bytes().to_vec();
        assert!(verdict(&parcel, &keyring).is_err());
    }
}
