//! Emergency kits: who may hold what, what is kept of a credential, and what one administrator alone can't do.

use daypass_app::{
    ProblemKind,
    changes::{Handed, Outcome, Proposal},
    emergency::KitHolder,
    tokens::{TokenInput, TokenMade},
};
use daypass_domain::{Span, kit::AtTarget};
use daypass_ports::rows::TokenScope;
use daypass_seal::Recipient;

use crate::world::{World, name, pending};

/// Two public keys, whose secret halves are nowhere.
const KEYS: [&str; 2] = [
    "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
    "age1jcgurlqsjjd00rfeasthm5025gtlc2kft54hgpzt5mpkl2vkeuus592l9x",
];

/// Thirty-two zeros: what is sealed to them, anybody can open.
const ZEROS: &str = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z";

fn to(one: &str, other: &str) -> [KitHolder; 2] {
    [(one, KEYS[0]), (other, KEYS[1])].map(|(user, key)| KitHolder { user: name(user), recipient: key.to_owned() })
}

fn make(roles: &[&str], holders: [KitHolder; 2]) -> Proposal {
    Proposal::MakeKit { resource: name("orders"), roles: roles.iter().map(|role| name(role)).collect(), holders }
}

async fn world() -> World {
    let world = super::four_eyes::world().await;
    world.user_by_both("carol").await;
    world
}

#[tokio::test]
async fn i12_a_kit_waits_for_another_administrator_and_only_what_verifies_it_is_kept() {
    let world = world().await;
    super::four_eyes::stays_pending(&world, make(&[], to("alice", "carol"))).await;
    let (alice, bob) = (world.actor("alice").await, world.actor("bob").await);
    let before = world.events().await.len();
    let proposed = world.app.propose(&alice, make(&["readonly"], to("alice", "carol"))).await.unwrap();
    assert_eq!(world.events().await.len(), before + 1, "the entry is there before the halves are shown");
    let Handed::Kit(sealed) = &proposed.handed else { panic!("{proposed:?}") };
    assert_eq!(sealed.files.each_ref().map(|file| file.holder.to_string()), ["alice", "carol"]);
    for file in &sealed.files {
        assert!(file.sealed.starts_with("-----BEGIN AGE ENCRYPTED FILE-----\n"));
        assert!(file.page.contains(&file.sealed) && file.page.contains("psql"), "{}", file.page);
    }
    assert!(proposed.plan.iter().any(|line| line.contains(KEYS[1])), "{:?}", proposed.plan);
    let done = world.app.approve_change(&bob, pending(&proposed)).await.unwrap();
    assert!(matches!(done.outcome, Outcome::Done) && matches!(done.handed, Handed::Nothing), "{done:?}");
    let view = world.app.emergency_kit(&alice, sealed.kit).await.unwrap();
    assert_eq!(view.kit.sealed.member_of.iter().map(ToString::to_string).collect::<Vec<_>>(), ["lab_read"]);
    let AtTarget::Making { verifier, .. } = &view.kit.at_target else { panic!("{view:?}") };
    assert!(verifier.starts_with("SCRAM-SHA-256$"));
    assert_eq!(world.count("kit.sealed").await, 0, "the target doesn't have it");
}

#[tokio::test]
async fn a_half_is_a_persons_and_never_two_of_one() {
    let world = world().await;
    let alice = world.actor("alice").await;
    world.together(Proposal::CreateWorkload { name: name("nightly"), owner: name("carol") }).await;
    let same_key = to("alice", "carol").map(|holder| KitHolder { recipient: KEYS[0].into(), ..holder });
    let weak = to("alice", "carol").map(|holder| KitHolder { recipient: ZEROS.into(), ..holder });
    for (holders, code) in [
        (to("alice", "alice"), "one_holder"),
        (same_key, "one_key"),
        (to("alice", "nightly"), "not_a_user"),
        (to("alice", "nobody"), "not_found"),
        (weak, "bad_recipient"),
    ] {
        let refused = world.app.propose(&alice, make(&[], holders.clone())).await.unwrap_err();
        assert_eq!(refused.code, code, "{holders:?}: {refused}");
    }
    let unknown = world.app.propose(&alice, make(&["owner"], to("alice", "carol"))).await.unwrap_err();
    assert_eq!(unknown.kind, ProblemKind::NotFound);
    world.app.disable(&alice, &name("carol")).await.unwrap();
    let refused = world.app.propose(&alice, make(&[], to("alice", "carol"))).await.unwrap_err();
    assert_eq!(refused.code, "holder_disabled");
    assert!(KEYS.iter().all(|key| key.parse::<Recipient>().is_ok()));
}

