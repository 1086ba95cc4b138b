//! The document's words about SPIFFE: trust domains, and which of their identities are which workload.

use std::collections::{BTreeMap, BTreeSet};

use daypass_domain::trust::{Bundle, IdPattern, SpiffeTrust, TrustDomain};
use daypass_wire::spiffe::Bundle as Said;
use serde::Deserialize;

use super::document::{Checked, LIST_MAX, PEM_MAX, RawWorkload, text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTrustDomain {
    bundle: Option<String>,
    bundle_endpoint: Option<String>,
    authorities: Option<String>,
}

impl RawTrustDomain {
    pub(super) fn check(self, name: &str) -> Checked<(TrustDomain, Bundle)> {
        let name: TrustDomain = name.parse().map_err(|e: daypass_domain::trust::BadSpiffeId| e.to_string())?;
        let bundle = match (self.bundle, self.bundle_endpoint, self.authorities) {
            (Some(text), None, None) => given(text)?,
            (None, Some(url), authorities) => {
                if authorities.as_ref().is_some_and(|pem| pem.len() > PEM_MAX) {
                    return Err(format!("its authorities have more than {PEM_MAX} bytes"));
                }
                let url = url.parse().map_err(|_| {
                    "a bundle endpoint is an https address without user, query or fragment (profile https_web)"
                        .to_owned()
                })?;
                Bundle::Endpoint { url, authorities }
            }
            (Some(_), Some(_), _) | (None, None, _) => {
                return Err("say one of `bundle` and `bundle_endpoint`: where its authorities are found".to_owned());
            }
            (Some(_), None, Some(_)) => {
                return Err("`authorities` are of the endpoint's own certificate; a `bundle` has none".to_owned());
            }
        };
        Ok((name, bundle))
    }
}

fn given(text: String) -> Checked<Bundle> {
    let said = Said::parse(&text).map_err(|e| format!("its bundle is no SPIFFE bundle: {e}"))?;
    if said.is_empty() {
        return Err("its bundle has no authority: none with `use` `x509-svid` and one certificate, and none with \
                    `use` `jwt-svid` and a `kid`"
            .to_owned());
    }
    Ok(Bundle::Given(text))
}

/// Which identities are a workload.
pub(super) fn check(raw: RawWorkload, domains: &BTreeMap<TrustDomain, Bundle>) -> Checked<SpiffeTrust> {
    let of_tokens = raw.preset.is_some()
        || raw.issuer.is_some()
        || raw.matches.is_some()
        || raw.attributes.is_some()
        || raw.algorithms.is_some()
        || raw.authorities.is_some()
        || raw.keys.is_some();
    if of_tokens {
        return Err(
            "beside `spiffe_id` there is `audience` and nothing else: its trust domain says the rest, and what \
                    policy reads is `spiffe_id`, `trust_domain`, `path` and `svid`"
                .to_owned(),
        );
    }
    let said = raw.spiffe_id.map(super::document::OneOrMore::all).unwrap_or_default();
    if said.is_empty() || said.len() > LIST_MAX {
        return Err(format!("`spiffe_id` lists 1 to {LIST_MAX}"));
    }
    let mut ids = BTreeSet::new();
    for text in said {
        let id: IdPattern = text.parse().map_err(|e| format!("{text:?}: {e}"))?;
        if !domains.contains_key(id.domain()) {
            let domain = id.domain();
            return Err(format!("nothing declares the trust domain {domain}: add [trust_domain.\"{domain}\"]"));
        }
        ids.insert(id);
    }
    let audience = raw.audience.map(|audience| text("audience", audience)).transpose()?;
    Ok(SpiffeTrust { workload: raw.workload, ids, audience })
}

#[cfg(test)]
mod tests {
    use daypass_domain::trust::Trust;

    use super::super::document::read;

    const DOMAIN: &str = "[trust_domain.'example.org']\nbundle_endpoint = 'https://spire.example.org:8443/bundle'\n";

    fn words(text: &str) -> Result<Trust, String> {
        read("trust.toml", text).map_err(|problem| problem.what)
    }

    fn workload(more: &str) -> Result<Trust, String> {
        words(&format!("{DOMAIN}[[workload]]\nworkload = 'nightly'\n{more}"))
    }

    #[test]
    fn identities_are_named_with_their_domain() {
        let trust = workload("spiffe_id = ['spiffe://example.org/a', 'spiffe://example.org/b/*']").unwrap();
        let shown: Vec<String> = trust.spiffe[0].ids.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["spiffe://example.org/a", "spiffe://example.org/b/*"]);
        assert_eq!(trust.spiffe[0].audience, None);
        assert!(trust.workloads.is_empty());
        let bundle = "[trust_domain.'example.org']\nbundle = '{\"keys\":[{\"use\":\"jwt-svid\",\"kid\":\"a\"}]}'";
        assert!(words(bundle).is_ok());
    }

    #[test]
    fn what_would_let_in_everybody_or_nobody_is_refused() {
        for (more, why) in [
            ("spiffe_id = 'spiffe://example.org/*'", "with a path"),
            ("spiffe_id = []", "`spiffe_id` lists 1 to"),
            ("spiffe_id = 'spiffe://other.org/a'", "nothing declares the trust domain other.org"),
            ("spiffe_id = 'spiffe://example.org/a'\nissuer = 'https://i.example'", "and nothing else"),
            ("spiffe_id = 'spiffe://example.org/a'\nattributes = { a = 'b' }", "what policy reads"),
            ("spiffe_id = 'spiffe://example.org/../a'", ". or .."),
        ] {
            let said = workload(more).unwrap_err();
            assert!(said.contains(why), "{more}: {said}");
        }
        for (text, why) in [
            ("[trust_domain.'example.org']", "say one of"),
            ("[trust_domain.'Example.org']\nbundle_endpoint = 'https://i.example'", "a trust domain is"),
            ("[trust_domain.'example.org']\nbundle_endpoint = 'http://i.example'", "https_web"),
            ("[trust_domain.'example.org']\nbundle = '{\"keys\":[]}'", "no authority"),
            ("[trust_domain.'example.org']\nbundle = '[]'", "no SPIFFE bundle"),
            ("[trust_domain.'example.org']\nbundle = '{}'\nauthorities = 'x'", "endpoint's own"),
            ("[trust_domain.'example.org']\nbundle = '{}'\nbundle_endpoint = 'https://i.example'", "say one of"),
        ] {
            let said = words(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }
}
