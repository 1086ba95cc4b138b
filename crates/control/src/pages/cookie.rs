//! The cookie that a browser's sign-in is kept in (RFC 6265bis). Its name begins with `__Host-`, so a browser takes it
//! over TLS only, for this host only, from no subdomain; no script can read it; and no form or script of another site
//! makes a browser send it, except by following a link here, which changes nothing.

use axum::http::{HeaderMap, HeaderValue, header};
use daypass_app::signin::{BrowserSignIn, Touch};
use daypass_domain::Time;

use crate::fault::{Fault, Result};

const NAME: &str = "__Host-daypass";
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Lax";

/// What the cookie holds; nothing when there is none, or more than one.
pub(crate) fn read(headers: &HeaderMap) -> &str {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut ours = all.flat_map(|line| line.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == NAME).then_some(value)
    });
    match (ours.next(), ours.next()) {
        (Some(value), None) => value,
        (Some(_), Some(_)) | (None, _) => "",
    }
}

/// Whether a person does this, or a page that looks again by itself: browsers say which (Fetch Metadata).
pub(crate) fn touch(headers: &HeaderMap) -> Touch {
    match headers.get("sec-fetch-mode").map(HeaderValue::as_bytes) {
        None | Some(b"navigate") => Touch::Used,
        Some(_) => Touch::Alone,
    }
}

/// The header that keeps a sign-in.
pub(super) fn keep(sign_in: &BrowserSignIn, now: Time) -> Result<HeaderValue> {
    let seconds = sign_in.expires.since(now).secs();
    let text = format!("{NAME}={}; {ATTRIBUTES}; Max-Age={seconds}", sign_in.cookie.expose());
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        // The secret is base64url, so this can't be.
        Fault::from(daypass_app::Problem::unavailable("the cookie of the sign-in can't be written"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The header that forgets it.
pub(super) fn forget() -> HeaderValue {
    HeaderValue::from_static("__Host-daypass=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn ours_is_found_among_others_and_two_are_none() {
        assert_eq!(read(&with(&["a=b; __Host-daypass=dpb_x; c=d"])), "dpb_x");
        assert_eq!(read(&with(&["a=b", "__Host-daypass=dpb_x"])), "dpb_x");
        assert_eq!(read(&with(&["daypass=dpb_x; x__Host-daypass=y"])), "");
        assert_eq!(read(&with(&["__Host-daypass=dpb_x; __Host-daypass=dpb_y"])), "", "which of them is ours?");
        assert_eq!(read(&with(&[])), "");
    }

    #[test]
    fn forgetting_names_the_same_cookie() {
        let text = forget();
        assert_eq!(text.to_str().unwrap(), format!("{NAME}=; {ATTRIBUTES}; Max-Age=0"));
    }

    #[test]
    fn a_page_that_looks_by_itself_keeps_nobody_signed_in() {
        let mode = |mode: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("sec-fetch-mode", HeaderValue::from_static(mode));
            headers
        };
        assert_eq!(touch(&mode("navigate")), Touch::Used);
        assert_eq!(touch(&mode("cors")), Touch::Alone);
        assert_eq!(touch(&HeaderMap::new()), Touch::Used);
    }
}
