//! `POST /v1/resources/apply`: a document of declarations is done, proposed, or only planned. // I12

use daypass_api::{
    Mode,
    changes::{Outcome, Proposed},
    resources::ApplyResources,
};
use daypass_app::{changes, entry::event};

use crate::{body::Json, call::Call, fault::Result, show};

/// What applying may write: grants end whose role isn't what they were given for.
pub(super) const WRITES: &[&str] = &[
    event::CHANGE_COMMITTED,
    event::CHANGE_PROPOSED,
    event::GRANT_ENDED,
    event::END_LISTED,
    event::END_UNKNOWN,
    event::END_CONFIRMED,
];

pub(super) async fn apply(call: Call, Json(body): Json<ApplyResources>) -> Result<Json<Proposed>> {
    let mode = match body.mode {
        Mode::Plan => changes::Mode::DryRun,
        Mode::Apply => changes::Mode::Apply,
    };
    let applied = call.app().apply_resources(call.actor()?, &body.file, &body.text, mode).await?;
    let plan = applied.plan.words();
    let outcome = match body.mode {
        Mode::Plan if !plan.is_empty() => Outcome::Planned,
        Mode::Plan | Mode::Apply => show::changes::outcome(applied.outcome),
    };
    Ok(Json(Proposed { outcome, plan, warnings: applied.plan.warnings, handed: None }))
}
