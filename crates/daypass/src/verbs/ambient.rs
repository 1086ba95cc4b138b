//! Where a job runs there is a token of its own: GitHub gives one on demand, GitLab in a variable, Kubernetes in a file, SPIFFE
//! in files too, or a certificate with its key. A command that runs there, and as nobody else, signs in by it, and keeps
//! nothing (RFC 8693; RFC 8705).

use std::{path::PathBuf, sync::Arc, time::Duration};

use daypass_api::{SecretText, identity::TokenExchanged};
use rustls::{ClientConfig, RootCertStore};

use super::Context;
use crate::{
    client::{
        calls,
        http::Api,
        pin::{self, Svid},
        profile::{Passfile, Profile, Server},
    },
    failure::{Exit, Failure},
    say,
};

/// The token itself, as GitLab's `id_tokens` gives it.
const TOKEN: &str = "DAYPASS_ID_TOKEN";
/// A file that it is in.
const FILE: &str = "DAYPASS_ID_TOKEN_FILE";
/// The files of an X.509-SVID, PEM: the certificate with its chain, and its key.
const SVID: (&str, &str) = ("DAYPASS_SVID", "DAYPASS_SVID_KEY");
/// Where a volume of Kubernetes puts it, when nobody says otherwise.
const PROJECTED: &str = "/var/run/secrets/daypass/token";
/// Where GitHub gives one (Actions with `permissions: id-token: write`), and by what.
const GITHUB: (&str, &str) = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN");
/// For whom it is; the server's address when absent.
const AUDIENCE: &str = "DAYPASS_AUDIENCE";
/// Which workload, where a token could be that of several.
const WORKLOAD: &str = "DAYPASS_WORKLOAD";
/// The longest token that is read, in bytes: as long as the server takes.
const TOKEN_BYTES: usize = 16 * 1024;

/// The files of an X.509-SVID, where they are named on the command line.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct SvidArgs {
    /// Come in by this X.509-SVID, PEM with its chain, at the server's listener for workloads; or set DAYPASS_SVID
    #[arg(long, value_name = "FILE", requires = "svid_key")]
    svid: Option<PathBuf>,
    /// Its key, PEM; or set DAYPASS_SVID_KEY
    #[arg(long, value_name = "FILE", requires = "svid")]
    svid_key: Option<PathBuf>,
}

impl SvidArgs {
    fn source(&self) -> Option<Source> {
        let (Some(certificates), Some(key)) = (&self.svid, &self.svid_key) else { return None };
        Some(Source::Svid { certificates: certificates.clone(), key: key.clone() })
    }
}

/// Where what shows who one is comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    Svid { certificates: PathBuf, key: PathBuf },
    Variable(String),
    File(PathBuf),
    Github { url: String, bearer: String },
}

/// Comes in by what is where this runs: when nobody is signed in here, and there is something. What the command line names
/// goes before what the environment does.
pub async fn come_in(context: &Context, named: Option<&SvidArgs>) -> Result<(), Failure> {
    let named = named.and_then(SvidArgs::source);
    if told_a_token() || context.profile.sign_in().is_ok() {
        return match named {
            None => Ok(()),
            Some(_) => Err(Failure::new(
                Exit::Usage,
                "somebody is signed in here, and an X.509-SVID is for where nobody is",
                "`daypass logout`, unset DAYPASS_TOKEN, or set DAYPASS_PROFILE to another folder",
            )),
        };
    }
    if let Some(api) = by(&context.profile, named).await? {
        context.speak_as(api);
    }
    Ok(())
}

/// The server as whoever what is where this runs says, if there is something; nothing of it is kept.
pub async fn exchanged(profile: &Profile) -> Result<Option<Api>, Failure> {
    by(profile, None).await
}

async fn by(profile: &Profile, named: Option<Source>) -> Result<Option<Api>, Failure> {
    let Some(source) = named.or_else(|| source(variable, std::path::Path::new(PROJECTED).is_file())) else {
        return Ok(None);
    };
    let server = super::signin::known_or_told(profile).await?;
    let (api, got) = source.exchange(&server).await?;
    say::note(&format!("Signed in as the workload {} by {}.", say::shown(&got.workload), source.words()));
    Ok(Some(api.with_token(got.access_token.expose())))
}

/// Leaves nothing behind that opens anything, after a program that ran in a job. Without a sign-in and a token of ours, what is
/// kept here can only be a job's.
pub fn leave(context: &Context) -> Result<(), Failure> {
    if told_a_token() || context.profile.sign_in().is_ok() {
        return Ok(());
    }
    context.profile.forget_passfile(Passfile::Token)
}

fn told_a_token() -> bool {
    variable("DAYPASS_TOKEN").is_some()
}

