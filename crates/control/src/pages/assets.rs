//! Style, script and icon, out of the binary. Their addresses carry a digest of what they are, so browsers may keep them
//! for ever and never keep an old one.

use std::sync::LazyLock;

use axum::http::{HeaderValue, StatusCode, header};
use daypass_domain::Digest;

use crate::{
    body::Raw,
    call::Call,
    fault::{Fault, Result},
    route::{Access::Anybody, Route},
};

const STYLE: &str = include_str!("../../assets/daypass.css");
const SCRIPT: &str = include_str!("../../assets/daypass.js");
const PASSKEYS: &str = include_str!("../../assets/passkeys.js");
const ICON: &str = include_str!("../../assets/icon.svg");

/// Where a page finds them.
pub(super) struct Addresses {
    pub style: &'static str,
    pub script: &'static str,
    pub passkeys: &'static str,
    pub icon: &'static str,
}

static ADDRESSES: LazyLock<[String; 4]> = LazyLock::new(|| {
    let all = [("daypass.css", STYLE), ("daypass.js", SCRIPT), ("passkeys.js", PASSKEYS), ("icon.svg", ICON)];
    all.map(|(name, text)| {
        let digest = Digest::of(text.as_bytes()).to_string();
        format!("/assets/{name}?{}", digest.get(..16).unwrap_or_default())
    })
});

pub(super) fn addresses() -> Addresses {
    let [style, script, passkeys, icon] = &*ADDRESSES;
    Addresses { style, script, passkeys, icon }
}

pub(super) fn routes() -> Vec<Route> {
    vec![Route::get("/assets/{file}", Anybody, "Style, script or icon of the pages", asset)]
}

async fn asset(call: Call) -> Result<Raw> {
    let (media_type, text) = match call.part("file") {
        "daypass.css" => ("text/css; charset=utf-8", STYLE),
        "daypass.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "passkeys.js" => ("text/javascript; charset=utf-8", PASSKEYS),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return Err(Fault::new(StatusCode::NOT_FOUND, "no_such_asset", "there is no such file", "")),
    };
    let mut raw = Raw::of(media_type, text);
    let headers = raw.0.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(raw)
}
