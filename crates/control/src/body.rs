//! Bodies: what is taken, and what is given.

use axum::{
    body::Bytes,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use daypass_api::Objects;
use serde::{Serialize, de::DeserializeOwned};
use utoipa::{
    ToSchema,
    openapi::{Ref, RefOr, Schema},
};

use crate::fault::{Fault, Result};

/// Schemas by name, for the OpenAPI document.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// What a route takes as its body.
pub trait Takes: Sized + Send + 'static {
    /// Reads it.
    ///
    /// # Errors
    /// A problem that says which field is wrong.
    fn read(content_type: Option<&str>, bytes: &Bytes) -> Result<Self>;

    /// Its media type.
    const MEDIA_TYPE: &'static str = "application/json";

    /// Its schema, where there is one, and whether it must be there.
    fn describe(schemas: &mut Schemas) -> Option<(Ref, Presence)>;
}

/// Whether a body must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It must.
    Required,
    /// Nothing means the defaults.
    Optional,
}

/// What a route gives as its answer.
pub trait Gives: Send + 'static {
    /// The status of a success.
    const STATUS: StatusCode;

    /// As a response.
    fn respond(self) -> Response;

    /// Its media type and schema, where there is a body.
    fn describe(schemas: &mut Schemas) -> Option<(&'static str, Option<Ref>)>;
}

/// A JSON body, both ways. Given, it is 200.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// A form, taken where a standard says so (RFC 6749, 4.1.3). Cookies mean nothing there, so no other site can send one for
/// somebody.
#[derive(Debug)]
pub struct OauthForm<T>(pub T);

/// JSON, and nothing at all means the defaults.
#[derive(Debug)]
pub struct Maybe<T>(pub T);

/// The fields of a form. A field that isn't known is passed over: every form carries the one that says whose it is.
#[derive(Debug)]
pub struct Form<T>(pub T);

/// A form whose button says all.
#[derive(Debug, serde::Deserialize)]
pub struct NoFields {}

/// No body is taken.
#[derive(Debug)]
pub struct Empty;

/// JSON of something that was made: 201.
#[derive(Debug)]
pub struct Created<T>(pub T);

/// It was done, and there is nothing to say: 204.
#[derive(Debug)]
pub struct Done;

/// A response as it is: text, tiles, streams.
#[derive(Debug)]
pub struct Raw(pub Response);

fn reference<T: ToSchema>(schemas: &mut Schemas) -> Ref {
    T::schemas(schemas);
    schemas.push((T::name().into_owned(), T::schema()));
    Ref::from_schema_name(T::name())
}

impl<T: DeserializeOwned + ToSchema + Send + 'static> Takes for Json<T> {
    fn read(content_type: Option<&str>, bytes: &Bytes) -> Result<Self> {
        let kind = content_type.and_then(|c| c.split(';').next()).map(str::trim).unwrap_or_default();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Fault::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body must be JSON, and say so",
                "send `Content-Type: application/json`",
            ));
        }
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let value = serde_path_to_error::deserialize(Objects(&mut reader)).map_err(|e| {
            let path = e.path().to_string();
            of_json(&path, e.inner())
        })?;
        reader.end().map_err(|e| of_json("", &e))?;
        Ok(Self(value))
    }

    fn describe(schemas: &mut Schemas) -> Option<(Ref, Presence)> {
        Some((reference::<T>(schemas), Presence::Required))
    }
}

impl<T: DeserializeOwned + ToSchema + Send + 'static> Takes for OauthForm<T> {
    const MEDIA_TYPE: &'static str = "application/x-www-form-urlencoded";

    fn read(content_type: Option<&str>, bytes: &Bytes) -> Result<Self> {
        let kind = content_type.and_then(|c| c.split(';').next()).map(str::trim).unwrap_or_default();
        if !kind.eq_ignore_ascii_case(Self::MEDIA_TYPE) {
            return Err(Fault::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body must be a form, and say so",
                format!("send `Content-Type: {}`", Self::MEDIA_TYPE),
            ));
        }
        // It may hold a token in the wrong place, so nothing of it is repeated.
        serde_urlencoded::from_bytes(bytes).map(Self).map_err(|_| {
            let what = "the form lacks a field, or has one twice";
            Fault::new(StatusCode::BAD_REQUEST, "invalid_request", what, "see /v1/openapi.json for its fields")
        })
    }

    fn describe(schemas: &mut Schemas) -> Option<(Ref, Presence)> {
        Some((reference::<T>(schemas), Presence::Required))
    }
}