/// What the environment says, where it says something.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The first that there is: what somebody set on purpose before what is there anyway.
fn source(variable: impl Fn(&str) -> Option<String>, projected: bool) -> Option<Source> {
    if let (Some(certificates), Some(key)) = (variable(SVID.0), variable(SVID.1)) {
        return Some(Source::Svid { certificates: certificates.into(), key: key.into() });
    }
    if let Some(token) = variable(TOKEN) {
        return Some(Source::Variable(token));
    }
    if let Some(path) = variable(FILE) {
        return Some(Source::File(path.into()));
    }
    if let (Some(url), Some(bearer)) = (variable(GITHUB.0), variable(GITHUB.1)) {
        return Some(Source::Github { url, bearer });
    }
    projected.then(|| Source::File(PROJECTED.into()))
}

impl Source {
    fn words(&self) -> &'static str {
        match self {
            Self::Svid { .. } => "its X.509-SVID",
            Self::Variable(_) => TOKEN,
            Self::File(_) => "the token of this service account",
            Self::Github { .. } => "the token of this job",
        }
    }

    /// A token of ours, and whom to speak with by it: what is bound to a certificate goes with that certificate.
    async fn exchange(&self, server: &Server) -> Result<(Api, TokenExchanged), Failure> {
        let workload = variable(WORKLOAD);
        if let Self::Svid { certificates, key } = self {
            let svid = Svid::read(certificates, key)?;
            let api = Api::over(&server.url, pin::under_authority_showing(&server.authority_pem, svid)?)?;
            let got = calls::exchange_certificate(&api, workload).await?;
            return Ok((api, got));
        }
        let api = Api::anonymous(server)?;
        let audience = variable(AUDIENCE).unwrap_or_else(|| server.url.clone());
        let got = calls::exchange(&api, &self.token(&audience).await?, workload).await?;
        Ok((api, got))
    }

    async fn token(&self, audience: &str) -> Result<SecretText, Failure> {
        let text = match self {
            Self::Svid { .. } => return Err(Failure::setting("a certificate is no token")),
            Self::Variable(token) => token.clone(),
            Self::File(path) => std::fs::read_to_string(path).map_err(|e| Failure::file(path, &e))?,
            Self::Github { url, bearer } => from_github(url, bearer, audience).await?,
        };
        let text = text.trim();
        if text.is_empty() || text.len() > TOKEN_BYTES {
            return Err(Failure::setting(format!("{} gives no token", self.words())));
        }
        Ok(SecretText::new(text.to_owned()))
    }
}

/// Asks GitHub for a token of the job (GitHub: "OpenID Connect reference").
async fn from_github(url: &str, bearer: &str, audience: &str) -> Result<String, Failure> {
    let away = |why: String| {
        let what = format!("the token of this job can't be had: {}", say::shown(&why));
        Failure::new(Exit::Unavailable, what, "see that the job has `permissions: id-token: write`")
    };
    let mut address = reqwest::Url::parse(url).map_err(|e| away(e.to_string()))?;
    address.query_pairs_mut().append_pair("audience", audience);
    let answer = client()?.get(address).bearer_auth(bearer).timeout(Duration::from_secs(30)).send();
    let answer = answer.await.map_err(|e| away(e.without_url().to_string()))?;
    if !answer.status().is_success() {
        return Err(away(format!("GitHub answers {}", answer.status())));
    }
    let body: serde_json::Value = answer.json().await.map_err(|e| away(e.without_url().to_string()))?;
    match body["value"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => Err(away("GitHub's answer has no token".to_owned())),
    }
}

fn client() -> Result<reqwest::Client, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.map_err(Failure::setting)?.with_root_certificates(roots).with_no_client_auth();
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls);
    builder.redirect(reqwest::redirect::Policy::none()).build().map_err(Failure::setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_on_purpose_goes_before_what_is_there_anyway() {
        let with = |set: &'static [&'static str]| move |name: &str| set.contains(&name).then(|| name.to_lowercase());
        assert_eq!(source(with(&[]), false), None);
        assert_eq!(source(with(&[]), true), Some(Source::File(PROJECTED.into())));
        assert_eq!(source(with(&[GITHUB.0]), false), None);
        assert!(matches!(source(with(&[GITHUB.0, GITHUB.1]), true), Some(Source::Github { .. })));
        assert!(
            matches!(source(with(&[GITHUB.0, GITHUB.1, FILE]), true), Some(Source::File(path)) if path != std::path::Path::new(PROJECTED))
        );
        assert!(matches!(source(with(&[GITHUB.0, GITHUB.1, FILE, TOKEN]), true), Some(Source::Variable(_))));
        // Half of a certificate and its key is none; both go before a token, which anybody could have read.
        assert_eq!(source(with(&[SVID.0]), false), None);
        assert!(matches!(source(with(&[SVID.0, SVID.1, TOKEN]), true), Some(Source::Svid { .. })));
    }
}
