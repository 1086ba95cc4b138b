//! The client's door: from the first byte to ReadyForQuery.
//!
//! TLS is required, except for a CancelRequest, which libpq before 17 always sends in clear. The client proves who it is by SCRAM-SHA-256,
//! and then waits at the door until the grant opens, while notices say what it waits for. AuthenticationOk goes out as soon as the proof
//! holds, before anything is given: libpq shows notices before it and after it, but pgJDBC takes one only after it. It gives nothing away,
//! since a refusal is a FATAL error either way, and the same for every driver.
//!
//! How to drive it:
//!
//! ```no_run
//! use daypass_wire::postgres::front::{Admission, Ask, Credential, Front, Output, Start};
//! # use daypass_wire::postgres::{cancel::CancelKey, front::OutOfTurn, message::PgError, startup::Door};
//! # struct Socket;
//! # impl Socket {
//! #     fn read(&mut self) -> Option<Vec<u8>> { None }
//! #     fn write(&mut self, _: &[u8]) {}
//! #     fn start_tls(&mut self) {}
//! # }
//! # fn look_up(_: &str) -> Credential { unimplemented!() }
//! # fn open(_: &Door, _: impl FnMut(PgError)) -> Result<Admission, PgError> { unimplemented!() }
//! # fn pass_on_cancel(_: &CancelKey) {}
//! # fn drive(mut socket: Socket) -> Result<(), OutOfTurn> {
//! let mut front = Front::new(Start::Plain); // Start::Tls when the first byte was a TLS handshake's (0x16), and is done
//! while !front.is_admitted() {
//!     while let Some(output) = front.poll() {
//!         match output {
//!             Output::ToClient(bytes) => socket.write(&bytes),
//!             Output::StartTls => {
//!                 socket.start_tls(); // nothing is read from the socket in between
//!                 front.tls_started()?;
//!             }
//!             // For an unknown user: a mock verifier, and the same time.
//!             Output::Ask(Ask::Credential { user }) => front.credential(look_up(&user))?,
//!             Output::Ask(Ask::Open(door)) => match open(&door, |notice| front.notice(&notice).unwrap_or_default()) {
//!                 Ok(admission) => front.admit(admission)?,
//!                 Err(refusal) => front.refuse(refusal),
//!             },
//!             Output::Cancel(key) => pass_on_cancel(&key), // and answer nothing
//!             Output::Close(_) => return Ok(()),
//!         }
//!     }
//!     if !front.is_admitted() {
//!         let Some(bytes) = socket.read() else { return Ok(()) };
//!         front.from_client(&bytes);
//!     }
//! }
//! let early = front.into_leftover(); // the first bytes for the relay
//! # Ok(())
//! # }
//! ```
//!
//! While the grant is awaited, a driver reads on, so as to see the client leave: an end of file is for the driver, a Terminate gives
//! [`Output::Close`].

mod sasl;
mod talk;

use std::mem;

use bytes::{Bytes, BytesMut};

use super::cancel::CancelKey;
use super::error::PgError;
use super::frame::{self, AUTH_LEN_MAX, Message, front as tag};
use super::message::{
    self, Authentication, CANCEL_REQUEST, GSSENC_REQUEST, SSL_REQUEST, authentication, negotiate_protocol_version,
};
use super::outbox::Outbox;
use super::read::Reader;
use super::refusals;
use super::startup::{self, Door, Negotiate};
use crate::scram::{AwaitingFinal, ServerExchange};

pub use talk::{Admission, Ask, Credential, OutOfTurn, Output, Reason, Start};

/// The most bytes kept from a client that talks before it is let in. No driver does, but the protocol's text doesn't forbid it.
pub const EARLY_LEN_MAX: usize = 65_536;

#[derive(Debug)]
enum State {
    /// Waits for a startup packet.
    Startup(Secured),
    StartingTls,
    AwaitingCredential(Box<Door>),
    AwaitingFirst(Box<Door>, Box<ServerExchange>),
    AwaitingFinal(Box<Door>, Box<AwaitingFinal>),
    AtTheDoor,
    Admitted,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secured {
    No(Gss),
    Tls,
}

/// Whether GSS encryption was asked for, and refused, already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gss {
    NotAsked,
    Asked,
}

/// Whether to look at the input again.
enum Turn {
    Again,
    Wait,
}

/// The machine.
#[derive(Debug)]
pub struct Front {
    state: State,
    input: BytesMut,
    out: Outbox<Output>,
}

impl Front {
    /// For a new connection.
    pub fn new(start: Start) -> Self {
        let secured = match start {
            Start::Plain => Secured::No(Gss::NotAsked),
            Start::Tls => Secured::Tls,
        };
        Self { state: State::Startup(secured), input: BytesMut::new(), out: Outbox::new(Output::ToClient) }
    }