#[tokio::test]
async fn what_was_sealed_on_another_state_is_not_approved() {
    let world = world().await;
    let (alice, bob) = (world.actor("alice").await, world.actor("bob").await);
    let (proposed, _) = world.together(make(&[], to("alice", "carol"))).await;
    let Handed::Kit(sealed) = proposed.handed else { panic!() };
    // Two rotations, planned on the same state: only one can be done.
    let first = world.app.rotate_kit(&alice, sealed.kit, None).await.unwrap();
    let second = world.app.rotate_kit(&alice, sealed.kit, Some(to("bob", "carol"))).await.unwrap();
    world.later(Span::from_secs(1));
    world.app.approve_change(&bob, pending(&second)).await.unwrap();
    let refused = world.app.approve_change(&bob, pending(&first)).await.unwrap_err();
    assert_eq!(refused.code, "base_moved");
    let view = world.app.emergency_kit(&alice, sealed.kit).await.unwrap();
    assert_eq!(view.holders.map(|name| name.to_string()), ["bob", "carol"]);
    // A holder who leaves makes it due.
    world.app.disable(&alice, &name("carol")).await.unwrap();
    let due = world.app.emergency_kit(&alice, sealed.kit).await.unwrap().attention();
    assert!(due.iter().any(|line| line.contains("`carol` holds half of it")), "{due:?}");
}

#[tokio::test]
async fn taking_away_waits_for_nobody_and_nothing_is_reviewed_that_was_not_used() {
    let world = world().await;
    let bob = world.actor("bob").await;
    let (proposed, _) = world.together(make(&[], to("alice", "carol"))).await;
    let Handed::Kit(sealed) = proposed.handed else { panic!() };
    let carol = world.actor("carol").await;
    for refused in [
        world.app.remove_kit(&carol, sealed.kit).await.unwrap_err(),
        world.app.review_kit(&carol, sealed.kit, "fine").await.unwrap_err(),
        world.app.emergency_kits(&carol).await.unwrap_err(),
    ] {
        assert_eq!(refused.kind, ProblemKind::NotAllowed, "{refused}");
    }
    assert_eq!(world.app.review_kit(&bob, sealed.kit, " ").await.unwrap_err().code, "review_words");
    // Whatever it may, it is no person who looked.
    let input = TokenInput { workload: None, scopes: [TokenScope::Administer].into(), lasts: None };
    let TokenMade::Live { secret, .. } = world.app.make_token(&bob, input).await.unwrap() else { panic!() };
    let caller = world.app.authenticate(secret.expose()).await.unwrap();
    let token = caller.acting(TokenScope::Administer).unwrap();
    assert_eq!(world.app.review_kit(token, sealed.kit, "fine").await.unwrap_err().code, "review_takes_a_person");
    let unused = world.app.review_kit(&bob, sealed.kit, "fine").await.unwrap_err();
    assert!(unused.what.contains("it wasn't used"), "{unused}");
    let removed = world.app.remove_kit(&bob, sealed.kit).await.unwrap();
    assert!(!removed.stands());
    assert_eq!(world.count("kit.removed").await, 1);
    assert!(world.app.rotate_kit(&bob, sealed.kit, None).await.is_err());
    assert!(world.app.alarms().await.unwrap().is_empty());
}

#[tokio::test]
async fn sealing_anew_never_gives_more_and_never_at_another_place() {
    let world = world().await;
    let alice = world.actor("alice").await;
    let (proposed, _) = world.together(make(&["readonly"], to("alice", "carol"))).await;
    let Handed::Kit(sealed) = proposed.handed else { panic!() };
    let declared = |from: &str, to: &str| {
        let text = super::four_eyes::orders().replace(from, to);
        assert_ne!(text, super::four_eyes::orders(), "{from}");
        Proposal::Resources { file: "orders.toml".into(), text }
    };
    for (from, to, due, code) in [
        // A role that it never gave is left, and it doesn't give that one instead.
        ("readonly", "reader", "its roles are declared otherwise", "no_roles"),
        ("127.0.0.1:5432", "127.0.0.1:5433", "declared at another place", "kit_elsewhere"),
    ] {
        world.together(declared(from, to)).await;
        let attention = world.app.emergency_kit(&alice, sealed.kit).await.unwrap().attention();
        assert!(attention.iter().any(|line| line.contains(due)), "{attention:?}");
        let refused = world.app.rotate_kit(&alice, sealed.kit, None).await.unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
    }
}
