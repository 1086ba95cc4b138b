//! The target's handshake: from the first byte to ReadyForQuery, or to a CancelRequest.
//!
//! The target's certificate is for the driver's TLS to verify or to pin. The login is proven by SCRAM-SHA-256, with channel binding where the
//! target offers it, and the target proves that it knows the login's verifier: a target that lets anybody in, or asks for a password in clear or as
//! MD5, isn't spoken to. What a target says before its proof isn't shown, save an error.
//!
//! How to drive it:
//!
//! ```no_run
//! use daypass_wire::postgres::back::{Back, BackError, Encryption, Errand, Output, Ready, TlsBinding};
//! # struct Socket;
//! # impl Socket {
//! #     fn read(&mut self) -> Vec<u8> { Vec::new() }
//! #     fn write(&mut self, _: &[u8]) {}
//! #     fn start_tls(&mut self) -> TlsBinding { TlsBinding::Unavailable }
//! # }
//! # fn drive(mut socket: Socket, errand: Errand) -> Result<Option<Ready>, BackError> {
//! let mut back = Back::new(errand, Encryption::Required);
//! loop {
//!     while let Some(output) = back.poll() {
//!         match output {
//!             Output::ToUpstream(bytes) => socket.write(&bytes),
//!             Output::StartTls => {
//!                 let binding = socket.start_tls(); // nothing is read from the socket in between
//!                 back.tls_started(binding)?;
//!             }
//!             // Go on with `back.into_leftover()`, the first bytes for the relay.
//!             Output::Ready(ready) => return Ok(Some(ready)),
//!             Output::CancelSent => return Ok(None), // read until the target closes: then the cancel is done
//!             Output::Failed(error) => return Err(error), // error.to_client() is for the client
//!         }
//!     }
//!     let bytes = socket.read(); // an end of file is an error of the driver's
//!     back.from_upstream(&bytes);
//! }
//! # }
//! ```

mod sasl;
mod talk;

use bytes::{Buf, Bytes, BytesMut};

use super::cancel::SECRET_LEN;
use super::error::PgError;
use super::frame::{self, AUTH_LEN_MAX, FrameError, Header, Message, back as tag};
use super::message::{self, PROTOCOL_3_0, cancel_request, ssl_request, startup};
use super::outbox::Outbox;
use super::read::Reader;
use super::startup::is_ours;
use crate::scram::{ClientExchange, ClientVerifying};

pub use talk::{BackError, Encryption, Errand, Login, Method, Output, Ready, TargetKey, TlsBinding};

/// The most bytes of ParameterStatus and notices taken before ReadyForQuery.
pub const COLLECTED_LEN_MAX: usize = 65_536;

#[derive(Debug)]
enum State {
    /// Waits for the byte that answers SSLRequest.
    AwaitingTlsAnswer(Encryption, Box<Errand>),
    StartingTls(Box<Errand>),
    AwaitingOffer(Box<Login>, TlsBinding),
    AwaitingChallenge(Box<ClientExchange>),
    AwaitingSignature(ClientVerifying),
    /// The target has proven that it knows the verifier.
    AwaitingOk,
    Starting(Starting),
    Ready,
    Ended,
}

/// What comes between AuthenticationOk and ReadyForQuery.
#[derive(Debug, Default)]
struct Starting {
    parameters: BytesMut,
    key: Option<TargetKey>,
}

/// The machine.
#[derive(Debug)]
pub struct Back {
    state: State,
    input: BytesMut,
    out: Outbox<Output>,
}

impl Back {
    /// For a new connection, which begins with SSLRequest.
    pub fn new(errand: Errand, encryption: Encryption) -> Self {
        let mut out = Outbox::new(Output::ToUpstream);
        ssl_request(out.bytes());
        Self { state: State::AwaitingTlsAnswer(encryption, Box::new(errand)), input: BytesMut::new(), out }
    }

