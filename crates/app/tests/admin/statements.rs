//! One statement: what is refused before anything is begun.

use std::sync::Arc;

use daypass_app::request::Outcome;
use daypass_domain::{Digest, request::Request, statement::Wants};
use daypass_ports::{
    authority::{Authority, NodeId},
    record::Commit,
    store::Store,
};

use crate::world::{World, asking};

#[tokio::test]
async fn i8_a_text_that_is_not_the_one_that_was_asked_for_is_never_begun() {
    let world = World::new().await;
    world.lab().await;
    let alice = world.actor("alice").await;
    let mut asked = asking("lab", "readonly");
    asked.statement = Some("SELECT 1".into());
    let answered = world.app.request(&alice, asked).await.unwrap();
    let Outcome::Granted(grant) = answered.outcome else { panic!("{answered:?}") };
    // The store holds another text than the row says.
    let store: &dyn Store = &*world.store;
    let read = store.get::<Request>(&grant.request.to_string()).await.unwrap().unwrap();
    let mut other = read.value.clone();
    let Wants::Statement { at, digest } = read.value.asked.wants else { panic!("{other:?}") };
    assert_eq!(digest, Digest::of(b"SELECT 1"));
    other.asked.wants = Wants::Statement { at, digest: Digest::of(b"SELECT 2") };
    let mut commit = Commit::default();
    commit.replace(&read, &other);
    store.append(commit).await.unwrap();

    let app = Arc::clone(&world.app);
    let gateway = tokio::spawn(async move { app.next_statement(NodeId(1)).await });
    let refused = world.app.run_statement(&alice, grant.id).await.unwrap_err();
    assert_eq!(refused.code, "statement_changed");
    assert!(gateway.await.unwrap().unwrap().is_none());
    assert_eq!(world.count("statement.begun").await, 0);
    assert_eq!(world.count("grant.login_begun").await, 0, "nothing was made at the target for it");
}
