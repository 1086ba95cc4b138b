//! The life of an emergency kit: a login at a target whose credential two people hold, each a half of it.
//!
//! | at the target | made | resealed | remove | listed | unknown | confirm |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | making | ready | making, anew | removing | | | |
//! | ready | | making | removing | | | |
//! | removing | | | | removing | removing, tried again | gone, once listed |
//! | gone | | | | | | |
//!
//! Beside that stands the alarm: quiet, until the kit is seen in use. Then it stays raised until the credential was
//! replaced (or the login removed), *and* somebody who holds no half of it has reviewed the use. Only both make it quiet.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    InstallationId, KitId, Name, PayloadId, PrincipalId, ResourceId, Span, Time,
    end::{EndConfirmation, EndProgress},
    grant::Refusal,
    principal::Person,
    resource::{PgRole, Target},
};

/// How long a use may wait for its rotation and its review before somebody is reminded.
pub const REVIEW_WITHIN: Span = Span::from_mins(3 * 24 * 60);
/// How often is reminded from then on.
pub const REMIND_EVERY: Span = Span::from_mins(24 * 60);
/// How old a sealed credential may become before its rotation is due: people leave, keys are lost, and a kit that nobody
/// has tried opens nothing in the night when it must.
pub const FRESH_FOR: Span = Span::from_mins(365 * 24 * 60);

/// An emergency kit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kit {
    /// Its id.
    pub id: KitId,
    /// For which resource.
    pub resource: ResourceId,
    /// The region of that resource, which what is said of the kit stays in (I10).
    pub region: Name,
    /// Where the login is: as the resource said when the kit was made.
    pub target: Target,
    /// The login's name.
    pub login: String,
    /// What is sealed now, and to whom.
    pub sealed: Sealed,
    /// When the kit was made.
    pub made: Time,
    /// How it stands with the login at the target.
    pub at_target: AtTarget,
    /// Whether it was used, and what is to be done about that.
    pub alarm: Alarm,
    /// When it was last seen in use.
    pub last_used: Option<Time>,
    /// What was found of its uses at the target so far: no more than that is no other use.
    pub traces: Traces,
}

/// What sessions of a login leave at a target, counted. A login that nobody ever used has none of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    /// Objects that it owns, in all databases.
    pub objects: u64,
    /// Settings that it made for itself.
    pub settings: u64,
    /// Memberships that it gave.
    pub memberships: u64,
    /// Statements that it ran, where the target counts them (`pg_stat_statements`).
    pub statements: Option<u64>,
}

impl Traces {
    /// Whether there is more of anything than there was.
    #[must_use]
    pub fn are_more_than(&self, known: &Self) -> bool {
        self.objects > known.objects
            || self.settings > known.settings
            || self.memberships > known.memberships
            || self.statements.is_some_and(|now| now > known.statements.unwrap_or(0))
    }

    /// What is known after both: what isn't counted now is as it was.
    #[must_use]
    pub fn after(self, known: Self) -> Self {
        Self { statements: self.statements.or(known.statements), ..self }
    }
}

/// What is sealed, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// When.
    pub at: Time,
    /// The two who open it together: two different people.
    pub holders: [Holder; 2],
    /// The roles of the resource that it gives.
    pub roles: BTreeSet<Name>,
    /// What those were declared to give at the target, then.
    pub member_of: BTreeSet<PgRole>,
}

/// One of the two who open a kit together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Who: a user.
    pub principal: PrincipalId,
    /// The public key that their half is sealed to, as the program `age` writes it.
    pub recipient: String,
}

/// How it stands with a kit's login at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "at_target", rename_all = "snake_case")]
pub enum AtTarget {
    /// It is to be there with this verifier: made, or its credential replaced. Something may be there already.
    Making {
        /// A SCRAM verifier. What it verifies has 256 random bits, so this opens nothing.
        verifier: String,
        /// Who held a half of what may still open it: until the target has the new credential.
        before: BTreeSet<PrincipalId>,
    },
    /// It is there, with the credential that was sealed last.
    Ready {
        /// Since when.
        since: Time,
        /// The same instant on the target's own clock: whatever connected before it used a credential that is replaced.
        clock: Time,
    },
    /// It is to go.
    Removing {
        /// Since when.
        at: Time,
        /// How far the target is.
        progress: EndProgress,
    },
    /// It is gone, and that is confirmed.
    Gone {
        /// When it was to go.
        at: Time,
        /// When that was confirmed.
        confirmed: Time,
        /// What is known of it.
        confirmation: EndConfirmation,
    },
}

