//! The rules of a grant, each with a code that never changes.

macro_rules! rules {
    ($($(#[$about:meta])* $name:ident = $code:literal,)*) => {
        /// One rule. A refusal names it by its code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[$about])* $name,)*
        }

        impl Rule {
            /// All rules.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Returns the code, for messages, tests and tools.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

rules! {
    /// The grant has not expired.
    Unexpired = "grant-expired",
    /// The operation is named.
    Operation = "operation-not-granted",
    /// What is addressed by id belongs to the scope, or this run made it.
    InScope = "not-in-scope",
    /// What is made has a name that the grant lists.
    Name = "name-not-granted",
    /// No more of a kind are alive than counted.
    Count = "count-exceeded",
    /// Everything alive costs no more than the cap.
    Cost = "cost-exceeded",
    /// The location is named.
    Location = "location-not-granted",
    /// The range of a network is the one named.
    NetworkRange = "network-range-not-granted",
    /// Each subnet is named.
    NetworkSubnet = "network-subnet-not-granted",
    /// The zone of each subnet is the one named.
    NetworkZone = "network-zone-not-granted",
    /// Each rule of a firewall is named.
    FirewallRule = "firewall-rule-not-granted",
    /// Outbound traffic stays filtered where the grant filters it.
    FirewallOutbound = "firewall-outbound-left-open",
    /// The server type is named.
    ServerType = "server-type-not-granted",
    /// The image is named.
    Image = "image-not-granted",
    /// Each SSH key is named.
    SshKey = "ssh-key-not-granted",
    /// A server has an SSH key, since it never gets a root password.
    SshKeyPresent = "ssh-key-missing",
    /// A public server has a firewall from its first second.
    FirewallPresent = "firewall-missing",
    /// The user data has a digest that is named.
    UserData = "user-data-not-granted",
    /// The volume is no larger than named.
    VolumeSize = "volume-too-large",
    /// The public key is the one named.
    PublicKey = "public-key-not-granted",
    /// The zone and the name of a record are named together.
    Record = "record-not-granted",
    /// The type of a record set is named for it.
    RecordType = "record-type-not-granted",
    /// A record set lives no longer in caches than named.
    RecordTtl = "ttl-too-long",
    /// A record set that is changed is of the scope, or the grant lets foreign ones be replaced.
    RecordOwner = "record-not-ours",
    /// The tenant is named.
    Tenant = "tenant-not-granted",
    /// A tenant that is changed is the one whose scope the run holds.
    TenantScope = "tenant-outside-scope",
    /// The octet is the one named.
    Octet = "octet-not-granted",
    /// The kind of event is named.
    AuditKind = "audit-kind-not-granted",
    /// The subject of the event is named.
    AuditSubject = "audit-subject-not-granted",
    /// The method and the URL are named together.
    Request = "request-not-granted",
    /// The operation's effect may stay.
    Keep = "keep-not-granted",
    /// The operation may be part of an undo.
    UndoWith = "undo-not-granted",
    /// There may be a point of no return.
    Pivot = "pivot-not-granted",
}
