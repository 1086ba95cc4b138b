//! `POST /v1/revoke`: whatever it names ends at once; the answer waits for the entry, and a little for gateways and
//! targets. // I1, I3
//!
//! A token with the scope `request` gives back what is its person's own, one grant at a time. Everything beyond that takes
//! `administer`; whether one may is for policy.

use daypass_api::grants::{Receipt, Revoke, RevokeWhat};
use daypass_app::grants as use_case;
use daypass_domain::grant::Grant;
use daypass_ports::rows::TokenScope;

use crate::{
    body::Json,
    call::Call,
    fault::{Fault, Result},
    show,
};

/// The longest reason, in characters.
const REASON_CHARS: usize = 2_000;

pub(super) async fn revoke(call: Call, Json(body): Json<Revoke>) -> Result<Json<Receipt>> {
    let reason = body.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON_CHARS {
        let what = format!("a revocation has a reason, of at most {REASON_CHARS} characters");
        return Err(Fault::invalid("reason", what, "say why, in a sentence"));
    }
    let what = what(body.what)?;
    within_scope(&call, &what).await?;
    let receipt = call.app().revoke(call.actor()?, &what, reason).await?;
    Ok(Json(show::grants::receipt(call.app(), receipt).await?))
}

async fn within_scope(call: &Call, what: &use_case::Revoke) -> Result<()> {
    match what {
        // Where there is no such grant, the use case says so.
        use_case::Revoke::Grant(id) => match call.app().store().get::<Grant>(&id.to_string()).await? {
            Some(grant) => call.own_or_administers(grant.value.person),
            None => Ok(()),
        },
        use_case::Revoke::Principal(_)
        | use_case::Revoke::Resource(_)
        | use_case::Revoke::Role { .. }
        | use_case::Revoke::Everything => Ok(call.caller()?.may(TokenScope::Administer)?),
    }
}

fn what(what: RevokeWhat) -> Result<use_case::Revoke> {
    Ok(match what {
        RevokeWhat::Grant { grant } => {
            let id = grant.as_str().parse();
            let id = id.map_err(|e: daypass_domain::BadId| Fault::invalid("what.grant", e.to_string(), ""))?;
            use_case::Revoke::Grant(id)
        }
        RevokeWhat::Principal { principal } => use_case::Revoke::Principal(principal),
        RevokeWhat::Resource { resource } => use_case::Revoke::Resource(resource),
        RevokeWhat::Role { resource, role } => use_case::Revoke::Role { resource, role },
        RevokeWhat::Everything => use_case::Revoke::Everything,
    })
}