/// Whether a kit was used, and what is to be done about that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "alarm", rename_all = "snake_case")]
pub enum Alarm {
    /// There is nothing to do.
    Quiet,
    /// It was used.
    Raised {
        /// When that was first seen.
        first: Time,
        /// When it was last seen.
        last: Time,
        /// Who held a half then: they may have used it, so they don't review it, whoever holds one by now.
        held: BTreeSet<PrincipalId>,
        /// Whether the credential that was used is still good.
        rotation: Rotation,
        /// Whether the use was reviewed.
        review: Review,
        /// When somebody is reminded next.
        remind: Time,
    },
}

/// Whether the credential that was used is still good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rotation", rename_all = "snake_case")]
pub enum Rotation {
    /// It is: whoever used it has seen it, and can use it again.
    Wanted,
    /// It isn't any more.
    Done {
        /// Since when.
        at: Time,
    },
}

/// Whether a use was reviewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "review", rename_all = "snake_case")]
pub enum Review {
    /// It wasn't.
    Wanted,
    /// It was.
    Closed {
        /// By whom: neither of the two holders.
        by: PrincipalId,
        /// When.
        at: Time,
        /// What they found.
        words: PayloadId,
    },
}

/// What may happen to a kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KitEvent {
    /// Its login is at the target, with the verifier that it was to have.
    Made {
        /// The target's own clock then.
        clock: Time,
        /// What earlier sessions had left by then.
        traces: Traces,
    },
    /// A new credential was sealed.
    Reseal {
        /// What, and to whom.
        sealed: Sealed,
        /// Its verifier.
        verifier: String,
    },
    /// A session of it was seen.
    Seen,
    /// What its sessions left was counted.
    Traced(Traces),
    /// Somebody reviewed its use.
    Review {
        /// Who.
        by: PrincipalId,
        /// The person behind them.
        person: Person,
        /// What they found.
        words: PayloadId,
    },
    /// Somebody was reminded.
    Remind,
    /// It is to go.
    Remove,
    /// No backend of its login is left, and what remains is listed.
    Listed(EndConfirmation),
    /// The target doesn't say whether it is gone.
    TargetUnknown,
    /// The login is gone.
    Confirm,
}

impl KitEvent {
    const fn word(&self) -> &'static str {
        match self {
            Self::Made { .. } => "be made",
            Self::Reseal { .. } => "be sealed anew",
            Self::Seen => "be seen in use",
            Self::Traced(_) => "be traced",
            Self::Review { .. } => "be reviewed",
            Self::Remind => "remind",
            Self::Remove => "be removed",
            Self::Listed(_) => "be listed",
            Self::TargetUnknown => "be unknown",
            Self::Confirm => "be confirmed",
        }
    }
}

impl AtTarget {
    /// One word for tables and refusals.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Making { .. } => "making",
            Self::Ready { .. } => "ready",
            Self::Removing { .. } => "removing",
            Self::Gone { .. } => "gone",
        }
    }
}

impl Alarm {
    /// Whether there is something to do.
    #[must_use]
    pub const fn is_raised(&self) -> bool {
        matches!(self, Self::Raised { .. })
    }

    /// As it is after a use by these was seen at `now`: whatever was done about an earlier one, this one wants it too.
    fn seen(self, mut by: BTreeSet<PrincipalId>, now: Time) -> Self {
        let (rotation, review) = (Rotation::Wanted, Review::Wanted);
        // A use that follows another puts nothing off: whoever uses it daily is reminded of all the same.
        let (first, remind) = match self {
            Self::Raised { first, held, review: Review::Wanted, remind, .. } => {
                by.extend(held);
                (first, remind)
            }
            Self::Raised { review: Review::Closed { .. }, .. } | Self::Quiet => (now, now + REVIEW_WITHIN),
        };
        Self::Raised { first, last: now, held: by, rotation, review, remind }
    }

