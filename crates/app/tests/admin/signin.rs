//! Signing in, second factors, the connection secret.

use daypass_app::{
    ProblemKind,
    signin::{SignInInput, code_for},
};
use daypass_domain::{
    Span, Time,
    principal::{SecondFactor, Via},
};
use daypass_ports::{
    authority::{Authority, Door},
    rows::TokenScope,
};
use daypass_wire::scram::{
    ClientBinding, ClientExchange, ClientSecret, Mechanism, Nonce, ServerBinding, ServerExchange,
};

use crate::world::{PASSWORD, World, here, name, secret, typed};

/// Whether a secret satisfies a door, as the gateway finds out.
fn opens(door: Door, secret: &str) -> bool {
    let (Door::Known { verifier, .. } | Door::Mock { verifier }) = door;
    let server = ServerExchange::new(verifier, Nonce::from_random([1; 18]), ServerBinding::Unavailable);
    let client = ClientSecret::password(secret.as_bytes());
    let (client, first) = ClientExchange::start(client, Nonce::from_random([2; 18]), ClientBinding::Unsupported);
    let (server, challenge) = server.client_first(Mechanism::ScramSha256, &first).unwrap();
    let (_, last) = client.server_first(&challenge).unwrap();
    server.client_final(&last).is_ok()
}

#[tokio::test]
async fn signing_in_gives_a_bearer_and_a_connection_secret_for_twelve_hours() {
    let world = World::new().await;
    let signed_in = world.sign_in("alice").await;
    assert!(signed_in.token.expose().starts_with("dps_"));
    assert_eq!(signed_in.connection_secret.expose().len(), 32);
    let caller = world.app.authenticate(signed_in.token.expose()).await.unwrap();
    assert_eq!(caller.principal(), signed_in.principal);
    assert!(opens(world.app.door("alice").await.unwrap(), signed_in.connection_secret.expose()));
    assert!(!opens(world.app.door("alice").await.unwrap(), "something else"));

    world.later(Span::from_mins(6 * 60));
    let again = world.sign_in("alice").await;
    assert_eq!(again.connection_secret, signed_in.connection_secret, "saved connections go on");
    assert_ne!(again.token, signed_in.token);
    world.later(Span::from_mins(6 * 60));
    let problem = world.app.authenticate(signed_in.token.expose()).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Unauthenticated);
    assert!(opens(world.app.door("alice").await.unwrap(), again.connection_secret.expose()), "extended");
    world.later(Span::from_mins(6 * 60));
    assert!(!opens(world.app.door("alice").await.unwrap(), again.connection_secret.expose()), "lapsed");
    assert_ne!(world.sign_in("alice").await.connection_secret, again.connection_secret, "a new one then");
}

#[tokio::test]
async fn wrong_names_and_wrong_passwords_look_the_same_and_the_ledger_says_neither() {
    let world = World::new().await;
    let wrong = world.try_sign_in("alice", "wrong horse battery staple", None).await.unwrap_err();
    let unknown = world.try_sign_in("nobody", PASSWORD, None).await.unwrap_err();
    let strange = world.try_sign_in(PASSWORD, PASSWORD, None).await.unwrap_err();
    assert_eq!(wrong, unknown);
    assert_eq!(wrong, strange);
    assert_eq!(wrong.kind, ProblemKind::Unauthenticated);
    assert_eq!(world.count("signin.failed").await, 3);
    for bearer in ["", "dps_", "dpt_x", "nonsense", wrong.code] {
        assert!(world.app.authenticate(bearer).await.is_err(), "{bearer}");
    }
}

#[tokio::test]
async fn a_thousand_wrong_passwords_are_ten_guesses() {
    let world = World::new().await;
    let mut tried = 0;
    for _ in 0..1_000 {
        let problem = world.try_sign_in("alice", "wrong horse battery staple", None).await.unwrap_err();
        match problem.kind {
            ProblemKind::TooMany { .. } => assert!(problem.what.contains(" s"), "{problem}"),
            _ => tried += 1,
        }
    }
    assert_eq!(tried, 10);
    assert_eq!(world.count("signin.failed").await, 10, "the ledger can't be filled from outside");
    let refused = world.try_sign_in("alice", PASSWORD, None).await.unwrap_err();
    assert!(matches!(refused.kind, ProblemKind::TooMany { .. }), "{refused}");
    world.later(Span::from_secs(30));
    world.try_sign_in("alice", PASSWORD, None).await.unwrap();
}

