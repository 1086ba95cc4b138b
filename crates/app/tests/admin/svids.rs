//! SPIFFE workloads come in by certificates and tokens of their trust domain, and by what was declared of them.

use daypass_app::{
    Problem, ProblemKind,
    changes::{Mode, Proposal},
    exchange::{EXCHANGED_LASTS, ExchangeInput, Exchanged, Proof},
    request,
};
use daypass_domain::{Digest, Span};
use daypass_ports::rows::TokenScope;
use daypass_testkit::spiffe::{Domain, Leaf, Made};

use crate::world::{START, World, asking, here, name, secret};

const US: &str = "https://daypass.example";
const NIGHTLY: &str = "/ns/shop/sa/nightly";

/// `nightly`, owned by alice, is one identity of a trust domain and what is below another; and a lab.
async fn world() -> (World, Domain) {
    let world = World::new().await;
    let domain = Domain::new("prod.example.org", START / 1_000_000);
    world.trusted(&["nightly", "other"], &domain.trust("nightly", &[NIGHTLY, "/batch/*"], US)).await;
    (world, domain)
}

async fn shows(world: &World, made: &Made) -> Result<Exchanged, Problem> {
    let proof = Proof::Certificates(made.chain.clone());
    world.app.exchange_token(ExchangeInput { proof, workload: None, peer: here() }).await
}

async fn brings(world: &World, token: &str) -> Result<Exchanged, Problem> {
    let proof = Proof::Token(secret(token));
    world.app.exchange_token(ExchangeInput { proof, workload: None, peer: here() }).await
}

#[tokio::test]
async fn a_certificate_gives_a_token_that_comes_with_it_alone() {
    let (world, domain) = world().await;
    let made = domain.svid(NIGHTLY);
    let got = shows(&world, &made).await.unwrap();
    assert_eq!((got.workload, got.lasts), (name("nightly"), EXCHANGED_LASTS));
    let own = Digest::of(&made.chain[0]);
    let caller = world.app.authenticate_over(got.token.expose(), Some(&own)).await.unwrap();
    assert_eq!(caller.acting(TokenScope::Administer).unwrap_err().code, "token_scope");
    // Without it, or with another of the same workload, whoever has the token has nothing.
    let other = Digest::of(&domain.svid(NIGHTLY).chain[0]);
    for shown in [None, Some(&other)] {
        let problem = world.app.authenticate_over(got.token.expose(), shown).await.unwrap_err();
        assert_eq!((problem.kind, problem.code), (ProblemKind::Unauthenticated, "bound_token"));
    }
    assert_eq!(world.count("token.exchanged").await, 1);
    // It is good no longer than the certificate.
    let short = domain.sign(Leaf { until: 120, ..domain.leaf("/batch/a/b") });
    let got = shows(&world, &short).await.unwrap();
    assert!(got.lasts <= Span::from_secs(120) && got.lasts > Span::from_secs(110), "{}", got.lasts);
    world.later(Span::from_secs(121));
    let own = Digest::of(&short.chain[0]);
    assert!(world.app.authenticate_over(got.token.expose(), Some(&own)).await.is_err());
    assert!(shows(&world, &short).await.unwrap_err().what.contains("expired"));
}

#[tokio::test]
async fn a_token_of_the_domain_gives_one_of_ours_where_an_audience_is_declared() {
    let (world, domain) = world().await;
    let got = brings(&world, &domain.jwt_svid(NIGHTLY, US)).await.unwrap();
    assert_eq!(got.workload, name("nightly"));
    world.app.authenticate(got.token.expose()).await.unwrap();
    assert!(brings(&world, &domain.jwt_svid(NIGHTLY, "another")).await.unwrap_err().what.contains("audience"));
    let certificates_only = domain.trust("nightly", &[NIGHTLY], US).replace(&format!("audience = '{US}'\n"), "");
    world.declare(&certificates_only).await;
    let problem = brings(&world, &domain.jwt_svid(NIGHTLY, US)).await.unwrap_err();
    assert!(problem.what.contains("shows an X.509-SVID"), "{problem}");
    shows(&world, &domain.svid(NIGHTLY)).await.unwrap();
}

