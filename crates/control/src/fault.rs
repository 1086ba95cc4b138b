//! Errors on their way out: `application/problem+json` (RFC 9457).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use daypass_api::{Problem, problem::MEDIA_TYPE};
use daypass_app::ProblemKind;
use daypass_ports::store::StoreError;

/// What a handler answers.
pub type Result<T> = std::result::Result<T, Fault>;

/// Why a request wasn't answered as it wished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(Box<Problem>);

impl Fault {
    /// A problem of this status.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(status.as_u16(), code, detail).next(next)))
    }

    /// What was sent can be read and makes no sense: 422.
    #[must_use]
    pub fn invalid(field: &str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail, next).of_field(field)
    }

    /// The same, told of one field.
    #[must_use]
    pub fn of_field(mut self, field: &str) -> Self {
        self.0.field = Some(field.to_owned()).filter(|f| !f.is_empty());
        self
    }

    /// The status that it will be answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        // Ours come from `StatusCode`s and the table below, so this can't fail.
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The same under another status, and under a type of somebody else's where there is one.
    #[must_use]
    pub(crate) fn told_as(mut self, status: StatusCode, kind: Option<String>) -> Self {
        self.0.status = status.as_u16();
        if let Some(kind) = kind {
            self.0.kind = kind;
        }
        self
    }

    /// What is told.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.0
    }
}

/// The status of each kind.
#[must_use]
pub const fn status_of(kind: ProblemKind) -> StatusCode {
    match kind {
        ProblemKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ProblemKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        // 403, not 401: it is known who asks. The code `second_factor_needed` tells it from a refusal.
        ProblemKind::NotAllowed | ProblemKind::NeedsSecondFactor => StatusCode::FORBIDDEN,
        ProblemKind::NotFound => StatusCode::NOT_FOUND,
        ProblemKind::Conflict | ProblemKind::Stale => StatusCode::CONFLICT,
        ProblemKind::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        ProblemKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl From<daypass_app::Problem> for Fault {
    fn from(problem: daypass_app::Problem) -> Self {
        let mut fault = Self::new(status_of(problem.kind), problem.code, problem.what, problem.next);
        fault.0.retry_after_s = match problem.kind {
            ProblemKind::TooMany { wait } => u64::try_from(wait.secs()).ok(),
            ProblemKind::Invalid
            | ProblemKind::Unauthenticated
            | ProblemKind::NotAllowed
            | ProblemKind::NeedsSecondFactor
            | ProblemKind::NotFound
            | ProblemKind::Conflict
            | ProblemKind::Stale
            | ProblemKind::Unavailable => None,
        };
        fault
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        daypass_app::Problem::from(error).into()
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let status = self.status();
        // A problem is plain data, which always has a JSON form.
        let body = serde_json::to_vec(&*self.0).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.0.retry_after_s {
            // RFC 9110, 10.2.3.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"daypass\""));
        }
        response
    }
}
