//! `POST /access/v1/evaluation` and `/access/v1/evaluations` (Authorization API 1.0, "Access Evaluation API" and "Access
//! Evaluations API"). A no is 200.

use daypass_api::{
    Objects,
    authzen::{
        AccessRequestHint, ApprovalResult, Decision, DecisionContext, Display, EvaluationError, EvaluationRequest,
        EvaluationsAnswer, EvaluationsRequest, EvaluationsSemantic, InWords,
    },
};
use daypass_app::{
    Problem,
    authzen::{Decided, Denied, EVALUATIONS_MOST, Evaluation, Next, Question, Semantic},
};
use serde_json::{Map, Value};

use super::{REQUEST_SCHEMA, REQUESTS, asker, at, question, status};
use crate::{
    body::Json,
    call::Call,
    fault::{Fault, Result},
    show::time,
};

pub(super) async fn one(call: Call, Json(body): Json<EvaluationRequest>) -> Result<Json<Decision>> {
    decided(&call, &body).await.map(Json)
}

async fn decided(call: &Call, body: &EvaluationRequest) -> Result<Decision> {
    let asked = question(&body.subject, &body.resource, &body.action, body.context.as_ref())?;
    let told = call.app().evaluate(asker(call)?, &[Ok(asked)], Semantic::ExecuteAll).await?;
    match told.into_iter().next() {
        Some(told) => Ok(shown(call, told?)),
        None => Err(Problem::unavailable("nothing was decided").into()),
    }
}

pub(super) async fn several(call: Call, Json(body): Json<EvaluationsRequest>) -> Result<Json<EvaluationsAnswer>> {
    let defaults = defaults(&body);
    let asked = body.evaluations.unwrap_or_default();
    if asked.is_empty() {
        let single = merged(&defaults, &Value::Object(Map::new()))?;
        return Ok(Json(EvaluationsAnswer::One(Box::new(decided(&call, &single).await?))));
    }
    if asked.len() > EVALUATIONS_MOST {
        let what = format!("there are {} evaluations, and {EVALUATIONS_MOST} at most are done at once", asked.len());
        return Err(Fault::invalid("evaluations", what, "send them in several calls"));
    }
    let semantic = match body.options.unwrap_or_default().evaluations_semantic.unwrap_or_default() {
        EvaluationsSemantic::ExecuteAll => Semantic::ExecuteAll,
        EvaluationsSemantic::DenyOnFirstDeny => Semantic::DenyOnFirstDeny,
        EvaluationsSemantic::PermitOnFirstPermit => Semantic::PermitOnFirstPermit,
    };
    let questions: Vec<daypass_app::Result<Question>> = asked.iter().map(|item| of_item(&defaults, item)).collect();
    let told = call.app().evaluate(asker(&call)?, &questions, semantic).await?;
    let evaluations = told.into_iter().map(|told| match told {
        Ok(evaluation) => shown(&call, evaluation),
        Err(problem) => refused(problem),
    });
    Ok(Json(EvaluationsAnswer::Several { evaluations: evaluations.collect() }))
}

/// One of several. What is wrong with it is its own answer, and no one else's.
fn of_item(defaults: &Map<String, Value>, item: &Value) -> daypass_app::Result<Question> {
    let read = merged(defaults, item);
    let asked = read.and_then(|e| question(&e.subject, &e.resource, &e.action, e.context.as_ref()));
    asked.map_err(|fault| {
        let problem = fault.problem();
        Problem::invalid("bad_evaluation", problem.detail.clone(), problem.next.clone().unwrap_or_default())
    })
}

/// The members that stand for those that an evaluation lacks.
fn defaults(body: &EvaluationsRequest) -> Map<String, Value> {
    let members = [
        ("subject", &body.subject),
        ("action", &body.action),
        ("resource", &body.resource),
        ("context", &body.context),
    ];
    members.into_iter().filter_map(|(name, said)| Some((name.to_owned(), Value::Object(said.clone()?)))).collect()
}

