//! What the client does and never does on the wire.
#![expect(clippy::disallowed_methods, reason = "the servers of these tests listen on loopback")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use runwrit_model::endpoint::Endpoint;
use runwrit_model::secret::Secret;
use runwrit_simulator::hetzner::{Fault, Options, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::bench::{Bench, client, grant, run, token};
use crate::bindings::runwrit::hetzner::networks;
use crate::hetzner::WorldError;
use crate::hetzner::budget::LocalBudget;
use crate::hetzner::client::{ApiError, Client, Connection, Credential, Request};
use crate::hetzner::clock::{Clock, Pace};
use crate::hetzner::wire::{Network, Server, Volume};

/// A clock that only counts what it is asked to wait.
#[derive(Default)]
struct Counted(Mutex<Duration>);

impl Clock for Counted {
    fn now_unix_ms(&self) -> u64 {
        0
    }

    fn sleep(&self, pause: Duration) -> BoxFuture<'_, ()> {
        *self.0.lock().unwrap() += pause;
        Box::pin(async {})
    }
}

/// Answers every connection with `answer`, counts them, and keeps what was asked.
async fn serve(answer: String) -> (String, Arc<AtomicUsize>, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1", listener.local_addr().unwrap());
    let (count, asked) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(String::new())));
    let (counted, kept) = (count.clone(), asked.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut bytes = vec![0; 4096];
            let read = stream.read(&mut bytes).await.unwrap_or(0);
            kept.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    (endpoint, count, asked)
}

#[test]
fn a_redirect_is_never_followed_and_takes_no_token_along() {
    run(async {
        let (elsewhere, visits, _) = serve(String::new()).await;
        for status in [301, 302, 303, 307, 308] {
            let answer = format!(
                "HTTP/1.1 {status} Moved\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\
                 connection: close\r\n\r\n"
            );
            let (endpoint, asked, _) = serve(answer).await;
            let client = client(&endpoint, token('x'), Arc::new(Counted::default()));
            for request in
                [Request::get("servers"), Request::post("servers", serde_json::json!({}))]
            {
                let error = client.ask(&request).await.unwrap_err();
                assert!(error.is_one_of(&["redirect"]), "{status}: {error}");
            }
            assert_eq!(asked.load(Ordering::SeqCst), 2, "{status}: asked once for each request");
        }
        assert_eq!(visits.load(Ordering::SeqCst), 0, "somebody else was asked");
    });
}

#[test]
fn the_token_stands_in_one_header_only_and_in_no_error() {
    run(async {
        let (endpoint, _, asked) = serve(String::new()).await;
        let client = client(&endpoint, token('q'), Arc::new(Counted::default()));
        let error = client.get::<Server>(7).await.unwrap_err();
        let secret = "q".repeat(55);
        assert!(!format!("{error} {error:?}").contains(&secret));
        let asked = asked.lock().unwrap().to_lowercase();
        let lines: Vec<&str> = asked.lines().filter(|line| line.contains(&secret)).collect();
        assert!(
            !lines.is_empty() && lines.iter().all(|it| it.starts_with("authorization: bearer"))
        );
    });
}

#[test]
fn real_tokens_and_simulators_never_meet() {
    let rows = [
        ("http://127.0.0.1:1/v1", "r".repeat(64)),
        ("https://127.0.0.1:1/v1", { format!("simulated{}", "x".repeat(55)) }),
    ];
    for (endpoint, token) in rows {
        let connection = Connection {
            credential: Credential {
                name: "prod".to_owned(),
                token: Secret::new(token),
                endpoint: Endpoint::parse(endpoint).unwrap(),
            },
            budget: Arc::new(LocalBudget::default()),
            clock: Arc::new(Counted::default()),
            pace: Pace::default(),
        };
        assert!(Client::new(connection).is_err(), "{endpoint}");
    }
}

#[test]
fn an_answer_without_end_is_cut() {
    run(async {
        let size = runwrit_model::limits::API_RESPONSE_BYTES_MAX + 1;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n{}",
            " ".repeat(size)
        );
        let (endpoint, _, _) = serve(answer).await;
        let client = client(&endpoint, token('x'), Arc::new(Counted::default()));
        let error = client.ask(&Request::post("servers", serde_json::json!({}))).await;
        assert!(matches!(error, Err(ApiError::Unclear(_))), "{error:?}");
    });
}

#[test]
fn reads_are_repeated_through_whatever_passes() {
    let faults = [
        Fault::Html { status: 502 },
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Refuse { status: 429, code: "rate_limit_exceeded".into(), message: String::new() },
        Fault::Refuse { status: 409, code: "conflict".into(), message: String::new() },
        Fault::Refuse { status: 503, code: "unavailable".into(), message: String::new() },
        Fault::Refuse { status: 504, code: "timeout".into(), message: String::new() },
    ];
    run(async {
        for fault in faults {
            let mut bench = Bench::new().await;
            let made = bench.network().await;
            bench.fault("GET", "/networks/*", 3, fault.clone());
            let read = networks::Host::get(&mut bench.guest, made.id).await;
            assert_eq!(read.unwrap().name, "acme-net", "{fault:?}");
        }
    });
}

