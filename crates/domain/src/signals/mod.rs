//! Signals: what another system says happened to somebody, and what it says holds of them.
//!
//! A transmitter is declared (I12), with whose subjects it speaks of. What it says takes away at once ([`Taking`]), or is a
//! fact that policy reads ([`Fact`]). It never gives: nothing here lets somebody act, or undoes what was taken.

mod declared;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Digest, Name, Time};

pub use declared::{BadTransmitter, Delivery, Grants, Transmitter};

/// What a signal takes away, from the least to the most: of several, the most is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taking {
    /// Nothing.
    #[default]
    Nothing,
    /// Sign-ins and open sessions; and grants, where the declaration says so.
    Sessions,
    /// The same, and the person's tokens; whoever signs in again does nothing until they show a second factor.
    Credentials,
    /// The account: it is disabled.
    Account,
}

/// How great a risk a transmitter says somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskLevel {
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
}

impl RiskLevel {
    /// All of them, from the lowest.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// As policies write it: `Risk::"high"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Whether a transmitter says that somebody's device keeps to its rules. The worse is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compliance {
    /// It does.
    Compliant,
    /// It doesn't.
    NotCompliant,
}

impl Compliance {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Compliant, Self::NotCompliant];

    /// As policies write it: `Compliance::"compliant"`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compliant => "compliant",
            Self::NotCompliant => "not_compliant",
        }
    }
}

/// How sure a transmitter says it is of who somebody is: `NIST-AAL/nist-aal2`, or a level of no named list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AssuranceLevel(String);

/// Why a text is no level of assurance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a level of assurance is 1 to 128 visible ASCII characters")]
pub struct BadAssuranceLevel;

impl AssuranceLevel {
    /// Of a list of levels, where one is named, and a level in it.
    ///
    /// # Errors
    /// When policy couldn't read it.
    pub fn new(namespace: Option<&str>, level: &str) -> Result<Self, BadAssuranceLevel> {
        match namespace {
            Some(namespace) => format!("{namespace}/{level}").try_into(),
            None => level.to_owned().try_into(),
        }
    }

    /// As policies write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AssuranceLevel {
    type Error = BadAssuranceLevel;
    fn try_from(text: String) -> Result<Self, BadAssuranceLevel> {
        let fits = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits { Ok(Self(text)) } else { Err(BadAssuranceLevel) }
    }
}

impl From<AssuranceLevel> for String {
    fn from(level: AssuranceLevel) -> Self {
        level.0
    }
}

impl fmt::Display for AssuranceLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a transmitter says holds of somebody, until it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A risk.
    Risk {
        /// How great.
        level: RiskLevel,
    },
    /// The state of a device.
    Device {
        /// Which.
        compliance: Compliance,
    },
    /// How sure it is of who they are.
    Assurance {
        /// How sure.
        level: AssuranceLevel,
    },
}

impl Fact {
    /// Whether two say something of the same kind.
    fn same_kind(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// How bad the news is. What is bad is forgotten last: good news that comes in numbers mustn't push it out.
    const fn badness(&self) -> u8 {
        match self {
            Self::Risk { level: RiskLevel::Low } | Self::Device { compliance: Compliance::Compliant } => 0,
            // Which level is a bad one, only policies know.
            Self::Risk { level: RiskLevel::Medium } | Self::Assurance { .. } => 1,
            Self::Risk { level: RiskLevel::High } | Self::Device { compliance: Compliance::NotCompliant } => 2,
        }
    }
}

/// One thing that a transmitter said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saying {
    /// Which transmitter.
    pub transmitter: Name,
    /// Of which device, by a digest of what it is called there; of the person when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Digest>,
    /// What.
    pub fact: Fact,
    /// When it came to be so, as the transmitter says: never a time to come.
    pub at: Time,
}

/// How much is kept of one person. Where transmitters know more devices of theirs, what is said of a device is forgotten, good
/// news before bad, and of that the oldest.
pub const SAYINGS_MAX: usize = 128;

/// Everything that transmitters said of somebody: the last word of each, of each kind and device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sayings(Vec<Saying>);

/// What became of something that was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hearing {
    /// It is the last word.
    News,
    /// Something later was said already, so it changes nothing.
    Older,
}

impl Sayings {
    /// Hears one more. What is older than what was heard changes nothing, in whatever order they come.
    pub fn hear(&mut self, saying: Saying) -> Hearing {
        let same = |kept: &&mut Saying| {
            kept.transmitter == saying.transmitter && kept.device == saying.device && kept.fact.same_kind(&saying.fact)
        };
        match self.0.iter_mut().find(same) {
            // Of one moment, the last that comes counts: it was said last.
            Some(kept) if kept.at > saying.at => return Hearing::Older,
            Some(kept) => *kept = saying,
            None => self.0.push(saying),
        }
        let by = |(_, kept): &(usize, &Saying)| (kept.device.is_none(), kept.fact.badness(), kept.at);
        if self.0.len() > SAYINGS_MAX
            && let Some((least, _)) = self.0.iter().enumerate().min_by_key(by)
        {
            self.0.remove(least);
        }
        Hearing::News
    }

