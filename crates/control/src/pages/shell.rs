//! The frame of every page, and the headers that go with it.

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::IntoResponse as _,
};

use super::{
    assets,
    words::{self, Moment},
};
use crate::{
    body::Raw,
    call::Call,
    fault::{Fault, Result},
};

/// Nothing but our own style and script, no frame, no plugin, no form to elsewhere; nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), payment=()"),
];

/// What every page has around it.
pub(super) struct Shell {
    /// What the page is called.
    pub title: &'static str,
    /// Who is signed in.
    pub who: Who,
    /// The addresses of style and script.
    pub assets: assets::Addresses,
    /// What was just done, in a sentence; empty when nothing was.
    pub notice: &'static str,
    /// How many emergency kits were used and wait for something: for who may do something about it.
    pub alarms: usize,
}

/// The places that the navigation names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    /// What one holds, and can ask for.
    Access,
    /// Asking.
    Ask,
    /// Answering.
    Inbox,
    /// What is connected.
    Sessions,
    /// What administrators propose.
    Changes,
    /// What one proves oneself by: one's name in the head leads there.
    Factors,
}

impl Here {
    fn place(self, path: &'static str, words: &'static str, there: Self) -> Place {
        Place { path, words, current: if self == there { "page" } else { "false" } }
    }
}

/// Who is signed in.
pub(super) enum Who {
    /// Somebody.
    Somebody {
        /// Their name.
        name: String,
        /// What their forms carry.
        form_token: String,
        /// Where they can go.
        places: Vec<Place>,
        /// When the page was made: what is left is counted from then.
        now: Moment,
    },
    /// Nobody.
    Nobody,
}

/// A place that the navigation names.
pub(super) struct Place {
    pub path: &'static str,
    pub words: &'static str,
    /// As `aria-current` says it.
    pub current: &'static str,
}

impl Shell {
    /// Around a page for whoever is signed in.
    pub(super) async fn of(call: &Call, here: Here, title: &'static str) -> Result<Self> {
        let (app, caller) = (call.app(), call.caller()?);
        let name = app.name_of(caller.principal()).await?.to_string();
        let mut places = vec![
            here.place("/", "Access", Here::Access),
            here.place("/ask", "Ask", Here::Ask),
            here.place("/inbox", "Inbox", Here::Inbox),
            here.place("/sessions", "Sessions", Here::Sessions),
        ];
        let mut alarms = 0;
        // A barred account acts as nobody, and its own page of factors is shown all the same.
        if let Ok(actor) = call.actor()
            && app.sees_changes(actor).await
        {
            places.push(here.place("/changes", "Changes", Here::Changes));
            alarms = app.alarms().await?.len();
        }
        let now = words::moment(app.time());
        let who = Who::Somebody { name, form_token: app.form_token(caller)?, places, now };
        Ok(Self { title, who, assets: assets::addresses(), notice: call.notice(), alarms })
    }

    /// Around a page for whoever comes.
    pub(super) fn of_nobody(title: &'static str) -> Self {
        Self { title, who: Who::Nobody, assets: assets::addresses(), notice: "", alarms: 0 }
    }

    /// What forms carry.
    pub(super) fn form_token(&self) -> &str {
        match &self.who {
            Who::Somebody { form_token, .. } => form_token,
            Who::Nobody => "",
        }
    }
}

/// A page, shown.
pub(super) fn page(page: &impl Template) -> Result<Raw> {
    show(page, StatusCode::OK)
}

/// A page with another status.
pub(super) fn show(page: &impl Template, status: StatusCode) -> Result<Raw> {
    let text = page
        .render()
        .map_err(|e| Fault::from(daypass_app::Problem::unavailable(format!("the page can't be written: {e}"))))?;
    let mut response = (status, text).into_response();
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(Raw(response))
}

/// To another page, which is got anew: so that going back or reloading sends no form twice.
pub(super) fn redirect(to: &str) -> Raw {
    let mut response = StatusCode::SEE_OTHER.into_response();
    // Every address that gets here is our own text and ids; were one none, the first page is the safe place.
    let to = HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, to);
    Raw(response)
}

/// What was done, as an address carries it and a page says it. Only words of this table are ever said.
const NOTICES: [(&str, &str); 15] = [
    ("granted", "Granted. You can connect now."),
    ("asked", "You have asked. You hear here when somebody answers; a client that connects now waits at the door."),
    ("withdrawn", "Your request is taken back."),
    ("released", "Given back. Whatever was connected under it is cut."),
    ("approved", "Approved. They have access now."),
    ("confirmed", "Confirmed. Your workload has access now."),
    ("counted", "Your yes counts. The request needs more before it is granted."),
    ("denied", "Denied. The requester hears it, with your note."),
    ("extended", "Extended. What is connected goes on."),
    ("killed", "The session is cut. Its grant goes on: whoever holds it can connect again."),
    ("rejected", "Turned down. Nothing of it is done."),
    ("welcome", "Welcome. You are signed in. A passkey makes your account hard to steal: enrol one here."),
    ("enrolled", "Enrolled. From now on you show it when you sign in, and when you approve. Make recovery codes too."),
    ("removed", "Removed. It opens nothing any more."),
    ("scheduled", "Approved. Access begins when it was asked for."),
];

impl Call {
    /// What was just done, where the address says so.
    fn notice(&self) -> &'static str {
        let query = self.uri.query().unwrap_or_default();
        let done = query.split('&').find_map(|pair| pair.strip_prefix("done=")).unwrap_or_default();
        NOTICES.iter().find(|(word, _)| *word == done).map_or("", |(_, text)| text)
    }
}
