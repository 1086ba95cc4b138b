//! Headers that every answer carries. Pages and their assets say some of them otherwise (`pages/shell.rs`).

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, header},
    middleware::Next,
    response::Response,
};

const ALWAYS: [(HeaderName, &str); 5] = [
    // Answers hold what only the caller may see.
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Adds them.
pub(crate) async fn add(request: Request, next: Next) -> Response {
    let local = is_local(request.headers().get(header::HOST));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // A browser that remembers this for `localhost` would break every other server on the machine.
    if !local {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

fn is_local(host: Option<&HeaderValue>) -> bool {
    let Some(host) = host.and_then(|h| h.to_str().ok()) else { return true };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_hosts_are_known() {
        for (host, local) in [
            ("localhost:8443", true),
            ("127.0.0.1:8443", true),
            ("[::1]:8443", true),
            ("daypass.example.com", false),
            ("localhost.example.com:1", false),
            ("[2001:db8::1]:8443", false),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_local(Some(&HeaderValue::from_static(host))), local, "{host}");
        }
    }
}
