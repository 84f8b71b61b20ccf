//! The tenants of the demo, with their grants and inputs.

use std::path::Path;

use crate::failure::Failure;
use crate::place::Place;

/// A tenant.
pub struct Tenant {
    /// Its id.
    pub id: &'static str,
    /// The second octet of its network.
    pub octet: u8,
    /// The digests of what its servers boot with: gateway, worker, database.
    pub user_data: [&'static str; 3],
}

/// The inputs that all tenants share.
const PROVISION: &str = "\
location = \"nbg1\"
workers = 1
bastion = \"203.0.113.7/32\"
domain = \"example.org\"
ssh-keys = \"ops\"
";

/// Is provisioned.
pub const ACME: Tenant = Tenant {
    id: "acme",
    octet: 7,
    user_data: [
        "118ca34fa133e8a74b75ec9aa2df5ef745ea3fc9c15863d93d85594d12712036",
        "94cd675afd369b295e2b94eabb5771a7ddec48c5767431a0f590d280c5b72f7f",
        "60360e1f91e91d1503dba9dd11f92ac1cf35dc116076865aae608861aa079317",
    ],
};
/// Is killed half-way.
pub const BOLT: Tenant = Tenant {
    id: "bolt",
    octet: 8,
    user_data: [
        "86b4c6af7aa00b59e06508a70d39197e6a784702fe4868b7cb5152b35ca95339",
        "4ed4133bc012aafe5583ad502da360025ac5377fd034e1965bd6a36e1302990d",
        "960dae6173eb773558c2ee186cc0b07155ce154a8744b9ebb484c341696dd4ec",
    ],
};
/// Fails.
pub const CRAB: Tenant = Tenant {
    id: "crab",
    octet: 9,
    user_data: [
        "d93cbbe05eb091a181e66672623e611e5b8aedeba65ef362762a7afb73074a50",
        "2ca12fe9c8658cac5c215a1daf01e9c57fcb727ad4d3a84ab13736b04e4b778f",
        "1a74a5faba8cca714b48b99182f974dfb463e1de68dfdc3208a2fbf21b0a637b",
    ],
};

impl Tenant {
    /// Returns the grant for a runbook: the example beside it, with the names, the range and the
    /// digests of this tenant.
    pub fn grant(&self, runbook: &str, place: &Place) -> Result<String, Failure> {
        let path = example(runbook, place.root());
        let text = std::fs::read_to_string(&path).map_err(Failure::file(&path, "read"))?;
        let mut text = text
            .replace("acme", self.id)
            .replace("octet = 7", &format!("octet = {}", self.octet))
            .replace("10.7.", &format!("10.{}.", self.octet));
        for (example, own) in ACME.user_data.iter().zip(self.user_data) {
            text = text.replace(example, own);
        }
        Ok(text)
    }

    /// Returns the inputs of a runbook, as a TOML file.
    pub fn inputs(&self, runbook: &str) -> String {
        let tenant = format!("tenant = \"{}\"\n", self.id);
        match runbook {
            "provision-tenant" => format!("{tenant}octet = {}\n{PROVISION}", self.octet),
            _ => format!("{tenant}delete-data = true\n"),
        }
    }
}

fn example(runbook: &str, root: &Path) -> std::path::PathBuf {
    root.join("runbooks").join(runbook).join("grants.example.toml")
}
