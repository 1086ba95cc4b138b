//! Who is told what: from the change of state to the channel, on a real store.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use daypass_app::{
    approve::{Less, Seen},
    ask::Page,
    entry::event,
    notices::{Audience, Notices, Way},
    request::Outcome,
};
use daypass_domain::{
    RequestId, Span,
    notice::{NoticeState, Topic, Why},
};
use daypass_ports::notices::{Channel, Letter, Names, NotSent, Reach};

use crate::world::{LAB, World, asking, name};

/// A room that writes down what it gets, after it refused so many.
struct Room {
    refuses: Mutex<u32>,
    got: Mutex<Vec<Letter>>,
    tried: Mutex<Vec<Letter>>,
}

#[async_trait]
impl Channel for Room {
    fn reach(&self) -> Reach {
        Reach::Room
    }

    async fn send(&self, letter: &Letter) -> Result<(), NotSent> {
        self.tried.lock().unwrap().push(letter.clone());
        let mut refuses = self.refuses.lock().unwrap();
        if *refuses > 0 {
            *refuses -= 1;
            return Err(Why::Unreachable.into());
        }
        self.got.lock().unwrap().push(letter.clone());
        Ok(())
    }
}

impl Room {
    fn refusing(times: u32) -> Arc<Self> {
        Arc::new(Self { refuses: Mutex::new(times), got: Mutex::default(), tried: Mutex::default() })
    }

    fn words(&self) -> Vec<&'static str> {
        self.got.lock().unwrap().iter().map(|letter| letter.news.word()).collect()
    }
}

/// A channel that never answers.
struct Stuck;

#[async_trait]
impl Channel for Stuck {
    fn reach(&self) -> Reach {
        Reach::Room
    }

    async fn send(&self, _: &Letter) -> Result<(), NotSent> {
        std::future::pending().await
    }
}

fn by(room: &Arc<Room>, names_of: &[&str]) -> Notices {
    let way = way("room", room.clone(), names_of);
    Notices { channels: vec![way], url: "https://daypass.example".into(), ..Notices::default() }
}

fn way(called: &str, channel: Arc<dyn Channel>, names_of: &[&str]) -> Way {
    Way {
        name: name(called),
        channel,
        names_of: names_of.iter().map(|region| name(region)).collect(),
        audience: Audience::Everybody,
        topics: BTreeSet::from([Topic::Approvals, Topic::Outcomes, Topic::Ends, Topic::Changes]),
    }
}

/// Alice administers a resource of production, and bob works there.
async fn world(room: &Arc<Room>, names_of: &[&str]) -> World {
    let world = World::with_notices(by(room, names_of)).await;
    let alice = world.actor("alice").await;
    let document = LAB.replace("environment = \"lab\"", "environment = \"production\"");
    world.app.apply_resources(&alice, "lab.toml", &document, daypass_app::changes::Mode::Apply).await.unwrap();
    world.user("bob").await;
    world
}

async fn asks(world: &World) -> RequestId {
    let bob = world.actor("bob").await;
    let answered = world.app.request(&bob, asking("lab", "readonly")).await.unwrap();
    assert!(matches!(answered.outcome, Outcome::Pending { .. }), "{answered:?}");
    answered.request.id
}

