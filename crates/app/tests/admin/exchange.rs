//! Workloads come in by tokens of their own, and by what was declared of them.

use daypass_app::{
    Problem, ProblemKind,
    approve::{Less, Seen},
    changes::{Mode, Proposal},
    exchange::{EXCHANGED_LASTS, ExchangeInput, Exchanged, Proof},
    request,
};
use daypass_domain::principal::Via;
use daypass_ports::rows::TokenScope;
use daypass_testkit::issuer::Issuer;

use crate::world::{START, World, asking, here, name, pending, secret};

const MAIN: &str = "refs/heads/main";

/// `deployer`, owned by alice, is whoever has a token for acme/shop; and a lab.
async fn world() -> (World, Issuer) {
    let world = World::new().await;
    let issuer = Issuer::fresh();
    world.trusted(&["deployer", "other"], &issuer.trust("deployer", "acme/shop")).await;
    (world, issuer)
}

async fn exchange(world: &World, token: &str) -> Result<Exchanged, Problem> {
    world.app.exchange_token(ExchangeInput { proof: Proof::Token(secret(token)), workload: None, peer: here() }).await
}

fn now(world: &World) -> i64 {
    world.app.time().micros() / 1_000_000
}

#[tokio::test]
async fn a_job_is_the_workload_that_it_was_declared_to_be_and_approves_nothing() {
    let (world, issuer) = world().await;
    let got = exchange(&world, &issuer.token(now(&world), "acme/shop", MAIN)).await.unwrap();
    assert_eq!(got.workload, name("deployer"));
    let caller = world.app.authenticate(got.token.expose()).await.unwrap();
    let actor = caller.acting(TokenScope::Request).unwrap().clone();
    assert!(matches!(actor.via, Via::Token { .. }));
    assert_eq!(actor.person.id(), world.actor("alice").await.principal);
    assert_eq!(caller.acting(TokenScope::Administer).unwrap_err().code, "token_scope");
    assert_eq!(world.count("token.exchanged").await, 1);
    // I8: whatever it is, it is a token.
    let answered = world.app.request(&actor, asking("lab", "readonly")).await.unwrap();
    let seen = Seen::AsItIs;
    let approved = world.app.approve(&actor, answered.request.id, seen, Less::default()).await.unwrap_err();
    assert_eq!(approved.kind, ProblemKind::NotAllowed, "{approved}");
    world.later(EXCHANGED_LASTS);
    assert!(world.app.authenticate(got.token.expose()).await.is_err());
}

#[tokio::test]
async fn what_the_token_said_is_frozen_into_what_is_asked_and_policy_reads_it() {
    let (world, issuer) = world().await;
    let alice = world.actor("alice").await;
    let mut files = daypass_policy::starter_files();
    let only_main = r#"@id("main-only") forbid (principal is Workload, action == Action::"use", resource) unless {
        context.asked.claims.hasTag("branch") && context.asked.claims.getTag("branch") == "refs/heads/main" };"#;
    files.insert("main.cedar".into(), only_main.into());
    world.app.propose(&alice, Proposal::Policy { files }).await.unwrap();
    let mut outcomes = Vec::new();
    for branch in [MAIN, "refs/heads/evil"] {
        let got = exchange(&world, &issuer.token(now(&world), "acme/shop", branch)).await.unwrap();
        let caller = world.app.authenticate(got.token.expose()).await.unwrap();
        let actor = caller.acting(TokenScope::Request).unwrap().clone();
        let answered = world.app.request(&actor, asking("lab", "readonly")).await.unwrap();
        let said: Vec<String> = answered.request.asked.claims.iter().map(|(n, t)| format!("{n}={t}")).collect();
        assert_eq!(said, [format!("branch={branch}")]);
        outcomes.push(answered.outcome);
    }
    assert!(matches!(outcomes[0], request::Outcome::Granted(_)), "{outcomes:?}");
    let request::Outcome::Refused { why, .. } = &outcomes[1] else { panic!("{outcomes:?}") };
    assert!(why.contains("main-only"), "{why}");
    // A person's request says nothing, and the policy is about workloads.
    assert!(world.app.request(&alice, asking("lab", "readonly")).await.unwrap().request.asked.claims.is_empty());
}

#[tokio::test]
async fn who_was_not_declared_is_nobody_and_it_is_written_down() {
    let (world, issuer) = world().await;
    let stranger = Issuer::fresh();
    let at = now(&world);
    for (token, words) in [
        (issuer.token(at, "evil/shop", MAIN), "nobody declared whose it is"),
        (issuer.token(at - 400, "acme/shop", MAIN), "expired"),
        (stranger.token(at, "acme/shop", MAIN), "signature"),
        (issuer.token(at, "acme/shop", "a\nb"), "visible ASCII"),
        ("a.b.c".to_owned(), "refused"),
    ] {
        let problem = exchange(&world, &token).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Unauthenticated);
        assert!(problem.what.contains(words), "{words}: {problem}");
    }
    assert_eq!(world.count("signin.failed").await, 5);
    assert_eq!(world.count("token.exchanged").await, 0);
}

