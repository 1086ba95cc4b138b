//! Shared signals of a real transmitter: from its word to what is dead at the target.

use std::fs;

use serde_json::{Value, json};

use crate::{
    numbers::{number, timed},
    oidc::{FOLLOWED, signs_in, trusting},
    scim::{Connector, works},
    transmitter::{CREDENTIAL, Transmitter},
    web::client,
    world::{World, busy, ended, until},
};

const REVOKED: &str = "caep/event-type/session-revoked";
const DISABLED: &str = "risc/event-type/account-disabled";

#[test]
#[expect(clippy::print_stdout, reason = "docs/signals.md says that it is measured by this")]
fn what_is_signalled_is_dead_at_the_gateway_and_at_the_target() {
    let world = World::new();
    let ada = world.person("ada");
    let okta = Connector::declared(&world, "okta", &[]);
    let mut transmitter = Transmitter::start(&world);
    transmitter.sends(&world, "okta", &["--directory", "okta"]);
    let issuer = transmitter.issuer.clone();
    let iss_sub = |who: &str| json!({"format": "iss_sub", "iss": issuer, "sub": format!("00u-{who}")});
    let complex = |who: Value| json!({"format": "complex", "user": who, "session": {"format": "opaque", "id": "s"}, "tenant": {"format": "opaque", "id": "t"}});
    let leaving = [
        ("carol@example.com", REVOKED, iss_sub("carol@example.com"), "signalled"),
        ("dave@example.com", REVOKED, complex(json!({"format": "email", "email": "Dave@example.com"})), "signalled"),
        ("erin@example.com", "risc/event-type/credential-compromise", iss_sub("erin@example.com"), "signalled"),
        ("frank@example.com", DISABLED, json!({"format": "account", "uri": "acct:frank@example.com"}), "disabled"),
        (
            "grace@example.com",
            "risc/event-type/account-purged",
            json!({"format": "opaque", "id": "00u-grace@example.com"}),
            "disabled",
        ),
    ];
    for (user_name, event, subject, cause) in leaving {
        okta.makes(user_name);
        let (name, grant) = works(&world, user_name);
        let client = busy(&world, &world.person(&name), "orders");
        let said = std::time::Instant::now();
        transmitter.signals(event, json!({"credential_type": "password"}), subject);
        until("no backend is left", || (world.backends() == 0).then_some(()));
        println!("{event} to no backend at the target, as seen from outside: {:?}", said.elapsed());
        let ended = ended(client);
        assert!(ended.err.contains("57P01"), "{event}: {}", ended.err);
        assert_eq!(world.confirmed(&grant)["confirmation"], "clean");
        world.nothing_left(&grant);
        let why = &ada.json(&["show", &grant])["state"]["cause"];
        assert_eq!(why["cause"], cause, "{event}: {why}");
        world.person(&name).fails(5, &["whoami"]);
    }
    let users = ada.json(&["user", "list"]);
    let disabled = |name: &str| {
        let user = users.as_array().unwrap().iter().find(|user| user["name"] == name).unwrap();
        user.get("disabled").is_some_and(|at| !at.is_null())
    };
    assert!(disabled("frank") && disabled("grace") && !disabled("carol"), "{users}");
    until("every ending was timed, at the client and at the target", || (timed(&world) == (5.0, 5.0)).then_some(()));
    for stage in ["client", "target"] {
        let sum = number(&world, &format!("daypass_revocation_seconds_sum{{stage=\"{stage}\"}}"));
        println!("daypass_revocation_seconds, {stage}: {:.1} ms in the mean of 5", sum * 200.0);
    }
    let received = ada.json(&["signals", "received", "okta"]);
    let outcomes: Vec<&str> = received.as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    let all = ["sessions_ended", "sessions_ended", "credentials_ended", "account_disabled", "account_disabled"];
    assert_eq!(outcomes, all, "{received}");
}

