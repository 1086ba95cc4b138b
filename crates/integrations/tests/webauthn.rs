//! What an authenticator may say, and what is refused: an answer twice, from elsewhere, to another question, unchecked,
//! and from a copy.

use daypass_domain::{PrincipalId, Time};
use daypass_integrations::webauthn::WebAuthn;
use daypass_ports::webauthn::{Begun, Credential, PasskeyError, Passkeys, Whom};
use daypass_testkit::authenticator::{Authenticator, Checked};

const ORIGIN: &str = "https://localhost:7443";

fn server() -> WebAuthn {
    WebAuthn::new("localhost", 7443).unwrap()
}

fn whom() -> Whom {
    Whom { id: PrincipalId::new(Time::from_micros(0), [1; 10]), name: "alice".to_owned() }
}

fn enrol(server: &WebAuthn, key: &mut Authenticator) -> Credential {
    let begun = server.begin_enrolment(&whom(), &[]).unwrap();
    server.finish_enrolment(&begun.ceremony, &key.create(&begun.options)).unwrap()
}

/// Enrolled, and asked to show it.
fn asked() -> (WebAuthn, Authenticator, Vec<Credential>, Begun) {
    let (server, mut key) = (server(), Authenticator::at(ORIGIN));
    let have = vec![enrol(&server, &mut key)];
    let begun = server.begin_showing(&have).unwrap();
    (server, key, have, begun)
}

fn refused(error: PasskeyError) {
    assert!(matches!(error, PasskeyError::Refused(_)), "{error:?}");
}

#[test]
fn a_passkey_is_enrolled_and_shown_and_its_counter_is_kept() {
    let (server, mut key, have, begun) = asked();
    let shown = server.finish_showing(&begun.ceremony, &key.get(&begun.options), &have).unwrap();
    assert_eq!(shown.which, 0);
    assert_ne!(shown.credential, have[0], "the counter moved");
    assert_eq!(begun.options["userVerification"], "required");
    // Behind something that forwards, pages are at 443.
    let begun = server.begin_showing(std::slice::from_ref(&shown.credential)).unwrap();
    key.origin = "https://localhost".to_owned();
    server.finish_showing(&begun.ceremony, &key.get(&begun.options), &[shown.credential]).unwrap();
}

#[test]
fn a_counter_that_goes_back_or_stands_still_is_refused() {
    let (server, mut key, have, begun) = asked();
    key.counter = 7;
    let kept = server.finish_showing(&begun.ceremony, &key.get(&begun.options), &have).unwrap().credential;
    for counter in [7, 6, 0] {
        let begun = server.begin_showing(std::slice::from_ref(&kept)).unwrap();
        key.counter = counter;
        let error = server.finish_showing(&begun.ceremony, &key.get(&begun.options), std::slice::from_ref(&kept));
        assert_eq!(error.unwrap_err(), PasskeyError::CounterWentBack { which: 0 }, "{counter}");
    }
    // What counts is what is kept at the end: the same answer again, while the first one was taken meanwhile.
    let begun = server.begin_showing(&have).unwrap();
    key.counter = 7;
    let error = server.finish_showing(&begun.ceremony, &key.get(&begun.options), std::slice::from_ref(&kept));
    assert_eq!(error.unwrap_err(), PasskeyError::CounterWentBack { which: 0 });
}

#[test]
fn an_authenticator_without_a_counter_is_taken() {
    let (server, mut key) = (server(), Authenticator::at(ORIGIN));
    key.counter = 0;
    let have = vec![enrol(&server, &mut key)];
    for _ in 0..2 {
        let begun = server.begin_showing(&have).unwrap();
        key.counter = 0;
        server.finish_showing(&begun.ceremony, &key.get(&begun.options), &have).unwrap();
    }
}

#[test]
fn an_answer_to_another_question_is_refused() {
    let (server, mut key, have, begun) = asked();
    let other = server.begin_showing(&have).unwrap();
    refused(server.finish_showing(&begun.ceremony, &key.get(&other.options), &have).unwrap_err());
    let enrolment = server.begin_enrolment(&whom(), &[]).unwrap();
    refused(server.finish_showing(&enrolment.ceremony, &key.get(&begun.options), &have).unwrap_err());
    refused(server.finish_enrolment(&begun.ceremony, &key.create(&enrolment.options)).unwrap_err());
    for nonsense in ["", "{}", "null", "[1]"] {
        refused(server.finish_showing(&begun.ceremony, nonsense, &have).unwrap_err());
    }
    let long = format!("{}{}", key.get(&begun.options), " ".repeat(20_000));
    refused(server.finish_showing(&begun.ceremony, &long, &have).unwrap_err());
}

#[test]
fn a_page_of_another_origin_gets_nowhere() {
    for origin in
        ["https://evil.example", "https://localhost:7444", "http://localhost:7443", "https://a.localhost:7443"]
    {
        let (server, mut key, have, begun) = asked();
        key.origin = origin.to_owned();
        refused(server.finish_showing(&begun.ceremony, &key.get(&begun.options), &have).unwrap_err());
        let begun = server.begin_enrolment(&whom(), &have).unwrap();
        refused(server.finish_enrolment(&begun.ceremony, &key.create(&begun.options)).unwrap_err());
    }
}

#[test]
fn a_key_that_checked_nobody_or_is_anothers_gets_nowhere() {
    let (server, mut key, have, begun) = asked();
    key.checked = Checked::Presence;
    let error = server.finish_showing(&begun.ceremony, &key.get(&begun.options), &have).unwrap_err();
    assert_eq!(error, PasskeyError::NotVerified);
    let begun = server.begin_enrolment(&whom(), &[]).unwrap();
    let error = server.finish_enrolment(&begun.ceremony, &key.create(&begun.options)).unwrap_err();
    assert_eq!(error, PasskeyError::NotVerified);
    let (server, _, have, begun) = asked();
    refused(server.finish_showing(&begun.ceremony, &Authenticator::at(ORIGIN).get(&begun.options), &have).unwrap_err());
}

#[test]
fn what_another_version_kept_is_not_guessed_at() {
    let (server, _, mut have, _) = asked();
    have[0].format = "something else".to_owned();
    assert!(matches!(server.begin_showing(&have).unwrap_err(), PasskeyError::Unreadable(_)));
    assert!(WebAuthn::new("127.0.0.1", 7443).is_err(), "an address is no site of a passkey");
}
