//! Passkeys and recovery codes: who may enrol, show and remove them, and what each is good for.

use daypass_app::{
    ProblemKind,
    changes::Proposal,
    signin::{Again, Caller, Showing, Step, code_for},
};
use daypass_domain::{
    Span,
    principal::{SecondFactor, Via},
};
use daypass_ports::rows::{PasskeyUse, TokenScope, Way};
use daypass_testkit::authenticator::Authenticator;

use crate::world::{PASSWORD, World, here, name, pending, secret, typed};

/// Shown a passkey at the second step of signing in with a browser.
async fn come_in(world: &World, who: &str, key: &mut Authenticator) -> Caller {
    let Step::SecondFactor(step) = world.first_step(who).await else { panic!("no second step") };
    let answer = Showing::Passkey(key.get(&step.options));
    let made = world.app.finish_sign_in_browser(step.ticket.expose(), &answer, here()).await.unwrap();
    world.app.authenticate_browser(made.cookie.expose(), daypass_app::signin::Touch::Used).await.unwrap()
}

#[tokio::test]
async fn a_passkey_is_asked_for_at_sign_in_and_no_answer_is_good_twice() {
    let world = World::new().await;
    let caller = world.caller("alice").await;
    let mut key = world.passkey(&caller, "laptop").await;
    let missing = world.try_sign_in("alice", PASSWORD, None).await.unwrap_err();
    assert_eq!(missing.kind, ProblemKind::NeedsSecondFactor);
    assert!(missing.next.contains("/signin"), "a program can't show it: {missing}");

    let Step::SecondFactor(step) = world.first_step("alice").await else { panic!() };
    assert_eq!(step.ways, [Way::Passkey].into());
    let answer = Showing::Passkey(key.get(&step.options));
    world.app.finish_sign_in_browser(step.ticket.expose(), &answer, here()).await.unwrap();
    let again = world.app.finish_sign_in_browser(step.ticket.expose(), &answer, here()).await.unwrap_err();
    assert_eq!(again.code, "no_ceremony", "the ticket is used");
    let Step::SecondFactor(step) = world.first_step("alice").await else { panic!() };
    let replayed = world.app.finish_sign_in_browser(step.ticket.expose(), &answer, here()).await.unwrap_err();
    assert_eq!(replayed.code, "passkey_refused", "it answers another question");

    let caller = come_in(&world, "alice", &mut key).await;
    let via = caller.acting(TokenScope::Read).unwrap().via.clone();
    assert_eq!(via, Via::SignIn { second_factor: SecondFactor::ShownAt { at: world.app.now() } });
    let held = world.app.factors(&caller).await.unwrap();
    assert_eq!(held.passkeys[0].last, PasskeyUse::At { at: world.app.now() });
}

#[tokio::test]
async fn whoever_has_not_the_password_hears_of_no_factor() {
    let world = World::new().await;
    world.user("bob").await;
    let alice = world.caller("alice").await;
    world.passkey(&alice, "laptop").await;
    let with = world.try_sign_in("alice", "wrong horse battery", None).await.unwrap_err();
    let without = world.try_sign_in("bob", "wrong horse battery", None).await.unwrap_err();
    assert_eq!(with, without);
    let wrong = world.app.finish_sign_in_browser("no such ticket", &typed("123456"), here()).await.unwrap_err();
    assert_eq!(wrong.code, "no_ceremony");
}

