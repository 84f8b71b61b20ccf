//! Every limit of the product, each with its reason.

use std::time::Duration;

/// A component larger than this is refused; the largest real guest measured (Python) has 18 MiB.
pub const COMPONENT_BYTES_MAX: u64 = 64 << 20;
/// A `runbook.toml`, grant or configuration larger than this is refused: people write them by hand.
pub const DOCUMENT_BYTES_MAX: u64 = 256 << 10;
/// Linear memory of one run; Python and StarlingMonkey need 16 MiB at least.
pub const GUEST_MEMORY_BYTES_MAX: usize = 256 << 20;
/// Core instances of one run; Python guests need 14.
pub const GUEST_INSTANCES_MAX: usize = 64;
/// Memories of one run; QuickJS guests need up to three.
pub const GUEST_MEMORIES_MAX: usize = 8;
/// Tables of one run.
pub const GUEST_TABLES_MAX: usize = 16;
/// Elements of one table; JavaScript guests need 7,744.
pub const GUEST_TABLE_ELEMENTS_MAX: usize = 20_000;
/// Bytes that one call may copy from guest to host; user data of a large batch stays far below.
pub const CALL_BYTES_MAX: usize = 16 << 20;
/// Host handles that one run may hold.
pub const GUEST_HANDLES_MAX: usize = 10_000;
/// How long a guest may compute between two calls before it is taken for an endless loop.
pub const GUEST_COMPUTE_MAX: Duration = Duration::from_secs(30);
/// What a guest in the tier `inert-wasi` may print in one run; it goes to the log.
pub const GUEST_OUTPUT_BYTES_MAX: usize = 1 << 20;
/// One frame between a cell and its host: a byte of a call takes up to four as text.
pub const CELL_FRAME_BYTES_MAX: u32 = 64 << 20;
/// Calls of one run, local ones too; a loop around `log.write` computes little and must end too.
pub const GUEST_CALLS_MAX: u64 = 1_000_000;
/// Address space of the child that compiles: 186 bytes a byte of Wasm were measured.
pub const COMPILE_ADDRESS_SPACE_BYTES_MAX: u64 = 4 << 30;
/// Processor time of the child that compiles; the slowest real guest took 9 s.
pub const COMPILE_CPU_SECONDS_MAX: u64 = 120;
/// How long a compilation may take; a busy machine gives the child a fraction of one processor.
pub const COMPILE_WALL_MAX: Duration = Duration::from_secs(300);
/// Compiled code of one component; JavaScript grows by 2.9, small Rust guests by 3.5.
pub const COMPILED_BYTES_MAX: u64 = 512 << 20;
/// Components that the code cache keeps; a Python or JavaScript runbook takes some 35 MiB.
pub const CODE_CACHE_ENTRIES_MAX: usize = 64;
/// Imports of one component; the whole world of this host has some thirty.
pub const COMPONENT_IMPORTS_MAX: usize = 200;
/// Items of one batch call: a tenant has a handful of servers, a project a few dozen.
pub const BATCH_ITEMS_MAX: usize = 32;
/// Items of a batch that are on the wire at once; more would only eat the rate limit faster.
pub const BATCH_SENDS_MAX: usize = 8;
/// Times that the gate has one call sent. The client of a capability has retried what may pass
/// soon, so what is unknown by then seldom becomes known.
pub const SENDS_MAX: u32 = 3;
/// Items of a list that goes back to a guest.
pub const LIST_ITEMS_MAX: usize = 1_000;
/// A journal longer than this parks its run for a person instead of growing without end.
pub const JOURNAL_ENTRIES_MAX: u64 = 10_000;
/// Entries that wait in memory for the next durable write: as many reads, steps and results a kill
/// may cost.
pub const JOURNAL_DEFERRED_MAX: usize = 32;
/// A journal larger than this parks its run.
pub const JOURNAL_BYTES_MAX: u64 = 16 << 20;
/// One journal entry; a larger one is a bug or an attack.
pub const JOURNAL_ENTRY_BYTES_MAX: usize = 1 << 20;
/// How long a thing whose name is taken already may be missing in lists: those of the API lag by
/// seconds at most.
pub const LISTED_MAX: Duration = Duration::from_secs(30);
/// How old an answer of an API may be that tells what things cost, which images there are and which
/// id an SSH key has: none of it changes by what a run does.
pub const OFFER_AGE_MAX: Duration = Duration::from_secs(60);
/// How old a look may be that prepares a permit: in a scope only its one run changes anything, and
/// whatever that run changes is looked at anew.
pub const LOOK_AGE_MAX: Duration = Duration::from_secs(10);
/// How old a look may be that the last step has just taken, for the one that follows at once; also
/// one at the stock.
pub const GLANCE_AGE_MAX: Duration = Duration::from_secs(2);
/// Answers that one client remembers: most have a few KiB, lists of 50 things up to 200.
pub const ANSWERS_REMEMBERED_MAX: usize = 32;
/// A plan: it stands whole in one journal entry, where its quotes and line ends are escaped.
pub const PLAN_BYTES_MAX: usize = 512 << 10;
/// A log message is cut beyond this.
pub const LOG_MESSAGE_BYTES_MAX: usize = 4_096;
/// Log messages of one run that are shown; a loop around `log.write` must not fill a disk.
pub const LOG_MESSAGES_MAX: u64 = 10_000;
/// A step title beyond this does not fit a terminal line.
pub const STEP_TITLE_CHARS_MAX: usize = 120;
/// A verification note beyond this is no longer a sentence.
pub const STEP_NOTE_CHARS_MAX: usize = 500;
/// Bytes of randomness one call returns.
pub const RANDOM_BYTES_MAX: u32 = 1_024;
/// A durable wait: below a second is no wait, beyond 30 days nobody remembers it.
pub const SLEEP_SECONDS_MAX: u32 = 30 * 24 * 3_600;
/// A wait up to this stays in memory; a longer one parks the run.
pub const SLEEP_INLINE_MAX: Duration = Duration::from_secs(5);
/// One HTTP exchange with an outside API.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// After this an unanswered creation can no longer take effect: request timeout plus server margin.
pub const SETTLE: Duration = Duration::from_secs(120);
/// First pause before an undo is tried again.
pub const UNDO_BACKOFF_MIN: Duration = Duration::from_secs(1);
/// Longest pause before an undo is tried again.
pub const UNDO_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// How long an undo is tried before it becomes an orphan for a person.
pub const UNDO_BUDGET: Duration = Duration::from_secs(24 * 3_600);
/// Requests a single call may send again before its outcome counts as unknown.
pub const SEND_ATTEMPTS_MAX: u32 = 6;
/// A response of the Hetzner API; a page of 50 servers has some 200 KiB.
pub const API_RESPONSE_BYTES_MAX: usize = 8 << 20;
/// Pages of one list; beyond them a server is looping.
pub const API_PAGES_MAX: u32 = 200;
/// How long the actions of one call are waited for; a snapshot of a large disk takes minutes.
pub const ACTION_WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// Actions asked for in one request, as the official clients do: the address stays short.
pub const ACTIONS_PER_LOOK_MAX: usize = 25;
/// How long a deletion waits while others use the thing; firewalls are let go within minutes.
pub const IN_USE_WAIT_MAX: Duration = Duration::from_secs(5 * 60);
/// How long something that was deleted may linger before it counts as a failure.
pub const LINGER_MAX: Duration = Duration::from_secs(90);
/// How long an operating system may take to shut down before the power is cut.
pub const SHUTDOWN_MAX: Duration = Duration::from_secs(60);
/// How long a new server may take to run once its actions ended.
pub const READY_MAX: Duration = Duration::from_secs(60);
/// How long a change is started again while other actions lock the thing.
pub const LOCKED_MAX: Duration = Duration::from_secs(120);
/// The body of a request that a guest sends.
pub const HTTP_REQUEST_BODY_BYTES_MAX: usize = 1 << 20;
/// The body of a response that a guest gets: it stands in one journal entry, a third longer.
pub const HTTP_RESPONSE_BODY_BYTES_MAX: usize = 512 << 10;
/// Headers either way.
pub const HTTP_HEADERS_MAX: usize = 100;
/// Bytes of all headers, either way; common servers refuse more.
pub const HTTP_HEADER_BYTES_MAX: usize = 16 << 10;
/// A URL; common servers refuse longer ones.
pub const HTTP_URL_BYTES_MAX: usize = 4_096;
/// Longest timeout that a guest may ask for.
pub const HTTP_TIMEOUT_SECONDS_MAX: u32 = 120;
/// User data that Hetzner accepts.
pub const USER_DATA_BYTES_MAX: usize = 32 << 10;
/// One output of a runbook; an address, a digest or a short document.
pub const OUTPUT_BYTES_MAX: usize = 64 << 10;
/// Facts of one audit event; auditors read them one by one.
pub const AUDIT_DETAILS_MAX: usize = 64;
/// One fact of an audit event.
pub const AUDIT_DETAIL_BYTES_MAX: usize = 4_096;
/// The kind of an audit event, a word that people search for.
pub const AUDIT_KIND_BYTES_MAX: usize = 64;
/// When, after a rollback, creations that may have landed late are looked for: once soon, once when
/// even a stuck queue of the outside system has drained.
pub const SWEEPS: [Duration; 2] = [Duration::from_secs(15 * 60), Duration::from_secs(24 * 3_600)];
/// One text input; an SSH key has some 800 bytes.
pub const INPUT_BYTES_MAX: usize = 4_096;
/// Pauses between looks at a running action, the last one repeated: most take 2 to 30 seconds.
pub const POLLS: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(5),
];
/// Requests an hour that Hetzner Cloud allows a project.
pub const REQUESTS_PER_HOUR: u32 = 3_600;
/// Free space of the state directory below this is an error of `doctor`: one component and its code
/// may need it.
pub const DISK_BYTES_MIN: u64 = 100 << 20;
/// Free space below this is told.
pub const DISK_BYTES_LOW: u64 = 1 << 30;
/// Free files below this are an error of `doctor`: each run and each component has one.
pub const DISK_FILES_MIN: u64 = 100;
/// How far a clock may be off before `doctor` complains; certificates and timers bear this much.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(30);
/// Pages of 4 KiB up to which a store is read whole for damage whenever it is opened, which takes a
/// millisecond; a larger one is read whole by `doctor`.
pub const STORE_PAGES_CHECKED_MAX: i64 = 256;
/// How long `doctor` waits for another program, such as `docker`.
pub const PROGRAM_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long each read of a pipe that was given as a file may take: what writes to it may ask a
/// person for a passphrase first.
pub const PIPE_WAIT_MAX: Duration = Duration::from_secs(120);
/// How far the clock may be off from that of an API before `tick` does nothing: what waits for it
/// does so for minutes to days, and a wrong battery or time zone moves a clock by hours or years.
pub const TICK_SKEW_MAX: Duration = Duration::from_secs(3_600);
/// A late look that is overdue by this tells that nobody calls `tick`.
pub const TICK_OVERDUE: Duration = Duration::from_secs(3_600);
/// A clock before this, the start of 2026, is that of a machine that has lost its battery.
pub const CLOCK_MIN: u64 = 1_767_225_600_000;
/// How far ahead the clock of another machine may have been when it wrote the epoch of a restore. A
/// machine that was suspended for weeks wakes up behind it; one that has lost its battery is off
/// by years.
pub const EPOCH_AHEAD_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Things by which a plan knows a project again that has no mark: enough for some to outlive it.
pub const LANDMARKS_MAX: usize = 64;
/// Times to live that the API of Hetzner takes, in seconds; other providers take less.
pub const TTL_SECONDS: (u32, u32) = (60, 2_147_483_647);
/// Values of one record set; the API of Hetzner takes no more in a request.
pub const RECORD_VALUES_MAX: usize = 50;
/// One value of a record set: a DKIM key of 4,096 bits takes some 800 bytes.
pub const RECORD_VALUE_BYTES_MAX: usize = 4_096;
/// A whole domain; RFC 1035 allows 255 octets on the wire, which are 253 letters.
pub const DOMAIN_BYTES_MAX: usize = 253;
/// One label of a domain, by RFC 1035.
pub const DOMAIN_LABEL_BYTES_MAX: usize = 63;
/// A run that moves: a component and a journal of the largest size, a third longer as Base64.
pub const PARCEL_BYTES_MAX: u64 = 160 << 20;
/// The store in a backup: a thousand journals of the largest size; more is no store of runs.
pub const BACKUP_STORE_BYTES_MAX: u64 = 16 << 30;
/// A signed statement about a package; a real one has a kilobyte.
pub const STATEMENT_BYTES_MAX: usize = 1 << 20;
/// The file of one signer; its statement is a third longer in it.
pub const SIGNATURE_BYTES_MAX: usize = 64 << 10;
/// Signers of one package; nobody asks for more than a handful.
pub const SIGNATURES_MAX: usize = 64;
/// The file of a root; one with sixty keys has some 40 KiB.
pub const ROOT_BYTES_MAX: usize = 256 << 10;
/// Roots after one another, from the pinned one; with one a month, that is twenty years.
pub const ROOTS_MAX: usize = 256;
/// A key file; a P-256 key behind a passphrase has some 400 bytes.
pub const KEY_BYTES_MAX: u64 = 16 << 10;
/// The memory of floors and clock: a hundred bytes for each package and channel.
pub const FLOORS_BYTES_MAX: u64 = 4 << 20;
/// How far ahead of the time in seconds a sequence may be. A stolen key could otherwise sign the
/// largest number there is, and lock every later release out.
pub const SEQUENCE_AHEAD_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How far the clock moves on before that is remembered: a disk flush for each run is too much.
pub const CLOCK_MEMORY_STEP: Duration = Duration::from_secs(3_600);
/// A manifest of a registry; ours have a kilobyte, and registries refuse more than four megabytes.
pub const OCI_MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// What a registry lists: a descriptor has some 300 bytes, and registries refuse longer manifests.
pub const OCI_INDEX_BYTES_MAX: u64 = 4 << 20;
/// What describes a component in a registry: it holds `runbook.toml`, each byte as six at worst.
pub const OCI_CONFIG_BYTES_MAX: u64 = 2 << 20;
/// Pages of a list of signatures; beyond them a registry is looping.
pub const OCI_PAGES_MAX: usize = 16;
/// Manifests of one layout on disk: hundreds of packages with their signatures.
pub const OCI_LAYOUT_MANIFESTS_MAX: usize = 10_000;
/// Files of a layout in a tar archive.
pub const OCI_ARCHIVE_FILES_MAX: usize = 40_000;
/// Times that a download is sent elsewhere; a registry needs one, to where it keeps blobs.
pub const REDIRECTS_MAX: usize = 5;
/// How long a registry may stay silent; the transfer itself may take as long as it moves.
pub const REGISTRY_SILENCE_MAX: Duration = Duration::from_secs(60);
/// What a registry says about an error, or a token that it gives.
pub const REGISTRY_ANSWER_BYTES_MAX: u64 = 64 << 10;
