//! Mail, to a server that isn't ours: Debian's aiosmtpd.

use std::net::TcpListener;

use daypass_domain::notice::Why;
use daypass_testkit::mail::{Kind, MailServer, Tls};
use serde_json::{Value, json};

use crate::{channel, not_sent, refused, to};

const PASSWORD: &str = "of the post";

fn kind(tls: Tls) -> Kind {
    Kind { tls, password: PASSWORD, later: 0, port: 0 }
}

fn settings(server: &MailServer, tls: &str) -> Value {
    json!({"smtp": {
        "server": "localhost", "port": server.port(), "tls": tls, "from": "daypass@example.com",
        "login": {"user": "daypass", "credential": "secret"}, "authorities": server.authority(),
    }})
}

#[tokio::test]
async fn a_mail_arrives_over_tls_with_a_link_and_headers() {
    for (tls, word) in [(Tls::Starttls, "starttls"), (Tls::Implicit, "implicit")] {
        let folder = tempfile::tempdir().unwrap();
        let server = MailServer::start(folder.path(), kind(tls));
        let (channel, letter) = (channel(settings(&server, word), PASSWORD), to("bob@example.com"));
        channel.send(&letter).await.unwrap();
        channel.send(&letter).await.unwrap();
        let mails = server.mails();
        let [first, second] = mails.as_slice() else { panic!("{mails:?}") };
        assert!(first.tls, "{word}");
        assert_eq!(
            (first.to.as_slice(), first.from.as_str()),
            (&["bob@example.com".to_owned()][..], "daypass@example.com")
        );
        assert_eq!(first.login.as_deref(), Some("daypass"));
        assert_eq!(first.header("Subject"), Some("Daypass: alice asks for readonly on orders"));
        assert!(first.data.contains(&letter.link), "{}", first.data);
        let id = format!("<{}@{}>", letter.id, letter.installation);
        assert_eq!(first.header("Message-ID"), Some(id.as_str()));
        assert_eq!(second.header("Message-ID"), first.header("Message-ID"), "the same at every try");
    }
}

#[tokio::test]
async fn what_a_server_refuses_is_refused_and_what_it_puts_off_may_pass() {
    let folder = tempfile::tempdir().unwrap();
    let server = MailServer::start(folder.path(), Kind { later: 1, ..kind(Tls::Starttls) });
    let good = channel(settings(&server, "starttls"), PASSWORD);
    assert_eq!(not_sent(&good, &to("nobody@example.com")).await.why, Why::Refused { code: 550 });
    let later = not_sent(&good, &to("bob@example.com")).await;
    assert_eq!(later.why, Why::Later { code: 451 });
    assert!(later.why.may_pass());
    let wrong = not_sent(&channel(settings(&server, "starttls"), "guessed"), &to("bob@example.com")).await;
    assert_eq!(wrong.why, Why::CredentialRefused);
    assert!(!wrong.to_string().contains("guessed"), "{wrong}");
    good.send(&to("bob@example.com")).await.unwrap();
}

#[tokio::test]
async fn nothing_is_sent_without_the_tls_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let bare = MailServer::start(folder.path(), Kind { tls: Tls::None, password: "", later: 0, port: 0 });
    for word in ["starttls", "implicit"] {
        let refused = not_sent(&channel(settings(&bare, word), PASSWORD), &to("bob@example.com")).await;
        assert_eq!(refused.why, Why::NotTrusted, "{word}: {refused}");
    }
    let other = tempfile::tempdir().unwrap();
    let server = MailServer::start(other.path(), kind(Tls::Starttls));
    // Signed by nobody that is believed.
    let mut unknown = settings(&server, "starttls");
    unknown["smtp"]["authorities"] = Value::Null;
    assert_eq!(not_sent(&channel(unknown, PASSWORD), &to("bob@example.com")).await.why, Why::NotTrusted);
    assert!(bare.mails().is_empty() && server.mails().is_empty());
}

#[tokio::test]
async fn plaintext_goes_to_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    let bare = MailServer::start(folder.path(), Kind { tls: Tls::None, password: "", later: 0, port: 0 });
    let plain = |server: &str| {
        json!({"smtp": {
            "server": server, "port": bare.port(), "tls": "loopback_plaintext", "from": "daypass@example.com",
        }})
    };
    channel(plain("127.0.0.1"), "").send(&to("bob@example.com")).await.unwrap();
    assert_eq!(bare.mails().len(), 1);
    let why = refused(plain("mail.example.com"));
    assert!(why.contains("without TLS mail goes to this machine only"), "{why}");
}

#[tokio::test]
async fn a_server_that_is_away_or_says_nothing_may_come_back() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let settings =
        json!({"smtp": {"server": "127.0.0.1", "port": port, "tls": "loopback_plaintext", "from": "d@example.com"}});
    let channel = channel(settings, "");
    let slow = not_sent(&channel, &to("bob@example.com")).await;
    assert_eq!(slow.why, Why::TooSlow, "{slow}");
    drop(silent);
    let away = not_sent(&channel, &to("bob@example.com")).await;
    assert_eq!(away.why, Why::Unreachable, "{away}");
    assert!(slow.why.may_pass() && away.why.may_pass());
}