#[tokio::test]
async fn what_was_asked_in_one_sign_in_is_answered_in_it_once_and_in_time() {
    let world = World::new().await;
    let first = world.caller("alice").await;
    let second = world.caller("alice").await;
    let mut key = world.passkey(&first, "laptop").await;
    let options = world.app.ask_for_passkey(&first).await.unwrap();
    let answer = Showing::Passkey(key.get(&options));
    let elsewhere = world.app.show_second_factor(&second, &answer, here()).await.unwrap_err();
    assert_eq!(elsewhere.code, "no_ceremony");
    world.app.ask_for_passkey(&second).await.unwrap();
    let elsewhere = world.app.show_second_factor(&second, &answer, here()).await.unwrap_err();
    assert_eq!(elsewhere.code, "passkey_refused", "the question of another sign-in");
    world.app.show_second_factor(&first, &answer, here()).await.unwrap();
    assert_eq!(world.app.show_second_factor(&first, &answer, here()).await.unwrap_err().code, "no_ceremony");
    let options = world.app.ask_for_passkey(&first).await.unwrap();
    world.later(Span::from_mins(5));
    let late = world.app.show_second_factor(&first, &Showing::Passkey(key.get(&options)), here()).await.unwrap_err();
    assert_eq!(late.code, "no_ceremony");
}

#[tokio::test]
async fn a_passkey_with_a_counter_that_goes_back_is_refused_and_written_down() {
    let world = World::new().await;
    let caller = world.caller("alice").await;
    let mut key = world.passkey(&caller, "laptop").await;
    world.show(&caller, &mut key).await.unwrap();
    key.counter = 1;
    assert_eq!(world.show(&caller, &mut key).await.unwrap_err().code, "passkey_suspect");
    assert_eq!(world.count("factor.passkey_suspect").await, 1);
    assert_eq!(world.count("signin.second_factor_shown").await, 1);
}

#[tokio::test]
async fn enrolling_takes_a_fresh_sign_in_and_a_factor_that_one_has() {
    let world = World::new().await;
    let caller = world.caller("alice").await;
    world.later(Span::from_mins(6));
    let old = world.app.begin_passkey(&caller, Again::SignedInJustNow).await.unwrap_err();
    assert_eq!(old.code, "password_needed");
    let wrong = Again::Password(secret("wrong horse battery"));
    assert_eq!(world.app.begin_passkey(&caller, wrong).await.unwrap_err().kind, ProblemKind::Unauthenticated);
    let mut key = Authenticator::at("https://localhost:7443");
    let options = world.app.begin_passkey(&caller, Again::Password(secret(PASSWORD))).await.unwrap();
    let answer = key.create(&options);
    world.app.finish_passkey(&caller, name("laptop"), &answer).await.unwrap();
    let again = world.app.finish_passkey(&caller, name("laptop"), &answer).await.unwrap_err();
    assert_eq!(again.code, "second_factor_needed");

    // A second one: the first was not shown in this sign-in yet.
    let mut spare = Authenticator::at("https://localhost:7443");
    let options = world.app.begin_passkey(&caller, Again::Password(secret(PASSWORD))).await.unwrap();
    assert_eq!(options["excludeCredentials"].as_array().unwrap().len(), 1);
    let answer = spare.create(&options);
    let without = world.app.finish_passkey(&caller, name("spare"), &answer).await.unwrap_err();
    assert_eq!(without.code, "second_factor_needed");
    assert_eq!(world.app.enrol_totp(&caller, secret(PASSWORD)).await.unwrap_err().code, "second_factor_needed");
    world.show(&caller, &mut key).await.unwrap();
    let caller = come_in(&world, "alice", &mut key).await;
    let options = world.app.begin_passkey(&caller, Again::SignedInJustNow).await.unwrap();
    let taken = world.app.finish_passkey(&caller, name("laptop"), &spare.create(&options)).await.unwrap_err();
    assert_eq!(taken.code, "name_taken");
    let options = world.app.begin_passkey(&caller, Again::SignedInJustNow).await.unwrap();
    let id = world.app.finish_passkey(&caller, name("spare"), &spare.create(&options)).await.unwrap();

    world.app.remove_passkey(&caller, id).await.unwrap();
    assert_eq!(world.app.remove_passkey(&caller, id).await.unwrap_err().kind, ProblemKind::NotFound);
    let last = world.app.factors(&caller).await.unwrap().passkeys[0].id;
    assert_eq!(world.app.remove_passkey(&caller, last).await.unwrap_err().code, "last_second_factor");
    world.later(Span::from_mins(6));
    assert_eq!(world.app.remove_passkey(&caller, last).await.unwrap_err().code, "second_factor_needed");
    assert_eq!(world.count("factor.removed").await, 1);
}