/// What an evaluation says stands in the place of the default, whole; only what it must have and lacks (a type, an id, a
/// name) is taken from there (certification scenario, "Batch with default value merging").
fn merged(defaults: &Map<String, Value>, item: &Value) -> Result<EvaluationRequest> {
    let Value::Object(item) = item else {
        return Err(Fault::invalid("evaluations", "an evaluation must be an object", ""));
    };
    let mut whole = defaults.clone();
    for (name, required) in [("subject", &["type", "id"][..]), ("resource", &["type", "id"]), ("action", &["name"])] {
        let Some(own) = item.get(name).filter(|own| !own.is_null()) else { continue };
        let mut own = own.clone();
        if let (Some(own), Some(Value::Object(default))) = (own.as_object_mut(), defaults.get(name)) {
            for field in required {
                if let (None, Some(value)) = (own.get(*field), default.get(*field)) {
                    own.insert((*field).to_owned(), value.clone());
                }
            }
        }
        whole.insert(name.to_owned(), own);
    }
    if let Some(context) = item.get("context").filter(|own| !own.is_null()) {
        whole.insert("context".to_owned(), context.clone());
    }
    read(&Value::Object(whole))
}

fn read(whole: &Value) -> Result<EvaluationRequest> {
    serde_path_to_error::deserialize(Objects(whole)).map_err(|e| {
        let place = e.path().to_string();
        let said = e.inner().to_string();
        // Anything else that is said of it may repeat what was sent.
        let what = if said.starts_with("missing field") { said } else { "it isn't what it should be".to_owned() };
        let field = if place == "." { "" } else { place.as_str() };
        let whose = if field.is_empty() { "the evaluation" } else { field };
        Fault::invalid(field, format!("{whose}: {what}"), "see /v1/openapi.json for its shape")
    })
}

fn refused(problem: Problem) -> Decision {
    let fault = Fault::from(problem);
    let error = EvaluationError { status: status(&fault).as_u16(), message: fault.problem().detail.clone() };
    Decision { decision: false, context: Some(DecisionContext { error: Some(error), ..DecisionContext::default() }) }
}

fn shown(call: &Call, evaluation: Evaluation) -> Decision {
    let told = DecisionContext {
        evaluation_id: Some(evaluation.id),
        evaluated_at: Some(time(evaluation.at)),
        ..DecisionContext::default()
    };
    match evaluation.decided {
        Decided::Yes { grant, since, until } => {
            let approval = ApprovalResult {
                id: daypass_api::GrantId::of(grant),
                approved_at: Some(time(since)),
                approved_until: time(until),
            };
            Decision { decision: true, context: Some(DecisionContext { approval: Some(approval), ..told }) }
        }
        Decided::No(denied) => Decision { decision: false, context: Some(why_not(call, denied, told)) },
    }
}

fn why_not(call: &Call, denied: Denied, told: DecisionContext) -> DecisionContext {
    let Denied { reason, words, ask_until, next } = denied;
    let access_request = ask_until.map(|until| AccessRequestHint {
        endpoint: at(call, REQUESTS),
        expires_at: time(until),
        request_schema_url: at(call, REQUEST_SCHEMA),
        display: Display { title: "Ask for access".to_owned(), description: words.clone() },
    });
    let retry_after = match next {
        Some(Next::Retry(after)) => u64::try_from(after.secs()).ok().map(|s| s.max(1)),
        Some(Next::Request | Next::Nothing) | None => None,
    };
    let next_action = next.map(|next| match next {
        Next::Request => "request".to_owned(),
        Next::Retry(_) => "retry".to_owned(),
        Next::Nothing => "none".to_owned(),
    });
    DecisionContext {
        reason: Some(reason.as_str().to_owned()),
        reason_user: Some(InWords { en: words }),
        access_request,
        next_action,
        retry_after,
        ..told
    }
}
