//! What a signal takes away, and what it says holds.

use daypass_domain::{
    Digest, Time,
    signals::{AssuranceLevel, Compliance, Fact, RiskLevel, Taking},
};
use daypass_ports::signals::StreamState;
use daypass_wire::secevent::{
    Event, Set, What,
    event::{self, CredentialChange, RiskOf},
};

use super::Refused;

/// What a signal means here.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Meaning {
    /// What it takes: the most that any of its events does.
    pub taking: Taking,
    /// When what it takes for happened, the last of it. What began after that stays.
    pub happened: Time,
    /// What it says holds, and since when.
    pub facts: Vec<(Fact, Time)>,
    /// Of which device, where it names one.
    pub device: Option<Digest>,
    /// What it says of its own stream.
    pub stream: Vec<OfStream>,
}

/// What a transmitter says of its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OfStream {
    /// It shows that its signals arrive.
    Verified {
        /// By what it was given for that.
        state: Option<String>,
    },
    /// It is in another state.
    Is(StreamState),
}

impl Meaning {
    /// Whether it is about the stream alone, and about nobody.
    pub(super) fn is_of_stream(&self) -> bool {
        !self.stream.is_empty() && self.facts.is_empty() && self.taking == Taking::Nothing
    }

    /// What a token means that came at this time. What it says of a time to come is of now: nothing is kept for later.
    pub(super) fn of(set: &Set, received: Time) -> Result<Self, Refused> {
        let device = set.subject.device().map(|device| Digest::of_value("signal device", &device.canonical()));
        let mut meaning =
            Self { taking: Taking::Nothing, happened: received, facts: Vec::new(), device, stream: Vec::new() };
        for event in &set.events {
            meaning.add(event, received)?;
        }
        Ok(meaning)
    }

    fn add(&mut self, Event { what, at_us }: &Event, received: Time) -> Result<(), Refused> {
        let at = Time::from_micros(*at_us).min(received);
        let taking = taking(what);
        if taking > Taking::Nothing {
            // Of several events the most is taken, of what there was when the last of them happened.
            self.happened = if self.taking == Taking::Nothing { at } else { self.happened.max(at) };
            self.taking = self.taking.max(taking);
        }
        match what {
            What::AssuranceLevel { namespace, level } => {
                let level = AssuranceLevel::new(namespace.as_deref(), level)
                    .map_err(|why| Refused::new(Refused::REQUEST, why.to_string()))?;
                self.facts.push((Fact::Assurance { level }, at));
            }
            What::DeviceCompliance(compliance) => {
                self.facts.push((Fact::Device { compliance: of_device(*compliance) }, at));
            }
            What::RiskLevel { of: RiskOf::Person, level } => {
                self.facts.push((Fact::Risk { level: of_risk(*level) }, at));
            }
            What::Verification { state } => self.stream.push(OfStream::Verified { state: state.clone() }),
            What::StreamUpdated(stream) => self.stream.push(OfStream::Is(of_stream(*stream))),
            // What takes was added up above. The rest is nothing to act on: of a whole tenant's risk, nobody in particular
            // is one; an account that is enabled there gets nothing here.
            What::RiskLevel { of: RiskOf::Many, .. }
            | What::SessionsRevoked
            | What::CredentialChange(_)
            | What::CredentialCompromise
            | What::CredentialChangeRequired
            | What::AccountDisabled
            | What::AccountPurged
            | What::AccountEnabled
            | What::Other => {}
        }
        Ok(())
    }
}

/// What an event takes away. Nothing gives.
fn taking(what: &What) -> Taking {
    match what {
        What::SessionsRevoked => Taking::Sessions,
        What::CredentialChange(CredentialChange::Revoked | CredentialChange::Deleted)
        | What::CredentialCompromise
        | What::CredentialChangeRequired => Taking::Credentials,
        What::AccountDisabled | What::AccountPurged => Taking::Account,
        What::CredentialChange(CredentialChange::Created | CredentialChange::Updated)
        | What::AccountEnabled
        | What::AssuranceLevel { .. }
        | What::DeviceCompliance(_)
        | What::RiskLevel { .. }
        | What::Verification { .. }
        | What::StreamUpdated(_)
        | What::Other => Taking::Nothing,
    }
}

fn of_device(said: event::Compliance) -> Compliance {
    match said {
        event::Compliance::Compliant => Compliance::Compliant,
        event::Compliance::NotCompliant => Compliance::NotCompliant,
    }
}

fn of_risk(said: event::Risk) -> RiskLevel {
    match said {
        event::Risk::Low => RiskLevel::Low,
        event::Risk::Medium => RiskLevel::Medium,
        event::Risk::High => RiskLevel::High,
    }
}

fn of_stream(said: event::Stream) -> StreamState {
    match said {
        event::Stream::Enabled => StreamState::Enabled,
        event::Stream::Paused => StreamState::Paused,
        event::Stream::Disabled => StreamState::Disabled,
    }
}
