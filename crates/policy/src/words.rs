//! What is missing, in plain words, said to the one who asked.

use std::fmt;

use daypass_domain::{Name, signals::RiskLevel};

use crate::{
    Quorum,
    missing::{Factor, Lack, Missing, Way},
    quorum::{Part, Source},
};

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approvals { quorum, given, who: _ } => {
                match quorum.parse::<Quorum>() {
                    Ok(quorum) => f.write_str(&approvals(quorum.parts()))?,
                    // Only what parsed gets here; were it otherwise, its name says it too.
                    Err(_) => write!(f, "approvals by {quorum}, none of them you")?,
                }
                if *given > 0 {
                    write!(f, " ({given} given)")?;
                }
                Ok(())
            }
            Self::Confirmation { owner, factor: Factor::NotNeeded } => write!(f, "{owner}'s own confirmation"),
            Self::Confirmation { owner, factor: Factor::Needed } => {
                write!(f, "{owner}'s own confirmation with a second factor")
            }
            Self::Reason => f.write_str("a reason"),
            Self::Ticket { like: None } => f.write_str("a ticket"),
            Self::Ticket { like: Some(like) } => write!(f, "a ticket like {like}"),
            Self::SecondFactor { within } if within.micros() == 0 => {
                f.write_str("a second factor shown just before asking")
            }
            Self::SecondFactor { within } => write!(f, "a second factor shown at most {within} before asking"),
            Self::ShorterTime { at_most } => write!(f, "a shorter time: {at_most} at most"),
            Self::Purpose { purpose } => write!(f, "the purpose {purpose}, if that is what it is for"),
            Self::LowerRisk { at_most } => {
                write!(f, "a signal that says you are a {} risk", if_most(*at_most))
            }
            Self::CompliantDevice => f.write_str("a signal that says your device keeps to its rules"),
            Self::Assurance { level } => write!(f, "a signal that says you signed in with the assurance {level}"),
        }
    }
}

/// Whose it is to give what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Giver<'a> {
    /// Other people's, by their approval: these could, by name.
    Others(&'a [Name]),
    /// The owner's of the workload that asks, by their confirmation.
    Owner(&'a Name),
    /// Whose asks, in what they ask.
    Asker,
    /// Whose asks, when they signed in themselves: a token shows no second factor.
    AskerSignedIn,
    /// That of a transmitter of signals.
    Transmitter,
}

impl Lack {
    /// Whose it is to give.
    #[must_use]
    pub fn giver(&self) -> Giver<'_> {
        match self {
            Self::Approvals { who, .. } => Giver::Others(who),
            Self::Confirmation { owner, .. } => Giver::Owner(owner),
            Self::Reason | Self::Ticket { .. } | Self::ShorterTime { .. } | Self::Purpose { .. } => Giver::Asker,
            Self::SecondFactor { .. } => Giver::AskerSignedIn,
            Self::LowerRisk { .. } | Self::CompliantDevice | Self::Assurance { .. } => Giver::Transmitter,
        }
    }

    /// Who could give it, where it is for people to say: `one approval by another person: could be given by bob, carol`.
    #[must_use]
    pub fn could_be_given(&self) -> Option<String> {
        let who = match self.giver() {
            Giver::Others(who) => who.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            Giver::Owner(owner) => owner.to_string(),
            Giver::Asker | Giver::AskerSignedIn | Giver::Transmitter => return None,
        };
        Some(format!("{self}: could be given by {who}"))
    }
}

impl Way {
    /// Whether what people say is all that it takes, other people's approvals or the owner's confirmation: then it can be
    /// waited for.
    #[must_use]
    pub fn waits_for_people(&self) -> bool {
        self.lacks.iter().all(|lack| match lack.giver() {
            Giver::Others(_) | Giver::Owner(_) => true,
            Giver::Asker | Giver::AskerSignedIn | Giver::Transmitter => false,
        })
    }

    /// Whether the owner's confirmation is part of it.
    #[must_use]
    pub fn asks_the_owner(&self) -> bool {
        self.lacks.iter().any(|lack| match lack.giver() {
            Giver::Owner(_) => true,
            Giver::Others(_) | Giver::Asker | Giver::AskerSignedIn | Giver::Transmitter => false,
        })
    }
}

/// `one approval by another person; a reason`.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lacks: Vec<String> = self.lacks.iter().map(ToString::to_string).collect();
        f.write_str(&lacks.join("; "))
    }
}

/// One way as it is; several as `either (...) or (...)`.
impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ways.as_slice() {
            [] => f.write_str("nothing that could be added would help"),
            [way] => write!(f, "{way}"),
            ways => {
                let ways: Vec<String> = ways.iter().map(|w| format!("({w})")).collect();
                write!(f, "either {}", ways.join(" or "))
            }
        }
    }
}

fn approvals(parts: &[Part]) -> String {
    match parts {
        [Part { count: 1, source: Source::Anyone }] => "one approval by another person".into(),
        [Part { count: 1, source: Source::Group(group) }] => {
            format!("one approval by a member of {group} who is not you")
        }
        [Part { count, source: Source::Anyone }] => format!("approvals by {count} other people"),
        [Part { count, source: Source::Group(group) }] => {
            format!("approvals by {count} members of {group} who are not you")
        }
        parts => {
            let each: Vec<String> = parts.iter().map(part).collect();
            format!("approvals by {}: different people, none of them you", each.join(" and "))
        }
    }
}

/// A level, and that lower ones do as well.
fn if_most(level: RiskLevel) -> &'static str {
    match level {
        RiskLevel::Low => "low",
        RiskLevel::Medium => "medium (or lower)",
        RiskLevel::High => "high (or lower)",
    }
}

fn part(Part { count, source }: &Part) -> String {
    match (count, source) {
        (1, Source::Anyone) => "one more person".into(),
        (n, Source::Anyone) => format!("{n} more people"),
        (1, Source::Group(group)) => format!("one member of {group}"),
        (n, Source::Group(group)) => format!("{n} members of {group}"),
    }
}