#[test]
fn a_person_of_a_provider_is_out_and_comes_in_again_and_a_replay_does_nothing() {
    let (world, provider) = trusting(FOLLOWED);
    let carol = signs_in(&world, "carol");
    let mut transmitter = Transmitter::start(&world);
    transmitter.sends(&world, "corp", &["--provider", "corp"]);
    carol.ok(&["request", "playground", "--role", "readonly", "--for", "10m", "--reason", "to try it"]);
    let client = busy(&world, &carol, "playground");
    let subject = json!({"format": "iss_sub", "iss": provider.issuer, "sub": "carol"});
    let token = transmitter.signals(REVOKED, json!({}), subject.clone());
    assert!(ended(client).err.contains("the identity provider revoked the sign-in"));
    carol.fails(5, &["whoami"]);
    let carol = signs_in(&world, "carol");
    let (status, said, _) = transmitter.send(json!({"raw": token}));
    assert_eq!((status, said), (202, Value::Null), "it came before, and is taken");
    assert_eq!(carol.json(&["whoami"])["name"], "carol", "and does nothing again");
    // What was answered with 202 is there after kill -9. // I1
    let mut world = world;
    let stranger = json!({"format": "iss_sub", "iss": provider.issuer, "sub": "nobody"});
    transmitter.signals(REVOKED, json!({}), stranger);
    world.kill();
    world.start();
    let received = world.person("ada").json(&["signals", "received", "corp"]);
    assert_eq!(received[1]["outcome"], "unmatched", "{received}");
    assert!(received[1]["subject"].as_str().unwrap().contains("nobody"), "{received}");
    let (status, _, _) = transmitter.send(json!({"raw": token}));
    assert_eq!(status, 202);
    assert_eq!(carol.json(&["whoami"])["name"], "carol");
}

/// A world that has what transmitters want to be shown.
fn listening() -> World {
    let mut world = World::new();
    let file = world.config().join("listener.secret");
    fs::write(&file, CREDENTIAL).unwrap();
    let settings = format!("{}listener = \"file:{}\"\n", world.settings_text(), file.display());
    fs::write(world.settings(), settings).unwrap();
    world.stop();
    world.start();
    world
}

#[test]
fn a_transmitter_that_is_asked_is_heard() {
    let world = listening();
    let ada = world.person("ada");
    let okta = Connector::declared(&world, "okta", &[]);
    okta.makes("carol@example.com");
    let (name, grant) = works(&world, "carol@example.com");
    let client = busy(&world, &world.person(&name), "orders");
    let transmitter = Transmitter::start(&world);
    let (poll, issuer) = (format!("{}/poll", transmitter.issuer), transmitter.issuer.clone());
    let base = ["signals", "add", "okta", "--issuer", &issuer, "--audience", crate::transmitter::AUDIENCE];
    let polled = ["--directory", "okta", "--poll", &poll, "--credential", "listener", "--stream", "stream-1"];
    ada.ok(&[&base[..], &polled].concat());
    transmitter.ask("/test/verifies-by", &json!({}));
    assert!(ada.ok(&["signals", "verify", "okta"]).contains("its signals arrive"));
    // One that is good, and one that isn't: each is told.
    let subject = json!({"format": "email", "email": "carol@example.com"});
    let bad = transmitter.ask("/test/queue", &json!({"event": DISABLED, "subject": subject, "by": "another"}));
    let good = transmitter.ask("/test/queue", &json!({"event": DISABLED, "subject": subject}));
    assert!(ended(client).err.contains("57P01"));
    assert_eq!(world.confirmed(&grant)["confirmation"], "clean");
    let told = until("it is told", || {
        let told = transmitter.ask("/test/told", &json!({}));
        let acks = told["acks"].as_array().unwrap().contains(&good["jti"]);
        (acks && told["errs"].as_object().is_some_and(|errs| !errs.is_empty())).then_some(told)
    });
    assert_eq!(told["errs"][bad["jti"].as_str().unwrap()]["err"], "invalid_key", "{told}");
    // While it is away that is seen, and the server goes on; what it has then comes when it is back.
    transmitter.ask("/test/away", &json!({}));
    let list = until("it is seen to be away", || {
        let list = ada.json(&["signals", "list"]);
        list[0].get("failing").is_some().then_some(list)
    });
    assert!(list[0]["failing"]["why"].as_str().unwrap().contains("503"), "{list}");
    assert!(ada.ok(&["signals", "list"]).contains("unheard"));
    let ready = readiness(&world);
    let check = ready["checks"].as_array().unwrap().iter().find(|check| check["name"] == "signals").unwrap();
    assert_eq!((&ready["ready"], &check["health"]), (&json!(true), &json!("attention")), "{ready}");
    let stranger = json!({"format": "email", "email": "nobody@example.com"});
    transmitter.ask("/test/queue", &json!({"event": REVOKED, "subject": stranger}));
    transmitter.ask("/test/back", &json!({}));
    until("what it had comes", || {
        let received = ada.json(&["signals", "received", "okta"]);
        received.as_array().unwrap().iter().any(|one| one["outcome"] == "unmatched").then_some(())
    });
    assert!(ada.json(&["signals", "list"])[0].get("failing").is_none());
    ada.ok(&["signals", "remove", "okta"]);
    assert_eq!(ada.json(&["signals", "list"]), json!([]));
    let asked = transmitter.ask("/test/told", &json!({}))["asked"].clone();
    assert!(asked.as_u64().unwrap() > 2, "{asked}");
}

