//! The owner's confirmation of what their workload asks: no approval, and enough only for what they could have themselves. // I8

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use daypass_app::{
    ProblemKind,
    approve::{Less, Seen},
    ask::{Page, Requests, Whose},
    changes::Proposal,
    inbox::Answering,
    notices::{Audience, Notices, Way},
    request::{Answered, Outcome},
    tokens::{TokenInput, TokenMade},
};
use daypass_domain::{
    GrantId, RequestId, Span,
    grant::GrantState,
    notice::{Hearer, Notice, Topic},
    principal::{Actor, SecondFactor, Via},
};
use daypass_ports::{
    notices::{Channel, Letter, NotSent, Reach},
    rows::TokenScope,
    store::Store,
};

use crate::world::{World, add, asking, name};

/// What people of dba have of a lab at once; everybody else with an approval; a workload by its owner's confirmation too.
const POLICIES: &str = r#"
    @id("dba") permit(principal is User in Group::"dba", action == Action::"use", resource) when {
        resource.resource.environment == Environment::"lab" && context.asked.reason_given };
    @id("approved") permit(principal, action == Action::"use", resource) when {
        context.asked.reason_given && context.now.quorums.contains(Quorum::"1 anyone") };
    @id("confirmed") permit(principal is Workload, action == Action::"use", resource) when {
        context.asked.reason_given && context.now.owner_confirmed };
"#;

/// Alice administers; bob is of dba and owns `agent`; carol is nobody in particular. And a lab.
async fn world() -> World {
    world_with(Notices::default()).await
}

async fn world_with(notices: Notices) -> World {
    let world = World::with_notices(notices).await;
    let alice = world.actor("alice").await;
    for who in ["bob", "carol"] {
        world.user(who).await;
    }
    world.lab().await;
    world.app.create_group(&alice, &name("dba")).await.unwrap();
    world.app.propose(&alice, add("dba", "bob")).await.unwrap();
    let workload = Proposal::CreateWorkload { name: name("agent"), owner: name("bob") };
    world.app.propose(&alice, workload).await.unwrap();
    policies(&world, POLICIES).await;
    world
}

/// The same, which ask for an approval where they asked for a confirmation.
fn unread() -> String {
    POLICIES.replace("context.now.owner_confirmed", "context.now.quorums.contains(Quorum::\"1 anyone\")")
}

async fn policies(world: &World, access: &str) {
    let mut files: BTreeMap<String, String> = daypass_policy::starter_files();
    files.insert("access.cedar".into(), access.into());
    world.app.propose(&world.actor("alice").await, Proposal::Policy { files }).await.unwrap();
}

/// The workload, by a token of its own.
async fn agent(world: &World) -> Actor {
    let scopes = [TokenScope::Read, TokenScope::Request].into();
    let input = TokenInput { workload: Some(name("agent")), scopes, lasts: None };
    let TokenMade::Live { secret, .. } = world.app.make_token(&world.actor("bob").await, input).await.unwrap() else {
        panic!("bob owns it")
    };
    world.app.authenticate(secret.expose()).await.unwrap().acting(TokenScope::Request).unwrap().clone()
}

async fn asks(world: &World, agent: &Actor) -> RequestId {
    let answered = world.app.request(agent, asking("lab", "readonly")).await.unwrap();
    let Outcome::Pending { missing } = &answered.outcome else { panic!("{answered:?}") };
    assert_eq!(missing.to_string(), "either (bob's own confirmation) or (one approval by another person)");
    answered.request.id
}

fn granted(answered: &Answered) -> GrantId {
    match &answered.outcome {
        Outcome::Granted(grant) => grant.id,
        Outcome::Pending { .. } | Outcome::Refused { .. } => panic!("{answered:?}"),
    }
}

async fn confirmed(world: &World) -> (RequestId, GrantId) {
    let request = asks(world, &agent(world).await).await;
    let answered = world.app.confirm(&world.actor("bob").await, request, Seen::AsItIs).await.unwrap();
    (request, granted(&answered))
}

