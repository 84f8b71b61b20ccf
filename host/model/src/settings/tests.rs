//! Rules of a configuration that span several fields, and its defaults.

use super::*;

#[test]
fn lists_and_waits_make_sense_together() {
    let rows = [
        ("[hetzner.roles]\ngateway = []", "hetzner.roles.gateway"),
        ("[hetzner.fallback-locations]\nnbg1 = [\"nbg1\"]", "hetzner.fallback-locations.nbg1"),
        ("[timing]\npoll-ms = []", "timing.poll-ms"),
        ("[timing]\nundo-backoff-ms = 5\nundo-backoff-max-ms = 4", "timing.undo-backoff-ms"),
    ];
    for (text, field) in rows {
        let faults = Settings::parse("runwrit.toml", &format!("version = 1\n{text}\n"));
        let faults = faults.expect_err(text).faults;
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].field, field);
        assert!(faults[0].line.is_some());
    }
}

#[test]
fn what_is_left_out_has_the_limits_of_the_product() {
    let settings = Settings::parse("runwrit.toml", "version = 1").unwrap();
    assert_eq!(settings.timing(), Timing::default());
    assert_eq!(settings.polls(), limits::POLLS);
    assert_eq!(settings.request_timeout(), limits::REQUEST_TIMEOUT);
    assert_eq!(settings.requests_per_hour(), 3_600);
    let text = "version = 1\n[timing]\nsettle-ms = 5\npoll-ms = [1, 2]\nsweep-ms = []\n";
    let settings = Settings::parse("runwrit.toml", text).unwrap();
    assert_eq!(settings.timing().settle, Duration::from_millis(5));
    assert_eq!(settings.timing().sweeps, []);
    assert_eq!(settings.polls().len(), 2);
}
