//! Signals of a transmitter that was declared: who is out, who is disabled, what policy reads; and what is refused.

use std::sync::atomic::{AtomicU64, Ordering};

use daypass_app::{
    ProblemKind,
    changes::{Handed, Mode, Outcome, Proposal},
    request,
    signals::{Bearer, Reception, SignalView},
};
use daypass_domain::{
    Digest, GrantId, Name, PrincipalId, Span,
    end::EndCause,
    grant::GrantState,
    principal::Actor,
    signals::{Delivery, Grants, Transmitter as Declaration},
    trust::IssuerUrl,
};
use daypass_ports::{
    record::{Commit, Entry, RetentionClass, Stored},
    rows::Link,
    signals::StreamState,
    store::Store,
};
use daypass_testkit::transmitter::{AUDIENCE, Signed, Transmitter};
use serde_json::{Value, json};

use crate::world::{World, asking, here, name, pending};

pub const PROVIDER: &str = "https://login.corp.example";
pub const REVOKED: &str = "caep/event-type/session-revoked";
const RISK: &str = "caep/event-type/risk-level-change";
const DEVICE: &str = "caep/event-type/device-compliance-change";
const VERIFICATION: &str = "ssf/event-type/verification";

/// An installation with a transmitter that is heard.
pub struct House {
    pub world: World,
    pub transmitter: Transmitter,
    bearer: String,
    next: AtomicU64,
}

fn declaration(issuer: &str, grants: Grants) -> Declaration {
    Declaration {
        issuer: issuer.to_owned(),
        jwks: None,
        algorithms: ["ES256".to_owned()].into(),
        authorities: None,
        audience: AUDIENCE.to_owned(),
        delivery: Delivery::Push,
        stream: Some("stream-1".to_owned()),
        credential: None,
        provider: Some(name("corp")),
        directory: None,
        grants,
    }
}

fn declare(issuer: &str, grants: Grants) -> Proposal {
    let transmitter = Box::new(declaration(issuer, grants));
    Proposal::DeclareTransmitter { name: name("okta"), transmitter, bearer: Bearer::Kept }
}

impl House {
    /// Alice administers; carol and dave sign in by the provider as subjects of their names; a transmitter speaks of both.
    pub async fn new(grants: Grants) -> Self {
        let world = World::new().await;
        world.lab().await;
        let alice = world.actor("alice").await;
        let trust = format!("[provider.corp]\nissuer = '{PROVIDER}'\nclient_id = 'daypass'\n");
        world.app.apply_trust(&alice, "trust.toml", &trust, Mode::Apply).await.unwrap();
        for who in ["carol", "dave"] {
            world.user(who).await;
        }
        let transmitter = Transmitter::start();
        let declared = world.app.propose(&alice, declare(&transmitter.issuer, grants)).await.unwrap();
        let Handed::Token(bearer) = declared.handed else { panic!("{declared:?}") };
        let house = Self { world, transmitter, bearer: bearer.expose().to_owned(), next: AtomicU64::new(0) };
        for who in ["alice", "carol", "dave"] {
            house.link(who, who).await;
        }
        house
    }

    /// As if they had signed in by the provider once.
    async fn link(&self, who: &str, subject: &str) {
        let subject = Digest::of_value("provider subject", &(PROVIDER, subject));
        let issuer = PROVIDER.parse::<IssuerUrl>().unwrap().digest();
        self.has("principal.linked", &Link { subject, issuer, principal: self.id(who).await }).await;
    }

    /// A row is as if a use case had made it.
    pub async fn has<T: Stored>(&self, event: &'static str, row: &T) {
        let mut commit = Commit::default();
        commit.put(row);
        let (region, retention) = (name("local"), RetentionClass::Administration);
        let (ids, parts) = (Vec::new(), Vec::new());
        commit.entry(Entry { event, ids, region, retention, parts });
        self.world.store.append(commit).await.unwrap();
    }

