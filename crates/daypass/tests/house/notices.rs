//! Whom it concerns hears by mail: a real server of ours, a mail server that isn't ours, and bad days between them.

use std::{fs, net::TcpListener, path::PathBuf};

use daypass_testkit::mail::{Kind, Mail, MailServer, Tls};
use serde_json::Value;

use crate::world::{World, port, until};

const PASSWORD: &str = "of the post";

/// A house with a mail server at a port that stays the same, and everybody's address known.
struct House {
    world: World,
    folder: PathBuf,
    port: u16,
    mail: Option<MailServer>,
}

impl House {
    /// With these settings of notices, and a server that puts off so many mails.
    fn new(notices: &str, later: u32) -> Self {
        let world = World::new();
        let folder = world.config().join("post");
        let mut house = Self { world, folder, port: port(), mail: None };
        house.post_opens(later);
        let password = house.world.config().join("post.password");
        fs::write(&password, PASSWORD).unwrap();
        let settings = format!(
            r#"{}post = "file:{}"

[notices]
{notices}

[notices.channel.mail]
names_of = ["home"]

[notices.channel.mail.via.smtp]
server = "localhost"
port = {}
from = "daypass@example.com"
login = {{ user = "daypass", credential = "post" }}
authorities = "{}"
"#,
            house.world.settings_text(),
            password.display(),
            house.port,
            house.folder.join("certificate.pem").display(),
        );
        house.world.stop();
        fs::write(house.world.settings(), settings).unwrap();
        house.world.start();
        for who in ["ada", "bob", "alice"] {
            house.world.person("ada").ok(&["user", "mail", who, &format!("{who}@example.com")]);
        }
        house
    }

    fn post_opens(&mut self, later: u32) {
        let kind = Kind { tls: Tls::Starttls, password: PASSWORD, later, port: self.port };
        self.mail = Some(MailServer::start(&self.folder, kind));
    }

    fn post_closes(&mut self) {
        self.mail = None;
    }

    /// Every mail to somebody, whether it was taken or not.
    fn tried(&self, who: &str) -> Vec<Mail> {
        let to = format!("{who}@example.com");
        let mails = self.mail.as_ref().map(MailServer::mails).unwrap_or_default();
        mails.into_iter().filter(|mail| mail.to == [to.clone()]).collect()
    }

    /// Waits for a mail to somebody with this in its subject.
    fn hears(&self, who: &str, subject: &str) -> Mail {
        until(&format!("{who} hears: {subject}"), || {
            let mut mails = self.tried(who).into_iter().filter(|mail| mail.taken);
            mails.find(|mail| mail.header("Subject").is_some_and(|said| said.contains(subject)))
        })
    }

    fn outbox(&self) -> Vec<Value> {
        self.world.person("ada").json(&["notices", "--all"]).as_array().unwrap().clone()
    }

    /// What there is in the outbox for somebody, about this.
    fn notices(&self, who: &str, news: &str) -> Vec<Value> {
        let concerns = |n: &Value| n["hearer"]["name"] == who && n["news"] == news;
        self.outbox().into_iter().filter(concerns).collect()
    }

    fn link(&self, request: &str) -> String {
        format!("{}/requests/{request}", self.world.url())
    }
}

#[test]
fn approvers_hear_at_once_the_requester_the_outcome_and_both_before_the_end() {
    let house = House::new("", 0);
    let (alice, bob) = (house.world.person("alice"), house.world.person("bob"));
    let asked =
        alice.says_json(&["request", "orders", "--role", "readonly", "--for", "15s", "--reason", "Refund 4711"]);
    assert_eq!(asked.code, 4, "{}", asked.all());
    let request = asked.json()["request"]["id"].as_str().unwrap().to_owned();
    for approver in ["ada", "bob"] {
        let mail = house.hears(approver, "alice asks for readonly on orders");
        assert!(mail.data.contains(&house.link(&request)), "{}", mail.data);
        assert!(mail.tls && mail.login.as_deref() == Some("daypass"));
        assert!(!mail.data.contains("4711"), "a reason doesn't leave: {}", mail.data);
    }
    bob.approves(&request);
    let outcome = house.hears("alice", "alice may use readonly on orders");
    assert!(outcome.data.contains(&house.link(&request)), "{}", outcome.data);
    for concerned in ["alice", "bob"] {
        house.hears(concerned, "alice soon loses readonly on orders");
    }
    // Who asked is never asked to approve, and who approved isn't told that they did.
    let subjects =
        |who: &str| house.tried(who).iter().map(|m| m.header("Subject").unwrap().to_owned()).collect::<Vec<_>>();
    assert!(!subjects("alice").iter().any(|said| said.contains("asks for")));
    assert!(!subjects("bob").iter().any(|said| said.contains("may use")));
}