impl<T: DeserializeOwned + Default + ToSchema + Send + 'static> Takes for Maybe<T> {
    fn read(content_type: Option<&str>, bytes: &Bytes) -> Result<Self> {
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        Json::read(content_type, bytes).map(|Json(value)| Self(value))
    }

    fn describe(schemas: &mut Schemas) -> Option<(Ref, Presence)> {
        Some((reference::<T>(schemas), Presence::Optional))
    }
}

impl<T: DeserializeOwned + Send + 'static> Takes for Form<T> {
    fn read(_: Option<&str>, bytes: &Bytes) -> Result<Self> {
        // What is wrong is said without the values, which may be secrets.
        serde_urlencoded::from_bytes(bytes).map(Self).map_err(|_| {
            Fault::invalid("", "the form lacks a field, or one doesn't fit", "open the page again, and fill it in anew")
        })
    }

    fn describe(_: &mut Schemas) -> Option<(Ref, Presence)> {
        None
    }
}

impl Takes for Empty {
    fn read(_: Option<&str>, bytes: &Bytes) -> Result<Self> {
        // `{}` is what many programs send when they have nothing to say.
        let nothing = || serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(bytes);
        if bytes.iter().all(u8::is_ascii_whitespace) || nothing().is_ok_and(|fields| fields.is_empty()) {
            return Ok(Self);
        }
        Err(Fault::invalid("", "this takes no body", "send none"))
    }

    fn describe(_: &mut Schemas) -> Option<(Ref, Presence)> {
        None
    }
}

/// Malformed is 400; well-formed and of another shape is 422. The value is never repeated: it may be a secret.
fn of_json(path: &str, error: &serde_json::Error) -> Fault {
    let place = format!("line {}, column {}", error.line(), error.column());
    if error.is_data() {
        let field = if path == "." { "" } else { path };
        let what = without_values(&error.to_string());
        return Fault::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid",
            format!("the body doesn't fit: {what} ({place})"),
            "see /v1/openapi.json for its shape",
        )
        .of_field(field);
    }
    Fault::new(
        StatusCode::BAD_REQUEST,
        "bad_json",
        format!("the body is no JSON: it breaks off or goes wrong at {place}"),
        "send one JSON value",
    )
}

/// What serde says, without what it quotes: `invalid type: string "hunter2", expected u32` loses its string. Names of
/// fields and variants stand in backticks and stay, cut short.
fn without_values(said: &str) -> String {
    let said = said.split(" at line ").next().unwrap_or_default();
    let mut shown = String::new();
    let mut quoted = false;
    let mut escaped = false;
    for c in said.chars() {
        match (quoted, c) {
            (true, '"') if !escaped => {
                quoted = false;
                shown.push_str("...\"");
            }
            (true, c) => escaped = c == '\\' && !escaped,
            (false, '"') => {
                (quoted, escaped) = (true, false);
                shown.push('"');
            }
            (false, c) => shown.extend(c.escape_debug()),
        }
    }
    shown.replace("\\'", "'").chars().take(300).collect()
}

fn json_response<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => {
            let mut response = (status, body).into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(e) => {
            Fault::from(daypass_app::Problem::unavailable(format!("the answer can't be written: {e}"))).into_response()
        }
    }
}

impl<T: Serialize + ToSchema + Send + 'static> Gives for Json<T> {
    const STATUS: StatusCode = StatusCode::OK;

    fn respond(self) -> Response {
        json_response(Self::STATUS, &self.0)
    }

    fn describe(schemas: &mut Schemas) -> Option<(&'static str, Option<Ref>)> {
        Some(("application/json", Some(reference::<T>(schemas))))
    }
}

