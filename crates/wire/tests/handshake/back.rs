//! The target's handshake: what every state makes of every event.

use bytes::{Bytes, BytesMut};
use daypass_wire::postgres::back::{Back, BackError, Encryption, Errand, Login, Output, TlsBinding};
use daypass_wire::postgres::message::{self, Authentication, PgError, Severity, Sqlstate};
use daypass_wire::scram::{
    AwaitingFinal, ClientSecret, Mechanism, Nonce, ScramVerifier, ServerBinding, ServerExchange,
};

use crate::front::{body_of, tagged};
use crate::shown::{self, Table};

const SECRET: &[u8] = b"made for one grant";

pub fn login() -> Login {
    let parameter = |name: &'static [u8], value: &'static [u8]| (Bytes::from_static(name), Bytes::from_static(value));
    Login {
        user: "dp_alice_g7".to_owned(),
        secret: ClientSecret::password(SECRET),
        database: "sales".to_owned(),
        application_name: "daypass session 12".to_owned(),
        parameters: vec![
            parameter(b"client_encoding", b"LATIN1"),
            parameter(b"options", b"-c a=\xff"),
            parameter(b"Application_Name", b"psql"),
            parameter(b"replication", b"true"),
            parameter(b"user", b"postgres"),
            parameter(b"_pq_.x", b"y"),
            parameter(b"DateStyle", b"ISO"),
        ],
        nonce: Nonce::from_random([4; 18]),
    }
}

/// A target that knows the login's verifier.
pub fn exchange(binding: ServerBinding) -> ServerExchange {
    let verifier = ScramVerifier::from_password(SECRET, [9; 16], 4096).unwrap();
    ServerExchange::new(verifier, Nonce::from_random([5; 18]), binding)
}

pub fn auth(what: Authentication<'_>) -> Vec<u8> {
    written(|out| message::authentication(out, what))
}

pub fn written(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out);
    out.to_vec()
}

/// The bytes that the machine sends now.
pub fn sent(back: &mut Back) -> Vec<u8> {
    let mut sent = Vec::new();
    while let Some(output) = back.poll() {
        if let Output::ToUpstream(bytes) = output {
            sent.extend_from_slice(&bytes);
        }
    }
    sent
}

/// The challenge, and what is awaited then, for the first message of our login.
pub fn challenge(initial: &[u8], binding: ServerBinding) -> (AwaitingFinal, Vec<u8>) {
    let body = body_of(b'p', initial);
    let name = body.split(|byte| *byte == 0).next().unwrap();
    let mechanism = Mechanism::from_name(name).unwrap();
    exchange(binding).client_first(mechanism, &body[name.len() + 5..]).unwrap()
}

/// What a good target says, in order, up to before AuthenticationOk; every nonce is fixed.
pub struct Script {
    pub offer: Vec<u8>,
    pub challenge: Vec<u8>,
    pub signature: Vec<u8>,
}

