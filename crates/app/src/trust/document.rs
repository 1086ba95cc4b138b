//! The document that declares whose word is taken: TOML, of which nothing is skipped that isn't understood.
//!
//! ```toml
//! [provider.corp]                      # people sign in by it
//! title = "Example Corp"
//! issuer = "https://login.example.com"
//! client_id = "daypass"
//! client_secret = "corp-oidc"          # a name that the server's own configuration binds; absent for a public client
//! cli = { client_id = "daypass-cli" }  # where the command line is a client of its own there; a secret as above
//! scopes = ["profile", "groups"]       # beside openid
//! name_claim = "preferred_username"    # who somebody is, at their first sign-in by it
//! name_domain = "example.com"          # what must follow the @, and is cut off
//! provision = "never"                  # or at_first_sign_in: whoever isn't known becomes a user
//! groups_claim = "groups"
//! groups = { "Database team" = "dba" } # which groups here follow its word
//! second_factor = { amr = ["mfa", "hwk"], acr = [] }
//!
//! [[workload]]                         # a token that says all this is of this workload
//! workload = "deployer"
//! preset = "github"                    # github, gitlab or kubernetes; none for any other issuer
//! audience = "https://daypass.example.com:7443"
//! match = { repository = "acme/shop", ref = ["refs/heads/main"] }
//! attributes = { branch = "ref" }      # what policy reads; the preset's when absent
//!
//! [trust_domain."prod.example.org"]    # SPIFFE: where its authorities are found
//! bundle_endpoint = "https://spire.example.org:8443"
//! # or bundle = '''{"keys": [...]}'''
//!
//! [[workload]]                         # whoever shows one of these identities is this workload
//! workload = "nightly"
//! spiffe_id = ["spiffe://prod.example.org/ns/shop/sa/nightly", "spiffe://prod.example.org/batch/*"]
//! audience = "https://daypass.example.com:7443" # of JWT-SVIDs; absent, only X.509-SVIDs are taken
//!
//! # Of both: issuer, algorithms (["RS256"] when absent), authorities (PEM), and of workloads keys (a JWK set).
//! ```

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::{
    Name,
    trust::{
        ATTRIBUTES_MAX, Algorithm, ClientProof, GroupMapping, Issuer, IssuerUrl, Keys, Naming, OidcClient, Provider,
        Provision, SecondFactorWords, Trust, WorkloadTrust,
    },
};
use serde::Deserialize;

use super::{presets::Preset, spiffe::RawTrustDomain};
use crate::{Problem, Result};

