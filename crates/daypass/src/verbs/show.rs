//! `daypass show ID`: whatever it is.

use super::{Context, asking, changes, emergency, grants, notices, sessions};
use crate::{
    client::{calls, kits},
    failure::Failure,
    say,
};

/// Shows what an id stands for.
pub async fn show(context: &Context, id: &str) -> Result<(), Failure> {
    let api = context.api()?;
    match id.split_once('_').map(|(kind, _)| kind) {
        Some("request") => context.format.show(&calls::request_shown(&api, id).await?, asking::shown),
        Some("grant") => context.format.show(&calls::grant(&api, id).await?, grants::shown),
        Some("session") => context.format.show(&calls::session(&api, id).await?, sessions::shown),
        Some("change") => context.format.show(&calls::change(&api, id).await?, changes::shown),
        Some("notice") => context.format.show(&calls::notice(&api, id).await?, notices::shown),
        Some("kit") => context.format.show(&kits::show(&api, id).await?, emergency::shown),
        _ => Err(Failure::setting(format!(
            "`{}` isn't an id that can be shown: those begin with request_, grant_, session_, change_, notice_ \
             or kit_",
            say::shown(id)
        ))),
    }
}