fn readiness(world: &World) -> Value {
    let client = client(&fs::read(world.authority()).unwrap());
    let text = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(async { client.get(format!("{}/readyz", world.url())).send().await.unwrap().text().await.unwrap() });
    serde_json::from_str(&text).unwrap()
}

#[test]
fn what_is_no_signal_is_refused_and_said() {
    let world = listening();
    let ada = world.person("ada");
    Connector::declared(&world, "okta", &[]).makes("carol@example.com");
    let mut transmitter = Transmitter::start(&world);
    let more = ["--directory", "okta", "--stream", "stream-1", "--credential", "listener"];
    transmitter.sends(&world, "okta", &more);
    let (name, bearer) = transmitter.known_as.clone();
    transmitter.ask("/test/verifies-by", &json!({"name": name, "bearer": bearer}));
    let subject = json!({"format": "email", "email": "carol@example.com"});
    let order = |other: Value| {
        let mut whole = json!({"event": DISABLED, "subject": subject});
        for (field, value) in other.as_object().unwrap() {
            whole[field] = value.clone();
        }
        whole
    };
    let before = ada.json(&["user", "list"]);
    for (other, status, err) in [
        (json!({"by": "nobody"}), 400, "invalid_key"),
        (json!({"by": "another"}), 400, "invalid_key"),
        (json!({"by": "public key"}), 400, "invalid_key"),
        (json!({"header": {"typ": "JWT"}}), 400, "invalid_request"),
        (json!({"claims": {"aud": "https://other.example"}}), 400, "invalid_audience"),
        (json!({"claims": {"iss": "https://evil.example"}}), 400, "invalid_issuer"),
        (json!({"claims": {"exp": 1_900_000_000}}), 400, "invalid_request"),
        (json!({"claims": {"sub": "carol"}}), 400, "invalid_request"),
        (json!({"claims": {"iat": 1_000_000_000}}), 400, "invalid_request"),
        (
            json!({"claims": {"sub_id": {"format": "aliases", "identifiers": [{"format": "aliases"}]}}}),
            400,
            "invalid_request",
        ),
        (json!({"raw": "not a token"}), 400, "invalid_request"),
        (json!({"raw": "."}), 400, "invalid_request"),
        (json!({"raw": "x".repeat(16_400)}), 400, "invalid_request"),
        (json!({"raw": "x".repeat(40_000)}), 413, "invalid_request"),
        (json!({"type": "application/json"}), 415, "invalid_request"),
        (json!({"bearer": "dpv_wrong"}), 400, "authentication_failed"),
        (json!({"bearer": ""}), 400, "authentication_failed"),
        (json!({"name": "nobody"}), 400, "authentication_failed"),
    ] {
        let (got, said, _) = transmitter.send(order(other.clone()));
        let shown: String = other.to_string().chars().take(80).collect();
        assert_eq!((got, said["err"].as_str()), (status, Some(err)), "{shown}: {said}");
        assert!(said["description"].as_str().is_some_and(|words| words.len() > 10), "{shown}: {said}");
    }
    assert_eq!(ada.json(&["user", "list"]), before, "nothing changed");
    assert_eq!(ada.json(&["signals", "received", "okta"]), json!([]));
    assert!(ada.ok(&["signals", "list"]).contains("was refused"));
    // A transmitter that sends verifies by the way that it sends.
    assert!(ada.ok(&["signals", "verify", "okta"]).contains("its signals arrive"));
    assert_eq!(ada.json(&["signals", "received", "okta"])[0]["outcome"], "stream");
}
