//! A route: everything that is known of it, in one place. The router, the OpenAPI document and the goldens are made from
//! these, so none of them can tell another story.

use std::{fmt, pin::Pin, sync::Arc};

use axum::{
    body::Bytes,
    http::{Method, StatusCode},
    response::Response,
};
use daypass_ports::rows::TokenScope;
use utoipa::{
    IntoParams,
    openapi::{
        Ref,
        path::{Parameter, ParameterIn},
    },
};

use crate::{
    body::{Gives, Presence, Schemas, Takes},
    call::Call,
    fault::Result,
};

/// The longest body, in bytes, where a route doesn't say otherwise.
pub const BODY_MAX: usize = 1 << 20;
/// The longest body of a policy set or a document of resources.
pub const DOCUMENT_BODY_MAX: usize = 2 << 20;

/// The longest signal: what can be a token, and some space around it.
pub const SIGNAL_BODY_MAX: usize = 17 << 10;

/// The longest form, and the longest question of another product.
pub const FORM_BODY_MAX: usize = 64 << 10;

type Answer = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;
type Run = Arc<dyn Fn(Call, ReadBody) -> Result<Answer> + Send + Sync>;

/// A body as it came, not yet read.
pub struct ReadBody {
    /// What it says it is.
    pub content_type: Option<String>,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody who reaches the server.
    Anybody,
    /// Whoever shows a live sign-in, or a live token with this scope.
    Scope(TokenScope),
    /// A person whose browser shows the cookie of its live sign-in. Nothing else opens such a route.
    Browser,
}

/// Whom a route speaks to, and so how it says what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// Programs: JSON and problems, described by the OpenAPI document.
    Programs,
    /// People: pages and forms.
    People,
    /// Directories: SCIM, which has bodies and errors of its own and describes itself.
    Directories,
    /// Other products: AuthZEN. As programs are spoken to, with the statuses that it says.
    Products,
    /// Transmitters of signals: security event tokens, with errors of their own (RFC 8935).
    Transmitters,
}

/// Whom the policy is meant to let through. The policy decides; this is what the starter policy says, held by the matrix
/// of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody, each for themselves.
    Everybody,
    /// Administrators, for others or for the whole installation.
    Administrators,
    /// People, and never a token. // I8
    People,
    /// The connectors of declared directories, and nobody else. // I12
    Connectors,
}

/// What an idempotency key means on a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Once {
    /// Nothing changes, so it means nothing.
    Reads,
    /// The answer is kept for a day and said again.
    Kept,
    /// The same, where the key can be recorded. Where it can't it is done all the same: what takes away never waits. // I1
    KeptIfItCan,
    /// It is refused: the answer may hold a secret, which is shown once and kept nowhere.
    Refused,
    /// It means nothing: doing it twice is doing it once.
    Idempotent,
}