    /// Forgets what one transmitter said. Answers whether there was anything.
    pub fn forget(&mut self, transmitter: &Name) -> bool {
        let before = self.0.len();
        self.0.retain(|saying| saying.transmitter != *transmitter);
        self.0.len() < before
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What policy reads: the worst that is said by anyone, of any device; of what can't be compared, the last.
    #[must_use]
    pub fn told(&self) -> Told {
        let mut told = Told::default();
        for Saying { fact, at, .. } in &self.0 {
            match fact {
                Fact::Risk { level } => worst(&mut told.risk, *level, *at),
                Fact::Device { compliance } => worst(&mut told.device, *compliance, *at),
                Fact::Assurance { level } => {
                    if told.assurance.as_ref().is_none_or(|kept| kept.at <= *at) {
                        told.assurance = Some(Since { what: level.clone(), at: *at });
                    }
                }
            }
        }
        told
    }
}

/// The worse of two; of the same, the newer.
fn worst<T: Ord>(kept: &mut Option<Since<T>>, what: T, at: Time) {
    if kept.as_ref().is_none_or(|kept| (&kept.what, kept.at) < (&what, at)) {
        *kept = Some(Since { what, at });
    }
}

/// Something that is so since then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since<T> {
    /// What.
    pub what: T,
    /// Since when, as far as is known.
    pub at: Time,
}

/// What policy reads of what transmitters said of somebody. It doesn't lapse: silence must not make bad news good. How old it
/// is stands beside it, for policies that want good news to be fresh.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// How great a risk they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<Since<RiskLevel>>,
    /// Whether their devices keep to the rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Since<Compliance>>,
    /// How sure it is who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assurance: Option<Since<AssuranceLevel>>,
}

impl Told {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: i64) -> Time {
        Time::from_micros(n)
    }

    fn saying(transmitter: &str, device: Option<&str>, fact: Fact, when: i64) -> Saying {
        let device = device.map(|d| Digest::of(d.as_bytes()));
        Saying { transmitter: transmitter.parse().unwrap(), device, fact, at: at(when) }
    }

    fn risk(level: RiskLevel) -> Fact {
        Fact::Risk { level }
    }

    #[test]
    fn an_older_word_never_takes_the_place_of_a_newer() {
        let mut all = Sayings::default();
        assert_eq!(all.hear(saying("okta", None, risk(RiskLevel::High), 20)), Hearing::News);
        assert_eq!(all.hear(saying("okta", None, risk(RiskLevel::Low), 10)), Hearing::Older);
        assert_eq!(all.told().risk, Some(Since { what: RiskLevel::High, at: at(20) }));
        assert_eq!(all.hear(saying("okta", None, risk(RiskLevel::Low), 30)), Hearing::News);
        assert_eq!(all.told().risk, Some(Since { what: RiskLevel::Low, at: at(30) }));
    }

    #[test]
    fn the_worst_word_counts_of_several_transmitters_and_devices() {
        let mut all = Sayings::default();
        all.hear(saying("okta", None, risk(RiskLevel::Low), 50));
        all.hear(saying("edr", None, risk(RiskLevel::Medium), 10));
        let device = |compliance| Fact::Device { compliance };
        all.hear(saying("edr", Some("laptop"), device(Compliance::Compliant), 60));
        all.hear(saying("edr", Some("phone"), device(Compliance::NotCompliant), 5));
        let told = all.told();
        assert_eq!(told.risk, Some(Since { what: RiskLevel::Medium, at: at(10) }));
        assert_eq!(told.device, Some(Since { what: Compliance::NotCompliant, at: at(5) }));
        assert!(all.forget(&"edr".parse().unwrap()) && !all.forget(&"edr".parse().unwrap()));
        assert_eq!(all.told().device, None);
        assert_eq!(all.told().risk, Some(Since { what: RiskLevel::Low, at: at(50) }));
    }

    #[test]
    fn no_transmitter_fills_the_store_with_devices() {
        let mut all = Sayings::default();
        for n in 0..1_000_i64 {
            let fact = Fact::Device { compliance: Compliance::Compliant };
            all.hear(saying("edr", Some(&n.to_string()), fact, n));
        }
        assert_eq!(all.0.len(), SAYINGS_MAX);
        assert_eq!(all.told().device.map(|d| d.at), Some(at(999)));
    }

    #[test]
    fn good_news_in_numbers_pushes_no_bad_news_out() {
        let mut all = Sayings::default();
        let device = |compliance| Fact::Device { compliance };
        all.hear(saying("okta", None, risk(RiskLevel::Medium), 1));
        all.hear(saying("okta", Some("phone"), risk(RiskLevel::High), 2));
        all.hear(saying("edr", Some("laptop"), device(Compliance::NotCompliant), 3));
        for n in 10..1_000_i64 {
            all.hear(saying("edr", Some(&n.to_string()), device(Compliance::Compliant), n));
        }
        assert_eq!(all.0.len(), SAYINGS_MAX);
        assert_eq!(all.told().risk, Some(Since { what: RiskLevel::High, at: at(2) }));
        assert_eq!(all.told().device, Some(Since { what: Compliance::NotCompliant, at: at(3) }));
        // Nor does bad news of devices push out what is said of the person; and what is new is kept.
        for n in 1_000..2_000_i64 {
            all.hear(saying("edr", Some(&n.to_string()), device(Compliance::NotCompliant), n));
        }
        all.hear(saying("corp", None, risk(RiskLevel::Low), 2_000));
        assert_eq!(all.0.len(), SAYINGS_MAX);
        assert!(all.forget(&"corp".parse().unwrap()) && all.forget(&"okta".parse().unwrap()));
    }

    #[test]
    fn a_level_of_assurance_is_short_and_names_its_list() {
        assert_eq!(AssuranceLevel::new(Some("NIST-AAL"), "nist-aal2").unwrap().as_str(), "NIST-AAL/nist-aal2");
        assert_eq!(AssuranceLevel::new(None, "2").unwrap().as_str(), "2");
        for bad in ["", "a b", "é", &"x".repeat(129)] {
            assert!(AssuranceLevel::new(None, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn of_several_takings_the_most_is_done() {
        let most = [Taking::Sessions, Taking::Account, Taking::Nothing, Taking::Credentials].into_iter().max();
        assert_eq!(most, Some(Taking::Account));
    }
}