#[tokio::test]
async fn who_it_is_and_how_it_was_shown_is_what_policy_reads() {
    let (world, domain) = world().await;
    let alice = world.actor("alice").await;
    let mut files = daypass_policy::starter_files();
    let certificates = r#"@id("certificates-only") forbid (principal is Workload, action == Action::"use", resource) unless {
        context.asked.claims.hasTag("svid") && context.asked.claims.getTag("svid") == "x509"
        && context.asked.claims.hasTag("trust_domain")
        && context.asked.claims.getTag("trust_domain") == "prod.example.org"
        && context.asked.claims.hasTag("path") && context.asked.claims.getTag("path") like "/ns/shop/*" };"#;
    files.insert("svids.cedar".into(), certificates.into());
    world.app.propose(&alice, Proposal::Policy { files }).await.unwrap();
    let made = domain.svid(NIGHTLY);
    let by_certificate = shows(&world, &made).await.unwrap();
    let own = Digest::of(&made.chain[0]);
    let below = domain.svid("/batch/a");
    let by_another = shows(&world, &below).await.unwrap();
    let by_token = brings(&world, &domain.jwt_svid(NIGHTLY, US)).await.unwrap();
    let mut granted = Vec::new();
    for (got, shown) in [(by_certificate, Some(own)), (by_another, Some(Digest::of(&below.chain[0]))), (by_token, None)]
    {
        let caller = world.app.authenticate_over(got.token.expose(), shown.as_ref()).await.unwrap();
        let actor = caller.acting(TokenScope::Request).unwrap().clone();
        let answered = world.app.request(&actor, asking("lab", "readonly")).await.unwrap();
        let said: Vec<String> = answered.request.asked.claims.iter().map(|(n, t)| format!("{n}={t}")).collect();
        assert_eq!(said.len(), 4, "{said:?}");
        granted.push(matches!(answered.outcome, request::Outcome::Granted(_)));
    }
    assert_eq!(granted, [true, false, false]);
}

#[tokio::test]
async fn who_was_not_declared_is_nobody_and_it_is_written_down() {
    let (world, domain) = world().await;
    let stranger = Domain::new("prod.example.org", START / 1_000_000);
    for (made, words) in [
        (domain.svid("/ns/shop/sa/another"), "nobody declared whose it is"),
        (domain.svid("/batch"), "nobody declared whose it is"),
        (stranger.svid(NIGHTLY), "no authority of its trust domain"),
        (Domain::new("stage.example.org", START / 1_000_000).svid(NIGHTLY), "nobody declared the trust domain"),
    ] {
        let problem = shows(&world, &made).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Unauthenticated);
        assert!(problem.what.contains(words), "{words}: {problem}");
    }
    for (token, words) in [
        (domain.jwt_svid("/another", US), "nobody declared whose it is"),
        (stranger.jwt_svid(NIGHTLY, US), "signature"),
        (Domain::new("stage.example.org", START / 1_000_000).jwt_svid(NIGHTLY, US), "nobody declared"),
    ] {
        let problem = brings(&world, &token).await.unwrap_err();
        assert!(problem.what.contains(words), "{words}: {problem}");
    }
    assert_eq!(world.count("signin.failed").await, 7);
    assert_eq!(world.count("token.exchanged").await, 0);
}

#[tokio::test]
async fn a_trust_domain_that_goes_takes_its_tokens_with_it() {
    let (world, domain) = world().await;
    let made = domain.svid(NIGHTLY);
    let got = shows(&world, &made).await.unwrap();
    let own = Digest::of(&made.chain[0]);
    world.app.authenticate_over(got.token.expose(), Some(&own)).await.unwrap();
    // Authorities that rotate end nothing.
    let rotated = Domain::new("prod.example.org", START / 1_000_000);
    world.declare(&rotated.trust("nightly", &[NIGHTLY, "/batch/*"], US)).await;
    world.app.authenticate_over(got.token.expose(), Some(&own)).await.unwrap();
    assert!(shows(&world, &made).await.is_err(), "the old authority signs nobody any more");
    world.declare("").await;
    assert!(world.app.authenticate_over(got.token.expose(), Some(&own)).await.is_err());
    let problem = shows(&world, &rotated.svid(NIGHTLY)).await.unwrap_err();
    assert!(problem.what.contains("nobody declared the trust domain"), "{problem}");
}

#[tokio::test]
async fn an_identity_of_several_workloads_must_say_which_and_the_plan_is_in_words() {
    let (world, domain) = world().await;
    let alice = world.actor("alice").await;
    let both = format!(
        "{}[[workload]]\nworkload = 'other'\nspiffe_id = '{}'\n",
        domain.trust("nightly", &[NIGHTLY], US),
        domain.id("/ns/shop/*")
    );
    let planned = world.app.apply_trust(&alice, "t.toml", &both, Mode::DryRun).await.unwrap().plan;
    let words = planned.join("\n");
    assert!(words.contains("whoever shows to be spiffe://prod.example.org/ns/shop/*, by an X.509-SVID"), "{words}");
    world.declare(&both).await;
    let made = domain.svid(NIGHTLY);
    assert_eq!(shows(&world, &made).await.unwrap_err().code, "several_workloads");
    let proof = Proof::Certificates(made.chain.clone());
    let input = ExchangeInput { proof, workload: Some(name("other")), peer: here() };
    assert_eq!(world.app.exchange_token(input).await.unwrap().workload, name("other"));
}
