//! The life of a grant: scheduled, active, ending, ended.
//!
//! | state | activate | extend | login made | end | listed | unknown | confirm |
//! | --- | --- | --- | --- | --- | --- | --- | --- |
//! | scheduled | active | | | ended (nothing made) | | | |
//! | active | | active, later deadline | active | ending, or ended | | | |
//! | ending | | | | | ending | ending, tried again | ended, once listed |
//! | ended | | | | | | | |
//!
//! The deadline is absolute, and its clock starts when the grant activates (I2).

use serde::{Deserialize, Serialize};

use crate::{
    Digest, GrantId, Name, PrincipalId, RequestId, ResourceId, SessionId, Span, Time,
    end::{EndCause, EndConfirmation, EndProgress},
    principal::Person,
    resource::{Ownership, Target},
    statement::{Opens, Outcome},
};

/// Why a machine refuses an event: it names the state and the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {machine} that is {state} can't {event}: {why}")]
pub struct Refusal {
    /// Which machine.
    pub machine: &'static str,
    /// Its state.
    pub state: &'static str,
    /// The event.
    pub event: &'static str,
    /// Why not, for the person who tried.
    pub why: &'static str,
}

/// Access to one role on one resource, for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// The request that it answers.
    pub request: RequestId,
    /// Who may connect.
    pub holder: PrincipalId,
    /// The person behind the holder.
    pub person: Person,
    /// On what.
    pub resource: ResourceId,
    /// Which of its roles.
    pub role: Name,
    /// The definition of that role when it was judged (I8).
    pub role_digest: Digest,
    /// What it opens: doors, or one statement's run.
    #[serde(default, skip_serializing_if = "Opens::is_sessions")]
    pub opens: Opens,
    /// Where it stands.
    pub state: GrantState,
}

/// Where a grant stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum GrantState {
    /// It was given, and starts later.
    Scheduled {
        /// When.
        start: Time,
        /// For how long from then.
        duration: Span,
    },
    /// It opens doors.
    Active {
        /// Since when.
        since: Time,
        /// Until when, absolutely.
        deadline: Time,
        /// Whether anything exists for it at the target.
        login: Login,
    },
    /// It opens nothing any more; the end at the target isn't confirmed yet.
    Ending {
        /// Since when it was active.
        since: Time,
        /// When it ended.
        at: Time,
        /// Why.
        cause: EndCause,
        /// What has to go at the target.
        login: Box<MadeLogin>,
        /// How far the target is.
        progress: EndProgress,
    },
    /// Over, and confirmed.
    Ended {
        /// When it ended (not when that was confirmed).
        at: Time,
        /// Why.
        cause: EndCause,
        /// When the end was confirmed.
        confirmed: Time,
        /// What is known of it.
        confirmation: EndConfirmation,
    },
}

/// Whether anything exists for a grant at the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "login", rename_all = "snake_case")]
pub enum Login {
    /// Nobody has connected yet, so nothing was made.
    NotMade,
    /// The making of a login was begun: something may exist, and the end must look.
    Begun(Box<MadeLogin>),
}

/// A login that was made at a target, and what its end needs to know: as it was then, whatever the resource says now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeLogin {
    /// Its name.
    pub name: String,
    /// Where.
    pub target: Target,
    /// Who shall own what it owns.
    pub owns: Ownership,
}

/// What may happen to a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantEvent {
    /// A scheduled start has come, and policy still permits it.
    Activate,
    /// Judged again and permitted until later.
    Extend {
        /// The new deadline.
        deadline: Time,
    },
    /// A login for it is about to be made at the target.
    LoginBegun(Box<MadeLogin>),
    /// It ends.
    End(EndCause),
    /// No backend is left, the residue list is durable.
    Listed(EndConfirmation),
    /// The target couldn't be reached, or refused.
    TargetUnknown,
    /// The login was seen to be gone, after its list was durable.
    Confirm,
}

impl GrantEvent {
    const fn word(&self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Extend { .. } => "be extended",
            Self::LoginBegun(_) => "have a login made",
            Self::End(_) => "end",
            Self::Listed(_) => "have its residue listed",
            Self::TargetUnknown => "be of unknown end",
            Self::Confirm => "be confirmed ended",
        }
    }
}

impl GrantState {
    /// One word for logs, tables and refusals.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Scheduled { .. } => "scheduled",
            Self::Active { .. } => "active",
            Self::Ending { .. } => "ending",
            Self::Ended { .. } => "ended",
        }
    }
}

