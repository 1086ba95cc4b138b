//! API tokens.

use daypass_app::{
    ProblemKind,
    changes::Proposal,
    tokens::{TOKEN_LASTS, TokenInput, TokenMade},
};
use daypass_domain::Span;
use daypass_ports::{
    rows::{Token, TokenScope},
    secret::Secret,
};

use crate::world::{World, name};

fn input(scopes: &[TokenScope], lasts: Option<Span>) -> TokenInput {
    TokenInput { workload: None, scopes: scopes.iter().copied().collect(), lasts }
}

async fn made(world: &World, who: &str, input: TokenInput) -> (Token, Secret) {
    let actor = world.actor(who).await;
    match world.app.make_token(&actor, input).await.unwrap() {
        TokenMade::Live { token, secret } => (*token, secret),
        TokenMade::Change(proposed) => panic!("{proposed:?}"),
    }
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say_until_it_expires() {
    let world = World::new().await;
    let (token, secret) = made(&world, "alice", input(&[TokenScope::Read], None)).await;
    assert!(secret.expose().starts_with("dpt_"));
    assert_eq!(token.expires, world.app.now() + TOKEN_LASTS);
    let caller = world.app.authenticate(secret.expose()).await.unwrap();
    assert!(caller.acting(TokenScope::Read).is_ok());
    for scope in [TokenScope::Request, TokenScope::Administer] {
        assert_eq!(caller.acting(scope).unwrap_err().code, "token_scope");
    }
    world.later(TOKEN_LASTS);
    assert_eq!(world.app.authenticate(secret.expose()).await.unwrap_err().kind, ProblemKind::Unauthenticated);
}

#[tokio::test]
async fn a_token_is_for_something_and_not_for_long() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    for (bad, code) in [
        (input(&[], None), "no_scopes"),
        (input(&[TokenScope::Read], Some(Span::from_mins(91 * 24 * 60))), "bad_lifetime"),
        (input(&[TokenScope::Read], Some(Span::ZERO)), "bad_lifetime"),
    ] {
        assert_eq!(world.app.make_token(&alice, bad).await.unwrap_err().code, code);
    }
}

#[tokio::test]
async fn a_token_makes_no_tokens_and_does_nothing_that_takes_a_person() {
    let world = World::new().await;
    let all = [TokenScope::Read, TokenScope::Request, TokenScope::Administer];
    let (_, secret) = made(&world, "alice", input(&all, None)).await;
    let caller = world.app.authenticate(secret.expose()).await.unwrap();
    let actor = caller.acting(TokenScope::Administer).unwrap();
    let problem = world.app.make_token(actor, input(&[TokenScope::Read], None)).await.unwrap_err();
    assert_eq!(problem.code, "tokens_make_no_tokens");
    let password = || crate::world::secret(crate::world::PASSWORD);
    assert_eq!(world.app.enrol_totp(&caller, password()).await.unwrap_err().code, "needs_sign_in");
    assert_eq!(world.app.change_password(&caller, password(), password()).await.unwrap_err().code, "needs_sign_in");
    assert_eq!(world.app.sign_out(&caller).await.unwrap_err().code, "needs_sign_in");
}

#[tokio::test]
async fn tokens_are_listed_and_revoked_by_their_owner_or_an_administrator() {
    let world = World::new().await;
    world.user("carol").await;
    world.user("dave").await;
    let (alice, carol, dave) = (world.actor("alice").await, world.actor("carol").await, world.actor("dave").await);
    let (first, first_secret) = made(&world, "carol", input(&[TokenScope::Read], None)).await;
    let (second, second_secret) = made(&world, "carol", input(&[TokenScope::Read], None)).await;
    assert_eq!(world.app.tokens(&carol, None).await.unwrap().len(), 2);
    assert!(world.app.tokens(&dave, None).await.unwrap().is_empty());
    assert_eq!(world.app.revoke_token(&dave, first.id).await.unwrap_err().kind, ProblemKind::NotFound);
    world.app.revoke_token(&carol, first.id).await.unwrap();
    assert!(world.app.authenticate(first_secret.expose()).await.is_err());
    assert!(world.app.authenticate(second_secret.expose()).await.is_ok());
    world.app.revoke_token(&alice, second.id).await.unwrap();
    assert!(world.app.authenticate(second_secret.expose()).await.is_err());
    assert_eq!(world.app.revoke_token(&alice, second.id).await.unwrap_err().kind, ProblemKind::NotFound);
}

#[tokio::test]
async fn a_workloads_tokens_die_with_its_owner() {
    let world = World::new().await;
    world.user("carol").await;
    let (alice, carol) = (world.actor("alice").await, world.actor("carol").await);
    world.app.propose(&alice, Proposal::CreateWorkload { name: name("bot"), owner: name("carol") }).await.unwrap();
    let for_bot = TokenInput { workload: Some(name("bot")), ..input(&[TokenScope::Request], None) };
    let (_, secret) = made(&world, "carol", for_bot).await;
    assert!(world.app.authenticate(secret.expose()).await.is_ok());
    let bot = name("bot");
    assert_eq!(world.app.tokens(&carol, Some(&bot)).await.unwrap().len(), 1);
    assert_eq!(world.app.tokens(&alice, Some(&bot)).await.unwrap().len(), 1);
    world.app.disable(&alice, &name("carol")).await.unwrap();
    assert!(world.app.authenticate(secret.expose()).await.is_err());
    let for_bot = TokenInput { workload: Some(name("bot")), ..input(&[TokenScope::Request], None) };
    let problem = world.app.make_token(&alice, for_bot).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::NotFound, "nobody answers for it now");
    world.app.propose(&alice, Proposal::Enable { principal: name("carol") }).await.unwrap();
    assert!(world.app.authenticate(secret.expose()).await.is_err(), "enabling brings no token back");
}
