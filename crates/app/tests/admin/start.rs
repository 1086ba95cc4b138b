//! Installing, setting up, starting.

use daypass_app::{App, ProblemKind};
use daypass_domain::Span;

use crate::world::{PASSWORD, World, empty_store, here, install, parts, secret};

#[tokio::test]
async fn an_empty_store_is_installed_once_and_opens_again() {
    let (_folder, store, clock) = empty_store().await;
    assert!(!App::is_installed(&*store).await.unwrap());
    let problem = App::new(parts(store.clone(), clock.clone(), 1)).await.err().unwrap();
    assert_eq!(problem.kind, ProblemKind::Unavailable, "{problem}");
    let app = App::install(parts(store.clone(), clock.clone(), 2), install("local")).await.unwrap();
    let installed = app.current_policy().await.unwrap();
    drop(app);
    assert!(App::is_installed(&*store).await.unwrap());
    let again = App::install(parts(store.clone(), clock.clone(), 3), install("local")).await.err().unwrap();
    assert_eq!(again.code, "installed_already");
    let app = App::new(parts(store.clone(), clock, 4)).await.unwrap();
    app.started("1.2.3").await.unwrap();
    assert_eq!(app.current_policy().await.unwrap(), installed);
    assert!(installed.files.contains_key("access.cedar"));
}

#[tokio::test]
async fn a_region_that_the_ledger_cannot_name_is_refused() {
    let (_folder, store, clock) = empty_store().await;
    let problem = App::install(parts(store.clone(), clock, 1), install("eu.west")).await.err().unwrap();
    assert_eq!(problem.code, "bad_region");
    assert!(!App::is_installed(&*store).await.unwrap());
}

#[tokio::test]
async fn the_setup_token_is_good_once_for_fifteen_minutes_and_the_newest_only() {
    let world = World::bare().await;
    let (app, password) = (&world.app, || secret(PASSWORD));
    assert!(app.needs_setup().await.unwrap());
    let old = app.issue_setup_token().await.unwrap();
    let stale = app.issue_setup_token().await.unwrap();
    let problem = app.setup(&old, "alice", password(), here()).await.unwrap_err();
    assert_eq!(problem.code, "bad_code", "each start makes the one before void");
    world.later(Span::from_mins(15));
    assert_eq!(app.setup(&stale, "alice", password(), here()).await.unwrap_err().code, "bad_code");
    let fresh = app.issue_setup_token().await.unwrap();
    assert_eq!(app.setup(&fresh, "alice", secret("short"), here()).await.unwrap_err().code, "bad_password");
    assert_eq!(app.setup(&fresh, "Alice!", password(), here()).await.unwrap_err().code, "bad_name");
    app.setup(&fresh, "alice", password(), here()).await.unwrap();
    assert!(!app.needs_setup().await.unwrap());
    assert_eq!(app.setup(&fresh, "mallory", password(), here()).await.unwrap_err().code, "set_up_already");
    assert_eq!(app.issue_setup_token().await.unwrap_err().code, "set_up_already");
    world.sign_in("alice").await;
    let events = world.events().await;
    assert_eq!(events.first().map(String::as_str), Some("installation.created"));
    assert_eq!(world.count("installation.set_up").await, 1);
}

#[tokio::test]
async fn a_setup_token_is_no_invitation() {
    let world = World::bare().await;
    let code = world.app.issue_setup_token().await.unwrap();
    let problem = world.app.accept_invitation(&code, secret(PASSWORD), here()).await.unwrap_err();
    assert_eq!(problem.code, "bad_code");
}