#[tokio::test]
async fn signing_out_ends_the_sign_in_and_the_last_one_the_connection_secret() {
    let world = World::new().await;
    let first = world.sign_in("alice").await;
    let second = world.sign_in("alice").await;
    let caller = world.app.authenticate(first.token.expose()).await.unwrap();
    world.app.sign_out(&caller).await.unwrap();
    assert!(world.app.authenticate(first.token.expose()).await.is_err());
    assert!(opens(world.app.door("alice").await.unwrap(), first.connection_secret.expose()));
    let caller = world.app.authenticate(second.token.expose()).await.unwrap();
    world.app.sign_out(&caller).await.unwrap();
    assert!(!opens(world.app.door("alice").await.unwrap(), first.connection_secret.expose()));
}

#[tokio::test]
async fn whoever_may_not_come_in_meets_the_same_mock_each_time() {
    let world = World::new().await;
    for user in ["alice", "nobody", "Not A Name", ""] {
        let (Door::Mock { verifier: first }, Door::Mock { verifier: second }) =
            (world.app.door(user).await.unwrap(), world.app.door(user).await.unwrap())
        else {
            panic!("{user} has no sign-in")
        };
        assert_eq!(first.to_postgres(), second.to_postgres());
    }
}

#[tokio::test]
async fn a_second_factor_is_asked_for_once_enrolled_and_no_code_is_good_twice() {
    let world = World::new().await;
    let caller = world.caller("alice").await;
    let wrong = world.app.enrol_totp(&caller, secret("not the password")).await.unwrap_err();
    assert_eq!(wrong.kind, ProblemKind::Unauthenticated);
    let begun = world.app.enrol_totp(&caller, secret(PASSWORD)).await.unwrap();
    assert!(begun.uri.expose().starts_with("otpauth://totp/Daypass:alice?secret="));
    let code = |world: &World| code_for(begun.secret.expose(), now(world)).unwrap();
    world.try_sign_in("alice", PASSWORD, None).await.unwrap();
    assert!(world.app.confirm_totp(&caller, "000000", here()).await.is_err());
    world.app.confirm_totp(&caller, &code(&world), here()).await.unwrap();
    assert_eq!(world.app.enrol_totp(&caller, secret(PASSWORD)).await.unwrap_err().code, "second_factor_enrolled");

    let missing = world.try_sign_in("alice", PASSWORD, None).await.unwrap_err();
    assert_eq!(missing.kind, ProblemKind::NeedsSecondFactor);
    let reused = world.try_sign_in("alice", PASSWORD, Some(code(&world))).await.unwrap_err();
    assert_eq!(reused.kind, ProblemKind::Unauthenticated, "it was shown when enrolling");
    world.later(Span::from_secs(30));
    let signed_in = world.try_sign_in("alice", PASSWORD, Some(code(&world))).await.unwrap();
    assert_eq!(signed_in.second_factor, SecondFactor::ShownAt { at: now(&world) });
    assert!(world.try_sign_in("alice", PASSWORD, Some(code(&world))).await.is_err(), "used");

    world.later(Span::from_mins(60));
    let caller = world.app.authenticate(signed_in.token.expose()).await.unwrap();
    let actor = world.app.show_second_factor(&caller, &typed(&code(&world)), here()).await.unwrap();
    assert_eq!(actor.via, Via::SignIn { second_factor: SecondFactor::ShownAt { at: now(&world) } });
    let again = world.app.authenticate(signed_in.token.expose()).await.unwrap();
    assert_eq!(again.acting(TokenScope::Read).unwrap(), &actor, "and it is kept");
    assert!(world.app.show_second_factor(&caller, &typed(&code(&world)), here()).await.is_err());
}

