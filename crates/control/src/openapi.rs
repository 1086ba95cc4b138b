//! The OpenAPI 3.1 document, made from the table of routes.

use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        ComponentsBuilder, Content, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, PathsBuilder, Ref, RefOr,
        Required, ResponseBuilder, Schema,
        path::{Operation, OperationBuilder, ParameterBuilder, ParameterIn, PathItem},
        request_body::RequestBodyBuilder,
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    body::Presence,
    route::{Access, Audience, Face, Once, Route},
    routes::routes,
};

const BEARER: &str = "bearer";

/// The document. The version is the server's.
#[must_use]
pub fn openapi(version: &str) -> OpenApi {
    let routes: Vec<Route> = routes().into_iter().filter(|route| is_described(route.face)).collect();
    let mut components = ComponentsBuilder::new();
    let problem = daypass_api::Problem::name();
    components = components.schema(problem, daypass_api::Problem::schema());
    let mut paths = PathsBuilder::new();
    for route in &routes {
        for (name, schema) in &route.schemas {
            components = components.schema(name.clone(), schema.clone());
        }
        let method = match route.method.as_str() {
            "POST" => HttpMethod::Post,
            "PUT" => HttpMethod::Put,
            "DELETE" => HttpMethod::Delete,
            _ => HttpMethod::Get,
        };
        // OpenAPI has no name for a part of several segments; its readers take it for one.
        let path = route.path.replace("{*", "{");
        paths = paths.path(path, PathItem::new(method, operation(route)));
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The secret of a sign-in (POST /v1/signin) or of an API token (POST /v1/tokens)."));
    components = components.security_scheme(BEARER, SecurityScheme::Http(bearer.build()));
    let info = InfoBuilder::new().title("Daypass").version(version).description(Some(ABOUT)).build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components.build())).build()
}

const ABOUT: &str = "Just-in-time access. Times are RFC 3339, lengths of time whole seconds in fields that end in `_s`, \
    errors RFC 9457. A POST that changes something takes an `Idempotency-Key`, unless its answer may hold a secret: the \
    same key and request get the same answer for a day, with `Idempotency-Replayed: true`. Lists come in pages: ask with \
    `after` for what `next` says.";

fn operation(route: &Route) -> Operation {
    let mut operation = OperationBuilder::new()
        .operation_id(Some(operation_id(route)))
        .summary(Some(route.summary))
        .description(Some(description(route)))
        .tag(tag(route.path));
    for name in path_parts(route.path) {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let part = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        operation = operation.parameter(part.schema(Some(text)));
    }
    for parameter in &route.query {
        operation = operation.parameter(parameter.clone());
    }
    if matches!(route.once, Once::Kept | Once::KeptIfItCan) {
        let text = ObjectBuilder::new().schema_type(Type::String).max_length(Some(daypass_app::idempotency::KEY_MAX));
        let header = ParameterBuilder::new().name("Idempotency-Key").parameter_in(ParameterIn::Header);
        operation = operation.parameter(header.required(Required::False).schema(Some(text)));
    }
    if let Some((schema, presence)) = &route.takes {
        let required = match presence {
            Presence::Required => Required::True,
            Presence::Optional => Required::False,
        };
        let content = Content::new(Some(RefOr::<Schema>::Ref(schema.clone())));
        let body = RequestBodyBuilder::new().content(route.takes_media, content).required(Some(required));
        operation = operation.request_body(Some(body.build()));
    }
    operation = match route.access {
        // Pages aren't described here; were one, it would take no bearer secret.
        Access::Anybody | Access::Browser => operation.securities(Some(Vec::<SecurityRequirement>::new())),
        Access::Scope(_) => operation.security(SecurityRequirement::new(BEARER, Vec::<String>::new())),
    };
    let mut success = ResponseBuilder::new().description("Done.");
    if let Some((media_type, schema)) = &route.gives {
        let content = match schema {
            Some(schema) => Content::new(Some(RefOr::<Schema>::Ref(schema.clone()))),
            None => {
                Content::new(Some(RefOr::T(Schema::Object(ObjectBuilder::new().schema_type(Type::String).build()))))
            }
        };
        success = success.content(*media_type, content);
    }
    let refused = Content::new(Some(RefOr::<Schema>::Ref(Ref::from_schema_name(daypass_api::Problem::name()))));
    let refused = ResponseBuilder::new().description("Why not.").content(daypass_api::problem::MEDIA_TYPE, refused);
    operation.response(route.status.as_str(), success.build()).response("default", refused.build()).build()
}

fn description(route: &Route) -> String {
    let mut said = match route.access {
        Access::Anybody | Access::Browser => "Needs no bearer secret.".to_owned(),
        Access::Scope(scope) => format!("A token needs the scope `{}`.", scope.as_str()),
    };
    said.push_str(match route.audience {
        Audience::Everybody => "",
        Audience::Administrators => " For whom policy lets administer, or see what is others'.",
        Audience::People => " For people who signed in, never for tokens.",
        Audience::Connectors => " For the connectors of declared directories.",
    });
    if !route.writes.is_empty() {
        said.push_str(&format!(" May write: {}.", route.writes.join(", ")));
    }
    said.push_str(match route.once {
        Once::Refused => " Takes no idempotency key.",
        Once::Reads | Once::Kept | Once::KeptIfItCan | Once::Idempotent => "",
    });
    said
}

/// Pages aren't described here, and SCIM describes itself.
#[must_use]
pub const fn is_described(face: Face) -> bool {
    match face {
        Face::Programs | Face::Products => true,
        Face::People | Face::Directories | Face::Transmitters => false,
    }
}

/// `POST /v1/requests/{id}/approve` is `post_requests_id_approve`.
fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '.', '-']).map(|w| w.trim_matches(['{', '}', '*']));
    let words = words.filter(|w| !w.is_empty() && *w != "v1");
    std::iter::once(route.method.as_str().to_lowercase())
        .chain(words.map(ToOwned::to_owned))
        .collect::<Vec<_>>()
        .join("_")
}

fn tag(path: &str) -> String {
    if path.starts_with("/access/") {
        return "access".to_owned();
    }
    let mut parts = path.trim_start_matches("/v1").split('/').filter(|p| !p.is_empty());
    let first = parts.next().unwrap_or_default();
    if path.starts_with("/v1/") && !first.contains('.') { first.to_owned() } else { "server".to_owned() }
}

fn path_parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).map(|p| p.trim_start_matches('*'))
}
