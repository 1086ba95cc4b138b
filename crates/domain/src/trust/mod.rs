//! Whose word is taken for who somebody is: identity providers for people, issuers of tokens for workloads.
//!
//! It decides who comes in, and as whom, so it is declared in a document and changes as everything does that decisions
//! read (I12).

mod claims;
mod issuer;

use std::collections::{BTreeMap, BTreeSet};

use crate::{Digest, Name};

pub use claims::{ATTRIBUTE_MAX, ATTRIBUTES_MAX, Attributes, BadAttribute, Claims};
pub use issuer::{Algorithm, BadIssuer, Issuer, IssuerUrl, Keys};

/// Everything that is trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Providers that people sign in by.
    pub providers: BTreeMap<Name, Provider>,
    /// Which tokens are which workloads.
    pub workloads: Vec<WorkloadTrust>,
}

/// A provider that people sign in by (OpenID Connect Core 1.0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// What it is called in "sign in with".
    pub title: String,
    /// Who it is.
    pub issuer: Issuer,
    /// As what it knows Daypass.
    pub client_id: String,
    /// How Daypass shows it that it is that.
    pub client: ClientProof,
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
}

impl Provider {
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
