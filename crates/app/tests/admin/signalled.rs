//! What a signal takes from whom it is about: sign-ins, grants, credentials, the account; and who comes in after it.

use daypass_app::{
    changes::Proposal,
    signals::Reception,
    signin::{Caller, Freshness, SIGN_IN_PREFIX, code_for},
    tokens::{TokenInput, TokenMade},
};
use daypass_domain::{
    Digest, GrantId, PayloadId, SessionId, SignInId, Span,
    end::EndCause,
    principal::{SecondFactor, Standing},
    session::{Session, SessionState},
    signals::Grants,
};
use daypass_ports::{
    authority::{Authority as _, Door},
    rows::{KeptBy, SignIn, SignInWord, TokenScope, Way},
};
use daypass_testkit::transmitter::EVENTS;
use serde_json::{Value, json};

use crate::{
    signals::{House, PROVIDER, REVOKED},
    world::{PASSWORD, here, name, secret},
};

const CREDENTIAL: &str = "caep/event-type/credential-change";
const DISABLED: &str = "risc/event-type/account-disabled";
const ENABLED: &str = "risc/event-type/account-enabled";

fn signalled() -> EndCause {
    EndCause::Signalled { transmitter: name("okta") }
}

/// A password is revoked.
fn revoked() -> Value {
    json!({"credential_type": "password", "change_type": "revoke"})
}

impl House {
    /// Somebody is in by the provider, in a session of that name there, and showed no second factor: as whoever has their
    /// password there comes in. The secret.
    async fn by_provider(&self, who: &str, called: &str) -> String {
        let secret = format!("{SIGN_IN_PREFIX}{called}");
        let (now, hash) = (self.world.app.now(), Digest::of(secret.as_bytes()));
        let subject = Digest::of_value("provider subject", &(PROVIDER, who));
        let session = Some(Digest::of_value("provider session", &(PROVIDER, called)));
        let sign_in = SignIn {
            id: SignInId::new(now, hash.bytes()[..10].try_into().unwrap()),
            principal: self.id(who).await,
            hash,
            kept_by: KeptBy::Program,
            second_factor: SecondFactor::NotShown,
            since: now,
            expires: now + Span::from_mins(60),
            word: SignInWord::Provider { provider: name("corp"), subject, session },
        };
        self.has("signin.made", &sign_in).await;
        secret
    }

    /// Somebody connects.
    async fn opens(&self, who: &str, grant: GrantId, nth: u8) {
        let since = self.world.app.now();
        let session = Session {
            id: SessionId::new(since, [nth; 10]),
            grant,
            principal: self.id(who).await,
            recording: PayloadId::new(since, [nth; 10]),
            state: SessionState::Open { since },
        };
        self.has("session.opened", &session).await;
    }

    async fn comes_in(&self, secret: &str) -> Caller {
        self.world.app.authenticate(secret).await.unwrap()
    }

    async fn is_out(&self, secret: &str) -> bool {
        self.world.app.authenticate(secret).await.is_err()
    }

    async fn is_barred(&self, who: &str) -> bool {
        matches!(self.world.app.door(who).await.unwrap(), Door::Mock { .. })
    }
}

#[tokio::test]
async fn revoked_sessions_end_sign_ins_and_grants_of_that_person_and_of_nobody_else() {
    let house = House::new(Grants::End).await;
    let (carol, dave) = (house.world.sign_in("carol").await, house.world.sign_in("dave").await);
    let (of_carol, of_dave) = (house.world.grant("carol").await, house.world.grant("dave").await);
    house.says("carol", REVOKED, json!({"event_timestamp": house.now(), "initiating_entity": "admin"})).await;
    assert!(house.world.app.authenticate(carol.token.expose()).await.is_err());
    assert!(house.world.app.authenticate(dave.token.expose()).await.is_ok());
    assert_eq!(house.cause(of_carol).await, signalled());
    assert!(house.is_live(of_dave).await);
    assert_eq!(house.last().await, "sessions_ended");
    // Nobody is disabled by it: whoever signs in again is in.
    house.world.sign_in("carol").await;
}

#[tokio::test]
async fn grants_go_on_where_that_was_declared_and_the_sessions_that_were_open_are_cut_once() {
    let house = House::new(Grants::Keep).await;
    let world = &house.world;
    let carol = world.sign_in("carol").await;
    let grant = world.grant("carol").await;
    let happened = house.now();
    house.opens("carol", grant, 1).await;
    world.later(Span::from_mins(2));
    house.opens("carol", grant, 2).await;
    house.says("carol", REVOKED, json!({"event_timestamp": happened})).await;
    assert!(world.app.authenticate(carol.token.expose()).await.is_err());
    assert!(house.is_live(grant).await);
    assert_eq!(world.count("session.killed").await, 1, "the one that was open then");
}

