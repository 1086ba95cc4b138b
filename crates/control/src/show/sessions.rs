//! Sessions.

use daypass_api::{
    GrantId, SessionId,
    sessions::{Session, SessionEnd, SessionState},
};
use daypass_app::ask::SessionView;
use daypass_domain::session;

use super::time;

pub(crate) fn view(view: SessionView) -> Session {
    let SessionView { session, principal, owner, resource, role } = view;
    Session {
        id: SessionId::of(session.id),
        grant: GrantId::of(session.grant),
        principal: principal.to_string(),
        owner: owner.map(|name| name.to_string()),
        resource: resource.to_string(),
        role: role.to_string(),
        state: match session.state {
            session::SessionState::Open { since } => SessionState::Open { since: time(since) },
            session::SessionState::Closed { since, at, cause, passed } => SessionState::Closed {
                since: time(since),
                at: time(at),
                cause: end(cause),
                statements: passed.statements,
                bytes_in: passed.bytes_in,
                bytes_out: passed.bytes_out,
            },
        },
    }
}

pub(crate) fn end(cause: session::SessionEnd) -> SessionEnd {
    match cause {
        session::SessionEnd::ClientLeft => SessionEnd::ClientLeft,
        session::SessionEnd::GrantEnded => SessionEnd::GrantEnded,
        session::SessionEnd::Killed => SessionEnd::Killed,
        session::SessionEnd::TargetLost => SessionEnd::TargetLost,
        session::SessionEnd::RecordingFailed => SessionEnd::RecordingFailed,
        session::SessionEnd::Idle => SessionEnd::Idle,
        session::SessionEnd::LeaseLost => SessionEnd::LeaseLost,
        session::SessionEnd::ProtocolError => SessionEnd::ProtocolError,
        session::SessionEnd::Shutdown => SessionEnd::Shutdown,
        session::SessionEnd::NodeLost => SessionEnd::NodeLost,
    }
}
