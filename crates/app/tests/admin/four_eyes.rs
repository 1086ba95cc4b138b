//! I12: with a second administrator, one of them alone tries every way to reach a new target, and reaches none.

use daypass_app::{
    ProblemKind,
    changes::{Handed, Mode, Outcome, Proposal, Standing, Which},
    tokens::{TokenInput, TokenMade},
};
use daypass_domain::{ChangeId, Span, change::ChangeState};
use daypass_ports::rows::TokenScope;

use crate::world::{LAB, PASSWORD, World, add, asking, here, name, pending, secret};

/// What alice alone may hold when she has tried: nothing on the production resource.
async fn reaches_nothing(world: &World, who: &str) {
    let actor = world.actor(who).await;
    let answered = world.app.request(&actor, asking("orders", "readonly")).await.unwrap();
    assert!(
        !matches!(answered.outcome, daypass_app::request::Outcome::Granted(_)),
        "{who} reached it alone: {answered:?}"
    );
}

pub fn orders() -> String {
    LAB.replace("\"lab\"\nkind", "\"orders\"\nkind").replace("environment = \"lab\"", "environment = \"production\"")
}

pub async fn world() -> World {
    let world = World::with_two().await;
    let (_, done) = world.together(Proposal::Resources { file: "orders.toml".into(), text: orders() }).await;
    assert_eq!(done.outcome, Outcome::Done);
    world
}

pub async fn stays_pending(world: &World, proposal: Proposal) -> ChangeId {
    let alice = world.actor("alice").await;
    let proposed = world.app.propose(&alice, proposal.clone()).await.unwrap();
    let id = pending(&proposed);
    let alone = world.app.approve_change(&alice, id).await.unwrap_err();
    assert!(alone.what.contains("another administrator"), "{alone}");
    reaches_nothing(world, "alice").await;
    id
}

#[tokio::test]
async fn one_administrator_alone_does_it_at_once_and_a_second_begins_four_eyes() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    let made = world.app.propose(&alice, Proposal::CreateUser { name: name("bob") }).await.unwrap();
    let Handed::Invitation(code) = made.handed else { panic!() };
    assert_eq!(world.app.propose(&alice, add("administrators", "bob")).await.unwrap().outcome, Outcome::Done);
    assert_eq!(world.count("installation.four_eyes").await, 0, "bob can't sign in yet, so can't approve");
    world.app.accept_invitation(&code, secret(PASSWORD), here()).await.unwrap();
    assert_eq!(world.count("installation.four_eyes").await, 1);
    let proposed = world.app.propose(&alice, Proposal::CreateUser { name: name("carol") }).await.unwrap();
    pending(&proposed);
}

#[tokio::test]
async fn a_workload_among_the_administrators_is_no_second_person() {
    let world = World::new().await;
    let alice = world.actor("alice").await;
    world.app.propose(&alice, Proposal::CreateWorkload { name: name("bot"), owner: name("alice") }).await.unwrap();
    world.app.propose(&alice, add("administrators", "bot")).await.unwrap();
    assert_eq!(world.count("installation.four_eyes").await, 0);
}