impl<T: Serialize + ToSchema + Send + 'static> Gives for Created<T> {
    const STATUS: StatusCode = StatusCode::CREATED;

    fn respond(self) -> Response {
        json_response(Self::STATUS, &self.0)
    }

    fn describe(schemas: &mut Schemas) -> Option<(&'static str, Option<Ref>)> {
        Json::<T>::describe(schemas)
    }
}

impl Gives for Done {
    const STATUS: StatusCode = StatusCode::NO_CONTENT;

    fn respond(self) -> Response {
        Self::STATUS.into_response()
    }

    fn describe(_: &mut Schemas) -> Option<(&'static str, Option<Ref>)> {
        None
    }
}

impl Gives for Raw {
    const STATUS: StatusCode = StatusCode::OK;

    fn respond(self) -> Response {
        self.0
    }

    fn describe(_: &mut Schemas) -> Option<(&'static str, Option<Ref>)> {
        // Each such route says its own in its table entry.
        Some(("*/*", None))
    }
}

impl Raw {
    /// Bytes of a media type.
    #[must_use]
    pub fn of(media_type: &'static str, body: impl IntoResponse) -> Self {
        let mut response = body.into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        Self(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use daypass_api::{requests::NewRequest, signin::SignIn};

    fn fault<T: Takes>(text: &str) -> Fault {
        match T::read(Some("application/json; charset=utf-8"), &Bytes::copy_from_slice(text.as_bytes())) {
            Ok(_) => panic!("it must be refused"),
            Err(fault) => fault,
        }
    }

    #[test]
    fn the_wrong_field_is_named_and_its_value_is_not() {
        for (text, status, field, says) in [
            (r#"{"resource":"db","role":"r","duration_s":"hunter2"}"#, 422, Some("duration_s"), "expected u32"),
            (r#"{"resource":"db","role":"r","duration_s":1.5}"#, 422, Some("duration_s"), "u32"),
            (r#"{"resource":"db","role":"r"}"#, 422, None, "`duration_s`"),
            (r#"{"resource":"db","role":"r","duration_s":1,"surprise":2}"#, 422, Some("surprise"), "`surprise`"),
            (r#"["db","r",1]"#, 422, None, "expected struct NewRequest"),
            (r#"{"resource":"db","#, 400, None, "no JSON"),
            (r#"{"resource":"db","role":"r","duration_s":1} {}"#, 400, None, "no JSON"),
            ("", 400, None, "no JSON"),
        ] {
            let problem = fault::<Json<NewRequest>>(text).problem().clone();
            assert_eq!(problem.status, status, "{text}: {problem:?}");
            assert_eq!(problem.field.as_deref(), field, "{text}");
            assert!(problem.detail.contains(says), "{text}: {}", problem.detail);
        }
    }

    #[test]
    fn secrets_in_the_wrong_place_are_not_repeated() {
        for text in [
            r#"{"name":"alice","password":"x","code":{"deep":"hunter2"}}"#,
            r#"{"name":["hunter2"],"password":"x"}"#,
            r#""hun\"ter2""#,
        ] {
            let problem = fault::<Json<SignIn>>(text).problem().clone();
            assert!(!format!("{problem:?}").contains("ter2"), "{problem:?}");
        }
    }

    #[test]
    fn other_media_types_are_refused() {
        for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data")] {
            let refused = Json::<NewRequest>::read(kind, &Bytes::from_static(b"{}")).err().map(|f| f.status());
            assert_eq!(refused, Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), "{kind:?}");
        }
    }

    #[test]
    fn no_body_is_nothing_or_an_empty_object() {
        for fine in ["", " ", "{}"] {
            assert!(Empty::read(None, &Bytes::copy_from_slice(fine.as_bytes())).is_ok(), "{fine}");
        }
        for bad in ["[]", "{\"a\":1}", "x"] {
            assert!(Empty::read(None, &Bytes::copy_from_slice(bad.as_bytes())).is_err(), "{bad}");
        }
    }
}