    /// What to do next, in order; `None` when it waits for bytes.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.poll()
    }

    /// Takes what the target sent. Nothing happens any more once it has failed.
    pub fn from_upstream(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Ended) {
            return;
        }
        self.input.extend_from_slice(bytes);
        loop {
            match self.turn() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.fail(error),
            }
        }
    }

    /// The TLS handshake is done, and the target's certificate is the right one.
    ///
    /// # Errors
    /// [`BackError::OutOfTurn`] unless [`Output::StartTls`] came just before.
    pub fn tls_started(&mut self, binding: TlsBinding) -> Result<(), BackError> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::StartingTls(errand) => {
                self.run(*errand, binding);
                Ok(())
            }
            other => {
                self.state = other;
                Err(BackError::OutOfTurn)
            }
        }
    }

    /// What the target sent behind ReadyForQuery: the relay's first bytes.
    pub fn into_leftover(self) -> BytesMut {
        self.input
    }

    fn fail(&mut self, error: BackError) {
        self.state = State::Ended;
        self.input.clear();
        self.out.push(Output::Failed(error));
    }

    /// Takes one thing off the input; whether there was one.
    fn turn(&mut self) -> Result<bool, BackError> {
        match self.state {
            State::AwaitingTlsAnswer(..) if self.input.is_empty() => Ok(false),
            State::AwaitingTlsAnswer(..) => self.tls_answer().map(|()| false),
            State::StartingTls(_) if self.input.is_empty() => Ok(false),
            State::StartingTls(_) => Err(BackError::Injected),
            State::Ready | State::Ended => Ok(false),
            State::AwaitingOffer(..)
            | State::AwaitingChallenge(_)
            | State::AwaitingSignature(_)
            | State::AwaitingOk
            | State::Starting(_) => match frame::take_message(&mut self.input, AUTH_LEN_MAX)? {
                Some(message) => self.message(&message).map(|()| true),
                None => Ok(false),
            },
        }
    }

    fn tls_answer(&mut self) -> Result<(), BackError> {
        let State::AwaitingTlsAnswer(encryption, errand) = std::mem::replace(&mut self.state, State::Ended) else {
            return Err(BackError::OutOfTurn);
        };
        let answer = self.input.get_u8();
        // What follows was sent in clear, by whoever sits in between, and would be taken for what TLS protects (CVE-2021-23222). It is
        // checked for a refusal too: an honest target sends nothing on its own.
        match (answer, encryption) {
            (b'S' | b'N', _) if !self.input.is_empty() => Err(BackError::Injected),
            (b'S', _) => {
                self.out.push(Output::StartTls);
                self.state = State::StartingTls(errand);
                Ok(())
            }
            (b'N', Encryption::PlaintextAllowed) => {
                self.run(*errand, TlsBinding::Unavailable);
                Ok(())
            }
            (b'N', Encryption::Required) => Err(BackError::TlsRefused),
            // An error's text before TLS may be anybody's (CVE-2024-10977), so it isn't shown.
            (other, _) => Err(BackError::TlsAnswer(other)),
        }
    }

    fn run(&mut self, errand: Errand, binding: TlsBinding) {
        match errand {
            Errand::Cancel(key) => {
                cancel_request(self.out.bytes(), key.backend_pid(), key.secret());
                self.out.push(Output::CancelSent);
                self.state = State::Ended;
            }
            Errand::Login(login) => {
                let ours: [(&[u8], &[u8]); 3] = [
                    (b"user", login.user.as_bytes()),
                    (b"database", login.database.as_bytes()),
                    (b"application_name", login.application_name.as_bytes()),
                ];
                let theirs = login.parameters.iter().filter(|(name, _)| !is_ours(name));
                let theirs = theirs.map(|(name, value)| (name.as_ref(), value.as_ref()));
                startup(self.out.bytes(), PROTOCOL_3_0, ours.into_iter().chain(theirs));
                self.state = State::AwaitingOffer(Box::new(login), binding);
            }
        }
    }

    fn message(&mut self, message: &Message) -> Result<(), BackError> {
        match message.tag {
            tag::ERROR_RESPONSE => Err(BackError::Target(Box::new(PgError::parse(&message.body)?))),
            tag::AUTHENTICATION => self.authentication(&message.body),
            other => match &mut self.state {
                State::Starting(starting) => {
                    if let Some(status) = starting.take(message)? {
                        self.ready(status)?;
                    }
                    Ok(())
                }
                // Not shown: whoever says it hasn't proven yet that it is the target.
                State::AwaitingOffer(..)
                | State::AwaitingChallenge(_)
                | State::AwaitingSignature(_)
                | State::AwaitingOk
                    if other == tag::NOTICE_RESPONSE =>
                {
                    Ok(())
                }
                State::AwaitingTlsAnswer(..)
                | State::StartingTls(_)
                | State::AwaitingOffer(..)
                | State::AwaitingChallenge(_)
                | State::AwaitingSignature(_)
                | State::AwaitingOk
                | State::Ready
                | State::Ended => Err(BackError::Unexpected(other)),
            },
        }
    }

    fn authentication(&mut self, body: &Bytes) -> Result<(), BackError> {
        let mut reader = Reader::new(body);
        let method = Method::from_code(reader.i32("the kind of authentication")?);
        let data = reader.rest();
        // What fails ends the handshake, so the state needs no putting back.
        self.state = match (std::mem::replace(&mut self.state, State::Ended), method) {
            (State::AwaitingOffer(login, binding), Method::Sasl) => {
                let binding = sasl::choose(data, binding)?;
                let mechanism = binding.mechanism();
                let Login { secret, nonce, .. } = *login;
                let (exchange, first) = ClientExchange::start(secret, nonce, binding);
                message::sasl_initial_response(self.out.bytes(), mechanism, &first);
                State::AwaitingChallenge(Box::new(exchange))
            }
            (State::AwaitingChallenge(exchange), Method::SaslContinue) => {
                let (verifying, last) = exchange.server_first(data)?;
                message::sasl_response(self.out.bytes(), &last);
                State::AwaitingSignature(verifying)
            }
            (State::AwaitingSignature(verifying), Method::SaslFinal) => {
                verifying.server_final(data)?;
                State::AwaitingOk
            }
            (State::AwaitingOk, Method::Ok) => State::Starting(Starting::default()),
            (State::AwaitingOffer(..) | State::AwaitingChallenge(_) | State::AwaitingSignature(_), method) => {
                return Err(BackError::NotScram(method));
            }
            (
                State::AwaitingTlsAnswer(..)
                | State::StartingTls(_)
                | State::AwaitingOk
                | State::Starting(_)
                | State::Ready
                | State::Ended,
                _,
            ) => return Err(BackError::Unexpected(tag::AUTHENTICATION)),
        };
        Ok(())
    }

    fn ready(&mut self, status: u8) -> Result<(), BackError> {
        let State::Starting(Starting { parameters, key }) = std::mem::replace(&mut self.state, State::Ready) else {
            return Err(BackError::OutOfTurn);
        };
        let key = key.ok_or(BackError::NoKey)?;
        self.out.push(Output::Ready(Ready { key, parameters: parameters.freeze(), status }));
        Ok(())
    }
}

