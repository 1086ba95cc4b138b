//! Declaring resources.

use daypass_app::{
    ProblemKind,
    changes::{Mode, Outcome},
};
use daypass_domain::{Span, end::EndCause, grant::GrantState};

use crate::world::{LAB, World, name};

#[tokio::test]
async fn applying_is_idempotent_and_a_dry_run_does_nothing() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    let dry = world.app.apply_resources(&alice, "lab.toml", LAB, Mode::DryRun).await.unwrap();
    assert_eq!(dry.outcome, Outcome::NothingToDo);
    assert_eq!(dry.plan.creates.len(), 1);
    let words = dry.plan.words();
    for said in ["address \"127.0.0.1:5432\"", "role.writer.member_of [\"lab_read\",\"lab_write\"]"] {
        let line = format!("the resource `lab` has {said} (new)");
        assert!(words.contains(&line), "an approver sees all of it: {words:?}");
    }
    assert!(world.app.resource_named("lab").await.is_err());
    let before = world.events().await.len();
    let done = world.app.apply_resources(&alice, "lab.toml", LAB, Mode::Apply).await.unwrap();
    assert_eq!((done.outcome, done.plan), (Outcome::Done, dry.plan));
    assert_eq!(world.events().await.len(), before + 1);
    let again = world.app.apply_resources(&alice, "lab.toml", LAB, Mode::Apply).await.unwrap();
    assert_eq!(again.outcome, Outcome::NothingToDo);
    assert_eq!(again.plan.unchanged, [name("lab")]);
    assert!(again.plan.words().is_empty());
    assert_eq!(world.events().await.len(), before + 1);
}

