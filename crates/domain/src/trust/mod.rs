//! Whose word is taken for who somebody is: identity providers for people, issuers of tokens for workloads.
//!
//! It decides who comes in, and as whom, so it is declared in a document and changes as everything does that decisions
//! read (I12).

mod claims;
mod issuer;
mod spiffe;

use std::collections::{BTreeMap, BTreeSet};

use crate::{Digest, Name};

pub use claims::{ATTRIBUTE_MAX, ATTRIBUTES_MAX, Attributes, BadAttribute, Claims};
pub use issuer::{Algorithm, BadIssuer, Issuer, IssuerUrl, Keys};
pub use spiffe::{
    BadSpiffeId, Bundle, IdPattern, SPIFFE_ID_MAX, SpiffeId, SpiffeTrust, SvidKind, TRUST_DOMAIN_MAX, TrustDomain,
};

/// Everything that is trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Providers that people sign in by.
    pub providers: BTreeMap<Name, Provider>,
    /// Which tokens are which workloads.
    pub workloads: Vec<WorkloadTrust>,
    /// SPIFFE's trust domains, and where their authorities are found.
    pub domains: BTreeMap<TrustDomain, Bundle>,
    /// Which of their identities are which workloads. Each is of a domain above.
    pub spiffe: Vec<SpiffeTrust>,
}

/// A provider that people sign in by (OpenID Connect Core 1.0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// What it is called in "sign in with".
    pub title: String,
    /// Who it is.
    pub issuer: Issuer,
    /// As what it knows Daypass: its pages, and its command line too where that has no client of its own.
    pub client: OidcClient,
    /// As what it knows the command line, where that is a client of its own: a native one (RFC 8252), while the pages may
    /// be one that keeps a secret.
    pub native: Option<OidcClient>,
    /// What is asked for beside `openid`.
    pub scopes: BTreeSet<String>,
    /// Who somebody is, at their first sign-in.
    pub names: Naming,
    /// Whether somebody who isn't known becomes known.
    pub provision: Provision,
    /// Which groups follow its word.
    pub groups: GroupMapping,
    /// What it must say for a second factor to count.
    pub second_factor: SecondFactorWords,
}

/// A client that a provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcClient {
    /// What it is called there.
    pub id: String,
    /// How it shows that it is that.
    pub proof: ClientProof,
}

/// How a client proves itself to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientProof {
    /// Not at all: a public client, by PKCE alone (RFC 7636).
    Public,
    /// By a secret, of which this is the credential's name in the server's own configuration. // I12
    Secret(Name),
}

/// How a claim becomes a user's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// Which claim: `preferred_username`, `email`.
    pub claim: String,
    /// What must follow the `@`, and is cut off; nothing is cut when absent.
    pub domain: Option<String>,
}

/// Whether somebody whom the provider names and nobody here knows becomes a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provision {
    /// No: an administrator makes users.
    Never,
    /// Yes, at their first sign-in.
    AtFirstSignIn,
}

/// Which groups follow the provider's word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupMapping {
    /// The claim that lists them.
    pub claim: String,
    /// From what the provider calls a group to what it is called here.
    pub of: BTreeMap<String, Name>,
}

/// What a provider must say for a second factor to count: any of these.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecondFactorWords {
    /// In `amr` (RFC 8176).
    pub amr: BTreeSet<String>,
    /// As `acr`.
    pub acr: BTreeSet<String>,
}

/// Which tokens of an issuer are which workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadTrust {
    /// The workload.
    pub workload: Name,
    /// Who issues its tokens.
    pub issuer: Issuer,
    /// For whom the tokens must be: what this installation calls itself there.
    pub audience: String,
    /// What they must say, exactly: a claim, and the values of which it must have one. At least one claim.
    pub matches: BTreeMap<String, BTreeSet<String>>,
    /// What policy reads of them: the name there, and the claim.
    pub attributes: BTreeMap<Name, String>,
}

impl Trust {
    /// The workloads that a token with these claims could be, by an issuer that it says it is of.
    pub fn of_issuer<'a>(&'a self, issuer: &'a str) -> impl Iterator<Item = &'a WorkloadTrust> {
        self.workloads.iter().filter(move |trust| trust.issuer.url.as_str() == issuer)
    }

    /// The workloads that a SPIFFE ID is.
    pub fn of_spiffe_id<'a>(&'a self, id: &'a SpiffeId) -> impl Iterator<Item = &'a SpiffeTrust> {
        self.spiffe.iter().filter(move |trust| trust.admits(id))
    }

