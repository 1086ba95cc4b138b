//! The client's door: what every state makes of every event.

use bytes::{Bytes, BytesMut};
use daypass_wire::postgres::cancel::CancelKey;
use daypass_wire::postgres::front::{Admission, Ask, Credential, Front, OutOfTurn, Output, Reason, Start};
use daypass_wire::postgres::message::{self, PgError, Sqlstate};
use daypass_wire::postgres::startup::Protocol;
use daypass_wire::scram::{
    ClientBinding, ClientExchange, ClientSecret, ClientVerifying, Mechanism, Nonce, ScramVerifier, ServerBinding,
    mock_verifier,
};

use crate::shown::{self, Table};

pub const PASSWORD: &[u8] = b"a secret of daypass login";
const SALT: [u8; 16] = *b"0123456789abcdef";

pub fn packet(code: i32, rest: &[u8]) -> Vec<u8> {
    let length = u32::try_from(rest.len() + 8).unwrap();
    [&length.to_be_bytes()[..], &code.to_be_bytes(), rest].concat()
}

pub fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

pub fn ssl_request() -> Vec<u8> {
    packet(80_877_103, b"")
}

pub fn startup() -> Vec<u8> {
    packet(3 << 16, b"user\0alice\0database\0orders\0client_encoding\0LATIN1\0\0")
}

pub fn credential(user: &str) -> Credential {
    let verifier = match user {
        "alice" => ScramVerifier::from_password(PASSWORD, SALT, 4096).unwrap(),
        other => mock_verifier(&[1; 32], other),
    };
    Credential { verifier, nonce: Nonce::from_random([1; 18]), binding: ServerBinding::Unavailable }
}

pub fn admission() -> Admission {
    let mut parameters = BytesMut::new();
    message::parameter_status(&mut parameters, b"server_version", b"17.2");
    Admission {
        parameters: parameters.freeze(),
        key: CancelKey::new(2, 77, [0xab; 32], Protocol::V3_0).unwrap(),
        status: b'I',
    }
}

pub fn client() -> (ClientExchange, Vec<u8>) {
    let nonce = Nonce::from_random([2; 18]);
    ClientExchange::start(ClientSecret::password(PASSWORD), nonce, ClientBinding::Unsupported)
}

/// The body of the first message with this tag.
pub fn body_of(tag: u8, mut bytes: &[u8]) -> Vec<u8> {
    loop {
        let (header, rest) = bytes.split_at(5);
        let len = u32::from_be_bytes(header[1..].try_into().unwrap()) as usize - 4;
        if header[0] == tag {
            return rest[..len].to_vec();
        }
        bytes = &rest[len..];
    }
}

pub fn sasl_first() -> Vec<u8> {
    let mut out = BytesMut::new();
    message::sasl_initial_response(&mut out, Mechanism::ScramSha256, &client().1);
    out.to_vec()
}

/// The last message of alice, who knows her secret; both nonces are fixed, so it is always the same.
pub fn sasl_last() -> (ClientVerifying, Vec<u8>) {
    let mut front = Front::new(Start::Tls);
    front.from_client(&startup());
    front.credential(credential("alice")).unwrap();
    while front.poll().is_some() {}
    front.from_client(&sasl_first());
    let mut challenge = Vec::new();
    while let Some(output) = front.poll() {
        if let Output::ToClient(bytes) = output {
            challenge = bytes.to_vec();
        }
    }
    let (verifying, last) = client().0.server_first(&body_of(b'R', &challenge)[4..]).unwrap();
    (verifying, tagged(b'p', &last))
}

#[derive(Debug, Clone, Copy)]
enum State {
    Startup,
    StartupAfterGss,
    StartingTls,
    StartupInTls,
    AwaitingCredential,
    AwaitingFirst,
    AwaitingFinal,
    AtTheDoor,
    Admitted,
    Closed,
}

impl State {
    const ALL: [Self; 10] = [
        Self::Startup,
        Self::StartupAfterGss,
        Self::StartingTls,
        Self::StartupInTls,
        Self::AwaitingCredential,
        Self::AwaitingFirst,
        Self::AwaitingFinal,
        Self::AtTheDoor,
        Self::Admitted,
        Self::Closed,
    ];

    fn enter(self, last: &[u8]) -> Front {
        let plain = matches!(self, Self::Startup | Self::StartupAfterGss | Self::StartingTls);
        let mut front = Front::new(if plain { Start::Plain } else { Start::Tls });
        match self {
            Self::Startup | Self::StartupInTls => {}
            Self::StartupAfterGss => front.from_client(&packet(80_877_104, b"")),
            Self::StartingTls => front.from_client(&ssl_request()),
            Self::Closed => front.refuse(PgError::fatal(Sqlstate::CANNOT_CONNECT_NOW, "no")),
            Self::AwaitingCredential | Self::AwaitingFirst | Self::AwaitingFinal | Self::AtTheDoor | Self::Admitted => {
                front.from_client(&startup());
            }
        }
        if matches!(self, Self::AwaitingFirst | Self::AwaitingFinal | Self::AtTheDoor | Self::Admitted) {
            front.credential(credential("alice")).unwrap();
        }
        if matches!(self, Self::AwaitingFinal | Self::AtTheDoor | Self::Admitted) {
            front.from_client(&sasl_first());
        }
        if matches!(self, Self::AtTheDoor | Self::Admitted) {
            front.from_client(last);
        }
        if matches!(self, Self::Admitted) {
            front.admit(admission()).unwrap();
        }
        while front.poll().is_some() {}
        front
    }
}

