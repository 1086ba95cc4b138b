//! Toward the target: dialling, and the login that exists only for the grant. // I4, I6

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use daypass_domain::session::SessionEnd;
use daypass_ports::{
    dial::{Conduit, DialSecurity},
    record::Permit,
    world::random_bytes,
};
use daypass_wire::{
    postgres::{
        back::{Back, BackError, Encryption, Errand, Login, Output, Ready, TlsBinding},
        error::PgError,
    },
    scram::{ClientSecret, Nonce},
};

use crate::{
    lease::Leash,
    leased::{Halt, Leased},
    node::Node,
    words,
};

const READ_LEN: usize = 4096;

/// A session at the target that waits for its first query.
pub(crate) struct Upstream {
    pub leased: Leased<Box<dyn Conduit>>,
    pub ready: Ready,
    /// What it sent behind ReadyForQuery.
    pub leftover: BytesMut,
}

/// Why there is no session: what the client is told, and what is kept.
pub(crate) struct Failure {
    pub error: PgError,
    pub end: SessionEnd,
}

/// Dials what the permit says, and logs in there. Nothing else dials for a session. // I4
pub(crate) async fn connect(
    node: &Node,
    permit: &Permit,
    leash: &Arc<Leash>,
    parameters: Vec<(Bytes, Bytes)>,
) -> Result<Upstream, Failure> {
    let terms = permit.terms();
    let lost = |error: PgError| Failure { error, end: SessionEnd::TargetLost };
    let stopped = |halt: Halt| match halt {
        Halt::Stop(stop) => Failure { error: words::stopped(&stop, &terms.resource_name), end: stop.session_end() },
        Halt::Broken => lost(words::target_lost(&terms.resource_name)),
    };
    leash.check(node.clock.boot()).map_err(|stop| stopped(Halt::Stop(stop)))?;
    let dialed =
        node.dialer.dial(&terms.target).await.map_err(|error| lost(words::undialled(&error, &terms.resource_name)))?;
    let login = Login {
        user: terms.login.clone(),
        secret: ClientSecret::password(terms.password.expose().as_bytes()),
        database: terms.database.clone(),
        application_name: format!("daypass:{}", terms.session),
        parameters,
        nonce: Nonce::from_random(random_bytes(&*node.random)),
    };
    let failed = |error: BackError| lost(error.to_client());
    let mut back = begin(Errand::Login(login), dialed.security).map_err(failed)?;
    let mut leased = Leased::new(dialed.stream, Arc::clone(leash), Arc::clone(&node.clock));
    let mut input = BytesMut::new();
    loop {
        while let Some(output) = back.poll() {
            match output {
                Output::ToUpstream(bytes) => leased.write_all(&bytes).await.map_err(stopped)?,
                Output::Ready(ready) => return Ok(Upstream { leased, ready, leftover: back.into_leftover() }),
                Output::Failed(error) => return Err(failed(error)),
                // Neither is an answer to a login behind TLS.
                Output::StartTls | Output::CancelSent => return Err(failed(BackError::OutOfTurn)),
            }
        }
        input.reserve(READ_LEN);
        match leased.read(&mut input).await {
            Ok(0) => return Err(stopped(Halt::Broken)),
            Ok(_) => back.from_upstream(&input),
            Err(error) => return Err(stopped(error.into())),
        }
        input.clear();
    }
}

/// The machine as it stands behind the dialer: that has asked for TLS, and brought it up, already.
pub(crate) fn begin(errand: Errand, security: DialSecurity) -> Result<Back, BackError> {
    let (answer, encryption, binding) = match security {
        DialSecurity::Tls { server_end_point } => {
            let binding = server_end_point.map_or(TlsBinding::Unavailable, TlsBinding::EndPoint);
            (b"S", Encryption::Required, Some(binding))
        }
        DialSecurity::LoopbackPlaintext => (b"N", Encryption::PlaintextAllowed, None),
    };
    let mut back = Back::new(errand, encryption);
    // Its SSLRequest was sent by the dialer.
    let Some(Output::ToUpstream(_)) = back.poll() else { return Err(BackError::OutOfTurn) };
    back.from_upstream(answer);
    if let Some(binding) = binding {
        let Some(Output::StartTls) = back.poll() else { return Err(BackError::OutOfTurn) };
        back.tls_started(binding)?;
    }
    Ok(back)
}