#[tokio::test]
async fn a_token_of_several_workloads_must_say_which() {
    let (world, issuer) = world().await;
    let both = issuer.trust("deployer", "acme/shop") + &issuer.trust("other", "acme/shop");
    world.declare(&both).await;
    let token = issuer.token(now(&world), "acme/shop", MAIN);
    assert_eq!(exchange(&world, &token).await.unwrap_err().code, "several_workloads");
    let input = ExchangeInput { proof: Proof::Token(secret(&token)), workload: Some(name("other")), peer: here() };
    assert_eq!(world.app.exchange_token(input).await.unwrap().workload, name("other"));
}

#[tokio::test]
async fn what_is_not_declared_any_more_takes_its_tokens_with_it() {
    let (world, issuer) = world().await;
    let got = exchange(&world, &issuer.token(now(&world), "acme/shop", MAIN)).await.unwrap();
    world.app.authenticate(got.token.expose()).await.unwrap();
    world.declare(&issuer.trust("deployer", "acme/other")).await;
    assert!(world.app.authenticate(got.token.expose()).await.is_err());
    assert!(exchange(&world, &issuer.token(now(&world), "acme/shop", MAIN)).await.is_err());
    // Disabling who answers for it does too.
    let got = exchange(&world, &issuer.token(now(&world), "acme/other", MAIN)).await.unwrap();
    world.user("bob").await;
    let alice = world.actor("alice").await;
    let join = Proposal::AddMember { group: name("administrators"), member: name("bob") };
    world.app.propose(&alice, join).await.unwrap();
    let bob = world.actor("bob").await;
    world.app.disable(&bob, &name("alice")).await.unwrap();
    assert!(world.app.authenticate(got.token.expose()).await.is_err());
    assert!(exchange(&world, &issuer.token(now(&world), "acme/other", MAIN)).await.is_err());
}

#[tokio::test]
async fn i12_whose_word_is_taken_waits_for_another_administrator() {
    let world = World::with_two().await;
    let issuer = Issuer::fresh();
    let (alice, bob) = (world.actor("alice").await, world.actor("bob").await);
    let proposal = Proposal::CreateWorkload { name: name("deployer"), owner: name("alice") };
    world.together(proposal).await;
    let text = issuer.trust("deployer", "acme/shop");
    let proposed = world.app.apply_trust(&alice, "trust.toml", &text, Mode::Apply).await.unwrap();
    assert!(proposed.plan[0].contains("repository = acme/shop"), "{proposed:?}");
    let token = issuer.token(START / 1_000_000, "acme/shop", MAIN);
    assert!(exchange(&world, &token).await.is_err(), "it isn't in force yet");
    assert_eq!(world.app.approve_change(&alice, pending(&proposed)).await.unwrap_err().code, "own_change");
    // Planned on a state that moved: refused.
    let other = world.app.apply_trust(&bob, "b.toml", &issuer.trust("deployer", "x/y"), Mode::Apply).await.unwrap();
    world.app.approve_change(&bob, pending(&proposed)).await.unwrap();
    assert_eq!(world.app.approve_change(&alice, pending(&other)).await.unwrap_err().code, "base_moved");
    exchange(&world, &issuer.token(now(&world), "acme/shop", MAIN)).await.unwrap();
}

#[tokio::test]
async fn nobody_is_trusted_who_does_not_exist_and_no_provider_makes_administrators() {
    let (world, issuer) = world().await;
    let alice = world.actor("alice").await;
    let provider = "[provider.corp]\nissuer = 'https://i.example'\nclient_id = 'x'\n";
    for (text, code) in [
        (issuer.trust("nobody", "acme/shop"), "unknown_workload"),
        (issuer.trust("alice", "acme/shop"), "unknown_workload"),
        (format!("{provider}groups = {{ dba = 'nothing' }}"), "unknown_group"),
        (format!("{provider}groups = {{ boss = 'administrators' }}"), "administrators_are_ours"),
        ("[provider.corp]\nissuer = 'https://i.example'".to_owned(), "bad_trust"),
    ] {
        let problem = world.app.apply_trust(&alice, "t.toml", &text, Mode::DryRun).await.unwrap_err();
        assert_eq!(problem.code, code, "{problem}");
    }
}
