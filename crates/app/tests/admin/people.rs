//! Users, workloads, groups, invitations.

use daypass_app::{
    ProblemKind,
    changes::{Handed, Outcome, Proposal},
    people::{KindView, Proof},
};
use daypass_domain::{Span, end::EndCause, grant::GrantState};

use daypass_ports::record::Scope;

use crate::world::{PASSWORD, World, add, here, name, pending, secret};

#[tokio::test]
async fn an_invitation_is_good_once_for_a_week_and_sets_a_password() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    let made = world.app.propose(&alice, Proposal::CreateUser { name: name("carol") }).await.unwrap();
    assert_eq!(made.outcome, Outcome::Done, "one administrator does it alone");
    let Handed::Invitation(code) = made.handed else { panic!() };
    assert!(world.try_sign_in("carol", PASSWORD, None).await.is_err(), "no password yet");
    let problem = world.app.accept_invitation(&code, secret("carol"), here()).await.unwrap_err();
    assert_eq!(problem.code, "bad_password");
    world.app.accept_invitation(&code, secret(PASSWORD), here()).await.unwrap();
    assert_eq!(world.app.accept_invitation(&code, secret(PASSWORD), here()).await.unwrap_err().code, "bad_code");
    world.sign_in("carol").await;

    let made = world.app.propose(&alice, Proposal::CreateUser { name: name("dave") }).await.unwrap();
    let Handed::Invitation(code) = made.handed else { panic!() };
    world.later(Span::from_mins(7 * 24 * 60));
    assert_eq!(world.app.accept_invitation(&code, secret(PASSWORD), here()).await.unwrap_err().code, "bad_code");
}

#[tokio::test]
async fn inviting_again_bars_the_account_and_takes_everything_it_proved_itself_by() {
    let world = World::new().await;
    world.user("carol").await;
    let before = world.sign_in("carol").await;
    let alice = world.actor("alice").await;
    let again = world.app.propose(&alice, Proposal::InviteAgain { user: name("carol") }).await.unwrap();
    let Handed::Invitation(code) = again.handed else { panic!() };
    assert!(world.app.authenticate(before.token.expose()).await.is_err());
    assert!(world.try_sign_in("carol", PASSWORD, None).await.is_err());
    world.app.accept_invitation(&code, secret("quite another password"), here()).await.unwrap();
    world.try_sign_in("carol", "quite another password", None).await.unwrap();
}

fn set_mail(user: &str, mail: &str) -> Proposal {
    Proposal::SetMail { user: name(user), mail: mail.parse().unwrap() }
}

#[tokio::test]
async fn a_mail_address_is_one_persons_and_shown_to_them_and_to_administrators() {
    let world = World::new().await;
    world.user("carol").await;
    let (alice, carol) = (world.actor("alice").await, world.actor("carol").await);
    let outcome = async |proposal| world.app.propose(&alice, proposal).await.map(|proposed| proposed.outcome);
    assert_eq!(outcome(set_mail("carol", "carol@example.com")).await, Ok(Outcome::Done));
    assert_eq!(outcome(set_mail("carol", "carol@example.com")).await, Ok(Outcome::NothingToDo));
    for who in [&alice, &carol] {
        let views = world.app.principals(who).await.unwrap();
        let mails: Vec<_> = views.iter().filter_map(|v| v.mail.as_ref()).map(|mail| mail.as_str()).collect();
        assert_eq!(mails, ["carol@example.com"]);
    }
    assert_eq!(outcome(set_mail("alice", "Carol@Example.com")).await.unwrap_err().code, "mail_taken");
    let own = world.app.propose(&carol, set_mail("carol", "c@example.com")).await.unwrap_err();
    assert_eq!(own.kind, ProblemKind::NotAllowed, "one's own too is for administrators: {own}");
    assert_eq!(outcome(set_mail("carol", "c@example.com")).await, Ok(Outcome::Done));
    assert_eq!(outcome(set_mail("alice", "carol@example.com")).await, Ok(Outcome::Done), "it is free again");
    assert_eq!(outcome(Proposal::RemoveMail { user: name("carol") }).await, Ok(Outcome::Done));
    assert_eq!(outcome(Proposal::RemoveMail { user: name("carol") }).await, Ok(Outcome::NothingToDo));
    world.app.propose(&alice, Proposal::CreateWorkload { name: name("bot"), owner: name("alice") }).await.unwrap();
    assert_eq!(outcome(set_mail("bot", "bot@example.com")).await.unwrap_err().code, "not_a_user");
}