    pub async fn id(&self, who: &str) -> PrincipalId {
        self.world.app.principal_named(who).await.unwrap().value.id
    }

    pub fn now(&self) -> i64 {
        self.world.app.time().micros() / 1_000_000
    }

    pub fn claims(&self, who: &str, event: &str, fields: Value) -> Value {
        let jti = format!("jti-{}", self.next.fetch_add(1, Ordering::Relaxed));
        let subject = json!({"format": "iss_sub", "iss": PROVIDER, "sub": who});
        self.transmitter.claims(self.now(), &jti, subject, event, fields)
    }

    pub async fn send(&self, token: &str) -> Reception {
        // Signals are shown in the order in which they came, by the millisecond.
        self.world.later(Span::from_micros(1_000));
        self.world.app.signal_sent("okta", &self.bearer, token, here()).await.unwrap()
    }

    /// It must be taken.
    pub async fn says(&self, who: &str, event: &str, fields: Value) {
        let token = self.transmitter.token(&self.claims(who, event, fields));
        assert_eq!(self.send(&token).await, Reception::Taken, "{event}");
    }

    pub async fn received(&self) -> Vec<SignalView> {
        let alice = self.world.actor("alice").await;
        self.world.app.signals_of(&alice, &name("okta")).await.unwrap()
    }

    pub async fn last(&self) -> &'static str {
        self.received().await.last().unwrap().outcome
    }

    pub async fn cause(&self, grant: GrantId) -> EndCause {
        match self.world.grant_row(grant).await.state {
            GrantState::Ending { cause, .. } | GrantState::Ended { cause, .. } => cause,
            live @ (GrantState::Scheduled { .. } | GrantState::Active { .. }) => panic!("{live:?}"),
        }
    }

    pub async fn is_live(&self, grant: GrantId) -> bool {
        matches!(self.world.grant_row(grant).await.state, GrantState::Active { .. })
    }
}

/// A policy set under which the lab is for those who are no high risk, with a device that complies.
fn guarded() -> Proposal {
    let mut files = daypass_policy::starter_files();
    let risky = r#"@id("no-high-risk") @why("a high risk gets in nowhere") forbid (principal, action == Action::"use", resource)
        when { context.now has risk_level && context.now.risk_level == Risk::"high" };
        @id("no-bad-device") forbid (principal, action == Action::"use", resource)
        when { context.now has device_compliance && context.now.device_compliance == Compliance::"not_compliant" };"#;
    files.insert("risk.cedar".into(), risky.into());
    Proposal::Policy { files }
}

fn risk(level: &str, at: i64) -> Value {
    json!({"principal": "USER", "current_level": level, "event_timestamp": at})
}

#[tokio::test]
async fn a_risk_ends_what_policy_no_longer_permits_and_an_older_word_changes_nothing() {
    let house = House::new(Grants::End).await;
    let world = &house.world;
    let alice = world.actor("alice").await;
    world.app.propose(&alice, guarded()).await.unwrap();
    let (of_carol, of_dave) = (world.grant("carol").await, world.grant("dave").await);
    let at = house.now();
    house.says("carol", RISK, risk("MEDIUM", at)).await;
    assert!(house.is_live(of_carol).await);
    world.later(Span::from_secs(120));
    house.says("carol", RISK, risk("HIGH", at + 100)).await;
    assert!(matches!(house.cause(of_carol).await, EndCause::FactGone { .. }));
    assert!(house.is_live(of_dave).await);
    // Older, and later on its way: it doesn't count.
    house.says("carol", RISK, risk("LOW", at + 50)).await;
    assert_eq!(house.last().await, "older");
    let carol = world.actor("carol").await;
    let answered = world.app.request(&carol, asking("lab", "readonly")).await.unwrap();
    let request::Outcome::Refused { missing, .. } = &answered.outcome else { panic!("{:?}", answered.outcome) };
    assert!(missing.to_string().contains("a medium (or lower) risk"), "{missing}");
    // Newer: she may again, and nothing was given to her by it.
    house.says("carol", RISK, risk("LOW", at + 110)).await;
    assert_eq!(house.last().await, "heard");
    assert!(!house.is_live(of_carol).await);
    world.grant("carol").await;
    // Of a whole tenant nobody in particular is a risk.
    house.says("carol", RISK, json!({"principal": "TENANT", "current_level": "HIGH"})).await;
    assert_eq!(house.last().await, "nothing_to_do");
}