/// Tells what there is to tell, and waits until the room was tried so often.
async fn told(world: &World, room: &Room, tries: usize) {
    world.app.tell().await.unwrap();
    patiently("the room is tried", async {
        while room.tried.lock().unwrap().len() < tries {
            world.app.deliver().await.unwrap();
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// How long anything may take before a test gives up: no test measures time.
async fn patiently(what: &str, done: impl Future<Output = ()>) {
    let waited = tokio::time::timeout(std::time::Duration::from_secs(30), done).await;
    waited.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

async fn recorded(world: &World, event: &str, times: usize) {
    patiently(event, async {
        while world.count(event).await < times {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn i10_a_request_and_its_answer_are_told_without_anybodys_words() {
    let room = Room::refusing(0);
    let world = world(&room, &[]).await;
    let request = asks(&world).await;
    told(&world, &room, 1).await;
    recorded(&world, event::NOTICE_SENT, 1).await;
    let alice = world.actor("alice").await;
    world.app.approve(&alice, request, Seen::AsItIs, Less::default()).await.unwrap();
    told(&world, &room, 2).await;
    recorded(&world, event::NOTICE_SENT, 2).await;
    assert_eq!(room.words(), ["approval_wanted", "request_granted"]);
    for letter in room.got.lock().unwrap().iter() {
        assert_eq!(letter.names, Names::Withheld);
        assert_eq!(letter.link, format!("https://daypass.example/requests/{request}"));
        let all = format!("{letter:?}{:?}", letter.words());
        assert!(!all.contains("to try it") && !all.contains("bob") && !all.contains("readonly"), "{all}");
    }
}

#[tokio::test]
async fn names_go_to_a_channel_that_may_have_those_of_the_region() {
    let room = Room::refusing(0);
    let world = world(&room, &["local"]).await;
    asks(&world).await;
    told(&world, &room, 1).await;
    let subject = room.got.lock().unwrap()[0].words().subject;
    assert_eq!(subject, "Daypass: bob asks for readonly on lab");
}

#[tokio::test]
async fn what_was_not_taken_is_tried_again_under_the_same_id() {
    let room = Room::refusing(1);
    let world = world(&room, &[]).await;
    asks(&world).await;
    told(&world, &room, 1).await;
    assert_eq!(world.count(event::NOTICE_SENT).await, 0);
    world.later(Span::from_secs(3));
    told(&world, &room, 2).await;
    recorded(&world, event::NOTICE_SENT, 1).await;
    let tried = room.tried.lock().unwrap().clone();
    assert_eq!(tried[0].id, tried[1].id);
    assert_eq!(room.words(), ["approval_wanted"]);
}

#[tokio::test]
async fn the_end_is_told_before_it_comes() {
    let room = Room::refusing(0);
    let world = world(&room, &[]).await;
    let request = asks(&world).await;
    let alice = world.actor("alice").await;
    world.app.approve(&alice, request, Seen::AsItIs, Less::default()).await.unwrap();
    world.app.tell().await.unwrap();
    world.later(Span::from_mins(21));
    told(&world, &room, 2).await;
    recorded(&world, event::NOTICE_SENT, 2).await;
    // The grant and its end are handed over side by side.
    assert_eq!(BTreeSet::from_iter(room.words()), BTreeSet::from(["end_near", "request_granted"]));
}

#[tokio::test]
async fn a_trial_is_for_administrators_and_a_stuck_channel_holds_up_no_other() {
    let room = Room::refusing(0);
    let mut notices = by(&room, &[]);
    notices.channels.insert(0, way("stuck", Arc::new(Stuck), &[]));
    let world = World::with_notices(notices).await;
    world.user("bob").await;
    let (alice, bob) = (world.actor("alice").await, world.actor("bob").await);
    assert!(world.app.try_notices(&bob, &name("bob"), None).await.is_err());
    let unknown = world.app.try_notices(&alice, &name("bob"), Some(&name("pigeon"))).await.unwrap_err();
    assert!(unknown.next.contains("room") && unknown.next.contains("stuck"), "{unknown}");
    // More than a channel has hands.
    for _ in 0..30 {
        assert_eq!(world.app.try_notices(&alice, &name("bob"), None).await.unwrap().len(), 2);
    }
    assert_eq!(world.count(event::NOTICE_TRIED).await, 30);
    told(&world, &room, 30).await;
    recorded(&world, event::NOTICE_SENT, 30).await;
    let page = Page { after: None, most: 100 };
    assert!(world.app.notices_list(&bob, &page).await.is_err());
    let all = world.app.notices_list(&alice, &page).await.unwrap();
    let waiting = all.iter().filter(|view| matches!(view.notice.state, NoticeState::Waiting { .. }));
    assert!(waiting.clone().all(|view| view.notice.channel == name("stuck")));
    assert_eq!((all.len(), waiting.count()), (60, 30));
    let one = world.app.notice_shown(&alice, all[0].notice.id).await.unwrap();
    assert_eq!((one.notice.id, one.person), (all[0].notice.id, None));
}