#[tokio::test]
async fn i9_what_the_ledger_says_of_an_address_goes_with_the_key_of_the_person() {
    let world = World::with_two().await;
    world.user_by_both("carol").await;
    let (proposed, _) = world.together(set_mail("carol", "carol@example.com")).await;
    let (bob, change) = (world.actor("bob").await, pending(&proposed));
    assert!(world.app.show_change(&bob, change).await.is_ok());
    let views = world.app.principals(&bob).await.unwrap();
    let carol = views.iter().find(|v| v.name == name("carol")).unwrap().id;
    world.store.destroy_key(&Scope::Subject(carol)).await.unwrap();
    let gone = world.app.show_change(&bob, change).await.unwrap_err();
    assert_eq!(gone.code, "content_lost", "{gone}");
}

#[tokio::test]
async fn names_are_taken_for_ever_and_by_workloads_too() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    world.app.propose(&alice, Proposal::CreateWorkload { name: name("bot"), owner: name("alice") }).await.unwrap();
    for taken in ["alice", "bot"] {
        let problem = world.app.propose(&alice, Proposal::CreateUser { name: name(taken) }).await.unwrap_err();
        assert_eq!(problem.code, "name_taken");
    }
    let by_bot = Proposal::CreateWorkload { name: name("bot2"), owner: name("bot") };
    assert_eq!(world.app.propose(&alice, by_bot).await.unwrap_err().code, "not_a_user");
    let views = world.app.principals(&alice).await.unwrap();
    let bot = views.iter().find(|v| v.name == name("bot")).unwrap();
    assert_eq!(bot.kind, KindView::Workload { owner: name("alice") });
    assert_eq!(bot.proof, Proof::NoPassword);
}

#[tokio::test]
async fn two_proposals_at_once_never_make_two_of_one_name() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    let make = || world.app.propose(&alice, Proposal::CreateUser { name: name("carol") });
    let (a, b, c) = tokio::join!(make(), make(), make());
    let done = [a, b, c].into_iter().filter(Result::is_ok).count();
    assert_eq!(done, 1);
}

#[tokio::test]
async fn disabling_ends_the_grants_of_the_user_and_of_their_workloads_at_once() {
    let world = World::new().await;
    world.lab().await;
    world.user("carol").await;
    let alice = world.actor("alice").await;
    world.app.propose(&alice, Proposal::CreateWorkload { name: name("bot"), owner: name("carol") }).await.unwrap();
    let signed_in = world.sign_in("carol").await;
    let grant = world.grant("carol").await;
    let mine = world.grant("alice").await;
    let carol = world.actor("carol").await;
    let asking =
        daypass_app::request::Asking { beneficiary: Some("bot".into()), ..crate::world::asking("lab", "readonly") };
    let answered = world.app.request(&carol, asking).await.unwrap();
    let daypass_app::request::Outcome::Granted(bots) = answered.outcome else { panic!("{answered:?}") };

    world.app.disable(&alice, &name("carol")).await.unwrap();
    let disabled = carol.principal;
    for id in [grant, bots.id] {
        let GrantState::Ended { cause, .. } = world.grant_row(id).await.state else { panic!("it lives") };
        assert_eq!(cause, EndCause::Disabled { principal: disabled });
    }
    assert!(world.grant_row(mine).await.opens_doors(world.app.now()));
    assert!(world.app.authenticate(signed_in.token.expose()).await.is_err());
    assert!(world.try_sign_in("carol", PASSWORD, None).await.is_err());
    world.app.disable(&alice, &name("carol")).await.unwrap();
    assert_eq!(world.count("principal.disabled").await, 1, "once is enough");

    let enabled = world.app.propose(&alice, Proposal::Enable { principal: name("carol") }).await.unwrap();
    assert_eq!(enabled.outcome, Outcome::Done);
    world.sign_in("carol").await;
    let nothing = world.app.propose(&alice, Proposal::Enable { principal: name("carol") }).await.unwrap();
    assert_eq!(nothing.outcome, Outcome::NothingToDo);
}

#[tokio::test]
async fn somebody_goes_on_administering() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    assert_eq!(world.app.disable(&alice, &name("alice")).await.unwrap_err().code, "last_administrator");
    let leave = world.app.remove_member(&alice, &name("administrators"), &name("alice")).await.unwrap_err();
    assert_eq!(leave.code, "last_administrator");
    let delete = world.app.delete_group(&alice, &name("administrators")).await.unwrap_err();
    assert_eq!(delete.code, "administrators_stay");
    // One who was only invited can't take over.
    world.app.propose(&alice, Proposal::CreateUser { name: name("carol") }).await.unwrap();
    world.app.propose(&alice, add("administrators", "carol")).await.unwrap();
    assert_eq!(world.app.disable(&alice, &name("alice")).await.unwrap_err().code, "last_administrator");
}