    /// The credential that was used is good no more.
    fn rotated(self, now: Time) -> Self {
        match self {
            Self::Quiet => Self::Quiet,
            Self::Raised { review: Review::Closed { .. }, .. } => Self::Quiet,
            Self::Raised { first, last, held, rotation: _, review: Review::Wanted, remind } => {
                let rotation = Rotation::Done { at: now };
                Self::Raised { first, last, held, rotation, review: Review::Wanted, remind }
            }
        }
    }
}

impl Kit {
    /// The name of the login of a kit, which carries the installation and the kit.
    #[must_use]
    pub fn login_name(installation: InstallationId, kit: KitId) -> String {
        format!("daypass_{}_{}_emergency", installation.short(), kit.short())
    }

    /// Whether its login may be at the target on purpose.
    #[must_use]
    pub const fn stands(&self) -> bool {
        match self.at_target {
            AtTarget::Making { .. } | AtTarget::Ready { .. } => true,
            AtTarget::Removing { .. } | AtTarget::Gone { .. } => false,
        }
    }

    /// Whether somebody holds a half of it.
    #[must_use]
    pub fn is_held_by(&self, person: Person) -> bool {
        self.sealed.holders.iter().any(|holder| holder.principal == person.id())
    }

    /// Who holds a half of what opens it now, or may still open it.
    fn openers(&self) -> BTreeSet<PrincipalId> {
        let mut openers: BTreeSet<PrincipalId> = self.sealed.holders.iter().map(|holder| holder.principal).collect();
        match &self.at_target {
            AtTarget::Making { before, .. } => openers.extend(before),
            AtTarget::Ready { .. } | AtTarget::Removing { .. } | AtTarget::Gone { .. } => {}
        }
        openers
    }

    /// What `event` makes of this kit at `now`.
    ///
    /// # Errors
    /// A refusal that names the state and the event.
    pub fn apply(self, event: KitEvent, now: Time) -> Result<Self, Refusal> {
        let (state, word) = (self.at_target.word(), event.word());
        let refuse = |why| Err(Refusal { machine: "emergency kit", state, event: word, why });
        match (&self.at_target, event) {
            (AtTarget::Making { .. }, KitEvent::Made { clock, traces }) => {
                let (at_target, traces) = (AtTarget::Ready { since: now, clock }, traces.after(self.traces));
                Ok(Self { at_target, traces, alarm: self.alarm.rotated(now), ..self })
            }
            (AtTarget::Making { .. } | AtTarget::Ready { .. }, KitEvent::Reseal { sealed, verifier }) => {
                if sealed.holders[0].principal == sealed.holders[1].principal {
                    return refuse("it takes two different people");
                }
                Ok(Self { at_target: AtTarget::Making { verifier, before: self.openers() }, sealed, ..self })
            }
            (AtTarget::Making { .. } | AtTarget::Ready { .. }, KitEvent::Remove) => {
                Ok(Self { at_target: AtTarget::Removing { at: now, progress: EndProgress::Cutting }, ..self })
            }
            (AtTarget::Making { .. } | AtTarget::Ready { .. }, KitEvent::Seen) => {
                let by = self.openers();
                Ok(Self { alarm: self.alarm.seen(by, now), last_used: Some(now), ..self })
            }
            (AtTarget::Making { .. } | AtTarget::Ready { .. }, KitEvent::Traced(found)) => Ok(self.traced(found, now)),
            (AtTarget::Removing { at, .. }, KitEvent::Listed(found)) => {
                let at_target = AtTarget::Removing { at: *at, progress: EndProgress::Listed { found } };
                Ok(Self { at_target, ..self })
            }
            (AtTarget::Removing { at, progress }, KitEvent::TargetUnknown) => {
                let times = match progress {
                    EndProgress::Unknown { times, .. } => times.saturating_add(1),
                    // A list that is durable stays: the drop may have happened after it.
                    EndProgress::Listed { .. } => return refuse("what remains is listed already"),
                    EndProgress::Cutting => 1,
                };
                let progress = EndProgress::Unknown { tried: now, times };
                Ok(Self { at_target: AtTarget::Removing { at: *at, progress }, ..self })
            }
            (AtTarget::Removing { at, progress: EndProgress::Listed { found } }, KitEvent::Confirm) => {
                let at_target = AtTarget::Gone { at: *at, confirmed: now, confirmation: found.clone() };
                Ok(Self { at_target, alarm: self.alarm.rotated(now), ..self })
            }
            (AtTarget::Removing { .. }, KitEvent::Confirm) => refuse("what remains at the target isn't listed yet"),
            (_, KitEvent::Review { by, person, words }) => self.reviewed(by, person, words, now),
            (_, KitEvent::Remind) => self.reminded(now),
            (
                AtTarget::Removing { .. },
                KitEvent::Remove | KitEvent::Reseal { .. } | KitEvent::Seen | KitEvent::Traced(_),
            ) => refuse("it is being removed"),
            (
                AtTarget::Gone { .. },
                KitEvent::Remove | KitEvent::Reseal { .. } | KitEvent::Seen | KitEvent::Traced(_),
            ) => refuse("it was removed"),
            (AtTarget::Ready { .. } | AtTarget::Removing { .. } | AtTarget::Gone { .. }, KitEvent::Made { .. }) => {
                refuse("nothing is to be made")
            }
            (
                AtTarget::Making { .. } | AtTarget::Ready { .. } | AtTarget::Gone { .. },
                KitEvent::Listed(_) | KitEvent::TargetUnknown | KitEvent::Confirm,
            ) => refuse("it isn't being removed"),
        }
    }

