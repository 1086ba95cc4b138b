//! Speaking HTTPS to a service that the configuration names.
//!
//! TLS always, but to loopback. No redirects, no proxies, no cookies; a limit on time and on the answer. A name is resolved
//! and a connection made only to public addresses, unless the configuration says that a private one is meant: so a typing
//! error, or somebody's DNS, doesn't make Daypass speak to what is behind it.

pub(crate) mod guard;

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use daypass_domain::{
    Span,
    notice::{Wait, Why},
};
use daypass_ports::notices::NotSent;
use reqwest::{StatusCode, Url, header::RETRY_AFTER};
use serde::Deserialize;

/// How long an exchange may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES: usize = 64 * 1024;

/// Where a service may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// At a public address.
    #[default]
    Public,
    /// At a private address too, or on this machine.
    Private,
}

/// How a service is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// Where it may be.
    pub network: Network,
    /// Certificate authorities to believe beside the system's: a PEM file.
    pub authorities: Option<PathBuf>,
}

/// A client of one service.
#[derive(Debug, Clone)]
pub struct Http {
    client: reqwest::Client,
    network: Network,
}

/// What a service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// How long it asks to be left alone.
    pub wait: Wait,
    /// Its body, as far as it was read.
    pub body: Vec<u8>,
}

impl Http {
    /// A client.
    ///
    /// # Errors
    /// When the authorities can't be read.
    pub fn new(reached: &Reached) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(crate::tls::client(reached.authorities.as_deref())?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(guard::Resolver(reached.network)))
            .user_agent("daypass")
            .connect_timeout(CONNECTING)
            .timeout(PATIENCE)
            .build()
            .map_err(|e| e.without_url().to_string())?;
        Ok(Self { client, network: reached.network })
    }

    /// Whether an address can be spoken to at all.
    ///
    /// # Errors
    /// When it is no URL, not TLS, or has an address in it that isn't allowed. The text never shows the URL: it may be a
    /// secret.
    pub fn check(&self, url: &str) -> Result<Url, NotSent> {
        let no = |why: &str| NotSent::new(Why::NotAllowed, why);
        let url = Url::parse(url).map_err(|_| no("the address is no URL"))?;
        let host = url.host_str().ok_or_else(|| no("the address has no host"))?;
        let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(no("the address has a password in it"));
        }
        let loopback = literal.is_some_and(|ip| ip.is_loopback()) || host == "localhost";
        match url.scheme() {
            "https" => {}
            "http" if loopback && self.network == Network::Private => {}
            _ => return Err(no("the address must begin with https://")),
        }
        // A name is looked at when it is resolved; an address in the URL isn't resolved.
        match literal {
            Some(ip) if !guard::allowed(self.network, ip) => Err(no("the address is a private one")),
            Some(_) | None => Ok(url),
        }
    }

    /// Sends JSON with headers, and reads the answer.
    ///
    /// # Errors
    /// When there was none.
    pub async fn post(&self, url: &str, headers: &[(&'static str, String)], body: String) -> Result<Answer, NotSent> {
        let mut request = self.client.post(self.check(url)?).header("content-type", "application/json").body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        self.exchange(request).await
    }

    /// Asks, and reads the answer.
    ///
    /// # Errors
    /// When there was none.
    pub async fn get(&self, url: &str, headers: &[(&'static str, String)]) -> Result<Answer, NotSent> {
        let mut request = self.client.get(self.check(url)?);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        self.exchange(request).await
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Answer, NotSent> {
        let mut answer = request.send().await.map_err(not_answered)?;
        let (status, wait) = (answer.status(), wait_in(&answer));
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(not_answered)? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, wait, body })
    }
}

impl Answer {
    /// That the service took what was sent.
    ///
    /// # Errors
    /// When its status says otherwise.
    pub fn taken(&self) -> Result<(), NotSent> {
        let code = self.status.as_u16();
        if self.status.is_success() {
            return Ok(());
        }
        let why = match code {
            408 | 425 | 429 | 500..=599 => Why::Later { code },
            _ => Why::Refused { code },
        };
        Err(NotSent { wait: self.wait, ..NotSent::new(why, shown(&String::from_utf8_lossy(&self.body))) })
    }
}

/// `Retry-After` in seconds (RFC 9110, 10.2.3); its other form, a date, is what nobody sends here.
fn wait_in(answer: &reqwest::Response) -> Wait {
    let asked = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<u32>().ok());
    asked.map_or(Wait::Usual, |seconds| Wait::AtLeast(Span::from_secs(seconds)))
}

/// What came from outside, for a log: one line, short, escaped.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}

fn not_answered(error: reqwest::Error) -> NotSent {
    // URLs may be secrets: they are taken out before anything is shown.
    let error = error.without_url();
    let mut said = error.to_string();
    let mut source = std::error::Error::source(&error);
    let (mut refused_address, mut tls) = (false, false);
    while let Some(inner) = source {
        refused_address |= inner.is::<guard::Private>();
        tls |= inner.is::<rustls::Error>();
        said = format!("{said}: {inner}");
        source = inner.source();
    }
    // The handshake's error may be wrapped in one of input and output, whose text is the same.
    tls |= said.contains("certificate") || said.contains("handshake");
    let why = if refused_address || said.contains(guard::PRIVATE) {
        Why::NotAllowed
    } else if error.is_timeout() {
        Why::TooSlow
    } else if tls {
        Why::NotTrusted
    } else {
        Why::Unreachable
    };
    NotSent::new(why, shown(&said))
}
