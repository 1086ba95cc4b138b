//! `POST /v1/requests/{id}/approve`: another person says yes, to all of it or to less. Never a token (I8): the use case
//! says so, since it alone knows who is a person.

use daypass_api::requests::{Answered, Approve};
use daypass_app::approve::{Less, Seen};
use daypass_domain::Span;

use crate::{
    body::{Json, Maybe},
    call::{Call, digest, name},
    fault::Result,
    show,
};

pub(super) async fn approve(call: Call, Maybe(body): Maybe<Approve>) -> Result<Json<Answered>> {
    let seen = match &body.digest {
        None => Seen::AsItIs,
        Some(text) => Seen::Digest(digest("digest", text)?),
    };
    let less = Less {
        duration: body.duration_s.map(Span::from_secs),
        role: body.role.as_deref().map(|role| name("role", role)).transpose()?,
    };
    let answered = call.app().approve(call.actor()?, call.id("id")?, seen, less).await?;
    Ok(Json(show::requests::answered(call.app(), answered).await?))
}
