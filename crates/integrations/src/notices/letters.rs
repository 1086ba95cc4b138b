//! Letters for the golden files of every channel: each kind of news, and texts that try to be more than text.

use daypass_domain::{ChangeId, GrantId, InstallationId, NoticeId, RequestId, Time, notice::News};
use daypass_ports::notices::{Addressee, Letter, Names};

fn at(minutes: i64) -> Time {
    Time::from_micros(1_795_516_200_000_000 + minutes * 60_000_000)
}

/// What no text of ours has in it, and what would do something in one markup or another.
pub const HOSTILE: &str = "<!channel> *x* [y](https://evil.example) <at>z</at> & \"q\"\r\nBcc: eve@example.com";

fn letter(news: News, names: Names) -> Letter {
    Letter {
        id: NoticeId::new(at(0), [6; 10]),
        installation: InstallationId::new(at(0), [7; 10]),
        made: at(0),
        to: Addressee::Mail("bob@example.com".parse().unwrap()),
        news,
        names,
        link: "https://daypass.example/requests/request_1?a=1&b=2".to_owned(),
    }
}

/// One that asks for an approval, with names and without; one that tells of a grant; and one with a hostile text.
pub fn some() -> Vec<Letter> {
    let (request, grant) = (RequestId::new(at(0), [1; 10]), GrantId::new(at(0), [2; 10]));
    let wanted = News::ApprovalWanted { request, until: at(60) };
    let names = Names::Access {
        holder: "alice".parse().unwrap(),
        role: "readonly".parse().unwrap(),
        resource: "orders".parse().unwrap(),
    };
    let hostile =
        News::ChangeWaits { change: ChangeId::new(at(0), [5; 10]), subject: HOSTILE.to_owned(), until: at(90) };
    vec![
        letter(wanted.clone(), names.clone()),
        letter(wanted, Names::Withheld),
        letter(News::Granted { request, grant, from: at(0), until: at(30) }, names),
        letter(hostile, Names::Change { proposer: "ada".parse().unwrap() }),
    ]
}