#[tokio::test]
async fn a_recovery_code_is_good_once_and_new_ones_void_the_old() {
    let world = World::new().await;
    let caller = world.caller("alice").await;
    assert_eq!(world.app.make_recovery_codes(&caller).await.unwrap_err().code, "no_second_factor");
    let mut key = world.passkey(&caller, "laptop").await;
    world.show(&caller, &mut key).await.unwrap();
    let codes = world.app.make_recovery_codes(&caller).await.unwrap();
    assert_eq!(codes.len(), 10);
    let first = codes[0].expose();
    assert_eq!(first.len(), 30, "26 characters in groups: {first}");
    for wrong in ["", "a", &first[1..], "aaaaa-aaaaa-aaaaa-aaaaa-aaaaaa"] {
        let problem = world.try_sign_in("alice", PASSWORD, Some(wrong.to_owned())).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Unauthenticated, "{wrong}");
    }
    let shouted = first.to_uppercase().replace('-', " ");
    let signed_in = world.try_sign_in("alice", PASSWORD, Some(shouted)).await.unwrap();
    assert!(world.try_sign_in("alice", PASSWORD, Some(first.to_owned())).await.is_err(), "used");
    assert_eq!(world.count("factor.recovery_code_used").await, 1);
    let caller = world.app.authenticate(signed_in.token.expose()).await.unwrap();
    assert_eq!(world.app.factors(&caller).await.unwrap().recovery_codes, 9);
    let new = world.app.make_recovery_codes(&caller).await.unwrap();
    world.later(Span::from_mins(1));
    assert!(world.try_sign_in("alice", PASSWORD, Some(codes[1].expose().to_owned())).await.is_err(), "void");
    world.app.show_second_factor(&caller, &typed(new[0].expose()), here()).await.unwrap();
}

#[tokio::test]
async fn an_approval_takes_a_passkey_that_was_shown_just_now() {
    let world = World::with_two().await;
    let bob = world.caller("bob").await;
    let mut key = world.passkey(&bob, "phone").await;
    let proposal = Proposal::CreateUser { name: name("carol") };
    let id = pending(&world.app.propose(&world.actor("alice").await, proposal).await.unwrap());
    let actor = bob.acting(TokenScope::Administer).unwrap();
    let without = world.app.approve_change(actor, id).await.unwrap_err();
    assert_eq!(without.code, "second_factor_needed");
    assert!(without.next.contains("/requests/"), "it says where a passkey can be shown: {without}");
    let actor = world.show(&bob, &mut key).await.unwrap();
    world.later(Span::from_mins(6));
    assert_eq!(world.app.approve_change(&actor, id).await.unwrap_err().code, "second_factor_needed");
    let actor = world.show(&bob, &mut key).await.unwrap();
    world.app.approve_change(&actor, id).await.unwrap();
}

#[tokio::test]
async fn totp_and_a_passkey_are_both_offered() {
    let world = World::new().await;
    let caller = world.caller("alice").await;
    let begun = world.app.enrol_totp(&caller, secret(PASSWORD)).await.unwrap();
    let code = |world: &World| code_for(begun.secret.expose(), world.app.now()).unwrap();
    world.app.confirm_totp(&caller, &code(&world), here()).await.unwrap();
    world.later(Span::from_mins(1));
    world.app.show_second_factor(&caller, &typed(&code(&world)), here()).await.unwrap();
    world.passkey(&caller, "laptop").await;
    let Step::SecondFactor(step) = world.first_step("alice").await else { panic!() };
    assert_eq!(step.ways, [Way::Passkey, Way::Totp].into());
    world.later(Span::from_mins(1));
    world.app.finish_sign_in_browser(step.ticket.expose(), &typed(&code(&world)), here()).await.unwrap();
}