    /// What was counted. While the credential that was used is still good, what sessions leave is of the use that is
    /// known; otherwise more of it is a use that nobody saw.
    fn traced(self, found: Traces, now: Time) -> Self {
        let traces = found.after(self.traces);
        let another = found.are_more_than(&self.traces);
        match &self.alarm {
            Alarm::Raised { rotation: Rotation::Wanted, .. } => Self { traces, ..self },
            Alarm::Quiet | Alarm::Raised { rotation: Rotation::Done { .. }, .. } if another => {
                let by = self.openers();
                Self { traces, alarm: self.alarm.seen(by, now), last_used: Some(now), ..self }
            }
            Alarm::Quiet | Alarm::Raised { rotation: Rotation::Done { .. }, .. } => Self { traces, ..self },
        }
    }

    fn reviewed(self, by: PrincipalId, person: Person, words: PayloadId, now: Time) -> Result<Self, Refusal> {
        let refuse = |state, why| Err(Refusal { machine: "emergency kit", state, event: "be reviewed", why });
        let state = self.at_target.word();
        let Alarm::Raised { first, last, held, rotation, review, remind } = &self.alarm else {
            return refuse(state, "it wasn't used");
        };
        if self.is_held_by(person) || held.contains(&person.id()) {
            return refuse(state, "who holds a half of it, or held one, may be who used it: somebody else reviews");
        }
        let alarm = match (review, rotation) {
            (Review::Closed { .. }, _) => return refuse(state, "its use was reviewed already"),
            (Review::Wanted, Rotation::Done { .. }) => Alarm::Quiet,
            (Review::Wanted, Rotation::Wanted) => Alarm::Raised {
                first: *first,
                last: *last,
                held: held.clone(),
                rotation: Rotation::Wanted,
                review: Review::Closed { by, at: now, words },
                remind: *remind,
            },
        };
        Ok(Self { alarm, ..self })
    }

    fn reminded(self, now: Time) -> Result<Self, Refusal> {
        let state = self.at_target.word();
        let refuse = |why| Err(Refusal { machine: "emergency kit", state, event: "remind", why });
        match self.alarm {
            Alarm::Quiet => refuse("there is nothing to remind of"),
            Alarm::Raised { remind, .. } if now < remind => refuse("it isn't time yet"),
            Alarm::Raised { first, last, held, rotation, review, remind: _ } => {
                let remind = now + REMIND_EVERY;
                Ok(Self { alarm: Alarm::Raised { first, last, held, rotation, review, remind }, ..self })
            }
        }
    }
}
