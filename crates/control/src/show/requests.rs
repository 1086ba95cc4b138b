//! Requests.

use daypass_api::{
    GrantId, RequestId,
    requests::{Answered, Approval, Confirmation, Outcome, Request, RequestState},
};
use daypass_app::{
    App,
    ask::RequestView,
    request::{self as use_case, Outcome as Came},
};
use daypass_domain::request::{self, Start};
use daypass_policy::Missing;

use super::{grants, policy, statements, time};
use crate::fault::Result;

/// A request with what the use case gave for showing.
pub(crate) async fn view(app: &App, view: RequestView) -> Result<Request> {
    let RequestView { request, requester, beneficiary, owner, resource, gives, reason, approvers, missing, statement } =
        view;
    // Nobody but the owner confirms.
    let confirmation = request.confirmed.given().zip(owner.as_ref());
    let confirmation = confirmation.map(|(given, owner)| Confirmation { by: owner.to_string(), at: time(given.at) });
    let approvals = request.approvals.iter().zip(&approvers).map(|(approval, name)| Approval {
        approver: name.to_string(),
        at: time(approval.at),
        duration_s: approval.narrowing.duration.map(daypass_domain::Span::secs),
        role: approval.narrowing.role.as_ref().map(|picked| picked.role.to_string()),
    });
    Ok(Request {
        id: RequestId::of(request.id),
        requester: requester.to_string(),
        beneficiary: beneficiary.to_string(),
        owner: owner.map(|name| name.to_string()),
        resource: resource.to_string(),
        role: request.asked.role.to_string(),
        gives,
        duration_s: request.asked.duration.secs(),
        start: match request.asked.start {
            Start::AtOnce => None,
            Start::At { time: at } => Some(time(at)),
        },
        purpose: policy::purpose(request.asked.purpose),
        ticket: request.asked.ticket.as_ref().map(ToString::to_string),
        reason,
        statement: statement.map(statements::statement),
        digest: request.asked.digest().to_string(),
        made: time(request.made),
        approvals: approvals.collect(),
        confirmation,
        state: state(app, &request.state).await?,
        missing: policy::missing(&missing),
    })
}

/// A request right after somebody did something to it: without its reason or its statement, since whoever wants to read that looks at the
/// request, and the looking is an entry. // I11
pub(crate) async fn bare(app: &App, request: request::Request, missing: Missing) -> Result<Request> {
    let mut approvers = Vec::new();
    for approval in &request.approvals {
        approvers.push(app.name_of(approval.approver).await?);
    }
    let resource = app.resource_name(request.asked.resource).await?;
    let gives = match app.resource_named(resource.as_str()).await {
        Ok(read) => read.value.roles.get(&request.asked.role).map(|r| r.description.clone()),
        Err(_) => None,
    };
    let bare = RequestView {
        requester: app.name_of(request.asked.requester).await?,
        beneficiary: app.name_of(request.asked.beneficiary).await?,
        owner: app.owner_name(request.asked.beneficiary, request.asked.beneficiary_person).await?,
        resource,
        gives: gives.unwrap_or_default(),
        reason: None,
        approvers,
        missing,
        statement: None,
        request,
    };
    view(app, bare).await
}

pub(crate) async fn answered(app: &App, answered: use_case::Answered) -> Result<Answered> {
    let (outcome, missing) = match answered.outcome {
        Came::Granted(grant) => {
            (Outcome::Granted { grant: Box::new(grants::bare(app, *grant).await?) }, Missing::default())
        }
        Came::Pending { missing } => (Outcome::Pending { missing: policy::missing(&missing) }, missing),
        Came::Refused { why, missing } => {
            (Outcome::Refused { why, missing: policy::missing(&missing) }, Missing::default())
        }
    };
    let request = bare(app, answered.request, missing).await?;
    Ok(Answered { request, outcome, entry: answered.entry })
}

async fn state(app: &App, state: &request::RequestState) -> Result<RequestState> {
    Ok(match state {
        request::RequestState::Pending { expires } => RequestState::Pending { expires: time(*expires) },
        request::RequestState::Granted { grant, at } => {
            RequestState::Granted { grant: GrantId::of(grant), at: time(*at) }
        }
        request::RequestState::Denied { by, at, note } => {
            // Whoever is shown the request may read the answer to it: the use case has recorded it where they must be.
            let note = app.store().payload(*note).await?.and_then(|v| v.as_str().map(ToOwned::to_owned));
            RequestState::Denied { by: app.name_of(*by).await?.to_string(), at: time(*at), note }
        }
        request::RequestState::Forbidden { at, policies } => {
            RequestState::Forbidden { at: time(*at), policies: policies.clone() }
        }
        request::RequestState::Withdrawn { at } => RequestState::Withdrawn { at: time(*at) },
        request::RequestState::Expired { at } => RequestState::Expired { at: time(*at) },
    })
}