#[tokio::test]
async fn the_worst_of_several_devices_counts_and_goes_with_its_transmitter() {
    let house = House::new(Grants::End).await;
    let world = &house.world;
    let alice = world.actor("alice").await;
    world.app.propose(&alice, guarded()).await.unwrap();
    let device = async |id: &str, status: &str| {
        let mut claims = house.claims("carol", DEVICE, json!({"current_status": status, "previous_status": "x"}));
        let user = claims["sub_id"].clone();
        claims["sub_id"] = json!({"format": "complex", "user": user, "device": {"format": "opaque", "id": id}});
        assert_eq!(house.send(&house.transmitter.token(&claims)).await, Reception::Taken);
    };
    device("laptop", "compliant").await;
    let grant = world.grant("carol").await;
    device("phone", "not-compliant").await;
    assert!(matches!(house.cause(grant).await, EndCause::FactGone { .. }));
    device("laptop", "compliant").await;
    let carol = world.actor("carol").await;
    let refused = world.app.request(&carol, asking("lab", "readonly")).await.unwrap();
    assert!(matches!(refused.outcome, request::Outcome::Refused { .. }), "{:?}", refused.outcome);
    let removed = world.app.propose(&alice, Proposal::RemoveTransmitter { name: name("okta") }).await.unwrap();
    assert!(removed.plan.iter().any(|line| line.contains("forget what it said of one person")), "{:?}", removed.plan);
    world.grant("carol").await;
    let token = house.transmitter.token(&house.claims("carol", REVOKED, json!({})));
    assert_eq!(err(house.send(&token).await), "authentication_failed", "it is heard no more");
}

#[tokio::test]
async fn whom_nobody_knows_is_kept_and_shown_and_several_are_none() {
    let house = House::new(Grants::End).await;
    let carol = house.world.sign_in("carol").await;
    let of = |subject: Value| {
        let mut claims = house.claims("carol", REVOKED, json!({}));
        claims["sub_id"] = subject;
        house.transmitter.token(&claims)
    };
    let iss_sub = |iss: &str, sub: &str| json!({"format": "iss_sub", "iss": iss, "sub": sub});
    for subject in [
        iss_sub(PROVIDER, "mallory"),
        iss_sub("https://another.example", "carol"),
        iss_sub(&house.transmitter.issuer, "carol"),
        json!({"format": "email", "email": "carol@corp.example"}),
        json!({"format": "opaque", "id": house.id("carol").await.to_string()}),
        json!({"format": "phone_number", "phone_number": "+1"}),
        json!({"format": "complex", "device": {"format": "opaque", "id": "laptop"}}),
    ] {
        assert_eq!(house.send(&of(subject.clone())).await, Reception::Taken, "{subject}");
        let last = house.received().await.pop().unwrap();
        assert_eq!((last.outcome, last.principal), ("unmatched", None), "{subject}");
        assert!(last.subject.is_some(), "{subject}");
    }
    assert!(house.received().await[0].subject.as_deref().unwrap().contains("mallory"));
    let both = json!({"format": "aliases", "identifiers": [iss_sub(PROVIDER, "carol"), iss_sub(PROVIDER, "dave")]});
    assert_eq!(house.send(&of(both)).await, Reception::Taken);
    assert_eq!(house.last().await, "ambiguous");
    assert!(house.world.app.authenticate(carol.token.expose()).await.is_ok(), "nobody is out");
    let same =
        json!({"format": "aliases", "identifiers": [iss_sub(PROVIDER, "carol"), {"format": "email", "email": "x@y"}]});
    assert_eq!(house.send(&of(same)).await, Reception::Taken);
    assert!(house.world.app.authenticate(carol.token.expose()).await.is_err());
}