    /// What to do next, in order; `None` when it waits for bytes or for an answer.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.poll()
    }

    /// Takes what the client sent. Nothing happens any more once the connection closes.
    pub fn from_client(&mut self, bytes: &[u8]) {
        match self.state {
            State::Closed => return,
            State::StartingTls if !bytes.is_empty() => return self.refuse(refusals::injected()),
            State::Startup(_)
            | State::StartingTls
            | State::AwaitingCredential(_)
            | State::AwaitingFirst(..)
            | State::AwaitingFinal(..)
            | State::AtTheDoor
            | State::Admitted => self.input.extend_from_slice(bytes),
        }
        self.go_on();
    }

    /// The TLS handshake is done.
    ///
    /// # Errors
    /// Unless [`Output::StartTls`] came just before.
    pub fn tls_started(&mut self) -> Result<(), OutOfTurn> {
        let State::StartingTls = self.state else {
            return Err(OutOfTurn("TLS"));
        };
        self.state = State::Startup(Secured::Tls);
        Ok(())
    }

    /// Answers [`Ask::Credential`].
    ///
    /// # Errors
    /// When it wasn't asked.
    pub fn credential(&mut self, credential: Credential) -> Result<(), OutOfTurn> {
        self.state = match mem::replace(&mut self.state, State::Closed) {
            State::AwaitingCredential(door) => {
                let mechanisms = credential.binding.mechanisms();
                authentication(self.out.bytes(), Authentication::Sasl(mechanisms));
                let exchange = ServerExchange::new(credential.verifier, credential.nonce, credential.binding);
                State::AwaitingFirst(door, Box::new(exchange))
            }
            other => {
                self.state = other;
                return Err(OutOfTurn("a credential"));
            }
        };
        self.go_on();
        Ok(())
    }

    /// Tells the client something while it waits at the door, whatever the error's severity says. psql shows it at once.
    ///
    /// # Errors
    /// Unless [`Ask::Open`] waits for its answer.
    pub fn notice(&mut self, notice: &PgError) -> Result<(), OutOfTurn> {
        let State::AtTheDoor = self.state else {
            return Err(OutOfTurn("a notice"));
        };
        notice.as_notice().encode(self.out.bytes());
        Ok(())
    }

    /// Answers [`Ask::Open`]: the client is let in.
    ///
    /// # Errors
    /// When it wasn't asked.
    pub fn admit(&mut self, admission: Admission) -> Result<(), OutOfTurn> {
        let State::AtTheDoor = self.state else {
            return Err(OutOfTurn("an admission"));
        };
        let out = self.out.bytes();
        out.extend_from_slice(&admission.parameters);
        message::backend_key_data(out, admission.key.process_id(), admission.key.secret());
        message::ready_for_query(out, admission.status);
        self.state = State::Admitted;
        Ok(())
    }

    /// Ends the connection with an error, in any state: also for too many connections, or for taking too long. Once the client is let in, or
    /// the connection closes, it does nothing.
    pub fn refuse(&mut self, error: PgError) {
        match self.state {
            State::Admitted | State::Closed => {}
            State::Startup(_)
            | State::StartingTls
            | State::AwaitingCredential(_)
            | State::AwaitingFirst(..)
            | State::AwaitingFinal(..)
            | State::AtTheDoor => self.close(Reason::Refused(error)),
        }
    }

    /// Whether the client is let in: send what [`Front::poll`] still gives, then go on with [`Front::into_leftover`].
    pub fn is_admitted(&self) -> bool {
        matches!(self.state, State::Admitted)
    }

    /// What the client sent behind the handshake: the relay's first bytes.
    pub fn into_leftover(self) -> BytesMut {
        self.input
    }

    fn close(&mut self, reason: Reason) {
        match &reason {
            Reason::Refused(error) | Reason::WrongProof(error) => error.encode(self.out.bytes()),
            Reason::Cancel | Reason::Left => {}
        }
        self.state = State::Closed;
        self.input.clear();
        self.out.push(Output::Close(reason));
    }

    fn go_on(&mut self) {
        loop {
            match self.turn() {
                Ok(Turn::Again) => {}
                Ok(Turn::Wait) => return,
                Err(reason) => return self.close(reason),
            }
        }
    }

    fn turn(&mut self) -> Result<Turn, Reason> {
        match self.state {
            State::Startup(secured) => match frame::take_startup(&mut self.input).map_err(refusals::frame)? {
                Some(packet) => self.startup(secured, &packet),
                None => Ok(Turn::Wait),
            },
            State::AwaitingFirst(..) | State::AwaitingFinal(..) | State::AtTheDoor
                if self.input.first() == Some(&tag::TERMINATE) =>
            {
                self.close(Reason::Left);
                Ok(Turn::Wait)
            }
            State::AwaitingFirst(..) | State::AwaitingFinal(..) => {
                // At once, and not when a body is there that may never come.
                if let Some(other) = self.input.first().filter(|first| **first != tag::SASL) {
                    return Err(refusals::not_sasl(*other).into());
                }
                match frame::take_message(&mut self.input, AUTH_LEN_MAX).map_err(refusals::frame)? {
                    Some(message) => self.sasl(&message),
                    None => Ok(Turn::Wait),
                }
            }
            State::AwaitingCredential(_) | State::AtTheDoor if self.input.len() > EARLY_LEN_MAX => {
                Err(refusals::too_much_early().into())
            }
            State::AwaitingCredential(_) | State::AtTheDoor => Ok(Turn::Wait),
            State::StartingTls | State::Admitted | State::Closed => Ok(Turn::Wait),
        }
    }

    fn startup(&mut self, secured: Secured, packet: &Bytes) -> Result<Turn, Reason> {
        let mut reader = Reader::new(packet);
        let code = reader.i32("the protocol version").map_err(refusals::frame)?;
        match (code, secured) {
            (CANCEL_REQUEST, _) => {
                self.cancel(reader);
                Ok(Turn::Wait)
            }
            (SSL_REQUEST | GSSENC_REQUEST, _) if !reader.rest().is_empty() => Err(refusals::long_request().into()),
            // What follows was sent in clear, by whoever sits in between, and would be taken for what TLS protects (CVE-2021-23214).
            (SSL_REQUEST, Secured::No(_)) if !self.input.is_empty() => Err(refusals::injected().into()),
            (SSL_REQUEST, Secured::No(_)) => {
                self.out.bytes().extend_from_slice(b"S");
                self.out.push(Output::StartTls);
                self.state = State::StartingTls;
                Ok(Turn::Wait)
            }
            (GSSENC_REQUEST, Secured::No(Gss::NotAsked)) => {
                self.out.bytes().extend_from_slice(b"N");
                self.state = State::Startup(Secured::No(Gss::Asked));
                Ok(Turn::Again)
            }
            (SSL_REQUEST | GSSENC_REQUEST, _) => Err(refusals::second_request().into()),
            (_, Secured::No(_)) => Err(refusals::no_tls().into()),
            (version, Secured::Tls) => Ok(self.knock(startup::parse(version, &packet.slice(4..))?)),
        }
    }

    fn cancel(&mut self, mut reader: Reader<'_>) {
        let key = reader.i32("the process id").ok().and_then(|id| CancelKey::decode(id, reader.rest()));
        if let Some(key) = key {
            self.out.push(Output::Cancel(key));
        }
        self.close(Reason::Cancel);
    }

    fn knock(&mut self, startup: startup::Startup) -> Turn {
        match startup.negotiate {
            Negotiate::NotNeeded => {}
            Negotiate::Needed => {
                let unknown = startup.unknown.iter().map(AsRef::as_ref);
                negotiate_protocol_version(self.out.bytes(), startup.door.protocol.version(), unknown);
            }
        }
        self.out.push(Output::Ask(Ask::Credential { user: startup.door.user.clone() }));
        self.state = State::AwaitingCredential(Box::new(startup.door));
        Turn::Again
    }

    fn sasl(&mut self, message: &Message) -> Result<Turn, Reason> {
        // What fails closes the connection, so the state needs no putting back.
        match mem::replace(&mut self.state, State::Closed) {
            State::AwaitingFirst(door, exchange) => {
                let (mechanism, data) = sasl::initial_response(&message.body)?;
                let (next, challenge) =
                    exchange.client_first(mechanism, data).map_err(|error| sasl::failure(&door.user, &error))?;
                authentication(self.out.bytes(), Authentication::SaslContinue(&challenge));
                self.state = State::AwaitingFinal(door, Box::new(next));
            }
            State::AwaitingFinal(door, exchange) => {
                let signature =
                    exchange.client_final(&message.body).map_err(|error| sasl::failure(&door.user, &error))?;
                authentication(self.out.bytes(), Authentication::SaslFinal(&signature));
                authentication(self.out.bytes(), Authentication::Ok);
                self.out.push(Output::Ask(Ask::Open(door)));
                self.state = State::AtTheDoor;
            }
            other => self.state = other,
        }
        Ok(Turn::Again)
    }
}
