//! The messages that we write ourselves: errors and notices, authentication, what precedes ReadyForQuery, cancel requests.

use bytes::{BufMut, BytesMut};

pub use super::error::{PgError, Severity, Sqlstate};
use super::frame::{back, front};
use crate::scram::Mechanism;

/// The request code of CancelRequest.
pub const CANCEL_REQUEST: i32 = 80_877_102;
/// The request code of SSLRequest.
pub const SSL_REQUEST: i32 = 80_877_103;
/// The request code of GSSENCRequest.
pub const GSSENC_REQUEST: i32 = 80_877_104;
/// Protocol 3.0.
pub const PROTOCOL_3_0: i32 = 3 << 16;

/// Writes a message with this type byte, and the body that `fill` writes.
pub fn put(out: &mut BytesMut, tag: u8, fill: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    put_counted(out, fill);
}

/// Writes a length that counts itself, and what `fill` writes.
fn put_counted(out: &mut BytesMut, fill: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_i32(0);
    fill(out);
    // What we write ourselves is far below 4 GiB.
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Writes text and its final zero. A zero inside would end it early and shift what follows, so it is left out.
pub(super) fn put_text(out: &mut BytesMut, text: &[u8]) {
    out.extend(text.iter().filter(|byte| **byte != 0));
    out.put_u8(0);
}

/// The authentication messages that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// Logged in.
    Ok,
    /// The mechanisms offered, best first.
    Sasl(&'a [Mechanism]),
    /// The server's challenge.
    SaslContinue(&'a [u8]),
    /// The server's signature.
    SaslFinal(&'a [u8]),
}

/// Writes an authentication message.
pub fn authentication(out: &mut BytesMut, what: Authentication<'_>) {
    put(out, back::AUTHENTICATION, |out| match what {
        Authentication::Ok => out.put_i32(0),
        Authentication::Sasl(mechanisms) => {
            out.put_i32(10);
            for mechanism in mechanisms {
                put_text(out, mechanism.name().as_bytes());
            }
            out.put_u8(0);
        }
        Authentication::SaslContinue(data) => {
            out.put_i32(11);
            out.put_slice(data);
        }
        Authentication::SaslFinal(data) => {
            out.put_i32(12);
            out.put_slice(data);
        }
    });
}

/// Writes SASLInitialResponse.
pub fn sasl_initial_response(out: &mut BytesMut, mechanism: Mechanism, data: &[u8]) {
    put(out, front::SASL, |out| {
        put_text(out, mechanism.name().as_bytes());
        // The exchange's own messages are far below 2 GiB.
        out.put_i32(data.len() as i32);
        out.put_slice(data);
    });
}

/// Writes SASLResponse.
pub fn sasl_response(out: &mut BytesMut, data: &[u8]) {
    put(out, front::SASL, |out| out.put_slice(data));
}

/// Writes ParameterStatus.
pub fn parameter_status(out: &mut BytesMut, name: &[u8], value: &[u8]) {
    put(out, back::PARAMETER_STATUS, |out| {
        put_text(out, name);
        put_text(out, value);
    });
}

/// Writes BackendKeyData.
pub fn backend_key_data(out: &mut BytesMut, pid: i32, secret: &[u8]) {
    put(out, back::BACKEND_KEY_DATA, |out| {
        out.put_i32(pid);
        out.put_slice(secret);
    });
}

/// Writes ReadyForQuery. `status` is `I` (idle), `T` (in a transaction) or `E` (in a failed one).
pub fn ready_for_query(out: &mut BytesMut, status: u8) {
    put(out, back::READY_FOR_QUERY, |out| out.put_u8(status));
}

/// Writes NegotiateProtocolVersion: the version to speak, and the `_pq_.` options that we don't know. The manual says "minor version", and PostgreSQL
/// sends the whole number, which libpq insists on.
pub fn negotiate_protocol_version<'a>(
    out: &mut BytesMut,
    version: i32,
    unknown: impl ExactSizeIterator<Item = &'a [u8]>,
) {
    put(out, back::NEGOTIATE_PROTOCOL_VERSION, |out| {
        out.put_i32(version);
        // They come from a startup packet, which is far smaller.
        out.put_i32(unknown.len() as i32);
        unknown.for_each(|name| put_text(out, name));
    });
}

/// Writes Terminate.
pub fn terminate(out: &mut BytesMut) {
    put(out, front::TERMINATE, |_| {});
}

/// Writes SSLRequest.
pub fn ssl_request(out: &mut BytesMut) {
    put_counted(out, |out| out.put_i32(SSL_REQUEST));
}

/// Writes CancelRequest.
pub fn cancel_request(out: &mut BytesMut, pid: i32, secret: &[u8]) {
    put_counted(out, |out| {
        out.put_i32(CANCEL_REQUEST);
        out.put_i32(pid);
        out.put_slice(secret);
    });
}

/// Writes StartupMessage for this protocol version.
pub fn startup<'a>(out: &mut BytesMut, version: i32, parameters: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) {
    put_counted(out, |out| {
        out.put_i32(version);
        for (name, value) in parameters {
            put_text(out, name);
            put_text(out, value);
        }
        out.put_u8(0);
    });
}
