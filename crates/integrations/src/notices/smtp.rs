//! Mail (RFC 5321): one message a person, in plain text, by `lettre` over rustls.
//!
//! TLS is required, by STARTTLS or from the first byte; without it only to this machine. Addresses and texts are made of
//! closed alphabets, and `lettre` encodes what goes into headers: no line can be hidden in one.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use daypass_domain::{MailAddress, Name, notice::Why};
use daypass_ports::{
    notices::{Addressee, Channel, Letter, NotSent, Reach, Words},
    secret::Credentials,
};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        Error,
        authentication::Credentials as Login,
        client::{Certificate, Tls, TlsParameters},
    },
};
use serde::Deserialize;

use super::BadSettings;
use crate::http::shown;

const PATIENCE: Duration = Duration::from_secs(15);

/// How mail is sent.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The server's name; its certificate must be for it.
    server: String,
    /// Its port; 587, or 465 where TLS is implicit.
    port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    tls: Protection,
    /// Whom mail comes from.
    from: MailAddress,
    /// As whom to sign in there, where that is needed.
    login: Option<LoginSettings>,
    /// Certificate authorities to believe beside the system's: a PEM file.
    authorities: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginSettings {
    user: String,
    /// The name that the password is bound to.
    credential: Name,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Protection {
    /// STARTTLS, required (RFC 3207).
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// None: to this machine only.
    LoopbackPlaintext,
}

/// A mail server.
pub struct Smtp {
    settings: Settings,
    tls: Tls,
    credentials: Arc<dyn Credentials>,
}

impl Smtp {
    pub(super) fn open(settings: Settings, credentials: Arc<dyn Credentials>) -> Result<Self, BadSettings> {
        let tls = match settings.tls {
            Protection::Starttls => Tls::Required(parameters(&settings)?),
            Protection::Implicit => Tls::Wrapper(parameters(&settings)?),
            Protection::LoopbackPlaintext => {
                let server = settings.server.as_str();
                if server != "localhost" && !server.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()) {
                    return Err(BadSettings(format!(
                        "smtp: without TLS mail goes to this machine only, not to {}: use starttls or implicit",
                        shown(server)
                    )));
                }
                Tls::None
            }
        };
        Ok(Self { settings, tls, credentials })
    }

    fn port(&self) -> u16 {
        self.settings.port.unwrap_or(match self.settings.tls {
            Protection::Starttls => 587,
            Protection::Implicit => 465,
            Protection::LoopbackPlaintext => 25,
        })
    }

    async fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, NotSent> {
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.settings.server.as_str())
            .port(self.port())
            .tls(self.tls.clone())
            .timeout(Some(PATIENCE));
        if let Some(login) = &self.settings.login {
            let secret = self.credentials.credential(&login.credential).await;
            let secret = secret.map_err(|e| NotSent::new(Why::NoCredential, e.to_string()))?;
            builder = builder.credentials(Login::new(login.user.clone(), secret.expose().to_owned()));
        }
        Ok(builder.build())
    }
}

fn parameters(settings: &Settings) -> Result<TlsParameters, BadSettings> {
    let bad = |why: String| BadSettings(format!("smtp: {why}"));
    let mut builder = TlsParameters::builder(settings.server.clone());
    if let Some(path) = &settings.authorities {
        let pem = std::fs::read(path).map_err(|e| bad(format!("{} can't be read: {e}", path.display())))?;
        let root = Certificate::from_pem(&pem).map_err(|e| bad(e.to_string()))?;
        builder = builder.add_root_certificate(root);
    }
    builder.build_rustls().map_err(|e| bad(e.to_string()))
}

#[async_trait]
impl Channel for Smtp {
    fn reach(&self) -> Reach {
        Reach::People
    }

    async fn send(&self, letter: &Letter) -> Result<(), NotSent> {
        let Addressee::Mail(to) = &letter.to else { return Err(Why::NoAddress.into()) };
        let message = message(letter, letter.words(), &self.settings.from, to)?;
        let sent = tokio::time::timeout(PATIENCE * 2, self.transport().await?.send(message)).await;
        sent.map_err(|_| NotSent::from(Why::TooSlow))?.map(drop).map_err(|e| not_sent(&e))
    }
}