impl Starting {
    /// Takes a message; its status, when it is ReadyForQuery.
    fn take(&mut self, message: &Message) -> Result<Option<u8>, BackError> {
        let mut reader = Reader::new(&message.body);
        match message.tag {
            tag::PARAMETER_STATUS | tag::NOTICE_RESPONSE => {
                // take_message holds the body to AUTH_LEN_MAX.
                let header = Header { tag: message.tag, body_len: message.body.len() as u32 };
                if self.parameters.len() + Header::LEN + message.body.len() > COLLECTED_LEN_MAX {
                    return Err(BackError::TooTalkative);
                }
                self.parameters.extend_from_slice(&header.encode());
                self.parameters.extend_from_slice(&message.body);
                Ok(None)
            }
            tag::BACKEND_KEY_DATA => {
                let pid = reader.i32("the process id")?;
                let secret = reader.rest();
                if !SECRET_LEN.contains(&secret.len()) || self.key.is_some() {
                    return Err(BackError::BadKey);
                }
                self.key = Some(TargetKey::new(pid, secret));
                Ok(None)
            }
            tag::READY_FOR_QUERY => match (reader.u8("the transaction status")?, reader.rest()) {
                (status @ (b'I' | b'T' | b'E'), []) => Ok(Some(status)),
                _ => Err(FrameError::Truncated("a transaction status that is I, T or E").into()),
            },
            other => Err(BackError::Unexpected(other)),
        }
    }
}