async fn is_live(world: &World, grant: GrantId) -> bool {
    match world.grant_row(grant).await.state {
        GrantState::Active { .. } => true,
        GrantState::Scheduled { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => false,
    }
}

/// The ids in the headers of the entries of one kind.
async fn headers(world: &World, event: &str) -> Vec<BTreeMap<String, String>> {
    let leaves = world.store.leaves(0, 10_000).await.unwrap();
    let mut found = Vec::new();
    for (_, leaf) in leaves {
        let json: serde_json::Value = serde_json::from_slice(&leaf).unwrap();
        if json["header"]["event"] == event {
            found.push(serde_json::from_value(json["header"]["ids"].clone()).unwrap());
        }
    }
    found
}

#[tokio::test]
async fn the_owner_confirms_and_the_workload_has_it() {
    let world = world().await;
    let agent = agent(&world).await;
    let request = asks(&world, &agent).await;
    let (bob, carol) = (world.actor("bob").await, world.actor("carol").await);
    let inbox = world.app.requests(&bob, Requests::ToAnswer, &Page::default()).await.unwrap();
    assert_eq!(inbox.iter().map(|view| view.request.id).collect::<Vec<_>>(), [request]);
    assert_eq!(inbox[0].owner, Some(name("bob")));
    let seen = world.app.to_answer(&bob, request).await.unwrap();
    assert!(matches!(seen.answering, Answering::Confirms(_)), "{:?}", seen.answering);
    assert!(matches!(world.app.to_answer(&carol, request).await.unwrap().answering, Answering::Counts(_)));

    let answered = world.app.confirm(&bob, request, Seen::Digest(seen.view.request.asked.digest())).await.unwrap();
    let grant = granted(&answered);
    assert!(answered.request.approvals.is_empty(), "it is no approval");
    let row = world.grant_row(grant).await;
    assert_eq!((row.holder, row.person.id()), (agent.principal, bob.principal));
    // The workload and its owner, both, in every entry about it; and which event it was.
    for event in ["token.made", "request.made", "request.confirmed", "grant.activated"] {
        let entries = headers(&world, event).await;
        let last = entries.last().unwrap_or_else(|| panic!("no {event}"));
        assert_eq!(last["principal"], agent.principal.to_string(), "{event}");
        assert_eq!(last["owner"], bob.principal.to_string(), "{event}");
    }
    assert_eq!(world.count("request.approved").await, 0);
    let held = world.app.grants(&agent, Whose::Mine, &Page::default()).await.unwrap();
    assert_eq!((&held[0].holder, &held[0].owner), (&name("agent"), &Some(name("bob"))));
    // Once.
    assert_eq!(world.app.confirm(&bob, request, Seen::AsItIs).await.unwrap_err().kind, ProblemKind::Conflict);
}

#[tokio::test]
async fn i8_nobody_else_confirms_and_no_token_does() {
    let world = world().await;
    let agent = agent(&world).await;
    let request = asks(&world, &agent).await;
    let as_it_is = Seen::AsItIs;
    assert_eq!(world.app.confirm(&agent, request, as_it_is).await.unwrap_err().code, "person_only");
    // The owner's own token is a token too.
    let scopes = [TokenScope::Request].into();
    let made =
        world.app.make_token(&world.actor("bob").await, TokenInput { workload: None, scopes, lasts: None }).await;
    let TokenMade::Live { secret, .. } = made.unwrap() else { panic!() };
    let token = world.app.authenticate(secret.expose()).await.unwrap().acting(TokenScope::Request).unwrap().clone();
    assert_eq!(world.app.confirm(&token, request, as_it_is).await.unwrap_err().code, "person_only");
    for who in ["carol", "alice"] {
        let actor = world.actor(who).await;
        assert_eq!(world.app.confirm(&actor, request, as_it_is).await.unwrap_err().code, "not_its_owner", "{who}");
    }
    // The owner doesn't approve it, however much they confirm it.
    let bob = world.actor("bob").await;
    let approved = world.app.approve(&bob, request, as_it_is, Less::default()).await.unwrap_err();
    assert_eq!(approved.code, "own_request");
    // What one asks oneself is confirmed by nobody.
    let carols = world.app.request(&world.actor("carol").await, asking("lab", "readonly")).await.unwrap().request.id;
    let own = world.app.confirm(&world.actor("carol").await, carols, as_it_is).await.unwrap_err();
    assert_eq!(own.code, "not_its_owner");
    let other = Seen::Digest(daypass_domain::Digest::of(b"another"));
    assert_eq!(world.app.confirm(&bob, request, other).await.unwrap_err().kind, ProblemKind::Conflict);
    assert_eq!(world.count("request.confirmed").await, 0);
}

#[tokio::test]
async fn i8_it_gives_nothing_that_the_owner_needs_an_approval_for() {
    let world = world().await;
    let alice = world.actor("alice").await;
    // Carol could have nothing of the lab at once, so her workload can't by her word.
    let workload = Proposal::CreateWorkload { name: name("helper"), owner: name("carol") };
    world.app.propose(&alice, workload).await.unwrap();
    let carol = world.actor("carol").await;
    let input = TokenInput { workload: Some(name("helper")), scopes: [TokenScope::Request].into(), lasts: None };
    let TokenMade::Live { secret, .. } = world.app.make_token(&carol, input).await.unwrap() else { panic!() };
    let helper = world.app.authenticate(secret.expose()).await.unwrap().acting(TokenScope::Request).unwrap().clone();
    let answered = world.app.request(&helper, asking("lab", "readonly")).await.unwrap();
    let Outcome::Pending { missing } = &answered.outcome else { panic!("{answered:?}") };
    assert_eq!(missing.to_string(), "one approval by another person");
    let refused = world.app.confirm(&carol, answered.request.id, Seen::AsItIs).await.unwrap_err();
    assert_eq!(refused.code, "confirms_nothing");
    assert!(world.app.requests(&carol, Requests::ToAnswer, &Page::default()).await.unwrap().is_empty());
    // Policies that don't read it give nothing by it.
    policies(&world, &unread()).await;
    let agent = agent(&world).await;
    let waits = world.app.request(&agent, asking("lab", "readonly")).await.unwrap().request.id;
    let bob = world.actor("bob").await;
    assert_eq!(world.app.confirm(&bob, waits, Seen::AsItIs).await.unwrap_err().code, "confirms_nothing");
    // Where the owner could have it only with more than was asked, their word alone lets nothing through, and isn't wanted.
    policies(&world, &POLICIES.replacen("context.asked.reason_given", "context.asked.ticket_given", 1)).await;
    let waits = world.app.request(&agent, asking("lab", "readonly")).await.unwrap().request.id;
    assert_eq!(world.app.confirm(&bob, waits, Seen::AsItIs).await.unwrap_err().code, "confirms_nothing");
    let inbox = world.app.requests(&bob, Requests::ToAnswer, &Page::default()).await.unwrap();
    assert!(inbox.iter().all(|view| view.request.id != waits), "{inbox:?}");
}

#[tokio::test]
async fn an_owner_who_could_have_it_only_with_a_second_factor_shows_one() {
    let world = world().await;
    let fresh = "context.asked has mfa_age_s && context.asked.mfa_age_s <= 300";
    policies(&world, &POLICIES.replacen("context.asked.reason_given", fresh, 1)).await;
    let request = world.app.request(&agent(&world).await, asking("lab", "readonly")).await.unwrap().request.id;
    let bob = world.actor("bob").await;
    let refused = world.app.confirm(&bob, request, Seen::AsItIs).await.unwrap_err();
    assert_eq!((refused.kind, refused.code), (ProblemKind::NeedsSecondFactor, "second_factor_needed"));
    assert_eq!(world.count("request.confirmed").await, 0);
    let second_factor = SecondFactor::ShownAt { at: world.app.time() };
    let shown = Actor { via: Via::SignIn { second_factor }, ..bob };
    granted(&world.app.confirm(&shown, request, Seen::AsItIs).await.unwrap());
}

#[tokio::test]
async fn i2_what_rests_on_it_ends_when_the_owner_could_no_longer_have_it() {
    let world = world().await;
    let alice = world.actor("alice").await;
    let (_, grant) = confirmed(&world).await;
    assert!(is_live(&world, grant).await);
    let leaves = Proposal::RemoveMember { group: name("dba"), member: name("bob") };
    world.app.propose(&alice, leaves).await.unwrap();
    assert!(!is_live(&world, grant).await, "bob left dba");
    world.app.propose(&alice, add("dba", "bob")).await.unwrap();
    let (_, grant) = confirmed(&world).await;
    assert!(is_live(&world, grant).await);
    policies(&world, &unread()).await;
    assert!(!is_live(&world, grant).await, "policy doesn't read it any more");
    policies(&world, POLICIES).await;
    let (_, grant) = confirmed(&world).await;
    assert!(is_live(&world, grant).await);
    world.app.disable(&alice, &name("bob")).await.unwrap();
    assert!(!is_live(&world, grant).await, "bob is disabled");
}

#[tokio::test]
async fn a_statement_is_confirmed_by_whoever_has_seen_it() {
    let world = world().await;
    let agent = agent(&world).await;
    let mut asked = asking("lab", "readonly");
    asked.statement = Some("SELECT 1".into());
    let answered = world.app.request(&agent, asked).await.unwrap();
    let bob = world.actor("bob").await;
    let id = answered.request.id;
    assert_eq!(world.app.confirm(&bob, id, Seen::AsItIs).await.unwrap_err().code, "say_what_you_saw");
    let digest = world.app.request_shown(&bob, id).await.unwrap().request.asked.digest();
    granted(&world.app.confirm(&bob, id, Seen::Digest(digest)).await.unwrap());
}

#[tokio::test]
async fn the_owner_takes_it_back_or_ends_it() {
    let world = world().await;
    let agent = agent(&world).await;
    let request = asks(&world, &agent).await;
    let bob = world.actor("bob").await;
    world.app.withdraw(&bob, request).await.unwrap();
    assert_eq!(world.app.confirm(&bob, request, Seen::AsItIs).await.unwrap_err().kind, ProblemKind::Conflict);
    let (_, grant) = confirmed(&world).await;
    world.app.release(&bob, grant).await.unwrap();
    assert!(!is_live(&world, grant).await);
}

/// A way to people that writes down whom it told what.
#[derive(Default)]
struct Post(Mutex<Vec<(String, String)>>);

#[async_trait]
impl Channel for Post {
    fn reach(&self) -> Reach {
        Reach::People
    }

    async fn send(&self, letter: &Letter) -> Result<(), NotSent> {
        let said = format!("{:?} {:?}", letter.to, letter.words().lines);
        self.0.lock().unwrap().push((letter.news.word().to_owned(), said));
        Ok(())
    }
}

#[tokio::test]
async fn the_owner_hears_once_that_their_confirmation_is_wanted() {
    let post = Arc::new(Post::default());
    let way = Way {
        name: name("post"),
        channel: post.clone(),
        names_of: [name("local")].into(),
        audience: Audience::Everybody,
        topics: [Topic::Approvals].into(),
    };
    let world = world_with(Notices { channels: vec![way], ..Notices::default() }).await;
    asks(&world, &agent(&world).await).await;
    let bob = world.actor("bob").await.principal;
    let told = async || {
        let store: &dyn Store = &*world.store;
        let mut told = Vec::new();
        for read in store.all::<Notice>().await.unwrap() {
            let Hearer::Person { principal } = read.value.hearer else { panic!("{read:?}") };
            assert_eq!(principal == bob, read.value.news.word() == "confirmation_wanted");
            told.push((read.value.news.word(), world.app.name_of(principal).await.unwrap()));
        }
        told.sort();
        told
    };
    world.app.tell().await.unwrap();
    assert_eq!(told().await, [("confirmation_wanted", name("bob"))], "the owner first");
    // Others hear when the owner hasn't answered for a while, as of every way that takes more.
    world.later(Span::from_mins(10));
    world.app.tell().await.unwrap();
    let all = [
        ("approval_still_wanted", name("alice")),
        ("approval_still_wanted", name("carol")),
        ("confirmation_wanted", name("bob")),
    ];
    assert_eq!(told().await, all);
    world.later(Span::from_mins(60));
    world.app.tell().await.unwrap();
    assert_eq!(told().await, all, "each once");
}