fn message(letter: &Letter, words: Words, from: &MailAddress, to: &MailAddress) -> Result<Message, NotSent> {
    let bad = |e: &dyn std::fmt::Display| NotSent::new(Why::NotUnderstood, e.to_string());
    let mailbox = |address: &MailAddress| -> Result<Mailbox, NotSent> {
        Ok(Mailbox::new(None, address.as_str().parse().map_err(|e| bad(&e))?))
    };
    let text = format!("{}\n\n{}:\n{}\n", words.lines.join("\n"), words.button, letter.link);
    let made = u64::try_from(letter.made.micros()).unwrap_or(0);
    Message::builder()
        .from(mailbox(from)?)
        .to(mailbox(to)?)
        .subject(words.subject)
        .date(std::time::UNIX_EPOCH + Duration::from_micros(made))
        // The same at every try: a mail server that has it already may drop the second.
        .message_id(Some(format!("<{}@{}>", letter.id, letter.installation)))
        .header(ContentType::TEXT_PLAIN)
        .body(text)
        .map_err(|e| bad(&e))
}

/// Whether TLS is what failed, under an error of input and output: as when what answers speaks no TLS at all.
fn has_tls_within(error: &Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let wrapped = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if inner.is::<rustls::Error>() || wrapped.is_some_and(|within| within.is::<rustls::Error>()) {
            return true;
        }
        source = inner.source();
    }
    false
}

fn not_sent(error: &Error) -> NotSent {
    let code = error.status().map(u16::from);
    let why = match code {
        // RFC 4954, 6: what we sign in with isn't right, or too weak, or wanted.
        Some(530 | 534 | 535) => Why::CredentialRefused,
        Some(code) if error.is_permanent() => Why::Refused { code },
        Some(code) => Why::Later { code },
        None if error.is_timeout() => Why::TooSlow,
        None if error.is_tls() || has_tls_within(error) => Why::NotTrusted,
        // What a server says that knows no STARTTLS, or no way to sign in that we do.
        None if error.is_client() => Why::NotTrusted,
        None if error.is_response() => Why::NotUnderstood,
        None => Why::Unreachable,
    };
    NotSent::new(why, shown(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{super::letters, *};

    fn mail(letter: &Letter, words: Words) -> String {
        let address = |text: &str| text.parse::<MailAddress>().unwrap();
        let message = message(letter, words, &address("daypass@example.com"), &address("bob@example.com")).unwrap();
        String::from_utf8(message.formatted()).unwrap()
    }

    #[test]
    fn mails() {
        let all: Vec<String> = letters::some().iter().map(|letter| mail(letter, letter.words())).collect();
        insta::assert_snapshot!(all.join("\n--------\n").replace('\r', ""));
    }

    /// The names of the headers of a mail.
    fn headers(mail: &str) -> Vec<String> {
        let head = mail.split("\r\n\r\n").next().unwrap();
        let folded = |line: &&str| !line.starts_with([' ', '\t']);
        head.split("\r\n").filter(folded).map(|line| line.split(':').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn no_text_can_hide_a_header_in_a_mail() {
        let letter = &letters::some()[0];
        let usual = headers(&mail(letter, letter.words()));
        // Worse than any text of ours can be: names have no spaces, and subjects are made of names.
        for hidden in
            ["a\r\nBcc: eve@example.com", "a\nBcc: eve@example.com", "a\rBcc: e@e", letters::HOSTILE, "\r\n\r\nbody"]
        {
            let words = letter.words();
            let lines = vec![hidden.to_owned(), ".\r\n.".to_owned()];
            let mail = mail(letter, Words { subject: hidden.to_owned(), lines, button: words.button });
            assert_eq!(headers(&mail), usual, "{mail}");
            assert!(mail.contains("\r\n\r\n"), "{mail}");
        }
    }
}
