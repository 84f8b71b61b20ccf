//! Rules of a manifest that span several fields.

use super::*;

const BASE: &str = r#"
version = 1
name = "provision-tenant"
runbook-version = "0.1.0"
description = "Creates what a tenant needs"
world = "runwrit:provision-tenant@0.1.0"
tier = "pure"
"#;

#[test]
fn fields_of_an_input_fit_together() {
    let rows = [
        ("type = \"integer\"\npattern = \"a\"", "inputs.x.pattern"),
        ("type = \"boolean\"\nchoices = [\"a\"]", "inputs.x.choices"),
        ("type = \"text\"\nmin = 1", "inputs.x.min"),
        ("type = \"boolean\"\nmax = 1", "inputs.x.max"),
        ("type = \"integer\"\nmin = 2\nmax = 1", "inputs.x.min"),
        ("type = \"text\"\nchoices = []", "inputs.x.choices"),
        ("type = \"text\"\ndefault = 1", "inputs.x.default"),
        ("type = \"integer\"\ndefault = \"1\"", "inputs.x.default"),
        ("type = \"integer\"\nmax = 3\ndefault = 4", "inputs.x.default"),
        ("type = \"boolean\"\ndefault = \"true\"", "inputs.x.default"),
        ("type = \"text\"\nchoices = [\"a\"]\ndefault = \"b\"", "inputs.x.default"),
        ("type = \"text\"\npattern = \"a\"\ndefault = \"aa\"", "inputs.x.default"),
    ];
    for (lines, field) in rows {
        let text = format!("{BASE}[inputs.x]\ndescription = \"x\"\n{lines}\n");
        let faults = Manifest::parse("runbook.toml", &text).expect_err(lines);
        assert_eq!(faults.faults.len(), 1, "{faults}");
        assert_eq!(faults.faults[0].field, field, "{faults}");
        assert!(faults.faults[0].line.is_some_and(|line| line > 8), "{faults}");
    }
}

#[test]
fn a_scope_names_a_text_input_and_an_ask_names_each_interface_once() {
    let scope = BASE.replace("tier", "scope = \"tenant:{tenant}\"\ntier");
    let number = format!("{scope}[inputs.tenant]\ntype = \"integer\"\ndescription = \"x\"\n");
    for text in [&scope, &number] {
        let faults = Manifest::parse("runbook.toml", text).unwrap_err();
        assert_eq!(faults.faults[0].field, "scope", "{faults}");
    }
    let ask = "[[ask]]\ninterface = \"hetzner/servers\"\nwhy = \"x\"\n";
    let faults = Manifest::parse("runbook.toml", &format!("{BASE}{ask}{ask}")).unwrap_err();
    assert_eq!(faults.faults[0].field, "ask[1].interface");
}

#[test]
fn patterns_match_whole_texts_of_ascii_digits() {
    let text =
        format!("{BASE}[inputs.x]\ntype = \"text\"\ndescription = \"x\"\npattern = '\\d+|a'");
    let manifest = Manifest::parse("runbook.toml", &text).unwrap();
    let takes = |text: &str| manifest.inputs["x"].check(&Value::String(text.into())).is_ok();
    assert!(takes("42") && takes("a"));
    for text in ["", "42b", "b42", "4\n", "\n4", "٤٢", "aa"] {
        assert!(!takes(text), "{text:?}");
    }
}