#[tokio::test]
async fn what_decisions_read_waits_for_another_administrator() {
    let world = world().await;
    let prod = |from: &str, to: &str| {
        let text = orders().replace(from, to);
        assert_ne!(text, orders(), "{from}");
        Proposal::Resources { file: "orders.toml".into(), text }
    };
    let mut files = world.app.current_policy().await.unwrap().files;
    files.insert(
        "mine.cedar".into(),
        "permit (principal == User::\"alice\", action == Action::\"use\", resource) \
        when { resource.resource.environment == Environment::\"production\" && context.asked.ticket_given };"
            .into(),
    );
    // Not the policy itself: that one gives away what is unlabelled, and is refused before anybody is asked.
    assert_eq!(world.app.check_policy(&world.actor("alice").await, &files).await.unwrap_err().code, "gives_unlabelled");
    files.insert(
        "mine.cedar".into(),
        "permit (principal == User::\"alice\", action == Action::\"use\", resource) \
        when { resource.resource.environment == Environment::\"staging\" };"
            .into(),
    );
    let alice_has = |workload: &str| Proposal::MakeToken {
        workload: name(workload),
        scopes: [TokenScope::Request].into(),
        lasts: Span::from_mins(60),
    };
    world.user_by_both("carol").await;
    world.together(Proposal::CreateWorkload { name: name("bot"), owner: name("carol") }).await;
    world.app.disable(&world.actor("alice").await, &name("carol")).await.unwrap();
    world.user_by_both("dave").await;
    let known = Proposal::SetMail { user: name("bob"), mail: "bob@example.org".parse().unwrap() };
    world.together(known).await;
    world.together(Proposal::CreateWorkload { name: name("robot"), owner: name("dave") }).await;
    world.app.create_group(&world.actor("alice").await, &name("dba")).await.unwrap();
    for proposal in [
        Proposal::Policy { files },
        prod("environment = \"production\"", "environment = \"lab\""), // labels
        prod("classification = [\"public\"]", "classification = [\"internal\"]"),
        prod("127.0.0.1:5432", "127.0.0.1:6432"),               // address
        prod("credential = \"lab\"", "credential = \"other\""), // credential's name
        prod("administrator = \"lab_admin\"", "administrator = \"other_admin\""),
        prod("mode = \"loopback_plaintext\"", "mode = \"verify\""), // TLS
        prod("owner = \"administrators\"", "owner = \"dba\""),      // owner
        prod("[\"lab_read\"]", "[\"lab_all\"]"),                    // role definition
        prod("narrower = [\"readonly\"]", "narrower = []"),         // narrowing table
        prod(
            "[resource.role.readonly]",
            "[resource.role.new]\ndescription = \"n\"\nmember_of = [\"n\"]\n[resource.role.readonly]",
        ),
        Proposal::Resources { file: "x".into(), text: LAB.replace("\"lab\"\nkind", "\"another\"\nkind") },
        Proposal::Resources { file: "x".into(), text: "remove = [\"orders\"]".into() },
        add("dba", "alice"),
        add("administrators", "dave"),
        Proposal::CreateUser { name: name("puppet") },
        Proposal::CreateWorkload { name: name("mine"), owner: name("alice") },
        Proposal::Enable { principal: name("carol") },
        Proposal::InviteAgain { user: name("dave") },
        Proposal::InviteAgain { user: name("bob") },
        Proposal::SetMail { user: name("dave"), mail: "alice@example.com".parse().unwrap() },
        Proposal::SetMail { user: name("alice"), mail: "bob@example.com".parse().unwrap() },
        Proposal::RemoveMail { user: name("bob") },
        alice_has("robot"),
    ] {
        stays_pending(&world, proposal).await;
    }
    assert_eq!(world.try_sign_in("carol", PASSWORD, None).await.unwrap_err().kind, ProblemKind::Unauthenticated);
    world.sign_in("dave").await;
    assert!(world.app.principals(&world.actor("bob").await).await.unwrap().iter().all(|p| p.name != name("puppet")));
}

#[tokio::test]
async fn the_other_administrators_approval_does_it() {
    let world = world().await;
    world.user_by_both("carol").await;
    let id = stays_pending(&world, add("administrators", "carol")).await;
    let bob = world.actor("bob").await;
    let seen = world.app.show_change(&bob, id).await.unwrap();
    assert_eq!(seen.proposer, name("alice"));
    assert_eq!(seen.standing, Standing::Fine);
    assert_eq!(seen.plan, ["put `carol` into the group `administrators`"]);
    assert_eq!(world.app.changes_list(&bob, Which::Pending).await.unwrap().len(), 1);
    let done = world.app.approve_change(&bob, id).await.unwrap();
    assert_eq!(done.outcome, Outcome::Done);
    assert!(world.app.changes_list(&bob, Which::Pending).await.unwrap().is_empty());
    let again = world.app.approve_change(&bob, id).await.unwrap_err();
    assert_eq!(again.kind, ProblemKind::Conflict, "{again}");
    let seen = world.app.show_change(&bob, id).await.unwrap();
    assert_eq!(seen.standing, Standing::Over);
    assert!(matches!(seen.change.state, ChangeState::Committed { approver, .. } if approver == bob.principal));
}

