//! `POST /v1/requests/{id}/confirm`: the owner of a workload stands by what it asks. No approval, and never a token's (I8):
//! the use case says so, since it alone knows who is a person.

use daypass_api::requests::{Answered, Confirm};
use daypass_app::approve::Seen;

use crate::{
    body::{Json, Maybe},
    call::{Call, digest},
    fault::Result,
    show,
};

pub(super) async fn confirm(call: Call, Maybe(body): Maybe<Confirm>) -> Result<Json<Answered>> {
    let seen = match &body.digest {
        None => Seen::AsItIs,
        Some(text) => Seen::Digest(digest("digest", text)?),
    };
    let answered = call.app().confirm(call.actor()?, call.id("id")?, seen).await?;
    Ok(Json(show::requests::answered(call.app(), answered).await?))
}
