//! What a document changes, for people: one line for each word that is taken from now on, and for each that isn't any more.

use std::collections::BTreeSet;

use daypass_domain::{
    Digest,
    trust::{
        Bundle, ClientProof, Issuer, Keys, OidcClient, Provider, Provision, SpiffeTrust, Trust, TrustDomain,
        WorkloadTrust,
    },
};
use daypass_ports::targets::Shown;

/// The lines; none when both say the same.
pub(super) fn differences(old: &Trust, new: &Trust) -> Vec<String> {
    let (was, is) = (lines(old), lines(new));
    let gone = was.difference(&is).map(|line| format!("from now on not any more: {line}"));
    gone.chain(is.difference(&was).cloned()).collect()
}

fn lines(trust: &Trust) -> BTreeSet<String> {
    let people = trust.providers.iter().flat_map(|(name, provider)| of_provider(name.as_str(), provider));
    let domains = trust.domains.iter().map(|(name, bundle)| of_domain(name, bundle));
    let workloads = trust.workloads.iter().map(of_workload);
    people.chain(workloads).chain(domains).chain(trust.spiffe.iter().map(of_spiffe)).collect()
}

fn of_provider(name: &str, provider: &Provider) -> Vec<String> {
    let naming = match &provider.names.domain {
        Some(domain) => format!("`{}` at {}", Shown(&provider.names.claim), Shown(domain)),
        None => format!("`{}`", Shown(&provider.names.claim)),
    };
    let mut lines = vec![format!(
        "people sign in by `{name}` ({}, shown as \"{}\"), as the client {}, scopes {}; who they are is its {naming}",
        issuer(&provider.issuer),
        Shown(&provider.title),
        client(&provider.client),
        Shown(&joined(&provider.scopes)),
    )];
    if let Some(native) = &provider.native {
        lines.push(format!("the command line signs people in by `{name}` as the client {}", client(native)));
    }
    match provider.provision {
        Provision::Never => {}
        Provision::AtFirstSignIn => lines.push(format!("whoever `{name}` names and nobody knows becomes a user")),
    }
    for (theirs, ours) in &provider.groups.of {
        let claim = &provider.groups.claim;
        let (claim, theirs) = (Shown(claim), Shown(theirs));
        lines.push(format!("who is in the group `{ours}`: whom `{name}` says to be in \"{theirs}\" by its `{claim}`"));
    }
    let words = &provider.second_factor;
    if !(words.amr.is_empty() && words.acr.is_empty()) {
        let (amr, acr) = (joined(&words.amr), joined(&words.acr));
        lines.push(format!("a second factor is what `{name}` calls amr {}, acr {}", Shown(&amr), Shown(&acr)));
    }
    lines
}

fn client(client: &OidcClient) -> String {
    let id = Shown(&client.id);
    match &client.proof {
        ClientProof::Public => format!("{id} without a secret"),
        ClientProof::Secret(credential) => format!("{id} by the credential `{credential}`"),
    }
}

fn of_domain(name: &TrustDomain, bundle: &Bundle) -> String {
    let place = match bundle {
        Bundle::Given(text) => format!("in the bundle {}", Digest::of(text.as_bytes())),
        Bundle::Endpoint { url, authorities } => {
            let by = authorities.as_ref().map(|pem| format!(", whose authorities are {}", Digest::of(pem.as_bytes())));
            format!("at {url}{}", by.unwrap_or_default())
        }
    };
    format!("who signs in the SPIFFE trust domain {name} stands {place}")
}

fn of_spiffe(trust: &SpiffeTrust) -> String {
    let ids: Vec<String> = trust.ids.iter().map(ToString::to_string).collect();
    let shown = match &trust.audience {
        Some(audience) => format!("by an X.509-SVID, or a JWT-SVID for \"{}\"", Shown(audience)),
        None => "by an X.509-SVID".to_owned(),
    };
    let ids = ids.join(" or ");
    format!("the workload `{}` is whoever shows to be {}, {shown}", trust.workload, Shown(&ids))
}

fn of_workload(trust: &WorkloadTrust) -> String {
    let matches: Vec<String> =
        trust.matches.iter().map(|(claim, values)| format!("{claim} = {}", joined(values))).collect();
    let reads: Vec<String> = trust.attributes.iter().map(|(name, claim)| format!("{name} = {claim}")).collect();
    format!(
        "the workload `{}` is whoever has a token of {} for \"{}\" that says {}; policy reads {}",
        trust.workload,
        issuer(&trust.issuer),
        Shown(&trust.audience),
        Shown(&matches.join(" and ")),
        Shown(&reads.join(", "))
    )
}

fn issuer(issuer: &Issuer) -> String {
    let algorithms: Vec<&str> = issuer.algorithms.iter().map(|a| a.as_str()).collect();
    let keys = match &issuer.keys {
        Keys::Discovered | Keys::OfTransmitter => String::new(),
        Keys::At(place) => format!(", keys at {place}"),
        Keys::Given(set) => format!(", keys {}", Digest::of(set.as_bytes())),
    };
    let authorities = issuer.authorities.as_ref().map(|pem| format!(", authorities {}", Digest::of(pem.as_bytes())));
    format!("{} by {}{keys}{}", issuer.url, algorithms.join(" or "), authorities.unwrap_or_default())
}

fn joined(all: &BTreeSet<String>) -> String {
    if all.is_empty() { "none".to_owned() } else { all.iter().cloned().collect::<Vec<_>>().join(" or ") }
}