#[tokio::test]
async fn neither_half_of_an_invitation_is_good_alone() {
    let world = world().await;
    let (first, second) = world.together(Proposal::CreateUser { name: name("puppet") }).await;
    let (Handed::InvitationHalf(a), Handed::InvitationHalf(b)) = (&first.handed, &second.handed) else { panic!() };
    for code in
        [a.expose().to_owned(), b.expose().to_owned(), format!("{0}.{0}", a.expose()), format!("{}.", a.expose())]
    {
        let problem = world.app.accept_invitation(&secret(&code), secret(PASSWORD), here()).await.unwrap_err();
        assert_eq!(problem.code, "bad_code", "{code}");
    }
    let both = secret(&format!("{}.{}", b.expose(), a.expose()));
    world.app.accept_invitation(&both, secret(PASSWORD), here()).await.unwrap();
}

#[tokio::test]
async fn resetting_somebodys_factors_gives_their_account_to_nobody() {
    let world = world().await;
    world.user_by_both("carol").await;
    let (first, second) = world.together(Proposal::InviteAgain { user: name("carol") }).await;
    assert!(world.try_sign_in("carol", PASSWORD, None).await.is_err(), "barred until the invitation is used");
    let Handed::InvitationHalf(a) = first.handed else { panic!() };
    assert!(world.app.accept_invitation(&a, secret(PASSWORD), here()).await.is_err());
    let Handed::InvitationHalf(b) = second.handed else { panic!() };
    let both = secret(&format!("{}.{}", a.expose(), b.expose()));
    world.app.accept_invitation(&both, secret(PASSWORD), here()).await.unwrap();
    world.sign_in("carol").await;
}

#[tokio::test]
async fn a_second_factor_is_replaced_by_two() {
    use daypass_app::signin::code_for;
    let world = world().await;
    let alice = world.caller("alice").await;
    let begun = world.app.enrol_totp(&alice, secret(PASSWORD)).await.unwrap();
    let code = code_for(begun.secret.expose(), world.app.now()).unwrap();
    world.app.confirm_totp(&alice, &code, here()).await.unwrap();
    assert!(world.app.enrol_totp(&alice, secret(PASSWORD)).await.is_err(), "not even one's own");
    let actor = alice.acting(TokenScope::Administer).unwrap();
    let own = Proposal::ResetSecondFactor { user: name("alice") };
    let id = pending(&world.app.propose(actor, own).await.unwrap());
    assert!(world.app.approve_change(actor, id).await.is_err());
    assert_eq!(world.try_sign_in("alice", PASSWORD, None).await.unwrap_err().kind, ProblemKind::NeedsSecondFactor);
    world.app.approve_change(&world.actor("bob").await, id).await.unwrap();
    let caller = world.caller("alice").await;
    world.app.enrol_totp(&caller, secret(PASSWORD)).await.unwrap();
}

#[tokio::test]
async fn an_invitation_into_groups_is_one_change() {
    let world = world().await;
    let groups = [name("administrators")].into();
    let proposal = Proposal::Invite { name: name("eve"), groups };
    let id = stays_pending(&world, proposal).await;
    let shown = world.app.show_change(&world.actor("bob").await, id).await.unwrap();
    assert_eq!(shown.plan.len(), 2, "{shown:?}");
    let done = world.app.approve_change(&world.actor("bob").await, id).await.unwrap();
    assert!(matches!(done.handed, Handed::InvitationHalf(_)));
    let administrators = world.app.group_named("administrators").await.unwrap().value;
    let eve = world.app.principal_named("eve").await.unwrap().value;
    assert!(administrators.members.contains(&eve.id));
    assert!(world.try_sign_in("eve", PASSWORD, None).await.is_err(), "until the invitation is taken up");
    let unknown = Proposal::Invite { name: name("mallory"), groups: [name("no-such-group")].into() };
    let problem = world.app.propose(&world.actor("alice").await, unknown).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::NotFound);
}

