//! A hostile runbook through the whole product: every way out of its grant is refused for its own
//! reason, and nobody outside hears of it.

use crate::cli::shell::{Cloud, Shell, grant};
use crate::operate::hook::Hook;

/// What the operator grants: one tenant, one kind of event, one URL, one network.
fn granted(url: &str) -> String {
    let rest = format!(
        "[scope]\ntenant = \"acme\"\n\
         [registry]\noperations = [\"tenants.activate\", \"tenants.reserve\", \"tenants.retire\"]\n\
         [[registry.tenants]]\nid = \"acme\"\noctet = 7\n\
         [audit]\noperations = [\"events.append\"]\nkinds = [\"TENANT_PROVISIONED\"]\n\
         subjects = [\"acme\"]\n\
         [http]\nrequests = [{{ method = \"POST\", url = \"{url}\" }}]\n\
         [hetzner]\noperations = [\"networks.create\", \"networks.delete\"]\n\
         max-monthly-eur = \"0.00\"\ncounts.networks = 1\n\
         [[hetzner.networks]]\nname = \"acme-net\"\nip-range = \"10.7.0.0/16\"\n\
         subnets = [\"10.7.1.0/24\"]\nnetwork-zone = \"eu-central\"\n"
    );
    grant("burglar", &rest)
}

#[test]
fn a_hostile_runbook_meets_a_wall_wherever_it_turns() {
    let (cloud, elsewhere) = (Cloud::start(), Hook::start(0));
    let hook = Hook::redirecting(&elsewhere.url());
    let shell = Shell::new().with_cloud(&cloud);
    let foreign = cloud.plant_network("others-net");
    shell.write("burglar.toml", granted(&hook.url()));
    let (url, network) = (format!("url={}", hook.url()), format!("foreign-network={foreign}"));
    let printed = shell.run(&[
        "run",
        "burglar",
        "--grant",
        "burglar.toml",
        "--json",
        "--input",
        "tenant=acme",
        "--input",
        &url,
        "--input",
        &network,
    ]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    let events = printed.objects();
    let logs = events.iter().filter(|event| event["event"] == "log");
    let told: Vec<_> = logs.filter_map(|event| event["message"].as_str()).collect();
    let told = told.join("\n").replace(&foreign, "FOREIGN").replace(&hook.url(), "URL");
    assert!(!told.contains("PASSED"), "{told}");
    insta::assert_snapshot!(told, @r#"
    "#);
    assert_eq!((hook.taken(), elsewhere.taken()), (1, 0), "what was granted, and nothing else");
    assert_eq!(cloud.alive(), ["others-net"]);
    let changes = cloud.handle.desk().ledger().into_iter().filter(|it| it.method != "GET");
    let networks = changes.filter(|it| it.path.contains("/networks"));
    assert_eq!(networks.count(), 1, "the one that was planted");
}