impl Grant {
    /// What `event` makes of this grant at `now`.
    ///
    /// # Errors
    /// A refusal that names the state and the event; the grant is then as it was (callers keep their copy).
    pub fn apply(self, event: GrantEvent, now: Time) -> Result<Self, Refusal> {
        let state = self.state.word();
        let word = event.word();
        let refuse = |why| Err(Refusal { machine: "grant", state, event: word, why });
        let next = match (self.state, event) {
            (GrantState::Scheduled { start, duration }, GrantEvent::Activate) => {
                if now < start {
                    return refuse("its start has not come");
                }
                GrantState::Active { since: now, deadline: now + duration, login: Login::NotMade }
            }
            (GrantState::Scheduled { .. }, GrantEvent::End(cause)) => {
                GrantState::Ended { at: now, cause, confirmed: now, confirmation: EndConfirmation::NothingMade }
            }
            (GrantState::Active { since, deadline, login }, GrantEvent::Extend { deadline: later }) => {
                if now >= deadline {
                    return refuse("its time is up");
                }
                if !self.opens.is_sessions() {
                    return refuse("it is for one statement: ask again for another");
                }
                if later <= deadline {
                    return refuse("the new deadline isn't later than the one it has");
                }
                GrantState::Active { since, deadline: later, login }
            }
            (GrantState::Active { since, deadline, login }, GrantEvent::LoginBegun(made)) => {
                if now >= deadline {
                    return refuse("its time is up");
                }
                // What was made first stays: that is what has to end.
                let login = match login {
                    Login::NotMade => Login::Begun(made),
                    Login::Begun(first) => Login::Begun(first),
                };
                GrantState::Active { since, deadline, login }
            }
            (GrantState::Active { deadline, .. }, GrantEvent::End(EndCause::Deadline)) if now < deadline => {
                return refuse("its time isn't up");
            }
            (GrantState::Active { since, login, .. }, GrantEvent::End(cause)) => match login {
                Login::NotMade => {
                    GrantState::Ended { at: now, cause, confirmed: now, confirmation: EndConfirmation::NothingMade }
                }
                Login::Begun(login) => {
                    GrantState::Ending { since, at: now, cause, login, progress: EndProgress::Cutting }
                }
            },
            (GrantState::Ending { since, at, cause, login, progress: _ }, GrantEvent::Listed(found)) => {
                GrantState::Ending { since, at, cause, login, progress: EndProgress::Listed { found } }
            }
            (GrantState::Ending { since, at, cause, login, progress }, GrantEvent::TargetUnknown) => {
                // A list that is durable stays: the drop may have happened, and the list can't be made again.
                let progress = match progress {
                    EndProgress::Listed { found } => EndProgress::Listed { found },
                    EndProgress::Cutting => EndProgress::Unknown { tried: now, times: 1 },
                    EndProgress::Unknown { times, .. } => {
                        EndProgress::Unknown { tried: now, times: times.saturating_add(1) }
                    }
                };
                GrantState::Ending { since, at, cause, login, progress }
            }
            (GrantState::Ending { at, cause, progress, .. }, GrantEvent::Confirm) => match progress {
                EndProgress::Listed { found } => GrantState::Ended { at, cause, confirmed: now, confirmation: found },
                // I5: the residue list is durable before the drop.
                EndProgress::Cutting | EndProgress::Unknown { .. } => return refuse("its residue isn't listed yet"),
            },
            (GrantState::Scheduled { .. }, GrantEvent::Extend { .. } | GrantEvent::LoginBegun(_)) => {
                return refuse("it has not started");
            }
            (GrantState::Active { .. }, GrantEvent::Activate) => return refuse("it is active already"),
            (
                GrantState::Scheduled { .. } | GrantState::Active { .. },
                GrantEvent::Listed(_) | GrantEvent::TargetUnknown | GrantEvent::Confirm,
            ) => return refuse("it has not ended"),
            (
                GrantState::Ending { .. },
                GrantEvent::Activate | GrantEvent::Extend { .. } | GrantEvent::LoginBegun(_) | GrantEvent::End(_),
            ) => return refuse("it has ended already"),
            (
                GrantState::Ended { .. },
                GrantEvent::Activate
                | GrantEvent::Extend { .. }
                | GrantEvent::LoginBegun(_)
                | GrantEvent::End(_)
                | GrantEvent::Listed(_)
                | GrantEvent::TargetUnknown
                | GrantEvent::Confirm,
            ) => return refuse("it has ended and was confirmed ended"),
        };
        Ok(Self { state: next, ..self })
    }

    /// The run of its one statement begins, in this session.
    ///
    /// # Errors
    /// When it isn't live, it is for sessions, or the run was begun before: nothing is run twice.
    pub fn begin_run(self, session: SessionId, now: Time) -> Result<Self, Refusal> {
        if !self.is_live(now) {
            let why = "its grant isn't live";
            return Err(Refusal { machine: "statement", state: self.state.word(), event: "begin", why });
        }
        Ok(Self { opens: self.opens.begin(session, now)?, ..self })
    }

    /// The run of its one statement is over, whether the grant lives or not.
    ///
    /// # Errors
    /// When it wasn't begun, or is over already.
    pub fn end_run(self, outcome: Outcome, now: Time) -> Result<Self, Refusal> {
        Ok(Self { opens: self.opens.over(outcome, now)?, ..self })
    }

    /// Whether a client's session may open under it at `now`: never when it is for one statement. // I2, I3
    #[must_use]
    pub fn opens_doors(&self, now: Time) -> bool {
        self.opens.is_sessions() && self.is_live(now)
    }

    /// Whether anything may be done under it at `now`. // I2, I3
    #[must_use]
    pub fn is_live(&self, now: Time) -> bool {
        match self.state {
            GrantState::Active { deadline, .. } => now < deadline,
            GrantState::Scheduled { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => false,
        }
    }

    /// The name of its login at the target: the person, the grant and the installation, in at most 63 bytes
    /// (PostgreSQL's NAMEDATALEN). It is unique by the grant's random digits, and tells a database administrator
    /// who it is.
    #[must_use]
    pub fn login_name(&self, installation: crate::InstallationId, person: &Name) -> String {
        let person: String = person.as_str().chars().take(26).collect();
        format!("daypass_{}_{}_{person}", installation.short(), self.id.short())
    }
}
