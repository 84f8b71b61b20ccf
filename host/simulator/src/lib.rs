//! Simulators: faithful, stateful stand-ins for outside systems, served over their real protocol.
//!
//! # Hetzner Cloud, on its own
//!
//! Anybody who writes against Hetzner Cloud can use this one; it needs nothing else of Runwrit:
//!
//! ```text
//! runwrit simulate hetzner --listen 127.0.0.1:8080 --control 127.0.0.1:8081 --time-factor 0.001
//! export HCLOUD_ENDPOINT=http://127.0.0.1:8080/v1
//! export HCLOUD_TOKEN=$(head -c 48 /dev/urandom | base64 | tr -dc a-zA-Z0-9 | head -c 64)
//! hcloud server create --name web-1 --type cx23 --image debian-12 --location nbg1
//! ```
//!
//! Every token of 64 letters and digits opens a project of its own. Objects, refusals, locks and
//! delays follow the provider's reference: an action runs for as long as operators report, times
//! the time factor, and takes effect at its end. `X-Simulator-Time` announces the simulated clock.
//!
//! The control port changes what the API cannot:
//!
//! ```text
//! # The next server is created although its creator hears nothing, half a second from now.
//! curl -d '{"method":"POST","path":"/servers","fault":{"kind":"late_commit","delay_ms":500}}' \
//!     http://127.0.0.1:8081/_sim/faults
//! # The third attachment and the one after it meet a lock.
//! curl -d '{"path":"/volumes/*/actions/attach","nth":3,"times":2,
//!     "fault":{"kind":"refuse","status":423,"code":"locked"}}' http://127.0.0.1:8081/_sim/faults
//! curl -d '{"advance_ms":60000}' http://127.0.0.1:8081/_sim/clock
//! curl -d '{"server_type":"cx23","location":"nbg1","available":false}' \
//!     http://127.0.0.1:8081/_sim/stock
//! curl -d '{"name":"server","most":3}' http://127.0.0.1:8081/_sim/quotas
//! curl 'http://127.0.0.1:8081/_sim/requests?method=POST&path=/servers'   # how many were seen
//! curl 'http://127.0.0.1:8081/_sim/leaks?label_selector=run%3Dr1'        # alive, and its price
//! curl http://127.0.0.1:8081/_sim/ledger                                 # never holds a token
//! ```
//!
//! | fault | what the client sees | effect |
//! | --- | --- | --- |
//! | `refuse`, `html`, `unauthorized` | an error of any status and code, or a page | none |
//! | `commit_then_refuse` | an error | happened |
//! | `drop_before`, `drop_after` | a closed connection | none, happened |
//! | `late_commit` | a closed connection | happens later, under the rules of that moment |
//! | `slow` | an answer in two late halves | happened |
//! | `action_error` | an action that ends in `error` | begun, not completed |
//! | `action_time` | an action that takes the time told, or never ends | when it ends |
//! | `linger` | a deletion that was done, and a thing that is still there | happens later |
//! | `list_lag` | its thing is missing in lists for a while | happened |
//! | `stock`, `quota` | what the change makes of the request | depends |
//!
//! # In a test
//!
//! ```no_run
//! use runwrit_simulator::hetzner::{Fault, Options, Rule, Simulator};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options { time_factor: 0.001, ..Options::default() };
//! let handle = Simulator::start(options).await?;
//! handle.desk().add_fault(Rule::once("POST", "/volumes", Fault::DropAfter));
//! // … point a client at `handle.endpoint()` …
//! assert!(handle.desk().leaks("run=r1").is_ok_and(|report| report.alive.is_empty()));
//! handle.stop().await;
//! # Ok(())
//! # }
//! ```

pub mod hetzner;
