//! What closed a connection is said as it was, and timed.

use daypass_domain::{
    SessionId,
    session::{Passed, Session, SessionEnd, SessionState},
};
use daypass_ports::{authority::Authority as _, store::Store};
use serde_json::json;

use crate::{things::session, world::World};

#[tokio::test]
async fn a_target_that_hears_of_an_end_first_only_ends_what_was_over() {
    let world = World::new().await;
    let (lost, cut) = (open(&world).await, open(&world).await);
    // Nobody ended anything: the target went away.
    assert_eq!(closed(&world, lost).await, SessionEnd::TargetLost);
    assert_eq!(timed(&world), 0);
    let body = json!({"what": {"of": "grant", "grant": row(&world, cut).await.grant}, "reason": "dave left"});
    world.post("alice", "/v1/revoke", body).await.ok();
    assert_eq!(closed(&world, cut).await, SessionEnd::GrantEnded);
    assert_eq!(timed(&world), 1);
}

async fn open(world: &World) -> SessionId {
    session(world).await.parse().unwrap()
}

async fn row(world: &World, id: SessionId) -> Session {
    let store: &dyn Store = &*world.store;
    store.get::<Session>(&id.to_string()).await.unwrap().unwrap().value
}

/// A gateway says that the target closed it; this is what is kept.
async fn closed(world: &World, id: SessionId) -> SessionEnd {
    world.app.close_session(id, SessionEnd::TargetLost, Passed::default()).await.unwrap();
    match row(world, id).await.state {
        SessionState::Closed { cause, .. } => cause,
        open @ SessionState::Open { .. } => panic!("{open:?}"),
    }
}

/// How many endings were timed at their clients.
fn timed(world: &World) -> u64 {
    world.app.took().client.times().counts.iter().sum()
}