#[tokio::test]
async fn showing_a_second_factor_that_is_not_enrolled_is_no_proof() {
    let world = World::new().await;
    let caller = world.caller("alice").await;
    let problem = world.app.show_second_factor(&caller, &typed("123456"), here()).await.unwrap_err();
    assert_eq!(problem.code, "no_second_factor");
    let begun = world.app.enrol_totp(&caller, secret(PASSWORD)).await.unwrap();
    let code = code_for(begun.secret.expose(), now(&world)).unwrap();
    let problem = world.app.show_second_factor(&caller, &typed(&code), here()).await.unwrap_err();
    assert_eq!(problem.code, "no_second_factor", "begun isn't enrolled");
}

#[tokio::test]
async fn a_new_password_needs_the_old_and_ends_other_sign_ins() {
    let world = World::new().await;
    let (here_in, elsewhere) = (world.caller("alice").await, world.sign_in("alice").await);
    let new = || secret("another battery entirely");
    let problem = world.app.change_password(&here_in, secret("wrong old password"), new()).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Unauthenticated);
    let problem = world.app.change_password(&here_in, secret(PASSWORD), secret("short")).await.unwrap_err();
    assert_eq!(problem.code, "bad_password");
    world.app.change_password(&here_in, secret(PASSWORD), new()).await.unwrap();
    assert!(world.app.authenticate(elsewhere.token.expose()).await.is_err());
    assert!(!opens(world.app.door("alice").await.unwrap(), elsewhere.connection_secret.expose()));
    assert!(world.try_sign_in("alice", PASSWORD, None).await.is_err());
    world.try_sign_in("alice", new().expose(), None).await.unwrap();
    assert_eq!(world.count("factor.password_changed").await, 1);
}

#[tokio::test]
async fn a_person_has_twenty_sign_ins_at_most() {
    let world = World::new().await;
    let first = world.sign_in("alice").await;
    for _ in 0..20 {
        world.later(Span::from_secs(1));
        world.sign_in("alice").await;
    }
    assert!(world.app.authenticate(first.token.expose()).await.is_err(), "the oldest went");
}

#[tokio::test]
async fn signing_in_at_once_from_everywhere_works() {
    let world = World::new().await;
    let input = || SignInInput { name: "alice".into(), password: secret(PASSWORD), code: None, peer: here() };
    let (a, b, c) = tokio::join!(world.app.sign_in(input()), world.app.sign_in(input()), world.app.sign_in(input()));
    let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
    assert_eq!(a.connection_secret, b.connection_secret);
    assert_eq!(b.connection_secret, c.connection_secret);
}

#[tokio::test]
async fn a_workload_gets_its_connection_secret_by_its_token() {
    use daypass_app::{
        changes::Proposal,
        tokens::{TokenInput, TokenMade},
    };
    let world = World::new().await;
    let alice = world.actor("alice").await;
    world.app.propose(&alice, Proposal::CreateWorkload { name: name("bot"), owner: name("alice") }).await.unwrap();
    let input =
        |scope| TokenInput { workload: Some(name("bot")), scopes: [scope].into(), lasts: Some(Span::from_mins(60)) };
    let TokenMade::Live { token, secret } = world.app.make_token(&alice, input(TokenScope::Request)).await.unwrap()
    else {
        panic!("alice owns it")
    };
    let caller = world.app.authenticate(secret.expose()).await.unwrap();
    let given = world.app.connection_secret(&caller).await.unwrap();
    assert_eq!(given.user, name("bot"));
    assert_eq!(given.expires, token.expires, "never longer than the token");
    assert!(opens(world.app.door("bot").await.unwrap(), given.secret.expose()));
    let TokenMade::Live { secret: reader, .. } = world.app.make_token(&alice, input(TokenScope::Read)).await.unwrap()
    else {
        panic!("alice owns it")
    };
    let reader = world.app.authenticate(reader.expose()).await.unwrap();
    assert_eq!(world.app.connection_secret(&reader).await.unwrap_err().code, "token_scope");
    world.app.revoke_token(&alice, token.id).await.unwrap();
    assert!(opens(world.app.door("bot").await.unwrap(), given.secret.expose()), "another token is live");
    world.later(Span::from_mins(60));
    assert!(!opens(world.app.door("bot").await.unwrap(), given.secret.expose()));
}

fn now(world: &World) -> Time {
    world.app.now()
}