#[tokio::test]
async fn a_signal_counts_once_and_ends_nothing_that_began_after_it() {
    let house = House::new(Grants::End).await;
    let token = house.transmitter.token(&house.claims("carol", REVOKED, json!({})));
    assert_eq!(house.send(&token).await, Reception::Taken);
    let entries = house.world.count("signal.received").await;
    let carol = house.world.sign_in("carol").await;
    // The same again, as a transmitter sends that heard no answer.
    assert_eq!(house.send(&token).await, Reception::Taken);
    assert_eq!(house.world.count("signal.received").await, entries);
    // Another one, of what happened before she signed in.
    house.world.later(Span::from_mins(30));
    let happened = house.now() - 3_600;
    house.says("carol", REVOKED, json!({"event_timestamp": happened})).await;
    assert!(house.world.app.authenticate(carol.token.expose()).await.is_ok());
    assert_eq!(house.received().await.len(), 2);
}

#[tokio::test]
async fn a_session_that_is_named_alone_means_who_is_in_by_it() {
    let house = House::new(Grants::End).await;
    let (hers, more) = (house.by_provider("carol", "hers").await, house.world.sign_in("carol").await);
    let dave = house.by_provider("dave", "his").await;
    for (session, outcome) in [("nobodys", "unmatched"), ("hers", "sessions_ended")] {
        assert!(!house.is_out(&hers).await);
        let mut claims = house.claims("", REVOKED, json!({}));
        claims["sub_id"] = json!({"format": "complex", "session": {"format": "opaque", "id": session}});
        assert_eq!(house.send(&house.transmitter.token(&claims)).await, Reception::Taken);
        assert_eq!(house.last().await, outcome);
    }
    assert!(house.is_out(&hers).await && house.is_out(more.token.expose()).await, "all of hers");
    assert!(!house.is_out(&dave).await);
}

#[tokio::test]
async fn of_several_events_in_one_token_the_time_of_the_last_counts() {
    let house = House::new(Grants::End).await;
    let carol = house.world.sign_in("carol").await;
    house.world.later(Span::from_mins(30));
    let mut claims = house.claims("carol", REVOKED, json!({"event_timestamp": house.now() - 3_600}));
    claims["events"][format!("{EVENTS}risc/event-type/sessions-revoked")] = json!({});
    assert_eq!(house.send(&house.transmitter.token(&claims)).await, Reception::Taken);
    assert!(house.is_out(carol.token.expose()).await);
}

#[tokio::test]
async fn a_revoked_credential_takes_tokens_too_and_asks_for_a_second_factor() {
    let house = House::new(Grants::End).await;
    let world = &house.world;
    let carol = world.actor("carol").await;
    let input = TokenInput { workload: None, scopes: [TokenScope::Read].into(), lasts: None };
    let TokenMade::Live { secret: token, .. } = world.app.make_token(&carol, input).await.unwrap() else { panic!() };
    for (change, ends) in [("create", false), ("update", false), ("revoke", true)] {
        let sign_in = world.sign_in("carol").await;
        let mut fields = revoked();
        fields["change_type"] = json!(change);
        house.says("carol", CREDENTIAL, fields).await;
        for bearer in [&sign_in.token, &token] {
            assert_eq!(world.app.authenticate(bearer.expose()).await.is_err(), ends, "{change}");
        }
    }
    assert_eq!(house.last().await, "credentials_ended");
    // Whoever comes in now looks, and does nothing, until a second factor was shown or enrolled.
    let signed_in = world.sign_in("carol").await;
    let barred = world.app.authenticate(signed_in.token.expose()).await.unwrap();
    assert!(barred.acting(TokenScope::Read).is_ok());
    assert_eq!(barred.acting(TokenScope::Request).unwrap_err().code, "second_factor_reset");
    world.passkey(&barred, "laptop").await;
    let after = world.app.authenticate(signed_in.token.expose()).await.unwrap();
    assert!(after.acting(TokenScope::Request).is_ok());
}

#[tokio::test]
async fn whoever_came_in_by_it_is_out_when_its_owner_enrols_a_second_factor() {
    let house = House::new(Grants::End).await;
    let world = &house.world;
    house.says("carol", CREDENTIAL, revoked()).await;
    let (thief, owner) = (world.sign_in("carol").await, world.sign_in("carol").await);
    assert_eq!(thief.connection_secret.expose(), owner.connection_secret.expose(), "one a principal");
    assert!(house.is_barred("carol").await);
    world.passkey(&house.comes_in(owner.token.expose()).await, "laptop").await;
    assert!(house.is_out(thief.token.expose()).await);
    assert!(house.is_barred("carol").await, "what the thief was given opens nothing");
    let given = world.app.connection_secret(&house.comes_in(owner.token.expose()).await).await.unwrap();
    assert_ne!(given.secret.expose(), thief.connection_secret.expose());
    assert!(!house.is_barred("carol").await);
    // The same by an authenticator.
    house.says("dave", CREDENTIAL, revoked()).await;
    let (thief, owner) = (world.sign_in("dave").await, world.sign_in("dave").await);
    let caller = house.comes_in(owner.token.expose()).await;
    let begun = world.app.enrol_totp(&caller, secret(PASSWORD)).await.unwrap();
    let code = code_for(begun.secret.expose(), world.app.now()).unwrap();
    world.app.confirm_totp(&caller, &code, here()).await.unwrap();
    assert!(house.is_out(thief.token.expose()).await && house.is_barred("dave").await);
    assert!(house.comes_in(owner.token.expose()).await.acting(TokenScope::Request).is_ok());
}