#[test]
fn administrators_see_what_was_told_and_try_it() {
    let house = House::new("", 0);
    let (ada, bob) = (house.world.person("ada"), house.world.person("bob"));
    let said = ada.ok(&["notices", "test", "bob"]);
    assert!(said.contains("trial") && said.contains("sent 20"), "{said}");
    house.hears("bob", "a trial");
    let id = house.notices("bob", "trial")[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(ada.json(&["show", &id])["state"]["state"], "sent");
    assert!(ada.ok(&["notices"]).contains("bob"));
    bob.fails(3, &["notices"]);
    bob.fails(3, &["notices", "test", "ada"]);
    let said = ada.fails(2, &["notices", "test", "bob", "--channel", "pigeon"]);
    assert!(said.contains("the configuration has: mail"), "{said}");
    // Addresses: everybody sees their own, and one that is nobody's, or gone, is told of.
    assert!(ada.ok(&["user", "list"]).contains("bob@example.com"));
    assert_eq!(bob.ok(&["user", "mail", "bob"]).trim(), "bob@example.com");
    bob.fails(6, &["user", "mail", "ada"]);
    ada.fails(2, &["user", "mail", "bob", "bob@example.com\nBcc: eve@example.com"]);
    let said = ada.fails(2, &["user", "mail", "bob", "Alice@example.com"]);
    assert!(said.contains("is the mail address of `alice`"), "{said}");
    ada.ok(&["user", "mail", "alice", "nobody@example.com"]);
    let said = ada.fails(1, &["notices", "test", "alice"]);
    assert!(said.contains("given up") && said.contains("it answered 550"), "{said}");
    ada.ok(&["user", "mail", "alice", "--remove"]);
    let said = ada.fails(1, &["notices", "test", "alice"]);
    assert!(said.contains("no mail address of theirs is known"), "{said}");
}

#[test]
fn after_a_while_the_next_approvers_hear() {
    let house = House::new("at_once = 1\nescalate_after = \"2s\"", 0);
    let request = house.world.person("alice").asks("readonly");
    let told = |subject: &str| {
        let hears =
            |who: &&str| house.tried(who).iter().any(|m| m.header("Subject").is_some_and(|s| s.contains(subject)));
        ["ada", "bob"].into_iter().filter(hears).collect::<Vec<_>>()
    };
    let first = until("the first approver hears", || told("alice asks for").first().copied());
    let next = until("the next approver hears", || told("alice still asks for").first().copied());
    assert_ne!(first, next);
    assert_eq!((told("alice asks for"), told("alice still asks for")), (vec![first], vec![next]));
    assert!(house.tried(next)[0].data.contains(&house.link(&request)));
}

#[test]
fn what_a_mail_server_puts_off_or_misses_comes_later_under_the_same_id() {
    let mut house = House::new("", 1);
    let request = house.world.person("alice").asks("readonly");
    let all = |house: &House| [house.tried("ada"), house.tried("bob")].concat();
    let put_off = until("a mail is put off", || all(&house).into_iter().find(|mail| !mail.taken));
    let id = put_off.header("Message-ID").unwrap().to_owned();
    until("it comes again", || all(&house).into_iter().find(|m| m.taken && m.header("Message-ID") == Some(&id)));
    house.post_closes();
    house.world.person("bob").ok(&["deny", &request, "--note", "use the replica"]);
    until("the mail to alice is tried in vain", || {
        let state = house.notices("alice", "request_denied").first()?["state"].clone();
        (state["state"] == "retrying").then(|| assert!(state["why"].as_str().unwrap().contains("nobody answers")))
    });
    house.post_opens(0);
    let mail = house.hears("alice", "alice was denied readonly on orders");
    assert!(!mail.data.contains("replica"), "a note doesn't leave: {}", mail.data);
    until("that is known", || (house.notices("alice", "request_denied")[0]["state"]["state"] == "sent").then_some(()));
}

#[test]
fn a_server_killed_between_commit_and_sending_loses_no_notice() {
    let mut house = House::new("", 0);
    house.post_closes();
    // It takes connections, and says nothing.
    let silent = TcpListener::bind(("127.0.0.1", house.port)).unwrap();
    silent.set_nonblocking(true).unwrap();
    let request = house.world.person("alice").asks("readonly");
    let held = until("a mail is under way", || silent.accept().ok());
    house.world.kill();
    drop((held, silent));
    house.post_opens(0);
    house.world.start();
    for approver in ["ada", "bob"] {
        let mail = house.hears(approver, "alice asks for readonly on orders");
        assert!(mail.data.contains(&house.link(&request)), "{}", mail.data);
        let kept = house.notices(approver, "approval_wanted");
        assert_eq!(kept.len(), 1, "{kept:?}");
        let id = kept[0]["id"].as_str().unwrap();
        assert!(mail.header("Message-ID").unwrap().starts_with(&format!("<{id}@")), "{}", mail.data);
    }
}
