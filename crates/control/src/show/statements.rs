//! Statements, and what came of them.

use daypass_api::{
    SessionId,
    statements::{Column, Estimate, Opens, Outcome, Ran, Run, ServerError, Statement},
};
use daypass_app::{
    App,
    ask::StatementView,
    statements::{self as use_case, estimate},
};
use daypass_domain::statement;
use daypass_wire::postgres::{
    error::PgError,
    once::{End, Over},
};

use super::{grants, time};
use crate::fault::Result;

pub(crate) fn statement(view: StatementView) -> Statement {
    let estimate = view.estimate.map(|estimate| match estimate {
        estimate::Estimate::Planned { rows, cost, plan } => Estimate::Planned { rows, cost, plan },
        estimate::Estimate::NotPlanned { why } => Estimate::NotPlanned { why },
    });
    Statement { text: view.text, digest: view.digest.to_string(), estimate }
}

pub(crate) fn opens(opens: statement::Opens) -> Opens {
    match opens {
        statement::Opens::Sessions => Opens::Sessions,
        statement::Opens::Statement { run: how_far } => Opens::Statement { run: run(how_far) },
        statement::Opens::Look { run: how_far } => Opens::Look { run: run(how_far) },
    }
}

fn run(run: statement::Run) -> Run {
    match run {
        statement::Run::NotBegun => Run::NotBegun,
        statement::Run::Begun { session, at } => Run::Begun { session: SessionId::of(session), at: time(at) },
        statement::Run::Over { session, at, outcome: came } => {
            Run::Over { session: SessionId::of(session), at: time(at), outcome: outcome(came) }
        }
    }
}

fn outcome(outcome: statement::Outcome) -> Outcome {
    match outcome {
        statement::Outcome::Committed { rows } => Outcome::Committed { rows },
        statement::Outcome::Refused { sqlstate } => Outcome::Refused { sqlstate: sqlstate.to_string() },
        statement::Outcome::Looked => Outcome::Looked,
        statement::Outcome::NoEffect => Outcome::NoEffect,
        statement::Outcome::Unknown => Outcome::Unknown,
    }
}

/// What came of a run, with its result: for whom it was run, and nobody else.
pub(crate) async fn ran(app: &App, ran: use_case::Ran) -> Result<Ran> {
    let came = outcome(use_case::outcome(&ran.over));
    let Over { end, given } = ran.over;
    let (error, why) = match end {
        End::Committed | End::Looked => (None, None),
        End::Refused(error) => (Some(server_error(error)), None),
        End::NoEffect(broken) | End::Unknown(broken) => (None, Some(use_case::why(&broken))),
    };
    Ok(Ran {
        outcome: came,
        error,
        why,
        tag: given.tag,
        columns: given.columns.into_iter().map(|c| Column { name: c.name, type_oid: c.type_oid }).collect(),
        rows: given.rows,
        rows_given: given.counted,
        notices: given.notices.into_iter().map(server_error).collect(),
        receipt: grants::receipt(app, ran.receipt).await?,
    })
}

/// What a target's server said.
#[must_use]
pub fn server_error(error: PgError) -> ServerError {
    ServerError {
        severity: error.severity.as_str().to_owned(),
        sqlstate: error.sqlstate.to_string(),
        message: error.message,
        detail: error.detail,
        hint: error.hint,
        position: error.position,
    }
}
