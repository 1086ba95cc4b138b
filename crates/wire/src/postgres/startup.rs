//! What a client asks for when it connects: the StartupMessage, read strictly.

use bytes::Bytes;

use super::error::{PgError, Sqlstate};
use super::frame::FrameError;
use super::message::PROTOCOL_3_0;
use super::read::Reader;

/// The most parameters taken from a client; psql sends 5, pgJDBC 8.
const PARAMETERS_MAX: usize = 128;
/// The longest `user` and `database`, in bytes: two names and a colon.
const NAME_LEN_MAX: usize = 160;
/// The longest application name kept, in characters: PostgreSQL keeps 63 bytes.
const APPLICATION_NAME_LEN_MAX: usize = 63;

/// A minor version of protocol 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// 3.0, since 2003.
    V3_0,
    /// 3.2, since PostgreSQL 18: cancel secrets longer than four bytes. (There is no 3.1.)
    V3_2,
}

impl Protocol {
    /// Bytes of a cancel secret.
    pub fn secret_len(self) -> usize {
        match self {
            Self::V3_0 => 4,
            Self::V3_2 => 32,
        }
    }

    /// The number on the wire.
    pub fn version(self) -> i32 {
        match self {
            Self::V3_0 => PROTOCOL_3_0,
            Self::V3_2 => PROTOCOL_3_0 + 2,
        }
    }
}

/// Who knocks, and at which door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// The principal's name, not proven before the exchange succeeds.
    pub user: String,
    /// The role, where the user is `user:role`.
    pub role: Option<String>,
    /// The resource.
    pub resource: String,
    /// The database there, where the database is `resource:database`.
    pub database: Option<String>,
    /// The other startup parameters, in their order and byte for byte, without those of [`is_ours`].
    pub parameters: Vec<(Bytes, Bytes)>,
    /// What the client calls itself, at most 63 characters; not proven, and to be escaped where it is shown.
    pub application_name: Option<String>,
    /// The version to speak with the client.
    pub protocol: Protocol,
    /// Whether the client was told `user` as database too, as libpq does when none is set. Where there is no such resource, say so.
    pub database_from_user: bool,
}

/// What a StartupMessage says, beside the door.
#[derive(Debug)]
pub(super) struct Startup {
    pub(super) door: Door,
    /// `_pq_.` options, none of which we know.
    pub(super) unknown: Vec<Bytes>,
    /// Whether the client must be told the version that we speak.
    pub(super) negotiate: Negotiate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Negotiate {
    Needed,
    NotNeeded,
}

/// Whether a startup parameter is between the client and the gateway, or set by the gateway, and so never passed on to a target.
pub fn is_ours(name: &[u8]) -> bool {
    let exact: [&[u8]; 3] = [b"user", b"database", b"replication"];
    // A setting's name has no case for PostgreSQL, so another spelling would set it over ours.
    exact.iter().any(|ours| name.eq_ignore_ascii_case(ours))
        || name.eq_ignore_ascii_case(b"application_name")
        || name.starts_with(b"_pq_.")
}

/// Reads a StartupMessage, whose version number is taken off already.
pub(super) fn parse(version: i32, packet: &Bytes) -> Result<Startup, PgError> {
    let (protocol, asked_for_more) = protocol(version)?;
    let parameters = parameters(packet).map_err(|error| {
        PgError::fatal(Sqlstate::PROTOCOL_VIOLATION, "invalid startup packet").with_detail(error.to_string())
    })?;
    let user = only(&parameters, b"user")?.filter(|user| !user.is_empty()).ok_or_else(|| {
        PgError::fatal(Sqlstate::INVALID_AUTHORIZATION, "no user name in the startup packet")
            .with_hint("Set the user (user=, PGUSER) to your Daypass user, or to USER:ROLE.")
    })?;
    let user = printable(user, "user")?;
    let database = only(&parameters, b"database")?.filter(|name| !name.is_empty()).ok_or_else(no_database)?;
    let database = printable(database, "database")?;
    if let Some(value) = only(&parameters, b"replication")? {
        refuse_replication(value)?;
    }
    let unknown: Vec<Bytes> =
        parameters.iter().map(|(name, _)| name).filter(|name| name.starts_with(b"_pq_.")).cloned().collect();
    let negotiate = match asked_for_more || !unknown.is_empty() {
        true => Negotiate::Needed,
        false => Negotiate::NotNeeded,
    };
    let door = door(user, database, protocol, &parameters)?;
    Ok(Startup { door, unknown, negotiate })
}

/// The version to speak, and whether the client asked for another one.
fn protocol(version: i32) -> Result<(Protocol, bool), PgError> {
    let (major, minor) = (version >> 16, version & 0xffff);
    match (major, minor) {
        (3, 0) => Ok((Protocol::V3_0, false)),
        (3, 1) => Ok((Protocol::V3_0, true)),
        (3, 2) => Ok((Protocol::V3_2, false)),
        (3, _) => Ok((Protocol::V3_2, true)),
        _ => Err(PgError::fatal(
            Sqlstate::FEATURE_NOT_SUPPORTED,
            format!("unsupported frontend protocol {}.{minor}: Daypass speaks 3.0 and 3.2", major & 0xffff),
        )),
    }
}

fn parameters(packet: &Bytes) -> Result<Vec<(Bytes, Bytes)>, FrameError> {
    let mut reader = Reader::new(packet);
    let mut parameters = Vec::new();
    loop {
        let name = reader.text("the end of a parameter's name")?;
        if name.is_empty() {
            break;
        }
        let value = reader.text("the end of a parameter's value")?;
        if parameters.len() == PARAMETERS_MAX {
            return Err(FrameError::Truncated("the end of the parameters, after 128 of them,"));
        }
        parameters.push((packet.slice_ref(name), packet.slice_ref(value)));
    }
    if !reader.rest().is_empty() {
        return Err(FrameError::Truncated("the terminator as last byte"));
    }
    Ok(parameters)
}

/// A parameter that may be there once: with two of them, whoever else reads the packet could take the other one.
fn only<'a>(parameters: &'a [(Bytes, Bytes)], name: &'static [u8]) -> Result<Option<&'a Bytes>, PgError> {
    let mut found = parameters.iter().filter(|(given, _)| given == name).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(PgError::fatal(
            Sqlstate::PROTOCOL_VIOLATION,
            format!("invalid startup packet: it has `{}` twice", name.escape_ascii()),
        )),
    }
}