#[tokio::test]
async fn a_token_for_anothers_workload_is_dead_until_approved_and_then_its_proposers() {
    let world = world().await;
    world.user_by_both("carol").await;
    world.together(Proposal::CreateWorkload { name: name("bot"), owner: name("carol") }).await;
    let alice = world.actor("alice").await;
    let input = TokenInput { workload: Some(name("bot")), scopes: [TokenScope::Request].into(), lasts: None };
    let TokenMade::Change(proposed) = world.app.make_token(&alice, input).await.unwrap() else { panic!() };
    let Handed::Token(token) = &proposed.handed else { panic!("{proposed:?}") };
    assert!(world.app.authenticate(token.expose()).await.is_err());
    let done = world.app.approve_change(&world.actor("bob").await, pending(&proposed)).await.unwrap();
    assert_eq!(done.handed, Handed::Nothing, "the approver gets no token");
    world.app.authenticate(token.expose()).await.unwrap();
    let for_a_person = TokenInput { workload: Some(name("carol")), scopes: [TokenScope::Request].into(), lasts: None };
    assert_eq!(world.app.make_token(&alice, for_a_person).await.unwrap_err().kind, ProblemKind::NotFound);
}

#[tokio::test]
async fn a_token_and_a_workload_approve_nothing() {
    let world = world().await;
    world.together(Proposal::CreateWorkload { name: name("bot"), owner: name("bob") }).await;
    world.together(add("administrators", "bot")).await;
    let id = pending(
        &world.app.propose(&world.actor("alice").await, Proposal::CreateUser { name: name("x") }).await.unwrap(),
    );
    let bob = world.actor("bob").await;
    for workload in [None, Some(name("bot"))] {
        let input = TokenInput { workload, scopes: [TokenScope::Administer].into(), lasts: None };
        let TokenMade::Live { secret, .. } = world.app.make_token(&bob, input).await.unwrap() else { panic!() };
        let caller = world.app.authenticate(secret.expose()).await.unwrap();
        let problem = world.app.approve_change(caller.acting(TokenScope::Administer).unwrap(), id).await.unwrap_err();
        assert_eq!(problem.code, "tokens_never_approve");
    }
}

#[tokio::test]
async fn who_proposes_by_a_workload_cannot_approve_as_its_owner() {
    let world = world().await;
    let mut files = world.app.current_policy().await.unwrap().files;
    files.insert(
        "bots.cedar".into(),
        "permit (principal is Workload in Group::\"administrators\", action == Action::\"administer\", resource);"
            .into(),
    );
    world.together(Proposal::Policy { files }).await;
    world.together(Proposal::CreateWorkload { name: name("bot"), owner: name("alice") }).await;
    world.together(add("administrators", "bot")).await;
    let alice = world.actor("alice").await;
    let input = TokenInput { workload: Some(name("bot")), scopes: [TokenScope::Administer].into(), lasts: None };
    let TokenMade::Live { secret, .. } = world.app.make_token(&alice, input).await.unwrap() else { panic!() };
    let bot = world.app.authenticate(secret.expose()).await.unwrap();
    let proposal = Proposal::CreateUser { name: name("puppet") };
    let id = pending(&world.app.propose(bot.acting(TokenScope::Administer).unwrap(), proposal).await.unwrap());
    let problem = world.app.approve_change(&alice, id).await.unwrap_err();
    assert!(problem.what.contains("another administrator"), "{problem}");
}

#[tokio::test]
async fn a_delegate_of_policy_proposes_and_never_approves() {
    let world = world().await;
    world.user_by_both("carol").await;
    let mut files = world.app.current_policy().await.unwrap().files;
    files.insert(
        "delegate.cedar".into(),
        "permit (principal == User::\"carol\", action == Action::\"administer\", resource);".into(),
    );
    world.together(Proposal::Policy { files }).await;
    let (alice, carol) = (world.actor("alice").await, world.actor("carol").await);
    let id = pending(&world.app.propose(&alice, Proposal::CreateUser { name: name("x") }).await.unwrap());
    assert_eq!(world.app.approve_change(&carol, id).await.unwrap_err().code, "needs_administrator");
    let hers = pending(&world.app.propose(&carol, Proposal::CreateUser { name: name("y") }).await.unwrap());
    world.app.approve_change(&alice, hers).await.unwrap();
}

