//! Policies: the active set, checking, applying.

use daypass_api::{
    Mode,
    changes::{Outcome, Proposed},
    policy::{ActivePolicy, ApplyPolicy, CheckPolicy, PolicyChecked},
};
use daypass_app::{ProblemKind, changes, entry::event};
use daypass_ports::rows::TokenScope::{Administer, Read};

use crate::{
    body::Json,
    call::Call,
    fault::Result,
    route::{Access::Scope, Route},
    show::{self, time},
};

/// What a switch may write: grants end that the new set doesn't permit.
const WRITES: &[&str] = &[
    event::CHANGE_COMMITTED,
    event::CHANGE_PROPOSED,
    event::GRANT_ENDED,
    event::END_LISTED,
    event::END_UNKNOWN,
    event::END_CONFIRMED,
];

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/policy", Scope(Read), "The active policies: whoever is judged by them may read them", active),
        Route::post("/v1/policy/check", Scope(Administer), "Check policies, and use them for nothing", check)
            .for_administrators()
            .takes_documents()
            .only_looks(),
        Route::post("/v1/policy/apply", Scope(Administer), "Switch to policies, or say what that would do", apply)
            .for_administrators()
            .takes_documents()
            .writes(WRITES),
    ]
}

async fn active(call: Call) -> Result<Json<ActivePolicy>> {
    let active = call.app().current_policy().await?;
    Ok(Json(ActivePolicy { digest: active.digest.to_string(), since: time(active.since), files: active.files }))
}

async fn check(call: Call, Json(body): Json<CheckPolicy>) -> Result<Json<PolicyChecked>> {
    Ok(Json(match call.app().check_policy(call.actor()?, &body.files).await {
        Ok(checked) => PolicyChecked::Fine {
            digest: checked.digest.to_string(),
            policies: u32::try_from(checked.policies).unwrap_or(u32::MAX),
            warnings: checked.warnings,
        },
        // That they are wrong is what was asked.
        Err(problem) if problem.kind == ProblemKind::Invalid => {
            PolicyChecked::Refused { problems: problem.what.lines().map(ToOwned::to_owned).collect() }
        }
        Err(problem) => return Err(problem.into()),
    }))
}

async fn apply(call: Call, Json(body): Json<ApplyPolicy>) -> Result<Json<Proposed>> {
    let mode = match body.mode {
        Mode::Plan => changes::Mode::DryRun,
        Mode::Apply => changes::Mode::Apply,
    };
    let applied = call.app().apply_policy(call.actor()?, body.files, mode).await?;
    let outcome = match body.mode {
        Mode::Plan if !applied.plan.is_empty() => Outcome::Planned,
        Mode::Plan | Mode::Apply => show::changes::outcome(applied.outcome),
    };
    Ok(Json(Proposed { outcome, plan: applied.plan, warnings: applied.checked.warnings, handed: None }))
}