/// The longest document, in bytes.
pub const TRUST_MAX: usize = 256 << 10;
const PROVIDERS_MAX: usize = 10;
const WORKLOADS_MAX: usize = 1_000;
const DOMAINS_MAX: usize = 20;
/// The longest text in it, other than keys and certificates.
const TEXT_MAX: usize = 512;
pub(super) const PEM_MAX: usize = 64 << 10;
pub(super) const LIST_MAX: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDocument {
    #[serde(default)]
    provider: BTreeMap<Name, RawProvider>,
    #[serde(default)]
    workload: Vec<RawWorkload>,
    #[serde(default)]
    trust_domain: BTreeMap<String, RawTrustDomain>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProvider {
    title: Option<String>,
    issuer: String,
    client_id: String,
    client_secret: Option<Name>,
    cli: Option<RawClient>,
    algorithms: Option<Vec<String>>,
    authorities: Option<String>,
    #[serde(default)]
    scopes: BTreeSet<String>,
    name_claim: Option<String>,
    name_domain: Option<String>,
    provision: Option<RawProvision>,
    groups_claim: Option<String>,
    #[serde(default)]
    groups: BTreeMap<String, Name>,
    #[serde(default)]
    second_factor: RawSecondFactor,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClient {
    client_id: String,
    client_secret: Option<Name>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawProvision {
    Never,
    AtFirstSignIn,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawSecondFactor {
    amr: BTreeSet<String>,
    acr: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWorkload {
    pub workload: Name,
    pub preset: Option<Preset>,
    pub issuer: Option<String>,
    pub audience: Option<String>,
    #[serde(rename = "match")]
    pub matches: Option<BTreeMap<String, OneOrMore>>,
    pub spiffe_id: Option<OneOrMore>,
    pub attributes: Option<BTreeMap<Name, String>>,
    pub algorithms: Option<Vec<String>>,
    pub authorities: Option<String>,
    pub keys: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMore {
    One(String),
    More(BTreeSet<String>),
}

impl OneOrMore {
    pub(super) fn all(self) -> BTreeSet<String> {
        match self {
            Self::One(value) => BTreeSet::from([value]),
            Self::More(values) => values,
        }
    }
}

/// Reads a document.
pub(super) fn read(file: &str, text: &str) -> Result<Trust> {
    let file: String = file.chars().take(200).flat_map(char::escape_debug).collect();
    let bad =
        |what: String| Problem::invalid("bad_trust", format!("{file}: {what}"), "correct that, and apply it again");
    if text.len() > TRUST_MAX {
        return Err(bad(format!("it is longer than {TRUST_MAX} bytes")));
    }
    let raw: RawDocument = toml::from_str(text).map_err(|e| bad(e.to_string()))?;
    if raw.provider.len() > PROVIDERS_MAX || raw.workload.len() > WORKLOADS_MAX {
        return Err(bad(format!("there are more than {PROVIDERS_MAX} providers or {WORKLOADS_MAX} workloads")));
    }
    if raw.trust_domain.len() > DOMAINS_MAX {
        return Err(bad(format!("there are more than {DOMAINS_MAX} trust domains")));
    }
    let mut trust = Trust::default();
    for (name, domain) in raw.trust_domain {
        let (name, bundle) = domain.check(&name).map_err(|why| bad(format!("the trust domain {name:?}: {why}")))?;
        trust.domains.insert(name, bundle);
    }
    for (name, provider) in raw.provider {
        let read = provider.check().map_err(|why| bad(format!("the provider `{name}`: {why}")))?;
        trust.providers.insert(name, read);
    }
    for workload in raw.workload {
        let name = workload.workload.clone();
        let bad = |why: String| bad(format!("the workload `{name}`: {why}"));
        if workload.spiffe_id.is_some() {
            trust.spiffe.push(super::spiffe::check(workload, &trust.domains).map_err(bad)?);
        } else {
            trust.workloads.push(workload.check().map_err(bad)?);
        }
    }
    Ok(trust)
}

pub(super) type Checked<T> = std::result::Result<T, String>;

impl RawProvider {
    fn check(self) -> Checked<Provider> {
        let title = self.title.unwrap_or_else(|| self.issuer.clone());
        let scopes = texts("scopes", self.scopes)?;
        if scopes.iter().any(|scope| scope.contains(char::is_whitespace)) {
            return Err("a scope has no spaces".to_owned());
        }
        if self.groups.len() > LIST_MAX {
            return Err(format!("there are more than {LIST_MAX} groups"));
        }
        let claim = |said: Option<String>, otherwise: &str| said.unwrap_or_else(|| otherwise.to_owned());
        Ok(Provider {
            title: text("title", title)?,
            issuer: issuer(&self.issuer, self.algorithms, self.authorities, Keys::Discovered)?,
            client: RawClient { client_id: self.client_id, client_secret: self.client_secret }.check()?,
            native: self.cli.map(RawClient::check).transpose()?,
            scopes,
            names: Naming {
                claim: text("name_claim", claim(self.name_claim, "preferred_username"))?,
                domain: self.name_domain.map(|domain| text("name_domain", domain)).transpose()?,
            },
            provision: match self.provision {
                Some(RawProvision::AtFirstSignIn) => Provision::AtFirstSignIn,
                Some(RawProvision::Never) | None => Provision::Never,
            },
            groups: GroupMapping {
                claim: text("groups_claim", claim(self.groups_claim, "groups"))?,
                of: self.groups.into_iter().map(|(k, v)| Ok((text("groups", k)?, v))).collect::<Checked<_>>()?,
            },
            second_factor: SecondFactorWords {
                amr: texts("second_factor.amr", self.second_factor.amr)?,
                acr: texts("second_factor.acr", self.second_factor.acr)?,
            },
        })
    }
}

impl RawClient {
    fn check(self) -> Checked<OidcClient> {
        let proof = self.client_secret.map_or(ClientProof::Public, ClientProof::Secret);
        Ok(OidcClient { id: text("client_id", self.client_id)?, proof })
    }
}

impl RawWorkload {
    fn check(self) -> Checked<WorkloadTrust> {
        let known = self.preset.and_then(Preset::issuer).map(ToOwned::to_owned);
        let url = self.issuer.or(known).ok_or("it names no issuer")?;
        let keys = match self.keys {
            None => Keys::Discovered,
            Some(set) if set.len() <= PEM_MAX && is_key_set(&set) => Keys::Given(set),
            Some(_) => return Err("its keys are no JWK set (RFC 7517)".to_owned()),
        };
        let mut matches = BTreeMap::new();
        for (claim, values) in self.matches.unwrap_or_default() {
            let values = values.all();
            if values.is_empty() {
                return Err(format!("`{claim}` is matched by nothing"));
            }
            matches.insert(text("match", claim)?, texts("match", values)?);
        }
        let apart = self.preset.map_or(&[][..], Preset::tells_apart);
        if matches.is_empty() || !(apart.is_empty() || apart.iter().any(|claim| matches.contains_key(*claim))) {
            let of = if apart.is_empty() { "a claim".to_owned() } else { format!("one of {}", apart.join(", ")) };
            return Err(format!("everybody whom the issuer knows would be it: match {of}"));
        }
        let attributes = match (self.attributes, self.preset) {
            (Some(said), _) => said,
            (None, Some(preset)) => preset.attributes().iter().map(|(n, c)| (plain(n), (*c).to_owned())).collect(),
            (None, None) => BTreeMap::new(),
        };
        if attributes.len() > ATTRIBUTES_MAX {
            return Err(format!("it has more than {ATTRIBUTES_MAX} attributes"));
        }
        Ok(WorkloadTrust {
            workload: self.workload,
            issuer: issuer(&url, self.algorithms, self.authorities, keys)?,
            audience: text("audience", self.audience.ok_or("it names no audience")?)?,
            matches,
            attributes,
        })
    }
}

fn plain(name: &'static str) -> Name {
    // Of the words of a preset, which are names; a test reads every preset.
    name.parse().unwrap_or_else(|_| unreachable!("a plain word is a name"))
}

fn issuer(url: &str, algorithms: Option<Vec<String>>, authorities: Option<String>, keys: Keys) -> Checked<Issuer> {
    let url: IssuerUrl = url.parse().map_err(|e: daypass_domain::trust::BadIssuer| e.to_string())?;
    let named = |word: String| {
        let all: Vec<&str> = Algorithm::ALL.iter().map(|a| a.as_str()).collect();
        Algorithm::named(&word).ok_or_else(|| format!("an algorithm is one of {}", all.join(", ")))
    };
    let algorithms = algorithms.unwrap_or_else(|| vec![Algorithm::Rs256.as_str().to_owned()]);
    let algorithms: BTreeSet<Algorithm> = algorithms.into_iter().map(named).collect::<Checked<_>>()?;
    if algorithms.is_empty() {
        return Err("it names no algorithm".to_owned());
    }
    if authorities.as_ref().is_some_and(|pem| pem.len() > PEM_MAX) {
        return Err(format!("its authorities have more than {PEM_MAX} bytes"));
    }
    Ok(Issuer { url, algorithms, keys, authorities })
}

fn is_key_set(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok_and(|set| set["keys"].is_array())
}

pub(super) fn text(field: &str, said: String) -> Checked<String> {
    if said.is_empty() || said.len() > TEXT_MAX || said.chars().any(char::is_control) {
        return Err(format!("`{field}` is 1 to {TEXT_MAX} bytes of visible text"));
    }
    Ok(said)
}

fn texts(field: &str, said: BTreeSet<String>) -> Checked<BTreeSet<String>> {
    if said.len() > LIST_MAX {
        return Err(format!("`{field}` lists more than {LIST_MAX}"));
    }
    said.into_iter().map(|one| text(field, one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(more: &str) -> Result<Trust> {
        read("trust.toml", &format!("[[workload]]\nworkload = 'deployer'\naudience = 'daypass'\n{more}"))
    }

    #[test]
    fn presets_say_what_is_the_same_for_everybody() {
        let github = workload("preset = 'github'\nmatch = { repository = 'acme/shop' }").unwrap();
        assert_eq!(github.workloads[0].issuer.url.as_str(), "https://token.actions.githubusercontent.com");
        assert_eq!(github.workloads[0].attributes[&"ref".parse().unwrap()], "ref");
        let gitlab = workload("preset = 'gitlab'\nmatch = { project_path = ['a/b', 'a/c'] }").unwrap();
        assert_eq!(gitlab.workloads[0].matches["project_path"].len(), 2);
        let cluster =
            "preset = 'kubernetes'\nissuer = 'https://k.example'\nmatch = { sub = 'system:serviceaccount:a:b' }";
        assert!(workload(cluster).is_ok());
    }

    #[test]
    fn what_would_let_in_everybody_is_refused() {
        for (more, words) in [
            ("preset = 'github'\nmatch = {}", "everybody whom the issuer knows"),
            ("preset = 'github'\nmatch = { ref = 'refs/heads/main' }", "match one of sub, repository"),
            ("issuer = 'https://i.example'\nmatch = {}", "match a claim"),
            ("issuer = 'https://i.example'\nmatch = { sub = [] }", "matched by nothing"),
            ("issuer = 'http://i.example'\nmatch = { sub = 'a' }", "https address"),
            ("match = { sub = 'a' }", "no issuer"),
            ("issuer = 'https://i.example'\nmatch = { sub = 'a' }\nalgorithms = ['HS256']", "an algorithm is one of"),
            ("issuer = 'https://i.example'\nmatch = { sub = 'a' }\nalgorithms = ['none']", "an algorithm is one of"),
            ("issuer = 'https://i.example'\nmatch = { sub = 'a' }\nalgorithms = []", "no algorithm"),
            ("issuer = 'https://i.example'\nmatch = { sub = 'a' }\nkeys = '[]'", "no JWK set"),
            ("issuer = 'https://i.example'\nmatch = { sub = 'a' }\nsecret = 'x'", "unknown field"),
        ] {
            let problem = workload(more).unwrap_err();
            assert!(problem.what.contains(words), "{more}: {}", problem.what);
        }
    }
}
