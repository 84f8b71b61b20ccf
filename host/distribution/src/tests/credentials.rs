//! Who one is, and to whom that is told.

use runwrit_model::exit::Exit;
use runwrit_model::secret::Secret;

use super::fake::{Fake, Reply};
use super::*;
use crate::registry::Credential;

const USER_AND_PASSWORD: &str = "Basic YWNtZTpodW50ZXIy";

fn credential(user: Option<&str>, service: Option<String>) -> Option<Credential> {
    let (user, secret) = (user.map(str::to_owned), Secret::new("hunter2"));
    Some(Credential { user, secret, token_service: service })
}

async fn take_as(from: &str, who: Option<Credential>) -> Result<Artifact, TransferError> {
    let reference = reference(from);
    Shelf::open(&reference.place, who)?.take(&reference).await
}

async fn stocked() -> (Fake, Artifact, String) {
    let fake = Fake::start().await;
    let artifact = packed(&parcel(1));
    let tag = format!("{}/acme/hello:0.1.0", fake.host);
    put(&tag, &artifact).await.unwrap();
    (fake, artifact, tag)
}

#[tokio::test]
async fn user_and_password_are_told_when_they_are_asked_for() {
    let (fake, artifact, tag) = stocked().await;
    fake.play(|asked| {
        let is_known = asked.authorization.as_deref() == Some(USER_AND_PASSWORD);
        let ask = Reply::of(401, "").with("www-authenticate", "Basic realm=\"registry\"");
        (!is_known).then_some(ask)
    });
    let before = fake.asked().len();
    assert_eq!(take_as(&tag, credential(Some("acme"), None)).await.unwrap(), artifact);
    assert_eq!(fake.asked()[before].authorization, None, "nothing is told unasked");
    let error = take_as(&tag, None).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    let told = format!("{error} {} {error:?}", error.hint());
    assert!(told.contains("401") && told.contains("[registries."), "{told}");
    fake.play(|_| Some(Reply::of(401, "").with("www-authenticate", "Basic")));
    let error = take_as(&tag, credential(Some("acme"), None)).await.unwrap_err();
    let told = format!("{error} {} {error:?}", error.hint());
    assert!(!told.contains("hunter2") && !told.contains("aHVudGVy"), "{told}");
}

#[tokio::test]
async fn a_token_is_sent_as_it_is() {
    let (fake, artifact, tag) = stocked().await;
    fake.play(|asked| {
        let is_known = asked.authorization.as_deref() == Some("Bearer hunter2");
        (!is_known).then(|| Reply::of(403, ""))
    });
    assert_eq!(take_as(&tag, credential(None, None)).await.unwrap(), artifact);
}

/// Lets a registry ask for a token of somebody.
fn ask_for_token(fake: &Fake, realm: String) {
    fake.play(move |asked| {
        let ask = format!("Bearer realm=\"{realm}\",service=\"s\",scope=\"repository:*:*\"");
        let is_known = asked.authorization.as_deref() == Some("Bearer given");
        (!is_known && asked.path.starts_with("/v2/"))
            .then(|| Reply::of(401, "").with("www-authenticate", ask))
            .or_else(|| {
                let given = Reply::of(200, "{\"token\":\"given\"}");
                asked.path.starts_with("/token").then_some(given)
            })
    });
}

#[tokio::test]
async fn a_token_is_given_for_one_repository_alone() {
    let (fake, artifact, tag) = stocked().await;
    ask_for_token(&fake, format!("http://{}/token", fake.host));
    let before = fake.asked().len();
    assert_eq!(take_as(&tag, credential(Some("acme"), None)).await.unwrap(), artifact);
    let asked = fake.asked().split_off(before);
    let token = asked.iter().find(|it| it.path.starts_with("/token")).unwrap();
    assert_eq!(token.path, "/token?service=s&scope=repository%3Aacme%2Fhello%3Apull");
    assert_eq!(token.authorization.as_deref(), Some(USER_AND_PASSWORD));
    assert_eq!(take_as(&tag, None).await.unwrap(), artifact, "without a user, too");
}

