//! Users and workloads. Disabling is one administrator's act; everything else is a change (I12).

use daypass_api::{
    Page, PrincipalId,
    changes::Proposed,
    people::{Invite, NewMail, NewUser, NewWorkload, Principal, PrincipalKind, Proof},
};
use daypass_app::{
    changes::Proposal,
    entry::event,
    people::{KindView, PrincipalView, Proof as Proven},
};
use daypass_domain::{BadMailAddress, MailAddress, Name};
use daypass_ports::rows::TokenScope::{Administer, Read};

use crate::{
    body::{Done, Empty, Json},
    call::{Call, name},
    fault::{Fault, Result},
    page::{PageQuery, of_all},
    route::{Access::Scope, Route},
    show::{changes, names, time},
};

const CHANGES: &[&str] = &[event::CHANGE_COMMITTED, event::CHANGE_PROPOSED];
const ENABLING: &[&str] = &[event::CHANGE_COMMITTED, event::CHANGE_PROPOSED, event::FOUR_EYES];
const DISABLING: &[&str] =
    &[event::PRINCIPAL_DISABLED, event::GRANT_ENDED, event::END_LISTED, event::END_UNKNOWN, event::END_CONFIRMED];

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/principals", Scope(Read), "Users and workloads; oneself, for who may not administer", list)
            .query::<PageQuery>(),
        Route::post("/v1/users", Scope(Administer), "Make a user, who comes by an invitation", make_user)
            .for_administrators()
            .shows_a_secret()
            .writes(CHANGES),
        Route::post(
            "/v1/invitations",
            Scope(Administer),
            "Make a user in groups, who comes by an invitation",
            invite_new,
        )
        .for_administrators()
        .shows_a_secret()
        .writes(CHANGES),
        Route::post("/v1/workloads", Scope(Administer), "Make a workload", make_workload)
            .for_administrators()
            .writes(CHANGES),
        Route::post(
            "/v1/principals/{name}/disable",
            Scope(Administer),
            "Take everything from a principal, now",
            disable,
        )
        .for_administrators()
        .writes(DISABLING),
        Route::post("/v1/principals/{name}/enable", Scope(Administer), "Let a disabled principal act again", enable)
            .for_administrators()
            .writes(ENABLING),
        Route::post(
            "/v1/principals/{name}/invite",
            Scope(Administer),
            "Bar a user until they set a new password",
            invite,
        )
        .for_administrators()
        .shows_a_secret()
        .writes(CHANGES),
        Route::post(
            "/v1/principals/{name}/reset-second-factor",
            Scope(Administer),
            "Forget a user's second factor",
            reset_second_factor,
        )
        .for_administrators()
        .writes(CHANGES),
        Route::post("/v1/principals/{name}/mail", Scope(Administer), "Set where a user is told", set_mail)
            .for_administrators()
            .writes(CHANGES),
        Route::delete("/v1/principals/{name}/mail", Scope(Administer), "Forget where a user is told", remove_mail)
            .for_administrators()
            .writes(CHANGES),
    ]
}

async fn list(call: Call) -> Result<Json<Page<Principal>>> {
    let query: PageQuery = call.query()?;
    let mut all: Vec<Principal> = call.app().principals(call.actor()?).await?.into_iter().map(principal).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(of_all(all, |p| p.name.clone(), &query)))
}

fn principal(view: PrincipalView) -> Principal {
    Principal {
        id: PrincipalId::of(view.id),
        name: view.name.to_string(),
        kind: match view.kind {
            KindView::User => PrincipalKind::User,
            KindView::Workload { owner } => PrincipalKind::Workload { owner: owner.to_string() },
        },
        disabled: view.disabled.map(time),
        groups: names(&view.groups),
        mail: view.mail.map(String::from),
        proof: match view.proof {
            Proven::NoPassword => Proof::NoPassword,
            Proven::Password => Proof::Password,
            Proven::PasswordAndSecondFactor => Proof::PasswordAndSecondFactor,
        },
    }
}

/// Proposes a change.
pub(crate) async fn propose(call: &Call, proposal: Proposal) -> Result<Json<Proposed>> {
    Ok(Json(changes::proposed(call.app().propose(call.actor()?, proposal).await?)))
}

async fn make_user(call: Call, Json(body): Json<NewUser>) -> Result<Json<Proposed>> {
    propose(&call, Proposal::CreateUser { name: name("name", &body.name)? }).await
}

async fn invite_new(call: Call, Json(body): Json<Invite>) -> Result<Json<Proposed>> {
    let groups = body.groups.iter().map(|group| name("groups", group)).collect::<Result<_>>()?;
    propose(&call, Proposal::Invite { name: name("name", &body.name)?, groups }).await
}

async fn make_workload(call: Call, Json(body): Json<NewWorkload>) -> Result<Json<Proposed>> {
    let (name, owner): (Name, Name) = (name("name", &body.name)?, name("owner", &body.owner)?);
    propose(&call, Proposal::CreateWorkload { name, owner }).await
}

async fn disable(call: Call, _: Empty) -> Result<Done> {
    call.app().disable(call.actor()?, &call.name("name")?).await?;
    Ok(Done)
}

async fn enable(call: Call, _: Empty) -> Result<Json<Proposed>> {
    propose(&call, Proposal::Enable { principal: call.name("name")? }).await
}

async fn invite(call: Call, _: Empty) -> Result<Json<Proposed>> {
    propose(&call, Proposal::InviteAgain { user: call.name("name")? }).await
}

async fn reset_second_factor(call: Call, _: Empty) -> Result<Json<Proposed>> {
    propose(&call, Proposal::ResetSecondFactor { user: call.name("name")? }).await
}

async fn set_mail(call: Call, Json(body): Json<NewMail>) -> Result<Json<Proposed>> {
    let mail: MailAddress = body.mail.parse().map_err(|e: BadMailAddress| Fault::invalid("mail", e.to_string(), ""))?;
    propose(&call, Proposal::SetMail { user: call.name("name")?, mail }).await
}

async fn remove_mail(call: Call) -> Result<Json<Proposed>> {
    propose(&call, Proposal::RemoveMail { user: call.name("name")? }).await
}
