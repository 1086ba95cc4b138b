//! Security event tokens as transmitters send them, and as nobody should.

use data_encoding::BASE64URL_NOPAD;
use daypass_wire::{
    jwt::BadToken,
    secevent::{
        BadSet, Identifier, Set, Subject, What,
        event::{BASE, Compliance, CredentialChange, Risk, RiskOf, Stream},
        poll::{Answered, Asked, More, Refused},
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn encoded(header: &str, claims: &str) -> String {
    format!("{}.{}.c2ln", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()))
}

const HEADER: &str = r#"{"alg":"ES256","kid":"one","typ":"secevent+jwt"}"#;

fn revoked() -> Value {
    json!({
        "iss": "https://transmitter.example", "aud": ["https://daypass.example"], "jti": "24c63fb5", "iat": 1_700_000_000,
        "sub_id": {"format": "iss_sub", "iss": "https://issuer.example", "sub": "carol"},
        "events": {format!("{BASE}caep/event-type/session-revoked"): {"event_timestamp": 1_699_999_990}},
    })
}

fn but(other: Value) -> Value {
    let mut claims = revoked();
    for (name, value) in other.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

fn read(claims: &Value) -> Result<Set, BadSet> {
    Set::parse(&encoded(HEADER, &claims.to_string()))
}

/// What an event of this kind says.
fn event(kind: &str, fields: Value) -> Result<What, BadSet> {
    let read = read(&but(json!({"events": {format!("{BASE}{kind}"): fields}})))?;
    Ok(read.events.into_iter().next().unwrap().what)
}

#[test]
fn a_token_says_who_whom_when_and_what() {
    let set = read(&revoked()).unwrap();
    assert_eq!((set.issuer.as_str(), set.jti.as_str()), ("https://transmitter.example", "24c63fb5"));
    assert_eq!(set.audiences, ["https://daypass.example"]);
    assert_eq!(set.events[0].what, What::SessionsRevoked);
    assert_eq!(set.events[0].at_us, 1_699_999_990_000_000);
    let who = Identifier::IssuerSubject { issuer: "https://issuer.example".into(), subject: "carol".into() };
    assert_eq!(set.subject.person(), Some(&who));
    // Milliseconds, as early transmitters had them; the token's own time of the event; and when it was made.
    let at = |other: Value| read(&but(other)).unwrap().events[0].at_us;
    let of = |fields: Value| json!({"events": {format!("{BASE}caep/event-type/session-revoked"): fields}});
    assert_eq!(at(of(json!({"event_timestamp": 1_699_999_990_500_i64}))), 1_699_999_990_500_000);
    assert_eq!(at(of(json!({}))), 1_700_000_000_000_000);
    let mut with = of(json!({}));
    with["toe"] = json!(1_699_999_000);
    assert_eq!(at(with), 1_699_999_000_000_000);
}

#[test]
fn what_is_no_such_token_is_refused_and_said() {
    let cases = [
        (json!({"sub": "carol"}), BadSet::Never("sub")),
        (json!({"exp": 1_800_000_000}), BadSet::Never("exp")),
        (json!({"nonce": "n"}), BadSet::Never("nonce")),
        (json!({"iss": null}), BadSet::Lacks("iss")),
        (json!({"iss": ["https://transmitter.example"]}), BadSet::Lacks("iss")),
        (json!({"jti": null}), BadSet::Lacks("jti")),
        (json!({"jti": ""}), BadSet::Lacks("jti")),
        (json!({"jti": "x".repeat(513)}), BadSet::Lacks("jti")),
        (json!({"jti": "a\nb"}), BadSet::Lacks("jti")),
        (json!({"iat": null}), BadSet::Lacks("iat")),
        (json!({"iat": "now"}), BadSet::Lacks("iat")),
        (json!({"iat": -1}), BadSet::Lacks("iat")),
        (json!({"iat": 1e300}), BadSet::Lacks("iat")),
        (json!({"aud": null}), BadSet::Lacks("aud")),
        (json!({"aud": []}), BadSet::Lacks("aud")),
        (json!({"aud": [1]}), BadSet::Lacks("aud")),
        (json!({"toe": "then"}), BadSet::Lacks("toe")),
        (json!({"sub_id": null}), BadSet::Lacks("sub_id")),
        (json!({"sub_id": "carol"}), BadSet::Lacks("sub_id")),
        (json!({"sub_id": {}}), BadSet::Lacks("sub_id")),
        (json!({"sub_id": {"format": "iss_sub", "iss": "https://issuer.example"}}), BadSet::Lacks("sub_id")),
        (json!({"sub_id": {"format": "account", "uri": "https://not.acct"}}), BadSet::Lacks("sub_id")),
        (json!({"sub_id": {"format": "aliases", "identifiers": []}}), BadSet::Lacks("sub_id")),
        (
            json!({"sub_id": {"format": "aliases", "identifiers": [{"format": "aliases", "identifiers": []}]}}),
            BadSet::Lacks("sub_id"),
        ),
        (json!({"sub_id": {"format": "complex"}}), BadSet::Lacks("sub_id")),
        (json!({"sub_id": {"format": "complex", "user": "carol"}}), BadSet::Lacks("sub_id")),
        (json!({"events": null}), BadSet::Lacks("events")),
        (json!({"events": {}}), BadSet::Lacks("events")),
        (json!({"events": {"x": 1}}), BadSet::Lacks("events")),
        (
            json!({"events": (0..9).map(|n| (n.to_string(), json!({}))).collect::<serde_json::Map<_, _>>()}),
            BadSet::TooManyEvents,
        ),
    ];
    for (other, why) in cases {
        assert_eq!(read(&but(other.clone())), Err(why), "{other}");
    }
    let claims = revoked().to_string();
    for header in [r#"{"alg":"ES256"}"#, r#"{"alg":"ES256","typ":"JWT"}"#, r#"{"alg":"ES256","typ":"logout+jwt"}"#] {
        assert_eq!(Set::parse(&encoded(header, &claims)), Err(BadSet::Type), "{header}");
    }
    assert!(Set::parse(&encoded(r#"{"alg":"ES256","typ":"application/secevent+JWT"}"#, &claims)).is_ok());
    let twice = claims.replacen("\"jti\"", "\"jti\":\"other\",\"jti\"", 1);
    assert_eq!(Set::parse(&encoded(HEADER, &twice)), Err(BadSet::Token(BadToken::NotAnObject)));
    let giant = but(json!({"more": "x".repeat(20_000)}));
    assert_eq!(read(&giant), Err(BadSet::Token(BadToken::TooLong)));
}

#[test]
fn events_are_what_their_standards_call_them() {
    let of = |kind: &str, fields| event(kind, fields).unwrap();
    assert_eq!(of("risc/event-type/sessions-revoked", json!({})), What::SessionsRevoked);
    assert_eq!(of("risc/event-type/account-disabled", json!({"reason": "hijacking"})), What::AccountDisabled);
    assert_eq!(of("risc/event-type/account-purged", json!({})), What::AccountPurged);
    assert_eq!(of("risc/event-type/account-enabled", json!({})), What::AccountEnabled);
    assert_eq!(
        of("risc/event-type/credential-compromise", json!({"credential_type": "password"})),
        What::CredentialCompromise
    );
    assert_eq!(of("risc/event-type/account-credential-change-required", json!({})), What::CredentialChangeRequired);
    let change =
        |word: &str| of("caep/event-type/credential-change", json!({"credential_type": "pin", "change_type": word}));
    assert_eq!(change("revoke"), What::CredentialChange(CredentialChange::Revoked));
    assert_eq!(change("delete"), What::CredentialChange(CredentialChange::Deleted));
    assert_eq!(change("create"), What::CredentialChange(CredentialChange::Created));
    assert_eq!(change("update"), What::CredentialChange(CredentialChange::Updated));
    let level = json!({"namespace": "NIST-AAL", "current_level": "nist-aal2", "previous_level": "nist-aal1"});
    let said = What::AssuranceLevel { namespace: Some("NIST-AAL".into()), level: "nist-aal2".into() };
    assert_eq!(of("caep/event-type/assurance-level-change", level), said);
    let device = json!({"previous_status": "compliant", "current_status": "not-compliant"});
    assert_eq!(
        of("caep/event-type/device-compliance-change", device),
        What::DeviceCompliance(Compliance::NotCompliant)
    );
    let risk =
        |of: &str| json!({"principal": of, "current_level": "HIGH", "risk_reason": "PASSWORD_FOUND_IN_DATA_BREACH"});
    let said = |of| What::RiskLevel { of, level: Risk::High };
    assert_eq!(of("caep/event-type/risk-level-change", risk("USER")), said(RiskOf::Person));
    assert_eq!(of("caep/event-type/risk-level-change", risk("TENANT")), said(RiskOf::Many));
    let said = What::Verification { state: Some("VGhpcyBpcw==".into()) };
    assert_eq!(of("ssf/event-type/verification", json!({"state": "VGhpcyBpcw=="})), said);
    for name in ["ssf", "sse"] {
        assert_eq!(of(&format!("{name}/event-type/verification"), json!({})), What::Verification { state: None });
    }
    for (word, state) in [("enabled", Stream::Enabled), ("paused", Stream::Paused), ("disabled", Stream::Disabled)] {
        assert_eq!(of("ssf/event-type/stream-updated", json!({"status": word})), What::StreamUpdated(state));
    }
    // What isn't known is passed over, whatever it says.
    assert_eq!(of("caep/event-type/session-presented", json!({"event_timestamp": "x"})), What::Other);
    for (kind, fields) in [
        ("caep/event-type/credential-change", json!({})),
        ("caep/event-type/credential-change", json!({"change_type": "explode"})),
        ("caep/event-type/device-compliance-change", json!({"current_status": "perhaps"})),
        ("caep/event-type/risk-level-change", json!({"principal": "USER", "current_level": "extreme"})),
        ("caep/event-type/risk-level-change", json!({"current_level": "LOW"})),
        ("caep/event-type/assurance-level-change", json!({"current_level": 2})),
        ("caep/event-type/session-revoked", json!({"event_timestamp": "yesterday"})),
        ("ssf/event-type/verification", json!({"state": 7})),
        ("ssf/event-type/stream-updated", json!({"status": "gone"})),
    ] {
        assert!(matches!(event(kind, fields.clone()), Err(BadSet::Event { .. })), "{kind} {fields}");
    }
}

#[test]
fn a_complex_subject_is_a_user_with_a_session_and_a_device() {
    let complex = json!({
        "format": "complex", "user": {"format": "email", "email": "carol@corp.example"},
        "session": {"format": "opaque", "id": "s1"}, "device": {"format": "opaque", "id": "laptop"},
    });
    let set = read(&but(json!({"sub_id": complex.clone()}))).unwrap();
    assert_eq!(set.subject.person(), Some(&Identifier::Email("carol@corp.example".into())));
    assert_eq!(set.subject.device(), Some(&Identifier::Opaque("laptop".into())));
    // As before the last drafts: without a format of its own.
    let mut older = complex;
    older.as_object_mut().unwrap().remove("format");
    assert_eq!(read(&but(json!({"sub_id": older}))).unwrap().subject, set.subject);
    let device = json!({"format": "complex", "device": {"format": "opaque", "id": "laptop"}});
    let Subject::Complex { user, .. } = read(&but(json!({"sub_id": device}))).unwrap().subject else { panic!() };
    assert_eq!(user, None);
}

#[test]
fn a_transmitter_is_asked_and_told() {
    let asked = Asked {
        acks: ["one".to_owned()].into(),
        refused: [("two".to_owned(), Refused { err: "invalid_key", description: "no".into() })].into(),
    };
    assert_eq!(
        asked.body(),
        json!({
            "maxEvents": 20, "returnImmediately": true, "ack": ["one"],
            "setErrs": {"two": {"err": "invalid_key", "description": "no"}},
        })
    );
    let answered = Answered::read(&json!({"sets": {"one": "a.b.c"}, "moreAvailable": true})).unwrap();
    assert_eq!((answered.sets.len(), answered.more), (1, More::Waiting));
    assert_eq!(Answered::read(&json!({})), Ok(Answered::default()));
    let many: serde_json::Map<String, Value> = (0..21).map(|n| (n.to_string(), json!("a.b.c"))).collect();
    for bad in [
        json!({"sets": []}),
        json!({"sets": {"one": 1}}),
        json!({"sets": {"": "a.b.c"}}),
        json!({"sets": {"one": "x".repeat(20_000)}}),
        json!({"sets": many}),
        json!({"moreAvailable": "yes"}),
    ] {
        assert!(Answered::read(&bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn whatever_comes_is_read_or_refused(
        field in "sub|exp|iss|jti|iat|aud|sub_id|events|toe|x",
        text in "[ -~]{0,40}",
        number in any::<f64>(),
        which in 0..4,
    ) {
        let value = match which {
            0 => json!(text),
            1 => json!(number),
            2 => json!({"format": text, "iss": text, "sub": text}),
            _ => json!({format!("{BASE}caep/event-type/{text}"): {"event_timestamp": number, "change_type": text}}),
        };
        if let Ok(set) = read(&but(json!({field.clone(): value}))) {
            prop_assert!(!set.events.is_empty() && !set.jti.is_empty() && !set.audiences.is_empty());
            prop_assert!(field != "sub" && field != "exp");
            prop_assert!(set.events.iter().all(|e| (0..=253_402_300_799_000_000).contains(&e.at_us)));
        }
    }
}
