//! What ties a request for access to the denial that it answers: the id of the evaluation, which says itself who was told,
//! what was asked, and until when it may be named. Nothing of it is stored; a MAC keeps it from being made up.

use data_encoding::BASE64URL_NOPAD;
use daypass_domain::{DecisionId, Digest, PrincipalId, Span, Time, principal::Actor};

use crate::{App, Problem, Result};

/// How long a denial may be named by a request for access.
pub(super) const TIE_LASTS: Span = Span::from_mins(10);

const PREFIX: &str = "eval_";
const PURPOSE: &str = "authzen-evaluation";
/// The decision's sixteen bytes, and until when it may be named: microseconds; nothing where it can't be asked for.
const SAID: usize = 16 + 8;
const TAG: usize = 32;

impl App {
    /// The id of an evaluation.
    pub(super) fn tie(&self, decision: DecisionId, actor: &Actor, said: Digest, ask_until: Option<Time>) -> String {
        let mut bytes = decision.bytes().to_vec();
        bytes.extend(ask_until.map_or(0, Time::micros).to_be_bytes());
        let tag = self.tag(&bytes, actor.principal, said);
        bytes.extend(tag);
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&bytes))
    }

    /// Until when access may be asked for, naming this evaluation.
    ///
    /// # Errors
    /// When it is no evaluation of ours, was told to somebody else, or of something else; or when what was denied then can't
    /// be asked for.
    pub(super) fn tied(&self, id: &str, actor: &Actor, said: Digest) -> Result<Time> {
        let bytes = id.strip_prefix(PREFIX).and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
        let bytes = bytes.filter(|bytes| bytes.len() == SAID + TAG).ok_or_else(unbound)?;
        let (bytes, tag) = bytes.split_at(SAID);
        let key = self.keys.mac_key(PURPOSE, b"");
        key.verify(&[bytes, &actor.principal.bytes(), said.bytes()], tag).map_err(|_| unbound())?;
        let micros: [u8; 8] = std::array::from_fn(|i| bytes[16 + i]);
        match i64::from_be_bytes(micros) {
            0 => Err(Problem::invalid(
                "not_requestable",
                "access can't be asked for after that decision: it came without `context.access_request`",
                "see its `context.reason_user`",
            )),
            micros => Ok(Time::from_micros(micros)),
        }
    }

    fn tag(&self, bytes: &[u8], to: PrincipalId, said: Digest) -> [u8; 32] {
        self.keys.mac_key(PURPOSE, b"").mac(&[bytes, &to.bytes(), said.bytes()])
    }
}

fn unbound() -> Problem {
    Problem::invalid(
        "invalid_denial_binding",
        "`denial.evaluation_id` is not of a decision that you were told on this subject, resource and action",
        "evaluate again, and send all three as you sent them then",
    )
}