#[tokio::test]
async fn who_was_disabled_since_has_no_part_in_it() {
    let world = world().await;
    let (alice, bob) = (world.actor("alice").await, world.actor("bob").await);
    let id = pending(&world.app.propose(&bob, Proposal::CreateUser { name: name("puppet") }).await.unwrap());
    world.app.disable(&alice, &name("bob")).await.unwrap();
    let problem = world.app.approve_change(&alice, id).await.unwrap_err();
    assert_eq!(problem.code, "proposer_may_not");
}

#[tokio::test]
async fn being_alone_again_gives_nothing_back() {
    let world = world().await;
    let alice = world.actor("alice").await;
    world.app.disable(&alice, &name("bob")).await.unwrap();
    stays_pending(&world, Proposal::CreateUser { name: name("puppet") }).await;
    stays_pending(&world, Proposal::Enable { principal: name("bob") }).await;
    world.app.remove_member(&alice, &name("administrators"), &name("bob")).await.unwrap();
    stays_pending(&world, add("administrators", "bob")).await;
    assert_eq!(world.app.issue_setup_token().await.unwrap_err().code, "set_up_already");
    assert_eq!(world.app.disable(&alice, &name("alice")).await.unwrap_err().code, "last_administrator");
    assert_eq!(world.count("installation.four_eyes").await, 1);
}

#[tokio::test]
async fn what_was_planned_on_another_state_is_refused() {
    let world = world().await;
    let (alice, bob) = (world.actor("alice").await, world.actor("bob").await);
    let moved = orders().replace("127.0.0.1:5432", "127.0.0.1:6432");
    let first = world.app.apply_resources(&alice, "a.toml", &moved, Mode::Apply).await.unwrap();
    let renamed = orders().replace("credential = \"lab\"", "credential = \"better\"");
    let second = world.app.apply_resources(&alice, "b.toml", &renamed, Mode::Apply).await.unwrap();
    let (Outcome::Pending { change: first, .. }, Outcome::Pending { change: second, .. }) =
        (first.outcome, second.outcome)
    else {
        panic!()
    };
    world.app.approve_change(&bob, first).await.unwrap();
    assert!(matches!(world.app.show_change(&bob, second).await.unwrap().standing, Standing::Outdated(_)));
    assert_eq!(world.app.approve_change(&bob, second).await.unwrap_err().code, "base_moved");

    let with = |file: &str| {
        let text = "permit (principal, action == Action::\"use\", resource) when { resource.resource.environment == Environment::\"lab\" };";
        (file.to_owned(), text.to_owned())
    };
    let current = world.app.current_policy().await.unwrap().files;
    let mut proposals = Vec::new();
    for file in ["one.cedar", "two.cedar"] {
        let mut files = current.clone();
        files.extend([with(file)]);
        proposals.push(pending(&world.app.propose(&alice, Proposal::Policy { files }).await.unwrap()));
    }
    world.app.approve_change(&bob, proposals[0]).await.unwrap();
    assert_eq!(world.app.approve_change(&bob, proposals[1]).await.unwrap_err().code, "base_moved");
}

#[tokio::test]
async fn leaving_a_group_that_is_held_against_its_members_is_a_change() {
    let world = world().await;
    let (alice, bob) = (world.actor("alice").await, world.actor("bob").await);
    world.app.create_group(&alice, &name("suspended")).await.unwrap();
    world.app.create_group(&alice, &name("dba")).await.unwrap();
    world.together(add("suspended", "alice")).await;
    world.together(add("dba", "alice")).await;
    let mut files = world.app.current_policy().await.unwrap().files;
    files.insert(
        "s.cedar".into(),
        "forbid (principal in Group::\"suspended\", action == Action::\"use\", resource);".into(),
    );
    world.together(Proposal::Policy { files }).await;
    let left = world.app.remove_member(&alice, &name("suspended"), &name("alice")).await.unwrap();
    let id = pending(&left);
    assert!(world.app.approve_change(&alice, id).await.is_err());
    let deleted = world.app.delete_group(&alice, &name("suspended")).await.unwrap();
    pending(&deleted);
    let plain = world.app.remove_member(&alice, &name("dba"), &name("alice")).await.unwrap();
    assert_eq!(plain.outcome, Outcome::Done, "this group only gives");
    world.app.approve_change(&bob, id).await.unwrap();
}