    /// What a token that was given under it is told by: another trust, or another place for the domain's authorities, gives
    /// another.
    #[must_use]
    pub fn digest_of(&self, trust: &SpiffeTrust) -> Digest {
        let place = |domain: &TrustDomain| match self.domains.get(domain) {
            Some(Bundle::Endpoint { url, .. }) => Some(url.as_str()),
            Some(Bundle::Given(_)) | None => None,
        };
        let ids: Vec<_> = trust.ids.iter().map(|id| (id.to_string(), place(id.domain()))).collect();
        Digest::of_value("spiffe trust", &(trust.workload.as_str(), ids, &trust.audience))
    }

    /// What the tokens are told by that stand under it.
    #[must_use]
    pub fn standing(&self) -> BTreeSet<Digest> {
        let spiffe = self.spiffe.iter().map(|trust| self.digest_of(trust));
        self.workloads.iter().map(WorkloadTrust::digest).chain(spiffe).collect()
    }

    /// Whether somebody's accounts at an issuer are good to sign in by.
    #[must_use]
    pub fn signs_in_by(&self, issuer: Digest) -> bool {
        self.providers.values().any(|provider| provider.issuer.url.digest() == issuer)
    }
}

impl Provider {
    /// As what the command line is known.
    #[must_use]
    pub fn for_programs(&self) -> &OidcClient {
        self.native.as_ref().unwrap_or(&self.client)
    }

    /// All that it knows us as.
    pub fn clients(&self) -> impl Iterator<Item = &OidcClient> {
        std::iter::once(&self.client).chain(&self.native)
    }

    /// Whether what it said of a sign-in is a second factor: none is, where nothing is configured.
    #[must_use]
    pub fn shows_second_factor(&self, claims: &Claims) -> bool {
        let words = &self.second_factor;
        claims.texts("amr").iter().any(|said| words.amr.contains(*said))
            || claims.text("acr").is_some_and(|said| words.acr.contains(&said))
    }

    /// Whom the claims name, before anybody looks whether there is such a user.
    ///
    /// # Errors
    /// In words, what is wrong with what the provider says.
    pub fn name_of(&self, claims: &Claims) -> Result<Name, String> {
        let Naming { claim, domain } = &self.names;
        let said = claims.text(claim).ok_or_else(|| format!("it says no `{claim}`"))?;
        if claim == "email" && claims.text("email_verified").as_deref() != Some("true") {
            return Err("it doesn't say that the email address is verified".to_owned());
        }
        let local = match domain {
            None => said.as_str(),
            Some(domain) => match said.rsplit_once('@') {
                Some((local, at)) if at.eq_ignore_ascii_case(domain) => local,
                Some(_) | None => return Err(format!("its `{claim}` isn't one of {domain}")),
            },
        };
        local.to_ascii_lowercase().parse().map_err(|e: crate::BadName| e.to_string())
    }

    /// The groups here that the provider says somebody is in; of those that follow its word.
    ///
    /// # Errors
    /// In words, when it says that there are more than it says (`_claim_names`, OpenID Connect Core 1.0, 5.6.2).
    pub fn groups_of(&self, claims: &Claims) -> Result<BTreeSet<Name>, String> {
        if self.groups.of.is_empty() {
            return Ok(BTreeSet::new());
        }
        let claim = &self.groups.claim;
        if claims.has_elsewhere(claim) {
            return Err(format!("it keeps `{claim}` elsewhere, because there are too many to say"));
        }
        let said = claims.texts(claim);
        Ok(self
            .groups
            .of
            .iter()
            .filter(|(theirs, _)| said.contains(&theirs.as_str()))
            .map(|(_, g)| g.clone())
            .collect())
    }
}

impl WorkloadTrust {
    /// Whether the claims are those of this workload.
    #[must_use]
    pub fn admits(&self, claims: &Claims) -> bool {
        !self.matches.is_empty()
            && self.matches.iter().all(|(claim, values)| claims.text(claim).is_some_and(|said| values.contains(&said)))
    }

    /// What policy reads of the claims. A claim that the token hasn't is left out.
    ///
    /// # Errors
    /// When a claim can't be carried: left out, a policy that forbids by it would be passed.
    pub fn attributes_of(&self, claims: &Claims) -> Result<Attributes, BadAttribute> {
        let said = self.attributes.iter().filter(|(_, claim)| claims.says(claim));
        Attributes::new(said.map(|(name, claim)| (name.clone(), claims.text(claim))))
    }

    /// What tokens that were given under it are told by: another trust gives them another.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let issuer = self.issuer.url.as_str();
        let value = (self.workload.as_str(), issuer, &self.audience, &self.matches, &self.attributes);
        Digest::of_value("workload trust", &value)
    }
}

#[cfg(test)]
mod tests;
