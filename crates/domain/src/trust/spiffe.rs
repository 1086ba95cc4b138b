//! SPIFFE: who a workload is by its platform (SPIFFE-ID), and whose word that is.
//!
//! An identity is read strictly, letter by letter: what two readers could take for two different things is none.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::Serialize;

use super::{Attributes, BadAttribute, IssuerUrl};
use crate::Name;

/// The longest SPIFFE ID, in bytes (SPIFFE-ID, 2.3).
pub const SPIFFE_ID_MAX: usize = 2048;
/// The longest name of a trust domain, in bytes (SPIFFE-ID, 2.3).
pub const TRUST_DOMAIN_MAX: usize = 255;

const SCHEME: &str = "spiffe://";
/// What stands for whatever is below, at the end of a pattern.
const BELOW: &str = "/*";

/// The name of a trust domain: 1 to 255 of `a-z 0-9 . - _`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TrustDomain(String);

/// Who a workload is: `spiffe://prod.example.org/ns/shop/sa/nightly`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    domain: TrustDomain,
    /// Empty, or segments with a slash before each.
    path: String,
}

/// Why a text is no SPIFFE ID, or no name of a trust domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSpiffeId {
    /// It is too long.
    #[error("a SPIFFE ID has at most {SPIFFE_ID_MAX} bytes")]
    TooLong,
    /// It begins otherwise.
    #[error("a SPIFFE ID begins with {SCHEME}, in lower case")]
    Scheme,
    /// The trust domain isn't one.
    #[error("a trust domain is 1 to {TRUST_DOMAIN_MAX} of a-z, 0-9, dot, dash and underscore: no port, no user")]
    Domain,
    /// A part of the path isn't one.
    #[error("a part of a SPIFFE ID's path is of letters, digits, dot, dash and underscore, and isn't empty, . or ..")]
    Segment,
    /// A pattern would be everybody.
    #[error(
        "a pattern names one SPIFFE ID with a path, or what is below one: spiffe://DOMAIN/PATH, spiffe://DOMAIN/PATH/*"
    )]
    Everybody,
}

impl TrustDomain {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TrustDomain {
    type Err = BadSpiffeId;
    fn from_str(text: &str) -> Result<Self, BadSpiffeId> {
        let fine = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        if (1..=TRUST_DOMAIN_MAX).contains(&text.len()) && text.bytes().all(fine) {
            return Ok(Self(text.to_owned()));
        }
        Err(BadSpiffeId::Domain)
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SpiffeId {
    /// Whose word it is.
    #[must_use]
    pub fn domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// Who, within the trust domain; empty where it is the trust domain itself.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl FromStr for SpiffeId {
    type Err = BadSpiffeId;
    fn from_str(text: &str) -> Result<Self, BadSpiffeId> {
        if text.len() > SPIFFE_ID_MAX {
            return Err(BadSpiffeId::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(BadSpiffeId::Scheme)?;
        let (domain, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let domain = domain.parse()?;
        // What begins with a slash has nothing before the first one.
        if path.split('/').skip(1).all(is_segment) {
            Ok(Self { domain, path: path.to_owned() })
        } else {
            Err(BadSpiffeId::Segment)
        }
    }
}

fn is_segment(segment: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(fine)
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}{}", self.domain, self.path)
    }
}

/// Which SPIFFE IDs are meant: one, or what is below one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdPattern {
    /// This one.
    Exactly(SpiffeId),
    /// Those whose path goes on after this one's, by whole segments: `spiffe://prod.example.org/ns/shop/*`.
    Below(SpiffeId),
}

impl IdPattern {
    /// Whether it means this one.
    #[must_use]
    pub fn admits(&self, id: &SpiffeId) -> bool {
        match self {
            Self::Exactly(one) => one == id,
            Self::Below(above) => {
                let below = id.path.strip_prefix(above.path.as_str()).is_some_and(|rest| rest.starts_with('/'));
                above.domain == id.domain && below
            }
        }
    }

    /// Whose word it takes.
    #[must_use]
    pub fn domain(&self) -> &TrustDomain {
        match self {
            Self::Exactly(id) | Self::Below(id) => id.domain(),
        }
    }
}

impl FromStr for IdPattern {
    type Err = BadSpiffeId;
    fn from_str(text: &str) -> Result<Self, BadSpiffeId> {
        let (id, make): (&str, fn(SpiffeId) -> Self) = match text.strip_suffix(BELOW) {
            Some(above) => (above, Self::Below),
            None => (text, Self::Exactly),
        };
        let id: SpiffeId = id.parse()?;
        // Without a path it is the trust domain itself, and below that is everybody.
        if id.path.is_empty() { Err(BadSpiffeId::Everybody) } else { Ok(make(id)) }
    }
}

impl fmt::Display for IdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(id) => id.fmt(f),
            Self::Below(id) => write!(f, "{id}{BELOW}"),
        }
    }
}

/// Where the authorities of a trust domain are found (SPIFFE Trust Domain and Bundle).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bundle {
    /// These, as SPIFFE writes them: a JWK set. Public keys, no secret.
    Given(String),
    /// At an address, by the profile `https_web`: whoever has a certificate for its name is believed.
    Endpoint {
        /// Where.
        url: IssuerUrl,
        /// The authorities that its certificate must be of, PEM; the system's when absent.
        authorities: Option<String>,
    },
}

/// Which SPIFFE IDs are which workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpiffeTrust {
    /// The workload.
    pub workload: Name,
    /// Who is it. At least one.
    pub ids: BTreeSet<IdPattern>,
    /// For whom JWT-SVIDs must be; where it is absent, none is taken, and an X.509-SVID is needed.
    pub audience: Option<String>,
}

impl SpiffeTrust {
    /// Whether it is the workload.
    #[must_use]
    pub fn admits(&self, id: &SpiffeId) -> bool {
        self.ids.iter().any(|pattern| pattern.admits(id))
    }
}

/// How a SPIFFE ID was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SvidKind {
    /// By a certificate, whose key was used.
    X509,
    /// By a token, which anybody could send who read it.
    Jwt,
}

impl SvidKind {
    /// As policy reads it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X509 => "x509",
            Self::Jwt => "jwt",
        }
    }
}

impl SpiffeId {
    /// What policy reads: `spiffe_id`, `trust_domain`, `path`, and `svid`, which says how it was shown.
    ///
    /// # Errors
    /// When one can't be carried: an id without a path has none.
    pub fn attributes(&self, shown: SvidKind) -> Result<Attributes, BadAttribute> {
        let said = [
            ("spiffe_id", self.to_string()),
            ("trust_domain", self.domain.to_string()),
            ("path", self.path.clone()),
            ("svid", shown.as_str().to_owned()),
        ];
        let named = |word: &'static str| {
            let name: Result<Name, _> = word.parse();
            name.unwrap_or_else(|_| unreachable!("a plain word is a name"))
        };
        Attributes::new(said.map(|(name, text)| (named(name), Some(text))))
    }
}