#[test]
fn refusals_that_nothing_heals_are_told_at_once() {
    run(async {
        for (status, code) in [(401, "unauthorized"), (403, "forbidden"), (423, "protected")] {
            let bench = Bench::new().await;
            let before = bench.desk().request_count("GET", "/networks/7");
            let fault = Fault::Refuse { status, code: code.into(), message: String::new() };
            bench.fault("GET", "/networks/*", 0, fault);
            let error = bench.project.client.get::<Network>(7).await.unwrap_err();
            assert!(error.is_one_of(&[code]), "{error}");
            let asked = bench.desk().request_count("GET", "/networks/7") - before;
            assert_eq!(asked, 1, "HTTP {status}");
        }
    });
}

#[test]
fn a_rate_limit_slows_a_run_down_and_fails_nothing() {
    run(async {
        let settings = Settings { rate_limit: 40, ..Settings::default() };
        let options = Options { settings, ..Options::default() };
        let mut bench = Bench::with(options, &grant("")).await;
        bench.network().await;
        for _ in 0..60 {
            networks::Host::list(&mut bench.guest).await.unwrap();
        }
        let refused = bench.desk().ledger().iter().filter(|entry| entry.status == 429).count();
        assert_eq!(refused, 0, "the budget should have waited before the API had to refuse");
    });
}

#[test]
fn all_who_wait_share_one_look() {
    run(async {
        let bench = Bench::new().await;
        let mut actions = Vec::new();
        for name in ["a", "b", "c", "d"] {
            let body = serde_json::json!({"name": name, "size": 10, "location": "nbg1"});
            let made = bench.project.client.create::<Volume>(body).await;
            actions.push(made.unwrap().actions);
        }
        let before = bench.desk().request_count("GET", "/actions");
        let waits = actions.iter().map(|ids| bench.project.client.wait(ids));
        assert!(join_all(waits).await.into_iter().all(|ended| ended.is_ok()));
        let looks = bench.desk().request_count("GET", "/actions") - before;
        assert!((1..=8).contains(&looks), "{looks} looks for four volumes");
    });
}

#[test]
fn a_look_for_a_name_serves_all_who_want_nothing_newer() {
    run(async {
        let bench = Bench::new().await;
        let client = &bench.project.client;
        for name in ["a", "b"] {
            let body = serde_json::json!({"name": name, "size": 10, "location": "nbg1"});
            client.create::<Volume>(body).await.unwrap();
        }
        let begun = client.clock().now_unix_ms();
        let rows = [("a", begun, 1), ("b", begun, 1), ("b", begun + 1, 2), ("a", begun + 1, 2)];
        for (name, since, looks) in rows {
            if since > begun {
                bench.desk().advance(Duration::from_millis(1));
            }
            let found = client.named_since::<Volume>(name, since).await.unwrap();
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!(bench.desk().request_count("GET", "/volumes"), looks, "{name} {since}");
        }
        // What was changed since is looked for again, however new the look.
        client
            .create::<Volume>(serde_json::json!({"name": "c", "size": 10, "location": "nbg1"}))
            .await
            .unwrap();
        assert_eq!(client.named_since::<Volume>("c", begun).await.unwrap().len(), 1);
    });
}

#[test]
fn an_action_that_the_api_forgot_is_an_error() {
    run(async {
        let bench = Bench::new().await;
        assert!(bench.project.client.wait(&[987_654]).await.is_err());
    });
}

#[test]
fn a_project_is_marked_once_and_told_from_another() {
    run(async {
        let bench = Bench::new().await;
        let client = &bench.project.client;
        let none = client.world("hetzner").await;
        assert_eq!(none, Err(WorldError::Unmarked("hetzner".to_owned())));
        let first = client.enter("hetzner", "aaaa").await.unwrap();
        assert_eq!(client.enter("hetzner", "bbbb").await.unwrap(), first, "it is adopted");
        assert_eq!(client.world("hetzner").await.unwrap(), first);
        assert_eq!(bench.births("placement_group"), 1);

        let clock = Arc::new(Counted::default());
        let other = super::bench::client(&bench.simulator.endpoint(), token('y'), clock);
        assert!(matches!(other.world("hetzner").await, Err(WorldError::Unmarked(_))));
        let other = other.enter("hetzner", "aaaa").await.unwrap();
        assert_ne!(other.marker, first.marker, "another project with the same label");
    });
}

#[test]
fn a_marker_is_left_once_even_when_its_answer_is_lost() {
    run(async {
        let bench = Bench::new().await;
        bench.fault("POST", "/placement_groups", 1, Fault::DropAfter);
        let world = bench.project.client.enter("hetzner", "aaaa").await.unwrap();
        assert!(world.marker.ends_with(":aaaa"), "{}", world.marker);
        assert_eq!(bench.births("placement_group"), 1);
    });
}
