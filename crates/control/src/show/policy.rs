//! Verdicts, and what is missing.

use daypass_api::{
    policy::{Answer, Explanation, Lack, PolicyFailure, PolicyRef, Prospect, Verdict, Way},
    requests::Purpose,
};
use daypass_domain::request;
use daypass_policy::{self as policy, missing::Factor};

use super::names;

pub(crate) fn purpose(purpose: request::Purpose) -> Purpose {
    match purpose {
        request::Purpose::Operations => Purpose::Operations,
        request::Purpose::Incident => Purpose::Incident,
        request::Purpose::Change => Purpose::Change,
        request::Purpose::Support => Purpose::Support,
        request::Purpose::Treatment => Purpose::Treatment,
        request::Purpose::Payment => Purpose::Payment,
        request::Purpose::Compliance => Purpose::Compliance,
        request::Purpose::Analytics => Purpose::Analytics,
    }
}

fn lack(lack: &policy::Lack) -> Lack {
    match lack {
        policy::Lack::Approvals { quorum, given, who } => Lack::Approvals {
            quorum: quorum.clone(),
            given: u32::try_from(*given).unwrap_or(u32::MAX),
            who: names(who),
        },
        policy::Lack::Confirmation { owner, factor } => Lack::Confirmation {
            owner: owner.to_string(),
            second_factor: match factor {
                Factor::Needed => true,
                Factor::NotNeeded => false,
            },
        },
        policy::Lack::Reason => Lack::Reason,
        policy::Lack::Ticket { like } => Lack::Ticket { like: like.clone() },
        policy::Lack::SecondFactor { within } => Lack::SecondFactor { within_s: within.secs() },
        policy::Lack::ShorterTime { at_most } => Lack::ShorterTime { at_most_s: at_most.secs() },
        policy::Lack::Purpose { purpose: which } => Lack::Purpose { purpose: purpose(*which) },
        policy::Lack::LowerRisk { at_most } => Lack::LowerRisk { at_most: at_most.as_str().to_owned() },
        policy::Lack::CompliantDevice => Lack::CompliantDevice,
        policy::Lack::Assurance { level } => Lack::Assurance { level: level.to_string() },
    }
}

pub(crate) fn missing(missing: &policy::Missing) -> Vec<Way> {
    let way = |way: &policy::Way| Way { lacks: way.lacks.iter().map(lack).collect(), text: way.to_string() };
    missing.ways.iter().map(way).collect()
}

fn reference(policy: &policy::PolicyRef) -> PolicyRef {
    PolicyRef { id: policy.id.clone(), file: policy.file.clone(), why: policy.why.clone() }
}

fn references(policies: &[policy::PolicyRef]) -> Vec<PolicyRef> {
    policies.iter().map(reference).collect()
}

pub(crate) fn verdict(verdict: &policy::Verdict) -> Verdict {
    match verdict {
        policy::Verdict::Permitted { policies } => Verdict::Permitted { policies: references(policies) },
        policy::Verdict::Forbidden { policies } => Verdict::Forbidden { policies: references(policies) },
        policy::Verdict::NotPermitted => Verdict::NotPermitted,
        policy::Verdict::Failed { failures } => {
            let failure = |f: &policy::Failure| PolicyFailure { policy: reference(&f.policy), error: f.error.clone() };
            Verdict::Failed { failures: failures.iter().map(failure).collect() }
        }
        policy::Verdict::Inactive => Verdict::Inactive,
    }
}

fn answer(answer: &policy::Answer) -> Answer {
    match answer {
        policy::Answer::Granted { policies } => Answer::Granted { policies: references(policies) },
        policy::Answer::Needs { missing: m } => Answer::Needs { missing: missing(m) },
        policy::Answer::Refused { verdict: v } => Answer::Refused { verdict: verdict(v) },
    }
}

pub(crate) fn explanation(explanation: &policy::Explanation) -> Explanation {
    Explanation {
        verdict: verdict(&explanation.verdict),
        answer: answer(&explanation.answer),
        lines: explanation.lines.clone(),
    }
}

pub(crate) fn prospect(prospect: &policy::Prospect) -> Prospect {
    Prospect {
        name: prospect.name.to_string(),
        role: prospect.role.to_string(),
        answer: answer(&prospect.answer),
        text: prospect.answer.to_string(),
    }
}
