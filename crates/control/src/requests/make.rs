//! `POST /v1/requests` and `POST /v1/explain`: the same body, asked for or only judged.

use daypass_api::{
    policy::Explanation,
    requests::{Answered, NewRequest, Purpose},
};
use daypass_app::request::Asking;
use daypass_domain::{
    Span,
    request::{self, Start, TicketRef},
};

use crate::{
    body::{Created, Json},
    call::{Call, time},
    fault::{Fault, Result},
    show,
};

pub(super) async fn make(call: Call, Json(body): Json<NewRequest>) -> Result<Created<Answered>> {
    let answered = call.app().request(call.actor()?, asking(body)?).await?;
    Ok(Created(show::requests::answered(call.app(), answered).await?))
}

pub(super) async fn explain(call: Call, Json(body): Json<NewRequest>) -> Result<Json<Explanation>> {
    let explanation = call.app().explain(call.actor()?, &asking(body)?).await?;
    Ok(Json(show::policy::explanation(&explanation)))
}

fn asking(body: NewRequest) -> Result<Asking> {
    let ticket = body.ticket.map(TicketRef::try_from).transpose();
    Ok(Asking {
        resource: body.resource,
        role: body.role,
        duration: Span::from_secs(body.duration_s),
        start: body.start.map_or(Start::AtOnce, |at| Start::At { time: time(at) }),
        purpose: purpose(body.purpose),
        ticket: ticket.map_err(|e| Fault::invalid("ticket", e.to_string(), ""))?,
        reason: body.reason.unwrap_or_default(),
        beneficiary: body.beneficiary,
        statement: body.statement,
    })
}

pub(crate) fn purpose(purpose: Purpose) -> request::Purpose {
    match purpose {
        Purpose::Operations => request::Purpose::Operations,
        Purpose::Incident => request::Purpose::Incident,
        Purpose::Change => request::Purpose::Change,
        Purpose::Support => request::Purpose::Support,
        Purpose::Treatment => request::Purpose::Treatment,
        Purpose::Payment => request::Purpose::Payment,
        Purpose::Compliance => request::Purpose::Compliance,
        Purpose::Analytics => request::Purpose::Analytics,
    }
}