pub fn script() -> Script {
    let mut back = State::AwaitingOffer.enter(None);
    let offer = auth(Authentication::Sasl(&[Mechanism::ScramSha256]));
    back.from_upstream(&offer);
    let (awaiting, challenge) = challenge(&sent(&mut back), ServerBinding::Unavailable);
    let challenge = auth(Authentication::SaslContinue(&challenge));
    back.from_upstream(&challenge);
    let signature = awaiting.client_final(&body_of(b'p', &sent(&mut back))).unwrap();
    Script { offer, challenge, signature: auth(Authentication::SaslFinal(&signature)) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    AwaitingTlsAnswer,
    AwaitingTlsAnswerPlaintextAllowed,
    StartingTls,
    AwaitingOffer,
    AwaitingChallenge,
    AwaitingSignature,
    AwaitingOk,
    Starting,
    StartingWithKey,
    Ready,
    Ended,
}

impl State {
    const ALL: [Self; 11] = [
        Self::AwaitingTlsAnswer,
        Self::AwaitingTlsAnswerPlaintextAllowed,
        Self::StartingTls,
        Self::AwaitingOffer,
        Self::AwaitingChallenge,
        Self::AwaitingSignature,
        Self::AwaitingOk,
        Self::Starting,
        Self::StartingWithKey,
        Self::Ready,
        Self::Ended,
    ];

    fn enter(self, script: Option<&Script>) -> Back {
        let allowed = self == Self::AwaitingTlsAnswerPlaintextAllowed;
        let encryption = if allowed { Encryption::PlaintextAllowed } else { Encryption::Required };
        let mut back = Back::new(Errand::Login(login()), encryption);
        if self >= Self::StartingTls {
            back.from_upstream(b"S");
        }
        if self >= Self::AwaitingOffer {
            back.tls_started(TlsBinding::Unavailable).unwrap();
        }
        if let Some(script) = script {
            let rest = [
                (Self::AwaitingChallenge, script.offer.clone()),
                (Self::AwaitingSignature, script.challenge.clone()),
                (Self::AwaitingOk, script.signature.clone()),
                (Self::Starting, auth(Authentication::Ok)),
                (Self::StartingWithKey, written(|out| message::backend_key_data(out, 4711, b"1234"))),
                (Self::Ready, written(|out| message::ready_for_query(out, b'I'))),
            ];
            rest.iter().filter(|(state, _)| self >= *state).for_each(|(_, bytes)| back.from_upstream(bytes));
        }
        if self == Self::Ended {
            // Ready is a last word too, so this one failed instead.
            back = Back::new(Errand::Login(login()), Encryption::Required);
            back.from_upstream(b"N");
        }
        while back.poll().is_some() {}
        back
    }
}

fn events(script: &Script) -> Vec<(&'static str, Vec<u8>)> {
    let error = PgError {
        severity: Severity::Fatal,
        sqlstate: Sqlstate::TOO_MANY_CONNECTIONS,
        message: "sorry, too many clients already".to_owned(),
        detail: None,
        hint: Some("wait".to_owned()),
        position: None,
    };
    vec![
        ("S", b"S".to_vec()),
        ("N", b"N".to_vec()),
        ("E", b"E".to_vec()),
        ("S and more", b"SX".to_vec()),
        ("N and more", b"NX".to_vec()),
        ("AuthenticationOk", auth(Authentication::Ok)),
        ("AuthenticationCleartextPassword", tagged(b'R', &[0, 0, 0, 3])),
        ("AuthenticationMD5Password", tagged(b'R', &[0, 0, 0, 5, 1, 2, 3, 4])),
        ("AuthenticationGSS", tagged(b'R', &[0, 0, 0, 7])),
        ("authentication 99", tagged(b'R', &[0, 0, 0, 99])),
        ("AuthenticationSASL", script.offer.clone()),
        ("AuthenticationSASL, PLUS only", auth(Authentication::Sasl(&[Mechanism::ScramSha256Plus]))),
        ("AuthenticationSASL, unknown", tagged(b'R', b"\0\0\0\x0aOAUTHBEARER\0\0")),
        ("AuthenticationSASLContinue", script.challenge.clone()),
        ("AuthenticationSASLContinue, of another exchange", auth(Authentication::SaslContinue(b"r=x,s=AAAA,i=4096"))),
        ("AuthenticationSASLFinal", script.signature.clone()),
        ("AuthenticationSASLFinal, wrong", {
            let signature = "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
            auth(Authentication::SaslFinal(signature.as_bytes()))
        }),
        ("ErrorResponse", written(|out| error.encode(out))),
        ("NoticeResponse", written(|out| PgError::notice("hello").encode(out))),
        ("ParameterStatus", written(|out| message::parameter_status(out, b"TimeZone", b"UTC"))),
        ("BackendKeyData", written(|out| message::backend_key_data(out, 4711, b"1234"))),
        ("BackendKeyData, short", written(|out| message::backend_key_data(out, 4711, b"123"))),
        ("BackendKeyData, long", written(|out| message::backend_key_data(out, 4711, &[0; 257]))),
        ("ReadyForQuery", written(|out| message::ready_for_query(out, b'I'))),
        ("ReadyForQuery X", written(|out| message::ready_for_query(out, b'X'))),
        ("NegotiateProtocolVersion", tagged(b'v', &[0, 3, 0, 0, 0, 0, 0, 0])),
        ("DataRow", tagged(b'D', &[0, 0])),
        ("a length of 3", b"S\0\0\0\x03".to_vec()),
        ("more than 64 KiB", b"K\0\x01\0\x05".to_vec()),
    ]
}

pub fn shown(output: Output) -> String {
    match output {
        Output::ToUpstream(bytes) => format!("-> {}", shown::from_client(&bytes)),
        Output::StartTls => "StartTls".to_owned(),
        Output::Ready(ready) => {
            let parameters = shown::from_server(&ready.parameters);
            format!("Ready {:?} [{parameters}] {}", ready.key, char::from(ready.status))
        }
        Output::CancelSent => "CancelSent".to_owned(),
        Output::Failed(error) => format!("Failed: {error}"),
    }
}

pub fn all_shown(back: &mut Back) -> Vec<String> {
    std::iter::from_fn(|| back.poll()).map(shown).collect()
}

#[test]
fn every_state_and_event() {
    let script = script();
    let mut table = Table::default();
    for state in State::ALL {
        for (name, bytes) in events(&script) {
            let mut back = state.enter(Some(&script));
            back.from_upstream(&bytes);
            table.add(&format!("{state:?}"), name, all_shown(&mut back));
        }
        let mut back = state.enter(Some(&script));
        let mut outputs = match back.tls_started(TlsBinding::Unavailable) {
            Ok(()) => Vec::new(),
            Err(error) => vec![error.to_string()],
        };
        outputs.extend(all_shown(&mut back));
        table.add(&format!("{state:?}"), "tls_started()", outputs);
    }
    insta::assert_snapshot!(table);
}

#[test]
fn what_the_client_is_told() {
    let target = PgError {
        severity: Severity::Error,
        sqlstate: Sqlstate::INVALID_CATALOG_NAME,
        message: "database \"sales\" does not exist".to_owned(),
        detail: None,
        hint: None,
        position: None,
    };
    let told = BackError::Target(Box::new(target.clone())).to_client();
    assert_eq!(told, PgError { severity: Severity::Fatal, ..target });
    let told = BackError::TlsRefused.to_client();
    assert_eq!(told.sqlstate, Sqlstate::CONNECTION_NOT_MADE);
    assert!(told.detail.unwrap().contains("doesn't speak TLS"));
}
