//! Sessions: who, when, how much; never what was said.

use daypass_api::sessions::{Session, SessionState};

use super::{
    Context,
    output::{self, Rows},
    words,
};
use crate::{
    client::calls::{self, Whose},
    failure::Failure,
    say,
};

/// Lists sessions.
pub async fn list(context: &Context, whose: Whose) -> Result<(), Failure> {
    let sessions = calls::sessions(&context.api()?, whose).await?;
    context.format.show(&sessions, |sessions| {
        let mut rows = Rows::new(&["id", "who", "resource", "role", "state"], "No sessions.");
        for s in sessions {
            let who = words::who(&s.principal, s.owner.as_deref());
            rows.row([&s.id.to_string(), &who, &s.resource, &s.role, &words::session_state(&s.state)]);
        }
        rows.text()
    })
}

/// One session, for people.
pub fn shown(session: &Session) -> String {
    let passed = match &session.state {
        SessionState::Open { .. } => "counted when it ends".to_owned(),
        SessionState::Closed { statements, bytes_in, bytes_out, .. } => {
            format!("{statements} statements, {bytes_in} bytes in, {bytes_out} bytes out")
        }
    };
    output::fields(&[
        ("session", session.id.to_string()),
        ("who", words::who(&session.principal, session.owner.as_deref())),
        ("on", format!("{}/{}", session.resource, session.role)),
        ("grant", session.grant.to_string()),
        ("state", words::session_state(&session.state)),
        ("passed", passed),
    ])
}

/// Ends one session, and leaves its grant.
pub async fn kill(context: &Context, id: &str) -> Result<(), Failure> {
    calls::kill_session(&context.api()?, id).await?;
    say::note(&format!("{} is ended. Its grant goes on: `daypass revoke` ends that.", say::shown(id)));
    Ok(())
}