#[tokio::test]
async fn a_password_goes_to_no_other_host_that_a_registry_names() {
    let (fake, artifact, tag) = stocked().await;
    let other = Fake::start().await;
    other.play(|_| Some(Reply::of(200, "{\"access_token\":\"given\"}")));
    let realm = format!("http://{}/token", other.host);
    ask_for_token(&fake, realm.clone());
    let error = take_as(&tag, credential(Some("acme"), None)).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Untrusted);
    assert!(error.hint().contains(&format!("token-service = \"{realm}\"")), "{}", error.hint());
    assert!(other.asked().is_empty());
    let named = credential(Some("acme"), Some(realm));
    assert_eq!(take_as(&tag, named).await.unwrap(), artifact);
    assert_eq!(other.asked()[0].authorization.as_deref(), Some(USER_AND_PASSWORD));
    assert_eq!(take_as(&tag, None).await.unwrap(), artifact);
    assert_eq!(other.asked()[1].authorization, None);
}

#[tokio::test]
async fn a_redirect_is_followed_without_a_word_about_who_one_is() {
    let (fake, artifact, tag) = stocked().await;
    let store = Fake::start().await;
    let blob = artifact.component.clone();
    store.play(move |_| Some(Reply::of(200, &blob[..])));
    let part = format!("blobs/{}", runwrit_model::id::Digest::of(&artifact.component));
    let to = format!("http://{}/kept?signature=secret", store.host);
    fake.play(move |asked| {
        let led = || Reply::of(307, "").with("location", to.clone());
        asked.path.contains(&part).then(led)
    });
    assert_eq!(take_as(&tag, credential(None, None)).await.unwrap(), artifact);
    assert_eq!(store.asked()[0].authorization, None);
    assert!(fake.asked().iter().any(|it| it.authorization.is_some()));
}

#[tokio::test]
async fn a_registry_leads_nowhere_that_is_not_encrypted_or_this_machine() {
    let rows = [
        ("http://registry.example.org/x", "which is not encrypted"),
        ("http://10.0.0.1/x", "which is not encrypted"),
        ("ftp://registry.example.org/x", "which is not `https`"),
        ("file:///etc/passwd", "which is not `https`"),
        ("https://user@registry.example.org/x", "which names a user"),
        ("//", "which is no URL"),
    ];
    let (fake, _, tag) = stocked().await;
    for (to, why) in rows {
        fake.play(move |asked| {
            asked.path.contains("/blobs/").then(|| Reply::of(302, "").with("location", to))
        });
        let error = take_as(&tag, None).await.expect_err(to);
        assert!(error.to_string().contains(why), "{to}: {error}");
        assert_eq!(error.exit(), Exit::Untrusted, "{to}");
        ask_for_token(&fake, to.to_owned());
        let error = take_as(&tag, credential(Some("acme"), Some(to.to_owned()))).await;
        assert!(error.is_err(), "a token from {to}");
    }
    let own = format!("http://{}/v2/again", fake.host);
    fake.play(move |_| Some(Reply::of(302, "").with("location", own.clone())));
    let error = take_as(&tag, None).await.unwrap_err();
    assert!(error.to_string().contains("and on and on"), "{error}");
}

#[tokio::test]
async fn what_a_registry_says_is_shown_as_text() {
    let fake = Fake::start().await;
    let said = "{\"errors\":[{\"code\":\"TOOMANY\",\"message\":\"\\u001b[31m slow down\"}]}";
    fake.play(move |_| Some(Reply::of(429, said)));
    let error = take_as(&format!("{}/x:1", fake.host), None).await.unwrap_err().to_string();
    assert!(error.contains("429") && error.contains("TOOMANY \\u{1b}[31m slow down"), "{error}");
}