#[tokio::test]
async fn the_last_who_can_sign_in_is_not_invited_again() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    let own = Proposal::InviteAgain { user: name("alice") };
    assert_eq!(world.app.propose(&alice, own).await.unwrap_err().code, "last_administrator");
    world.sign_in("alice").await;
}

#[tokio::test]
async fn groups_are_made_joined_left_and_deleted() {
    let world = World::new().await;
    world.user("carol").await;
    let alice = world.actor("alice").await;
    world.app.create_group(&alice, &name("dba")).await.unwrap();
    assert_eq!(world.app.create_group(&alice, &name("dba")).await.unwrap_err().code, "name_taken");
    assert_eq!(world.app.propose(&alice, add("dba", "carol")).await.unwrap().outcome, Outcome::Done);
    assert_eq!(world.app.propose(&alice, add("dba", "carol")).await.unwrap().outcome, Outcome::NothingToDo);
    assert_eq!(world.app.propose(&alice, add("dba", "nobody")).await.unwrap_err().kind, ProblemKind::NotFound);
    let carol = world.actor("carol").await;
    let groups = world.app.groups(&carol).await.unwrap();
    assert_eq!(groups.len(), 1, "one sees the groups that one is in");
    assert_eq!(groups[0].members, [name("carol")]);
    assert_eq!(world.app.groups(&alice).await.unwrap().len(), 2);
    let left = world.app.remove_member(&alice, &name("dba"), &name("carol")).await.unwrap();
    assert_eq!(left.outcome, Outcome::Done);
    let left = world.app.remove_member(&alice, &name("dba"), &name("carol")).await.unwrap();
    assert_eq!(left.outcome, Outcome::NothingToDo);
    assert_eq!(world.app.delete_group(&alice, &name("dba")).await.unwrap().outcome, Outcome::Done);
    assert_eq!(world.app.delete_group(&alice, &name("dba")).await.unwrap_err().kind, ProblemKind::NotFound);
}

#[tokio::test]
async fn a_group_that_answers_for_a_resource_stays() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    world.app.create_group(&alice, &name("dba")).await.unwrap();
    let text = crate::world::LAB.replace("owner = \"administrators\"", "owner = \"dba\"");
    world.app.apply_resources(&alice, "a.toml", &text, daypass_app::changes::Mode::Apply).await.unwrap();
    assert_eq!(world.app.delete_group(&alice, &name("dba")).await.unwrap_err().code, "group_owns");
}

#[tokio::test]
async fn leaving_a_group_ends_what_rested_on_it() {
    let world = World::new().await;
    world.lab().await;
    world.user("carol").await;
    let alice = world.actor("alice").await;
    world.app.create_group(&alice, &name("dba")).await.unwrap();
    world.app.propose(&alice, add("dba", "carol")).await.unwrap();
    let mut files = world.app.current_policy().await.unwrap().files;
    files.insert(
        "access.cedar".into(),
        r#"permit (principal in Group::"dba", action == Action::"use", resource)
           when { resource.resource.environment == Environment::"lab" };"#
            .into(),
    );
    world.app.apply_policy(&alice, files, daypass_app::changes::Mode::Apply).await.unwrap();
    let grant = world.grant("carol").await;
    world.app.remove_member(&alice, &name("dba"), &name("carol")).await.unwrap();
    assert!(!world.grant_row(grant).await.opens_doors(world.app.now()));
}

#[tokio::test]
async fn who_may_not_administer_sees_themselves_and_changes_nothing() {
    let world = World::new().await;
    world.user("carol").await;
    let carol = world.actor("carol").await;
    let seen = world.app.principals(&carol).await.unwrap();
    assert_eq!(seen.iter().map(|v| v.name.clone()).collect::<Vec<_>>(), [name("carol")]);
    let problems = [
        world.app.propose(&carol, Proposal::CreateUser { name: name("dave") }).await.unwrap_err(),
        world.app.propose(&carol, add("administrators", "carol")).await.unwrap_err(),
        world.app.create_group(&carol, &name("mine")).await.unwrap_err(),
        world.app.disable(&carol, &name("alice")).await.unwrap_err(),
        world.app.remove_member(&carol, &name("administrators"), &name("alice")).await.unwrap_err(),
        world.app.delete_group(&carol, &name("administrators")).await.unwrap_err(),
        world.app.export_resource(&carol, "lab").await.unwrap_err(),
    ];
    for problem in problems {
        assert_eq!(problem.kind, ProblemKind::NotAllowed, "{problem}");
    }
}
