//! What a server boots with: the firewall of the host itself.
//!
//! The firewall of the cloud filters public interfaces only; inside of a network and between
//! networks that a mistake joined, only the host itself refuses. The text is a pure function of
//! role, octet and bastion, because the grant names it by digest.

use crate::layout::Role;

/// Returns cloud-init data that loads the rules before anything else listens.
pub fn user_data(role: Role, octet: u8, bastion: &str) -> String {
    let rules = ruleset(role, octet, bastion);
    let lines: Vec<_> = rules.lines().map(|line| format!("      {line}")).collect();
    format!(
        "#cloud-config\n\
         write_files:\n\
         \x20 - path: /etc/nftables.conf\n\
         \x20   permissions: '0600'\n\
         \x20   content: |\n\
         {}\n\
         packages: [nftables]\n\
         runcmd:\n\
         \x20 - [systemctl, enable, nftables.service]\n\
         \x20 - [systemctl, restart, nftables.service]\n\
         ssh_pwauth: false\n",
        lines.join("\n")
    )
}

fn ruleset(role: Role, octet: u8, bastion: &str) -> String {
    let own = format!("10.{octet}.0.0/16");
    let family = if bastion.contains(':') { "ip6" } else { "ip" };
    let served = served(role, &own);
    format!(
        "flush ruleset\n\
         table inet runwrit {{\n\
         \x20 chain input {{\n\
         \x20   type filter hook input priority filter; policy drop;\n\
         \x20   iif lo accept\n\
         \x20   ct state invalid drop\n\
         \x20   ct state established,related accept\n\
         \x20   ip saddr 10.0.0.0/8 ip saddr != {own} drop comment \"other tenants\"\n\
         \x20   meta l4proto {{ icmp, ipv6-icmp }} accept\n\
         \x20   {family} saddr {bastion} tcp dport 22 accept comment \"bastion\"\n\
         {served}\
         \x20 }}\n\
         \x20 chain forward {{\n\
         \x20   type filter hook forward priority filter; policy drop;\n\
         \x20 }}\n\
         \x20 chain output {{\n\
         \x20   type filter hook output priority filter; policy accept;\n\
         \x20   ip daddr 10.0.0.0/8 ip daddr != {own} drop comment \"other tenants\"\n\
         \x20 }}\n\
         }}"
    )
}

/// Returns what a role serves, and to whom. SSH within the network is for jumps by the gateway.
fn served(role: Role, own: &str) -> String {
    match role {
        Role::Gateway => "    tcp dport 443 accept comment \"https\"\n".to_owned(),
        Role::Worker(_) => {
            format!("    ip saddr {own} tcp dport {{ 22, 8000-8999 }} accept comment \"tenant\"\n")
        }
        Role::Db => {
            format!("    ip saddr {own} tcp dport {{ 22, 5432 }} accept comment \"tenant\"\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_drops_other_tenants_before_it_accepts_anybody() {
        for role in [Role::Gateway, Role::Worker(1), Role::Db] {
            let rules = ruleset(role, 7, "203.0.113.7/32");
            let drop = rules.find("ip saddr != 10.7.0.0/16 drop").expect("the drop");
            let accept = rules.find("tcp dport").expect("an accept");
            assert!(drop < accept, "{role:?}:\n{rules}");
            assert!(rules.contains("policy drop"), "{role:?}");
        }
    }

    #[test]
    fn only_the_gateway_is_open_to_the_public() {
        for (role, is_open) in [(Role::Gateway, true), (Role::Worker(3), false), (Role::Db, false)]
        {
            let rules = ruleset(role, 7, "203.0.113.7/32");
            assert_eq!(rules.contains("\n    tcp dport"), is_open, "{role:?}:\n{rules}");
        }
    }

    #[test]
    fn workers_share_one_text_so_that_a_grant_needs_three_digests() {
        let text = |number| user_data(Role::Worker(number), 7, "203.0.113.7/32");
        assert_eq!(text(1), text(2));
        assert_ne!(text(1), user_data(Role::Db, 7, "203.0.113.7/32"));
    }

    #[test]
    fn a_bastion_of_either_family_gets_the_word_of_its_family() {
        let rules = ruleset(Role::Db, 7, "2001:db8::1/128");
        assert!(rules.contains("ip6 saddr 2001:db8::1/128 tcp dport 22 accept"), "{rules}");
    }

    #[test]
    fn the_example_grant_names_the_digests_of_the_example_inputs() {
        use sha2::{Digest as _, Sha256};
        let grant = include_str!("../grants.example.toml");
        for role in [Role::Gateway, Role::Worker(1), Role::Db] {
            let digest = Sha256::digest(user_data(role, 7, "203.0.113.7/32"));
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let line = format!("\"sha256:{hex}\"");
            assert!(grant.contains(&line), "for {role:?} the grant lacks {line}");
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the test asks the real `nft`, and says when there is none"
)]
mod real {
    use super::*;

    /// Loads rules into a network of their own, where they can close nobody out.
    fn load(rules: &str) -> Result<(), String> {
        use std::io::Write as _;
        use std::process::{Command, Stdio};

        let mut nft = Command::new("unshare");
        nft.args(["--map-root-user", "--net", "nft", "--file", "-"]);
        // On Debian it stands where only root looks for programs.
        nft.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
        let mut child = nft.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(()) } else { Err(told) }
    }

    #[test]
    fn the_real_nft_takes_the_rules_of_every_role() {
        if let Err(told) = load("table inet probe {}\n") {
            let is_required = std::env::var("RUNWRIT_REQUIRE_SHARED").is_ok_and(|it| it == "1");
            assert!(!is_required, "`nft` is required here: {told}");
            return eprintln!("SKIPPED: no network of their own to load the host rules in: {told}");
        }
        assert!(load("table inet probe { chain x { bogus } }").is_err(), "it takes anything");
        for role in [Role::Gateway, Role::Worker(1), Role::Db] {
            for bastion in ["203.0.113.7/32", "198.51.100.0/24", "2001:db8::1/128"] {
                for octet in [0, 7, 255] {
                    let rules = ruleset(role, octet, bastion);
                    load(&rules).unwrap_or_else(|told| panic!("{role:?}: {told}\n{rules}"));
                }
            }
        }
    }
}