#[tokio::test]
async fn what_is_exported_changes_nothing_when_applied() {
    let world = World::new().await;
    world.lab().await;
    let alice = world.actor("alice").await;
    let rich = LAB.replace("[resource.role.writer]", "[resource.role.writer]\nowner = \"lab_owner\"").replace(
        "owner = \"administrators\"",
        "owner = \"administrators\"\nreplicas = [\"[::1]:5433\"]\nlimits = { idle = \"90s\", sessions = 3 }\nrecord = \"text\"",
    );
    let applied = world.app.apply_resources(&alice, "lab.toml", &rich, Mode::Apply).await.unwrap();
    let fields: Vec<String> = applied.plan.updates[0].fields.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(fields.join("\n"), @r#"
    limits.idle "3600s" -> "90s"
    limits.sessions 32 -> 3
    record "full" -> "text"
    replicas ["[::1]:5433"] (new)
    role.writer.owner "lab_owner" (new)
    "#);
    let exported = world.app.export_resource(&alice, "lab").await.unwrap();
    let again = world.app.apply_resources(&alice, "exported.toml", &exported, Mode::Apply).await.unwrap();
    assert_eq!(again.outcome, Outcome::NothingToDo, "{:?}", again.plan);
    assert_eq!(world.app.export_resource(&alice, "nothing").await.unwrap_err().kind, ProblemKind::NotFound);
}

#[tokio::test]
async fn only_what_is_listed_is_removed_and_its_grants_end() {
    let world = World::new().await;
    world.lab().await;
    let alice = world.actor("alice").await;
    let grant = world.grant("alice").await;
    let nothing = world.app.apply_resources(&alice, "empty.toml", "", Mode::Apply).await.unwrap();
    assert_eq!(nothing.outcome, Outcome::NothingToDo);
    let gone = world.app.apply_resources(&alice, "a.toml", "remove = [\"lab\"]", Mode::Apply).await.unwrap();
    assert_eq!(gone.plan.removes, [name("lab")]);
    assert_eq!(gone.plan.ends_grants, 1);
    assert_eq!(cause(&world, grant).await, Some(EndCause::RoleChanged));
    let again = world.app.apply_resources(&alice, "a.toml", "remove = [\"lab\"]", Mode::Apply).await.unwrap();
    assert_eq!(again.outcome, Outcome::NothingToDo);
}

async fn cause(world: &World, grant: daypass_domain::GrantId) -> Option<EndCause> {
    match world.grant_row(grant).await.state {
        GrantState::Ended { cause, .. } | GrantState::Ending { cause, .. } => Some(cause),
        GrantState::Active { .. } | GrantState::Scheduled { .. } => None,
    }
}

#[tokio::test]
async fn a_role_that_changes_ends_its_grants_in_the_same_commit_and_no_others() {
    let world = World::new().await;
    world.lab().await;
    let alice = world.actor("alice").await;
    let (reader, writer) = (world.grant("alice").await, world.grant_of("alice", "writer").await);
    let described = LAB.replace("read every table", "read each table");
    let applied = world.app.apply_resources(&alice, "lab.toml", &described, Mode::Apply).await.unwrap();
    assert_eq!(applied.plan.ends_grants, 0, "words for approvers give nothing");
    let changed = described.replace("[\"lab_read\", \"lab_write\"]", "[\"lab_read\", \"lab_all\"]");
    let applied = world.app.apply_resources(&alice, "lab.toml", &changed, Mode::Apply).await.unwrap();
    assert_eq!(applied.plan.ends_grants, 1);
    assert_eq!(cause(&world, reader).await, None);
    assert_eq!(cause(&world, writer).await, Some(EndCause::RoleChanged));
    let events = world.events().await;
    let ended = events.iter().rposition(|e| e == "grant.ended").unwrap();
    assert!(events[ended..].contains(&"change.committed".to_owned()));
    let moved = changed.replace("127.0.0.1:5432", "127.0.0.1:6432");
    world.app.apply_resources(&alice, "lab.toml", &moved, Mode::Apply).await.unwrap();
    assert_eq!(cause(&world, reader).await, Some(EndCause::RoleChanged), "it is another place");
}

#[tokio::test]
async fn a_label_that_changes_is_judged_again() {
    let world = World::new().await;
    world.lab().await;
    let alice = world.actor("alice").await;
    let grant = world.grant("alice").await;
    let live = LAB.replace("environment = \"lab\"", "environment = \"production\"");
    let applied = world.app.apply_resources(&alice, "lab.toml", &live, Mode::Apply).await.unwrap();
    assert_eq!(applied.plan.ends_grants, 0);
    assert!(cause(&world, grant).await.is_some(), "production takes another person's approval");
}

#[tokio::test]
async fn what_does_not_exist_or_would_move_is_refused() {
    let world = World::new().await;
    world.lab().await;
    let alice = world.actor("alice").await;
    for (from, to, code) in [
        ("owner = \"administrators\"", "owner = \"nobodies\"", "unknown_owner"),
        ("owner = \"administrators\"", "owner = \"administrators\"\nregion = \"eu\"", "region_is_fixed"),
        ("kind = \"postgres\"", "kind = \"mysql\"", "bad_document"),
        ("name = \"lab\"", "name = \"elsewhere\"\nregion = \"eu\"", "no_place"),
    ] {
        let text = LAB.replace(from, to);
        let problem = world.app.apply_resources(&alice, "lab.toml", &text, Mode::Apply).await.unwrap_err();
        assert_eq!(problem.code, code, "{problem}");
    }
}

#[tokio::test]
async fn strong_roles_are_warned_of() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    let text = LAB.replace("\"lab_write\"", "\"pg_execute_server_program\"").replace("\"lab_admin\"", "\"postgres\"");
    let plan = world.app.plan_resources(&alice, "lab.toml", &text).await.unwrap();
    assert_eq!(plan.warnings.len(), 2, "{:?}", plan.warnings);
    assert!(
        plan.words().iter().any(|w| w.starts_with("mind that the role `lab/writer` gives `pg_execute_server_program`"))
    );
}

#[tokio::test]
async fn a_grant_that_is_over_is_not_ended_again() {
    let world = World::new().await;
    world.lab().await;
    let alice = world.actor("alice").await;
    world.grant("alice").await;
    world.later(Span::from_mins(31));
    world.app.do_due().await.unwrap();
    let plan = world.app.plan_resources(&alice, "a.toml", "remove = [\"lab\"]").await.unwrap();
    assert_eq!(plan.ends_grants, 0);
}
