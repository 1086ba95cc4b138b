//! A request that was let through: who calls, and with what.

use std::{net::SocketAddr, str::FromStr, sync::Arc};

use axum::http::{HeaderMap, Uri};
use daypass_app::{App, signin::Caller};
use daypass_domain::{
    Digest, Name, Time,
    principal::{Actor, Person},
};
use daypass_ports::rows::TokenScope;
use serde::de::DeserializeOwned;

use crate::{
    fault::{Fault, Result},
    serve::{Certificates, Stopping},
    state::Control,
};

/// A request that was let through.
pub struct Call {
    pub(crate) control: Arc<Control>,
    pub(crate) caller: Option<(Caller, TokenScope)>,
    pub(crate) peer: SocketAddr,
    pub(crate) path: Vec<(String, String)>,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) stopping: Stopping,
    /// What the client showed in the handshake.
    pub(crate) certificates: Certificates,
}

impl Call {
    /// The use cases.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.control.state.app
    }

    /// Who calls.
    ///
    /// # Errors
    /// When nobody signed in: on routes where nobody has to.
    pub fn caller(&self) -> Result<&Caller> {
        match &self.caller {
            Some((caller, _)) => Ok(caller),
            None => Err(unauthenticated()),
        }
    }

    /// Who acts, within the scope of the route.
    ///
    /// # Errors
    /// When nobody signed in, or the token lacks the scope.
    pub fn actor(&self) -> Result<&Actor> {
        match &self.caller {
            Some((caller, scope)) => Ok(caller.acting(*scope)?),
            None => Err(unauthenticated()),
        }
    }

    /// Whether what belongs to `person` is the caller's own; if it isn't, the credential must allow administering: a token
    /// that may only ask and give back takes nothing from others, whoever made it. Policy decides after this.
    ///
    /// # Errors
    /// When it is another's, and the token lacks the scope.
    pub fn own_or_administers(&self, person: Person) -> Result<()> {
        if self.actor()?.person == person {
            return Ok(());
        }
        Ok(self.caller()?.may(TokenScope::Administer)?)
    }

    /// A part of the path, as it was sent.
    #[must_use]
    pub fn part(&self, name: &str) -> &str {
        self.path.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// A part of the path that is an id, or a number.
    ///
    /// # Errors
    /// When it isn't.
    pub fn id<T: FromStr>(&self, name: &str) -> Result<T>
    where
        T::Err: std::fmt::Display,
    {
        self.part(name).parse().map_err(|e: T::Err| Fault::invalid(name, e.to_string(), ""))
    }

    /// A part of the path that is a name.
    ///
    /// # Errors
    /// When it can't be one.
    pub fn name(&self, name: &str) -> Result<Name> {
        self.id(name)
    }

    /// The query.
    ///
    /// # Errors
    /// When a parameter is unknown or doesn't fit.
    pub fn query<Q: DeserializeOwned>(&self) -> Result<Q> {
        let read = axum::extract::Query::<Q>::try_from_uri(&self.uri);
        read.map(|axum::extract::Query(query)| query).map_err(|e| {
            let text: String = e.body_text().chars().take(300).flat_map(char::escape_debug).collect();
            Fault::invalid("", format!("the query doesn't fit: {text}"), "see /v1/openapi.json for what it takes")
        })
    }
}

fn unauthenticated() -> Fault {
    Fault::new(
        axum::http::StatusCode::UNAUTHORIZED,
        "not_signed_in",
        "nobody is signed in",
        "send `Authorization: Bearer` with the secret of a sign-in or a token",
    )
}

/// A digest that came from outside.
///
/// # Errors
/// When it isn't 64 hexadecimal digits.
pub fn digest(field: &str, text: &str) -> Result<Digest> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| {
        Fault::invalid(field, "a digest is 64 lower-case hexadecimal digits", "copy it from what was shown")
    })
}

/// A name that came from outside.
///
/// # Errors
/// When it can't be one.
pub fn name(field: &str, text: &str) -> Result<Name> {
    text.parse().map_err(|e: daypass_domain::BadName| Fault::invalid(field, e.to_string(), ""))
}

/// A time on its way in.
#[must_use]
pub fn time(at: daypass_api::Timestamp) -> Time {
    Time::from_micros(at.micros())
}