/// A route.
#[derive(Clone)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, with `{parts}`.
    pub path: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Who may call.
    pub access: Access,
    /// Whom it speaks to.
    pub face: Face,
    /// Whom the policy is meant to let through.
    pub audience: Audience,
    /// The entries that it may write.
    pub writes: &'static [&'static str],
    /// What an idempotency key means.
    pub once: Once,
    /// The longest body, in bytes.
    pub body_max: usize,
    /// What the query takes.
    pub query: Vec<Parameter>,
    /// What the body is.
    pub takes: Option<(Ref, Presence)>,
    /// The media type of the body.
    pub takes_media: &'static str,
    /// What a success is.
    pub gives: Option<(&'static str, Option<Ref>)>,
    /// The status of a success.
    pub status: StatusCode,
    /// The schemas that it needs.
    pub schemas: Schemas,
    pub(crate) run: Run,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Route {
    fn new<B, G, F, Fut>(method: Method, path: &'static str, access: Access, summary: &'static str, run: F) -> Self
    where
        B: Takes,
        G: Gives,
        F: Fn(Call, B) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<G>> + Send + 'static,
    {
        let mut schemas = Schemas::new();
        let takes = B::describe(&mut schemas);
        let gives = G::describe(&mut schemas);
        let once = if method == Method::GET {
            Once::Reads
        } else if method == Method::POST {
            Once::Kept
        } else {
            Once::Idempotent
        };
        let run: Run = Arc::new(move |call, body| {
            let body = B::read(body.content_type.as_deref(), &body.bytes)?;
            let answer = run(call, body);
            Ok(Box::pin(async move { answer.await.map(Gives::respond) }) as Answer)
        });
        Self {
            method,
            path,
            summary,
            access,
            face: Face::Programs,
            audience: Audience::Everybody,
            writes: &[],
            once,
            body_max: BODY_MAX,
            query: Vec::new(),
            takes,
            takes_media: B::MEDIA_TYPE,
            gives,
            status: G::STATUS,
            schemas,
            run,
        }
    }

    /// Reads something.
    pub fn get<G, F, Fut>(path: &'static str, access: Access, summary: &'static str, run: F) -> Self
    where
        G: Gives,
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<G>> + Send + 'static,
    {
        Self::new(Method::GET, path, access, summary, move |call, _: crate::body::Empty| run(call))
    }

    /// Makes or does something.
    pub fn post<B, G, F, Fut>(path: &'static str, access: Access, summary: &'static str, run: F) -> Self
    where
        B: Takes,
        G: Gives,
        F: Fn(Call, B) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<G>> + Send + 'static,
    {
        Self::new(Method::POST, path, access, summary, run)
    }

    /// Makes something be there.
    pub fn put<G, F, Fut>(path: &'static str, access: Access, summary: &'static str, run: F) -> Self
    where
        G: Gives,
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<G>> + Send + 'static,
    {
        Self::new(Method::PUT, path, access, summary, move |call, _: crate::body::Empty| run(call))
    }

    /// Makes something be as the body says.
    pub(crate) fn put_body<B, G, F, Fut>(path: &'static str, access: Access, summary: &'static str, run: F) -> Self
    where
        B: Takes,
        G: Gives,
        F: Fn(Call, B) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<G>> + Send + 'static,
    {
        Self::new(Method::PUT, path, access, summary, run)
    }

    /// Changes a part of something.
    pub(crate) fn patch<B, G, F, Fut>(path: &'static str, access: Access, summary: &'static str, run: F) -> Self
    where
        B: Takes,
        G: Gives,
        F: Fn(Call, B) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<G>> + Send + 'static,
    {
        Self::new(Method::PATCH, path, access, summary, run)
    }

    /// Makes something be gone.
    pub fn delete<G, F, Fut>(path: &'static str, access: Access, summary: &'static str, run: F) -> Self
    where
        G: Gives,
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<G>> + Send + 'static,
    {
        Self::new(Method::DELETE, path, access, summary, move |call, _: crate::body::Empty| run(call))
    }

    /// The entries that it may write.
    #[must_use]
    pub fn writes(self, writes: &'static [&'static str]) -> Self {
        Self { writes, ..self }
    }

    /// For administrators, as the starter policy has it.
    #[must_use]
    pub fn for_administrators(self) -> Self {
        Self { audience: Audience::Administrators, ..self }
    }

    /// For people who signed in, never for tokens. // I8
    #[must_use]
    pub fn for_people(self) -> Self {
        Self { audience: Audience::People, ..self }
    }

    /// It only looks, though it is a POST because of its body.
    #[must_use]
    pub fn only_looks(self) -> Self {
        Self { once: Once::Reads, ..self }
    }

    /// It takes away, so it is done whether its idempotency key can be recorded or not. // I1
    #[must_use]
    pub fn takes_away(self) -> Self {
        Self { once: Once::KeptIfItCan, ..self }
    }

    /// Its answer may hold a secret, so an idempotency key is refused.
    #[must_use]
    pub fn shows_a_secret(self) -> Self {
        Self { once: Once::Refused, ..self }
    }

    /// It is for a browser: it answers with pages, and takes forms of its own only. Its answers aren't kept.
    #[must_use]
    pub fn for_browsers(self) -> Self {
        let once = match self.once {
            Once::Kept | Once::KeptIfItCan => Once::Refused,
            Once::Reads | Once::Refused | Once::Idempotent => self.once,
        };
        Self { face: Face::People, body_max: FORM_BODY_MAX, once, ..self }
    }

    /// It is for the connectors of directories: it speaks SCIM, where a name that is taken stands in for idempotency keys.
    #[must_use]
    pub(crate) fn for_directories(self) -> Self {
        let once = match self.once {
            Once::Kept | Once::KeptIfItCan => Once::Idempotent,
            Once::Reads | Once::Refused | Once::Idempotent => self.once,
        };
        Self { face: Face::Directories, audience: Audience::Connectors, once, ..self }
    }

    /// It is for other products: it speaks AuthZEN, and takes short bodies.
    #[must_use]
    pub(crate) fn for_products(self) -> Self {
        Self { face: Face::Products, body_max: FORM_BODY_MAX, ..self }
    }

    /// It is for transmitters of signals: each token counts once, whatever it is sent with.
    #[must_use]
    pub(crate) fn for_transmitters(self) -> Self {
        Self { face: Face::Transmitters, once: Once::Idempotent, body_max: SIGNAL_BODY_MAX, ..self }
    }

    /// A longer body is taken.
    #[must_use]
    pub fn takes_documents(self) -> Self {
        Self { body_max: DOCUMENT_BODY_MAX, ..self }
    }

    /// What the query takes.
    #[must_use]
    pub fn query<Q: IntoParams>(self) -> Self {
        Self { query: Q::into_params(|| Some(ParameterIn::Query)), ..self }
    }

    /// The media type of an answer that isn't JSON.
    #[must_use]
    pub fn gives(self, media_type: &'static str) -> Self {
        Self { gives: Some((media_type, None)), ..self }
    }
}
