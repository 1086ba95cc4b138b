//! What a document changes, for people: one line for each word that is taken from now on, and for each that isn't any more.

use std::collections::BTreeSet;

use daypass_domain::{
    Digest,
    trust::{ClientProof, Issuer, Keys, Provider, Provision, Trust, WorkloadTrust},
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
    people.chain(trust.workloads.iter().map(of_workload)).collect()
}

fn of_provider(name: &str, provider: &Provider) -> Vec<String> {
    let naming = match &provider.names.domain {
        Some(domain) => format!("`{}` at {}", Shown(&provider.names.claim), Shown(domain)),
        None => format!("`{}`", Shown(&provider.names.claim)),
    };
    let client = match &provider.client {
        ClientProof::Public => "without a secret".to_owned(),
        ClientProof::Secret(credential) => format!("by the credential `{credential}`"),
    };
    let mut lines = vec![format!(
        "people sign in by `{name}` ({}, shown as \"{}\"), as the client {} {client}, scopes {}; who they are is its {naming}",
        issuer(&provider.issuer),
        Shown(&provider.title),
        Shown(&provider.client_id),
        Shown(&joined(&provider.scopes)),
    )];
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