#[tokio::test]
async fn taking_away_waits_for_nobody() {
    let world = world().await;
    world.user_by_both("carol").await;
    let alice = world.actor("alice").await;
    world.app.disable(&alice, &name("carol")).await.unwrap();
    let out = world.app.remove_member(&alice, &name("administrators"), &name("bob")).await.unwrap();
    assert_eq!(out.outcome, Outcome::Done);
    assert!(world.try_sign_in("carol", PASSWORD, None).await.is_err());
}

#[tokio::test]
async fn changes_are_turned_down_taken_back_and_expire() {
    let world = world().await;
    let (alice, bob) = (world.actor("alice").await, world.actor("bob").await);
    let make = |who: &str| Proposal::CreateUser { name: name(who) };
    let down = pending(&world.app.propose(&alice, make("x")).await.unwrap());
    world.app.reject_change(&bob, down).await.unwrap();
    let back = pending(&world.app.propose(&alice, make("x")).await.unwrap());
    world.app.reject_change(&alice, back).await.unwrap();
    let late = pending(&world.app.propose(&alice, make("x")).await.unwrap());
    world.later(daypass_app::changes::CHANGE_LASTS);
    let bob = world.actor("bob").await;
    for over in [down, back, late] {
        assert_eq!(world.app.approve_change(&bob, over).await.unwrap_err().kind, ProblemKind::Conflict);
    }
    world.app.do_due().await.unwrap();
    assert!(world.app.changes_list(&bob, Which::Pending).await.unwrap().is_empty());
    assert_eq!(world.app.changes_list(&bob, Which::All).await.unwrap().len(), 4);
    assert_eq!(world.count("change.ended").await, 3);
    let unknown = ChangeId::new(world.app.now(), [5; 10]);
    assert_eq!(world.app.approve_change(&bob, unknown).await.unwrap_err().kind, ProblemKind::NotFound);
}

#[tokio::test]
async fn one_person_does_not_bury_the_other_in_changes() {
    let world = world().await;
    let alice = world.actor("alice").await;
    for i in 0..daypass_app::changes::PENDING_MOST {
        let proposal = Proposal::CreateUser { name: name(&format!("u{i}")) };
        pending(&world.app.propose(&alice, proposal).await.unwrap());
    }
    let one_more = world.app.propose(&alice, Proposal::CreateUser { name: name("one") }).await.unwrap_err();
    assert_eq!(one_more.code, "too_many_changes");
}

#[tokio::test]
async fn two_changes_at_once_by_one_never_slip_past_the_beginning_of_four_eyes() {
    let world = World::new().await;
    world.user("bob").await;
    let alice = world.actor("alice").await;
    let (second, puppet) = tokio::join!(
        world.app.propose(&alice, add("administrators", "bob")),
        world.app.propose(&alice, Proposal::CreateUser { name: name("puppet") }),
    );
    assert_eq!(second.unwrap().outcome, Outcome::Done);
    // It came before, or it waits.
    let events = world.events().await;
    match puppet.unwrap().outcome {
        Outcome::Done => {
            let begun = events.iter().position(|e| e == "installation.four_eyes").unwrap();
            let last = events.iter().rposition(|e| e == "change.committed").unwrap();
            assert!(last < begun, "{events:?}");
        }
        Outcome::Pending { .. } => {}
        Outcome::NothingToDo => panic!("{events:?}"),
    }
}

#[tokio::test]
async fn a_plan_is_shown_to_those_who_could_propose() {
    let world = world().await;
    world.user_by_both("carol").await;
    let carol = world.actor("carol").await;
    let id = stays_pending(&world, add("administrators", "carol")).await;
    assert_eq!(world.app.show_change(&carol, id).await.unwrap_err().kind, ProblemKind::NotAllowed);
    assert_eq!(world.app.changes_list(&carol, Which::All).await.unwrap_err().kind, ProblemKind::NotAllowed);
    assert_eq!(world.app.approve_change(&carol, id).await.unwrap_err().code, "needs_administrator");
    assert_eq!(world.app.reject_change(&carol, id).await.unwrap_err().kind, ProblemKind::NotAllowed);
}