fn err(reception: Reception) -> &'static str {
    match reception {
        Reception::Refused(why) => {
            assert!(why.description.len() > 10, "{why:?}");
            why.err
        }
        Reception::Taken => panic!("it was taken"),
    }
}

const HEADER: &str = r#"{"alg":"ES256","kid":"one","typ":"secevent+jwt"}"#;

#[tokio::test]
async fn what_is_no_signal_of_the_transmitter_is_refused_and_changes_nothing() {
    let house = House::new(Grants::End).await;
    let carol = house.world.sign_in("carol").await;
    let grant = house.world.grant("carol").await;
    let entries = house.world.events().await.len();
    let now = house.now();
    for (other, why) in [
        (json!({"iss": "https://evil.example"}), "invalid_issuer"),
        (json!({"aud": "https://other.example"}), "invalid_audience"),
        (json!({"aud": null}), "invalid_request"),
        (json!({"exp": now + 300}), "invalid_request"),
        (json!({"sub": "carol"}), "invalid_request"),
        (json!({"jti": null}), "invalid_request"),
        (json!({"sub_id": null}), "invalid_request"),
        (json!({"events": {}}), "invalid_request"),
        (json!({"iat": now + 61}), "invalid_request"),
        (json!({"iat": now - 8 * 86_400}), "invalid_request"),
        (json!({"iat": null}), "invalid_request"),
        (json!({"more": "x".repeat(20_000)}), "invalid_request"),
    ] {
        let mut claims = house.claims("carol", REVOKED, json!({}));
        for (field, value) in other.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(field)),
                value => claims[field] = value.clone(),
            }
        }
        assert_eq!(err(house.send(&house.transmitter.token(&claims)).await), why, "{other}");
    }
    let claims = house.claims("carol", REVOKED, json!({})).to_string();
    let twice = claims.replacen("\"jti\"", "\"jti\":\"other\",\"jti\"", 1);
    for (header, claims, signed, why) in [
        (r#"{"alg":"none","typ":"secevent+jwt"}"#, &claims, Signed::NotAtAll, "invalid_key"),
        (r#"{"alg":"HS256","kid":"one","typ":"secevent+jwt"}"#, &claims, Signed::ByThePublicKey, "invalid_key"),
        (HEADER, &claims, Signed::ByThePublicKey, "invalid_key"),
        (HEADER, &claims, Signed::ByAnother, "invalid_key"),
        (HEADER, &claims, Signed::NotAtAll, "invalid_key"),
        (r#"{"alg":"ES256","kid":"two","typ":"secevent+jwt"}"#, &claims, Signed::Well, "invalid_key"),
        (r#"{"alg":"RS256","kid":"one","typ":"secevent+jwt"}"#, &claims, Signed::Well, "invalid_key"),
        (r#"{"alg":"ES256","kid":"one"}"#, &claims, Signed::Well, "invalid_request"),
        (r#"{"alg":"ES256","kid":"one","typ":"JWT"}"#, &claims, Signed::Well, "invalid_request"),
        (HEADER, &twice, Signed::Well, "invalid_request"),
    ] {
        assert_eq!(err(house.send(&house.transmitter.sign(header, claims, signed)).await), why, "{header} {signed:?}");
    }
    assert_eq!(err(house.send("not.a.token").await), "invalid_request");
    let good = house.transmitter.token(&house.claims("carol", REVOKED, json!({})));
    for (called, bearer) in [("okta", ""), ("okta", "dpv_wrong"), ("nobody", house.bearer.as_str()), ("../okta", "x")] {
        let answered = house.world.app.signal_sent(called, bearer, &good, here()).await.unwrap();
        assert_eq!(err(answered), "authentication_failed", "{called} {bearer}");
    }
    assert_eq!(house.world.events().await.len(), entries, "nothing was done");
    assert!(house.is_live(grant).await && house.world.app.authenticate(carol.token.expose()).await.is_ok());
    let alice = house.world.actor("alice").await;
    let seen = house.world.app.transmitters(&alice).await.unwrap().remove(0);
    assert!(seen.refused.is_some_and(|refused| refused.why.contains("invalid_")), "and it is shown");
}

#[tokio::test]
async fn whoever_guesses_is_slowed_down_and_keeps_no_signal_out() {
    let house = House::new(Grants::End).await;
    let token = house.transmitter.token(&house.claims("carol", REVOKED, json!({})));
    let mut slowed = 0;
    for _ in 0..60 {
        match house.world.app.signal_sent("okta", "dpv_wrong", &token, here()).await {
            Ok(reception) => assert_eq!(err(reception), "authentication_failed"),
            Err(problem) => {
                assert!(matches!(problem.kind, ProblemKind::TooMany { .. }), "{problem}");
                slowed += 1;
            }
        }
    }
    assert!(slowed >= 20, "forty from an address, and more wait: {slowed}");
    assert_eq!(house.send(&token).await, Reception::Taken, "from the same address");
}

#[tokio::test]
async fn what_cannot_be_checked_now_is_taken_when_it_comes_again() {
    let house = House::new(Grants::End).await;
    let alice = house.world.actor("alice").await;
    let declared = |jwks: Option<&str>| {
        let of = declaration(&house.transmitter.issuer, Grants::End);
        let transmitter = Box::new(Declaration { jwks: jwks.map(str::to_owned), ..of });
        Proposal::DeclareTransmitter { name: name("okta"), transmitter, bearer: Bearer::Kept }
    };
    // Nobody listens there.
    house.world.app.propose(&alice, declared(Some("http://127.0.0.1:1/keys"))).await.unwrap();
    let carol = house.world.sign_in("carol").await;
    let token = house.transmitter.token(&house.claims("carol", REVOKED, json!({})));
    let later = house.world.app.signal_sent("okta", &house.bearer, &token, here()).await.unwrap_err();
    assert_eq!((later.kind, later.code), (ProblemKind::Unavailable, "transmitter_away"), "{later}");
    assert!(house.received().await.is_empty() && house.world.app.authenticate(carol.token.expose()).await.is_ok());
    house.world.app.propose(&alice, declared(None)).await.unwrap();
    assert_eq!(house.send(&token).await, Reception::Taken);
    assert!(house.world.app.authenticate(carol.token.expose()).await.is_err());
}

#[tokio::test]
async fn a_verification_says_what_was_given_for_it() {
    let house = House::new(Grants::End).await;
    let stream = |state: Value| {
        let mut claims = house.claims("", VERIFICATION, state);
        claims["sub_id"] = json!({"format": "opaque", "id": "stream-1"});
        house.transmitter.token(&claims)
    };
    assert_eq!(err(house.send(&stream(json!({"state": "made up"}))).await), "invalid_state");
    // Of its own accord, without a state: it is heard, and verifies nothing.
    assert_eq!(house.send(&stream(json!({}))).await, Reception::Taken);
    let alice = house.world.actor("alice").await;
    let seen = house.world.app.transmitters(&alice).await.unwrap().remove(0);
    assert_eq!((seen.verified, seen.signals, seen.state), (None, 1, StreamState::Enabled));
    // What it says of the stream itself is shown.
    let mut paused = house.claims("", "ssf/event-type/stream-updated", json!({"status": "paused"}));
    paused["sub_id"] = json!({"format": "opaque", "id": "stream-1"});
    assert_eq!(house.send(&house.transmitter.token(&paused)).await, Reception::Taken);
    let seen = house.world.app.transmitters(&alice).await.unwrap().remove(0);
    assert_eq!((seen.signals, seen.state, house.last().await), (2, StreamState::Paused, "stream"));
    // This one doesn't offer to be asked; that is said.
    let asked = house.world.app.verify_signals(&alice, &name("okta")).await.unwrap_err();
    assert_eq!((asked.kind, asked.code), (ProblemKind::Unavailable, "transmitter_away"), "{asked}");
}

#[tokio::test]
async fn i12_a_transmitter_is_heard_after_another_administrator_agreed() {
    let world = World::with_two().await;
    let (alice, bob): (Actor, Actor) = (world.actor("alice").await, world.actor("bob").await);
    let trust = format!("[provider.corp]\nissuer = '{PROVIDER}'\nclient_id = 'daypass'\n");
    let proposed = world.app.apply_trust(&alice, "trust.toml", &trust, Mode::Apply).await.unwrap();
    world.app.approve_change(&bob, pending(&proposed)).await.unwrap();
    let transmitter = Transmitter::start();
    let proposed = world.app.propose(&alice, declare(&transmitter.issuer, Grants::End)).await.unwrap();
    let Handed::Token(bearer) = &proposed.handed else { panic!("{proposed:?}") };
    assert!(proposed.plan.iter().any(|line| line.contains("people who sign in by `corp`")), "{:?}", proposed.plan);
    let subject = json!({"format": "iss_sub", "iss": PROVIDER, "sub": "carol"});
    let claims = transmitter.claims(world.app.time().micros() / 1_000_000, "1", subject, REVOKED, json!({}));
    let token = transmitter.token(&claims);
    let send = async || world.app.signal_sent("okta", bearer.expose(), &token, here()).await.unwrap();
    assert_eq!(err(send().await), "authentication_failed", "nobody agreed yet");
    assert!(world.app.approve_change(&alice, pending(&proposed)).await.is_err(), "nor is one's own yes enough");
    world.app.approve_change(&bob, pending(&proposed)).await.unwrap();
    assert_eq!(send().await, Reception::Taken);
    // The same again is nothing to do; another secret is a change, and the first is good until then.
    let again = world.app.propose(&alice, declare(&transmitter.issuer, Grants::End)).await.unwrap();
    assert_eq!(again.outcome, Outcome::NothingToDo);
    let Proposal::DeclareTransmitter { name, transmitter: declared, .. } = declare(&transmitter.issuer, Grants::End)
    else {
        panic!()
    };
    let anew = Proposal::DeclareTransmitter { name, transmitter: declared, bearer: Bearer::New };
    let proposed = world.app.propose(&alice, anew).await.unwrap();
    assert_eq!(send().await, Reception::Taken);
    world.app.approve_change(&bob, pending(&proposed)).await.unwrap();
    assert_eq!(err(send().await), "authentication_failed");
    let Handed::Token(second) = &proposed.handed else { panic!("{proposed:?}") };
    let taken = world.app.signal_sent("okta", second.expose(), &token, here()).await.unwrap();
    assert_eq!(taken, Reception::Taken);
}

#[tokio::test]
async fn a_declaration_that_names_nobody_who_is_there_is_refused() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    let refused = async |declaration: Declaration| {
        let transmitter = Box::new(declaration);
        let proposal = Proposal::DeclareTransmitter { name: name("okta"), transmitter, bearer: Bearer::Kept };
        world.app.propose(&alice, proposal).await.unwrap_err().code
    };
    let of = declaration("https://t.example", Grants::End);
    assert_eq!(refused(of.clone()).await, "unknown_provider");
    let directory: Option<Name> = Some(name("nowhere"));
    assert_eq!(refused(Declaration { provider: None, directory, ..of.clone() }).await, "unknown_directory");
    assert_eq!(refused(Declaration { provider: None, ..of }).await, "bad_transmitter");
}
