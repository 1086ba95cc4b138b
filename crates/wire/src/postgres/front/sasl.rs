//! SASL, where it meets the protocol's messages.

use super::Reason;
use crate::postgres::error::PgError;
use crate::postgres::frame::FrameError;
use crate::postgres::read::Reader;
use crate::postgres::refusals;
use crate::scram::{Mechanism, ScramError};

/// What is said depends on what the client sent, and never on whether the user exists.
pub(super) fn failure(user: &str, error: &ScramError) -> Reason {
    let refusal = refusals::scram(user, error);
    match *error == ScramError::WrongProof {
        true => Reason::WrongProof(refusal),
        false => Reason::Refused(refusal),
    }
}

pub(super) fn initial_response(body: &[u8]) -> Result<(Mechanism, &[u8]), PgError> {
    let mut reader = Reader::new(body);
    let name = reader.text("the SASL mechanism").map_err(refusals::frame)?;
    let mechanism = Mechanism::from_name(name).ok_or_else(refusals::unknown_mechanism)?;
    let len = reader.i32("the length of the SASL response").map_err(refusals::frame)?;
    match usize::try_from(len) {
        Ok(len) if len == reader.rest().len() => Ok((mechanism, reader.rest())),
        Ok(_) | Err(_) => Err(refusals::frame(FrameError::Truncated("a SASL response of the length that it gives"))),
    }
}
