//! Checking and switching policies.

use std::collections::BTreeMap;

use daypass_app::{
    App, ProblemKind,
    changes::{Mode, Outcome},
};
use daypass_domain::{end::EndCause, grant::GrantState};

use crate::world::{World, asking, parts};

const TEN_MINUTES: &str = r#"@id("short") permit (principal, action == Action::"use", resource)
when { resource.resource.environment == Environment::"lab" && context.asked.duration_s <= 600 };"#;

async fn files(world: &World, access: &str) -> BTreeMap<String, String> {
    let mut files = world.app.current_policy().await.unwrap().files;
    files.insert("access.cedar".into(), access.into());
    files
}

#[tokio::test]
async fn checking_tells_where_and_uses_nothing() {
    let world = World::new().await;
    let before = world.app.current_policy().await.unwrap();
    let alice = world.actor("alice").await;
    let checked = world.app.check_policy(&alice, &files(&world, TEN_MINUTES).await).await.unwrap();
    assert_ne!(checked.digest, before.digest);
    let broken = files(&world, "permit (principal, action,\n  resource) when { context.x };").await;
    let problem = world.app.check_policy(&alice, &broken).await.unwrap_err();
    assert_eq!(problem.code, "bad_policy");
    assert!(problem.what.starts_with("access.cedar:"), "{problem}");
    let generous = files(&world, "permit (principal, action == Action::\"use\", resource);").await;
    assert_eq!(world.app.check_policy(&alice, &generous).await.unwrap_err().code, "gives_unlabelled");
    let unknown = files(
        &world,
        "permit (principal in Group::\"ghosts\", action == Action::\"use\", resource) \
        when { resource.resource.environment == Environment::\"lab\" };",
    )
    .await;
    assert!(world.app.check_policy(&alice, &unknown).await.unwrap().warnings[0].contains("ghosts"));
    assert_eq!(world.app.current_policy().await.unwrap(), before);
}

#[tokio::test]
async fn a_switch_ends_in_the_same_commit_what_the_new_set_does_not_permit() {
    let world = World::new().await;
    world.lab().await;
    let alice = world.actor("alice").await;
    let long = world.grant("alice").await;
    let short =
        daypass_app::request::Asking { duration: daypass_domain::Span::from_mins(5), ..asking("lab", "writer") };
    let answered = world.app.request(&alice, short).await.unwrap();
    let daypass_app::request::Outcome::Granted(short) = answered.outcome else { panic!("{answered:?}") };
    let candidate = files(&world, TEN_MINUTES).await;

    let dry = world.app.apply_policy(&alice, candidate.clone(), Mode::DryRun).await.unwrap();
    assert!(dry.plan.iter().any(|w| w == "end 1 live grants that the new policies don't permit"), "{:?}", dry.plan);
    assert!(dry.plan.iter().any(|w| w == "change the file access.cedar"), "{:?}", dry.plan);
    assert!(world.grant_row(long).await.opens_doors(world.app.now()));

    let before = world.events().await.len();
    let done = world.app.apply_policy(&alice, candidate.clone(), Mode::Apply).await.unwrap();
    assert_eq!(done.outcome, Outcome::Done);
    let GrantState::Ended { cause, .. } = world.grant_row(long).await.state else { panic!("it lives") };
    assert_eq!(cause, EndCause::PolicyChanged { policy: done.checked.digest });
    assert!(world.grant_row(short.id).await.opens_doors(world.app.now()), "five minutes are fine");
    let said = world.events().await.split_off(before);
    assert_eq!(said, ["grant.ended", "grant.end_confirmed", "change.committed"]);
    let current = world.app.current_policy().await.unwrap();
    assert_eq!((current.digest, current.files), (done.checked.digest, candidate.clone()));
    let refused = world.app.request(&alice, asking("lab", "readonly")).await.unwrap();
    assert!(!matches!(refused.outcome, daypass_app::request::Outcome::Granted(_)));

    let again = world.app.apply_policy(&alice, candidate, Mode::Apply).await.unwrap();
    assert_eq!(again.outcome, Outcome::NothingToDo);
    let restarted = App::new(parts(world.store.clone(), world.clock.clone(), 99)).await.unwrap();
    assert_eq!(restarted.current_policy().await.unwrap().digest, done.checked.digest);
}

#[tokio::test]
async fn an_earlier_set_can_be_put_back() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    let first = world.app.current_policy().await.unwrap();
    world.app.apply_policy(&alice, files(&world, TEN_MINUTES).await, Mode::Apply).await.unwrap();
    let back = world.app.apply_policy(&alice, first.files, Mode::Apply).await.unwrap();
    assert_eq!(back.outcome, Outcome::Done);
    assert_eq!(back.checked.digest, first.digest);
}

#[tokio::test]
async fn a_set_that_locks_everybody_out_is_refused() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    let mut without = world.app.current_policy().await.unwrap().files;
    without.remove("administer.cedar");
    let problem = world.app.apply_policy(&alice, without, Mode::Apply).await.unwrap_err();
    assert_eq!(problem.code, "locks_out");
    let mut strict = world.app.current_policy().await.unwrap().files;
    let asks = r#"permit (principal in Group::"administrators", action == Action::"administer", resource)
        when { context.asked has mfa_age_s && context.asked.mfa_age_s < 300 };"#;
    strict.insert("administer.cedar".into(), asks.into());
    world.app.apply_policy(&alice, strict, Mode::Apply).await.unwrap();
    let problem = world.app.create_group(&alice, &"dba".parse().unwrap()).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::NotAllowed, "it asks for a second factor now");
}

#[tokio::test]
async fn only_who_may_administer_switches() {
    let world = World::new().await;
    world.user("carol").await;
    let carol = world.actor("carol").await;
    let candidate = files(&world, TEN_MINUTES).await;
    for mode in [Mode::DryRun, Mode::Apply] {
        let problem = world.app.apply_policy(&carol, candidate.clone(), mode).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::NotAllowed);
    }
    let problem = world.app.check_policy(&carol, &candidate).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::NotAllowed);
}

#[tokio::test]
async fn requests_and_switches_at_once_never_leave_what_the_new_set_forbids() {
    let world = World::new().await;
    world.lab().await;
    let alice = world.actor("alice").await;
    let candidate = files(&world, TEN_MINUTES).await;
    let ask = || world.app.request(&alice, asking("lab", "readonly"));
    let (_, _, switched, _, _) =
        tokio::join!(ask(), ask(), world.app.apply_policy(&alice, candidate, Mode::Apply), ask(), ask());
    assert_eq!(switched.unwrap().outcome, Outcome::Done);
    let store: &dyn daypass_ports::store::Store = &*world.store;
    let live = store.find::<daypass_domain::grant::Grant>("state", "active").await.unwrap();
    assert!(live.is_empty(), "{live:?}");
}
