//! Why a notice wasn't taken, and how long its channel is then left alone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Span;

/// The wait after the first failed try; each further one doubles it, up to [`WAIT_MOST`].
const WAIT_FIRST: Span = Span::from_secs(2);
/// The longest wait between two tries.
const WAIT_MOST: Span = Span::from_mins(10);
/// The longest wait that a channel can ask for.
const WAIT_ASKED_MOST: Span = Span::from_mins(60);

/// Why a notice wasn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// The person has no mail address here.
    NoAddress,
    /// The channel isn't in the configuration any more.
    NoChannel,
    /// The channel's credential can't be read.
    NoCredential,
    /// It refuses the channel's credential.
    CredentialRefused,
    /// Nobody answers there.
    Unreachable,
    /// No answer came in time.
    TooSlow,
    /// It isn't who it should be, or its TLS isn't good.
    NotTrusted,
    /// Its address is one that the configuration doesn't let notices go to.
    NotAllowed,
    /// It doesn't want it now.
    Later {
        /// The protocol's own code: of HTTP or SMTP.
        code: u16,
    },
    /// It doesn't want it.
    Refused {
        /// The protocol's own code: of HTTP or SMTP.
        code: u16,
    },
    /// It says that it can't now, without a code.
    Busy,
    /// It says no, without a code.
    Declined,
    /// It doesn't know the person.
    UnknownPerson,
    /// Its answer makes no sense.
    NotUnderstood,
}

impl Why {
    /// Whether trying again may help.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        match self {
            Self::NoCredential
            | Self::CredentialRefused
            | Self::Unreachable
            | Self::TooSlow
            | Self::NotTrusted
            | Self::Later { .. }
            | Self::Busy
            | Self::NotUnderstood => true,
            Self::NoAddress
            | Self::NoChannel
            | Self::NotAllowed
            | Self::Refused { .. }
            | Self::Declined
            | Self::UnknownPerson => false,
        }
    }
}

/// What happened, and what to do next, for an administrator.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str("no mail address of theirs is known: set it with `daypass user mail`"),
            Self::NoChannel => f.write_str("server.toml has no such channel any more: see `[notices.channel]` there"),
            Self::NoCredential => f.write_str("the channel's credential can't be read: see the server's log"),
            Self::CredentialRefused => f.write_str("it refuses the channel's credential: see the server's log"),
            Self::Unreachable => f.write_str("nobody answers there: check the address and the network"),
            Self::TooSlow => f.write_str("no answer came in time: check the address, and what is between"),
            Self::NotTrusted => f.write_str(
                "it speaks no TLS, or none that can be trusted: check its certificate, `tls` and `authorities`",
            ),
            Self::NotAllowed => {
                f.write_str("its address is a private one: say `network = \"private\"` if that is meant")
            }
            Self::Later { code } => write!(f, "it answered {code}: not now; it is tried again"),
            Self::Refused { code } => write!(f, "it answered {code}: no; check the channel's settings"),
            Self::Busy => f.write_str("it can't now; it is tried again"),
            Self::Declined => f.write_str("it says no: the server's log has its words"),
            Self::UnknownPerson => f.write_str("it knows nobody with that mail address"),
            Self::NotUnderstood => f.write_str("its answer makes no sense: is it the right address?"),
        }
    }
}

/// How long a channel that didn't take a notice is to be left alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wait {
    /// As long as usual after so many tries.
    #[default]
    Usual,
    /// That long at least, since it asked for it; an hour at most is believed.
    AtLeast(Span),
}

impl Wait {
    /// Until the next try, after so many. What is asked for only lengthens it.
    pub(super) fn after(self, times: u32) -> Span {
        match self {
            Self::Usual => usual_wait(times),
            Self::AtLeast(asked) => usual_wait(times).max(asked.min(WAIT_ASKED_MOST)),
        }
    }
}

/// 2 s, 4 s, 8 s, up to ten minutes.
fn usual_wait(times: u32) -> Span {
    let doubled = WAIT_FIRST.micros().saturating_mul(1 << times.saturating_sub(1).min(20));
    Span::from_micros(doubled.min(WAIT_MOST.micros()))
}
