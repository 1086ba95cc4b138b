//! The answer to somebody who asks: yes, not yet, or no.

use std::fmt;

use daypass_domain::{Name, PrincipalId, Span, Time, request::Purpose, resource::Resource};
use serde::{Deserialize, Serialize};

use crate::{
    Act, AskedFacts, Directory, Input, Party, PolicyRef, PolicySet, Service, Thing, Use, Verdict, judge,
    missing::{Missing, missing},
};

/// Yes, not yet, or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// Yes, at once.
    Granted {
        /// The policies that permit it.
        policies: Vec<PolicyRef>,
    },
    /// Not yet: something is missing, and could be had.
    Needs {
        /// What, as ways of which each is enough: at least one.
        missing: Missing,
    },
    /// No, and nothing that could be added would change that.
    Refused {
        /// Why: never [`Verdict::Permitted`].
        verdict: Verdict,
    },
}

/// Judges, and finds out what is missing where it is a no.
///
/// A `forbid` that something would lift (an approval, a second factor) is [`Answer::Needs`]; one that nothing lifts is
/// [`Answer::Refused`].
#[must_use]
pub fn answer(policies: &PolicySet, input: &Input, directory: &Directory) -> Answer {
    match judge(policies, input) {
        Verdict::Permitted { policies } => Answer::Granted { policies },
        // Until the policy is corrected, nothing that the requester could add is known to help.
        verdict @ (Verdict::Failed { .. } | Verdict::Inactive) => Answer::Refused { verdict },
        verdict @ (Verdict::Forbidden { .. } | Verdict::NotPermitted) => {
            let missing = missing(policies, input, directory);
            if missing.ways.is_empty() { Answer::Refused { verdict } } else { Answer::Needs { missing } }
        }
    }
}

/// A verdict with its answer, and lines that say it to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What judging answered.
    pub verdict: Verdict,
    /// What to tell the one who asks.
    pub answer: Answer,
    /// Lines for people: the answer, what it rests on, what is missing and who could give it.
    pub lines: Vec<String>,
}

/// Judges, and says why in lines for people.
#[must_use]
pub fn explain(policies: &PolicySet, input: &Input, directory: &Directory) -> Explanation {
    let verdict = judge(policies, input);
    let answer = answer(policies, input, directory);
    let mut lines = vec![format!("{}: {verdict}.", about(input))];
    match &answer {
        Answer::Granted { .. } => {}
        Answer::Needs { missing } => {
            for (index, way) in missing.ways.iter().enumerate() {
                let lead = if index == 0 { "It would be permitted with" } else { "Or with" };
                lines.push(format!("{lead}: {way}."));
                for lack in &way.lacks {
                    lines.extend(lack.could_be_given().map(|who| format!("  {who}.")));
                }
            }
        }
        Answer::Refused { verdict: Verdict::Failed { .. } | Verdict::Inactive } => {}
        Answer::Refused { .. } => lines.push("Nothing that could be added would change that.".into()),
    }
    let met = policies.quorums_met(input);
    if !met.is_empty() {
        lines.push(format!(
            "Quorums met: {}.",
            met.into_iter().map(|q| format!("\"{q}\"")).collect::<Vec<_>>().join(" ")
        ));
    }
    lines.push(format!("Judged at {} by the policies {}.", input.at, policies.digest()));
    Explanation { verdict, answer, lines }
}

fn about(input: &Input) -> String {
    let who = &input.principal.name;
    match &input.act {
        Act::Use(used) => {
            format!("{who} using {}/{} for {}", used.resource.name, used.role, used.asked.duration)
        }
        Act::Administer { subject, .. } => format!("{who} changing {subject}"),
        Act::Revoke { resource, role, .. } => format!("{who} revoking {}/{role}", resource.name),
        Act::ViewSessions { resource, .. } => format!("{who} seeing sessions on {}", resource.name),
        Act::ReadEvidence { scope: crate::Scope::Installation, .. } => {
            format!("{who} reading evidence of Daypass itself")
        }
        Act::ReadEvidence { scope: crate::Scope::Resource { resource }, .. } => {
            format!("{who} reading evidence of {}", resource.name)
        }
        Act::Serve { service: Service::Decide, resource, role, .. } => {
            format!("{who} asking who has {}/{role}", resource.name)
        }
        Act::Serve { service: Service::RequestFor, resource, role, .. } => {
            format!("{who} asking for {}/{role} in another's place", resource.name)
        }
    }
}

/// What one principal could have of one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prospect {
    /// Who.
    pub principal: PrincipalId,
    /// By name.
    pub name: Name,
    /// The role.
    pub role: Name,
    /// What they would be answered if they asked now.
    pub answer: Answer,
}

/// What everybody who is active would be answered, for every role of a resource: if they asked now, for themselves, for
/// an hour of operations, and gave neither reason nor ticket nor second factor. So the answer says all that is needed.
#[must_use]
pub fn who(policies: &PolicySet, resource: &Resource, directory: &Directory, at: Time) -> Vec<Prospect> {
    let active = directory.parties().filter(|p| p.active);
    active.flat_map(|party| prospects(policies, resource, &party, directory, at)).collect()
}

/// The same for one principal.
#[must_use]
pub fn prospects(
    policies: &PolicySet,
    resource: &Resource,
    party: &Party,
    directory: &Directory,
    at: Time,
) -> Vec<Prospect> {
    let thing = Thing::of(resource);
    let prospect = |role: &Name| {
        let input = bare(party.clone(), thing.clone(), role.clone(), at);
        let answer = answer(policies, &input, directory);
        Prospect { principal: party.id, name: party.name.clone(), role: role.clone(), answer }
    };
    resource.roles.keys().map(prospect).collect()
}

/// A request with nothing to it, by somebody for themselves.
fn bare(principal: Party, resource: Thing, role: Name, at: Time) -> Input {
    let asked = AskedFacts {
        requester: principal.person,
        beneficiary: principal.person,
        duration: Span::from_mins(60),
        start_in: Span::ZERO,
        purpose: Purpose::Operations,
        reason_given: false,
        ticket: None,
        second_factor_age_s: None,
        one_statement: false,
        claims: daypass_domain::trust::Attributes::default(),
    };
    let used = Use { resource, role, asked, approvals: Vec::new(), confirmation: None };
    Input { at, principal, act: Act::Use(Box::new(used)) }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted { policies } => {
                let list: Vec<String> = policies.iter().map(ToString::to_string).collect();
                write!(f, "granted by {}", list.join("; "))
            }
            Self::Needs { missing } => write!(f, "needs {missing}"),
            Self::Refused { verdict: verdict @ (Verdict::Failed { .. } | Verdict::Inactive) } => write!(f, "{verdict}"),
            Self::Refused { verdict } => write!(f, "{verdict}, and nothing that could be added would change that"),
        }
    }
}