#[tokio::test]
async fn whoever_shows_the_second_factor_that_they_have_is_in_and_nobody_else_by_it() {
    let house = House::new(Grants::End).await;
    let world = &house.world;
    let mut key = world.passkey(&world.caller("carol").await, "laptop").await;
    house.says("carol", CREDENTIAL, revoked()).await;
    let (hers, stolen) = (house.by_provider("carol", "hers").await, house.by_provider("carol", "stolen").await);
    let caller = house.comes_in(&hers).await;
    assert_eq!(caller.acting(TokenScope::Request).unwrap_err().code, "second_factor_reset");
    let needed = world.app.freshness(caller.acting(TokenScope::Read).unwrap()).await.unwrap();
    assert_eq!(needed, Freshness::Needed([Way::Passkey].into()));
    world.show(&caller, &mut key).await.unwrap();
    assert!(house.comes_in(&hers).await.acting(TokenScope::Request).is_ok(), "the bar is gone");
    assert!(house.is_out(&stolen).await);
    // It is told late of another one: whoever showed a factor since stays, unbarred, and nobody else.
    let happened = house.now();
    world.later(Span::from_mins(10));
    let proven = house.by_provider("carol", "proven").await;
    let caller = house.comes_in(&proven).await;
    let before = world.app.connection_secret(&caller).await.unwrap();
    world.show(&caller, &mut key).await.unwrap();
    let without = house.by_provider("carol", "without").await;
    let mut late = revoked();
    late["event_timestamp"] = json!(happened);
    house.says("carol", CREDENTIAL, late).await;
    assert!(house.is_out(&hers).await && house.is_out(&without).await);
    let caller = house.comes_in(&proven).await;
    assert!(caller.acting(TokenScope::Request).is_ok());
    let after = world.app.connection_secret(&caller).await.unwrap();
    assert_ne!(after.secret.expose(), before.secret.expose(), "those who are out knew it too");
}

#[tokio::test]
async fn an_account_is_disabled_and_never_enabled_by_a_signal() {
    let house = House::new(Grants::Keep).await;
    let world = &house.world;
    let carol = world.sign_in("carol").await;
    let grant = world.grant("carol").await;
    let id = house.id("carol").await;
    house.says("carol", DISABLED, json!({"reason": "hijacking"})).await;
    let standing = world.app.principal_named("carol").await.unwrap().value.standing;
    assert!(matches!(&standing, Standing::DisabledBySignal { transmitter, .. } if *transmitter == name("okta")));
    assert_eq!(house.cause(grant).await, EndCause::Disabled { principal: id });
    assert!(world.app.authenticate(carol.token.expose()).await.is_err());
    assert_eq!(world.count("principal.disabled").await, 1);
    // What gives isn't for a signal.
    house.says("carol", ENABLED, json!({})).await;
    assert_eq!(world.app.principal_named("carol").await.unwrap().value.standing, standing);
    assert_eq!(house.last().await, "nothing_to_do");
    // An administrator lets her act again.
    let alice = world.actor("alice").await;
    world.app.propose(&alice, Proposal::Enable { principal: name("carol") }).await.unwrap();
    world.sign_in("carol").await;
}

#[tokio::test]
async fn the_last_administrator_stays_and_is_out() {
    let house = House::new(Grants::End).await;
    let alice = house.world.sign_in("alice").await;
    house.says("alice", DISABLED, json!({})).await;
    assert!(house.is_out(alice.token.expose()).await);
    assert!(house.world.app.principal_named("alice").await.unwrap().value.is_active());
    // As after a credential that was revoked: she can only look, until she has a second factor.
    let again = house.world.sign_in("alice").await;
    let caller = house.comes_in(again.token.expose()).await;
    assert_eq!(caller.acting(TokenScope::Administer).unwrap_err().code, "second_factor_reset");
    let mut key = house.world.passkey(&caller, "laptop").await;
    let alice = house.world.show(&caller, &mut key).await.unwrap();
    let last = house.world.app.signals_of(&alice, &name("okta")).await.unwrap().pop().unwrap();
    assert_eq!(last.outcome, "spared");
}