type Event<'a> = (&'static str, Box<dyn Fn(&mut Front) -> Result<(), OutOfTurn> + 'a>);

fn events(last: &[u8]) -> Vec<Event<'_>> {
    let bytes = |name, bytes: Vec<u8>| -> Event<'_> {
        (
            name,
            Box::new(move |front| {
                front.from_client(&bytes);
                Ok(())
            }),
        )
    };
    vec![
        bytes("SSLRequest", ssl_request()),
        bytes("SSLRequest and more", [&ssl_request()[..], &startup()].concat()),
        bytes("GSSENCRequest", packet(80_877_104, b"")),
        bytes("CancelRequest", packet(80_877_102, &[1, 0, 0, 77, 0xab, 0xab, 0xab, 0xab])),
        bytes("CancelRequest of nobody", packet(80_877_102, &[0xff; 8])),
        bytes("StartupMessage", startup()),
        bytes("a length of 2^31-1", vec![0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0]),
        bytes("SASLInitialResponse", sasl_first()),
        bytes("SASLInitialResponse, unknown", tagged(b'p', b"PLAIN\0\0\0\0\x01x")),
        bytes("SASLResponse", last.to_vec()),
        bytes("SASLResponse, wrong", {
            let mut wrong = last.to_vec();
            let proof = wrong.len() - 10;
            wrong[proof] = if wrong[proof] == b'A' { b'B' } else { b'A' };
            wrong
        }),
        bytes("a SASL response of 64 KiB and more", b"p\0\x01\0\x05".to_vec()),
        bytes("Query", tagged(b'Q', b"SELECT 1\0")),
        bytes("Terminate", tagged(b'X', b"")),
        bytes("64 KiB and more", vec![0; 65_537]),
        ("tls_started()", Box::new(Front::tls_started)),
        ("credential()", Box::new(|front| front.credential(credential("alice")))),
        (
            "notice()",
            Box::new(|front| front.notice(&PgError::notice("waits for 1 dba-leads").with_detail("request 17"))),
        ),
        ("admit()", Box::new(|front| front.admit(admission()))),
        (
            "refuse()",
            Box::new(|front| {
                front.refuse(PgError::fatal(Sqlstate::TOO_MANY_CONNECTIONS, "too many connections"));
                Ok(())
            }),
        ),
    ]
}

pub fn shown(output: Output) -> String {
    match output {
        Output::ToClient(bytes) => format!("-> {}", shown::from_server(&bytes)),
        Output::StartTls => "StartTls".to_owned(),
        Output::Ask(Ask::Credential { user }) => format!("Ask Credential {user:?}"),
        Output::Ask(Ask::Open(door)) => format!("Ask {door:?}"),
        Output::Cancel(key) => format!("{key:?}"),
        Output::Close(Reason::Refused(error)) => format!("Close Refused {}", error.sqlstate),
        Output::Close(Reason::WrongProof(error)) => format!("Close WrongProof {}", error.sqlstate),
        Output::Close(other) => format!("Close {other:?}"),
    }
}

pub fn all_shown(front: &mut Front) -> Vec<String> {
    std::iter::from_fn(|| front.poll()).map(shown).collect()
}

#[test]
fn every_state_and_event() {
    let (_, last) = sasl_last();
    let mut table = Table::default();
    for state in State::ALL {
        for (name, event) in events(&last) {
            let mut front = state.enter(&last);
            let answer = event(&mut front);
            let mut shown = all_shown(&mut front);
            if answer.is_err() {
                shown.push("out of turn".to_owned());
            }
            table.add(&format!("{state:?}"), name, shown);
        }
    }
    insta::assert_snapshot!(table);
}

/// What comes after a refusal is nothing, whatever the client sends.
#[test]
fn a_closed_door_stays_closed() {
    let mut front = Front::new(Start::Plain);
    front.from_client(&startup());
    assert_eq!(all_shown(&mut front).len(), 2);
    front.from_client(&ssl_request());
    front.refuse(PgError::fatal(Sqlstate::CANNOT_CONNECT_NOW, "no"));
    assert!(front.poll().is_none());
    assert!(front.into_leftover().is_empty());
}

#[test]
fn what_is_not_a_query_yet_is_kept_for_the_relay() {
    let mut front = Front::new(Start::Tls);
    let query = tagged(b'Q', b"SELECT 1\0");
    let all: Bytes = [startup(), sasl_first(), sasl_last().1, query.clone()].concat().into();
    front.from_client(&all);
    front.credential(credential("alice")).unwrap();
    front.admit(admission()).unwrap();
    assert!(front.is_admitted());
    assert_eq!(front.into_leftover(), query);
}