fn printable<'a>(value: &'a Bytes, what: &str) -> Result<&'a str, PgError> {
    let text = std::str::from_utf8(value).ok();
    text.filter(|text| text.len() <= NAME_LEN_MAX && !text.chars().any(char::is_control)).ok_or_else(|| {
        PgError::fatal(
            Sqlstate::INVALID_AUTHORIZATION,
            format!("the {what} isn't printable UTF-8 of at most {NAME_LEN_MAX} bytes"),
        )
    })
}

fn no_database() -> PgError {
    PgError::fatal(Sqlstate::INVALID_CATALOG_NAME, "no database in the startup packet, so no resource is named")
        .with_hint("Set the database (dbname=, PGDATABASE) to RESOURCE, or to RESOURCE:DATABASE.")
}

fn refuse_replication(value: &[u8]) -> Result<(), PgError> {
    let off: [&[u8]; 4] = [b"false", b"off", b"no", b"0"];
    if off.contains(&value) {
        return Ok(());
    }
    Err(PgError::fatal(Sqlstate::FEATURE_NOT_SUPPORTED, "replication connections don't pass through Daypass")
        .with_detail("A replication stream carries every table, whatever the role gives, and isn't made of statements that could be recorded.")
        .with_hint("Leave out the `replication` parameter, and use COPY or pg_dump to read what the role gives."))
}

fn door(user: &str, database: &str, protocol: Protocol, parameters: &[(Bytes, Bytes)]) -> Result<Door, PgError> {
    let application_name = parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"application_name"));
    let application_name = application_name
        .map(|(_, value)| String::from_utf8_lossy(value).chars().take(APPLICATION_NAME_LEN_MAX).collect());
    let (name, role) = two(user).filter(|(_, role)| !role.is_some_and(|role| role.contains(':'))).ok_or_else(|| {
        PgError::fatal(Sqlstate::INVALID_AUTHORIZATION, format!("\"{user}\" isn't a user"))
            .with_hint("Set the user to your Daypass user, or to USER:ROLE.")
    })?;
    let (resource, target_database) = two(database).ok_or_else(|| {
        PgError::fatal(Sqlstate::INVALID_CATALOG_NAME, format!("\"{database}\" names no resource"))
            .with_hint("Set the database to RESOURCE, or to RESOURCE:DATABASE.")
    })?;
    Ok(Door {
        user: name.to_owned(),
        role: role.map(str::to_owned),
        resource: resource.to_owned(),
        database: target_database.map(str::to_owned),
        parameters: parameters.iter().filter(|(name, _)| !is_ours(name)).cloned().collect(),
        application_name,
        protocol,
        database_from_user: user == database,
    })
}

/// `a` or `a:b`, neither of them empty.
fn two(text: &str) -> Option<(&str, Option<&str>)> {
    match text.split_once(':') {
        None => (!text.is_empty()).then_some((text, None)),
        Some((first, second)) => (!first.is_empty() && !second.is_empty()).then_some((first, Some(second))),
    }
}
