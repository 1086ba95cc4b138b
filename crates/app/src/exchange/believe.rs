//! Which workload it is: under the one trust by which what it shows is good.

use daypass_domain::{
    Digest, Name, Time,
    trust::{Attributes, BadAttribute, SpiffeId, SpiffeTrust, SvidKind, Trust},
};
use daypass_ports::{
    identity::{Expected, IdentityError, TokenKind, X509Svid},
    record::Commit,
};
use daypass_wire::jwt::Unverified;

use super::{ExchangeInput, Proof, refused};
use crate::{App, Problem, Result};

/// A workload that was believed.
pub(super) struct Believed {
    pub workload: Name,
    /// What its token is told by: it is good while that stands.
    pub trust: Digest,
    pub attributes: Attributes,
    /// Who says so, for the entry.
    pub issuer: String,
    pub subject: String,
    pub bound: Option<Bound>,
}

/// What a token is bound to.
pub(super) struct Bound {
    pub certificate: Digest,
    pub ends: Time,
}

/// What came of looking under every trust that could be meant.
#[derive(Default)]
struct Found {
    all: Vec<Believed>,
    /// Why it is no good under one of them.
    why: Option<IdentityError>,
    /// Whether there was one at all.
    known: bool,
}

impl App {
    /// Under which trust it is good.
    pub(super) async fn believe(&self, input: &ExchangeInput, commit: &mut Commit) -> Result<Believed> {
        let trust = self.trust(commit).await?;
        let found = match &input.proof {
            Proof::Token(token) => self.by_token(&trust, input, token.expose()).await?,
            Proof::Certificates(chain) => self.by_certificates(&trust, input, chain).await?,
        };
        found.only()
    }

    async fn by_token(&self, trust: &Trust, input: &ExchangeInput, token: &str) -> Result<Found> {
        let read = Unverified::parse(token).map_err(|e| refused(format!("the token is refused: {e}")))?;
        let mut found = Found::default();
        let issuer = read.issuer().unwrap_or_default();
        for one in trust.of_issuer(issuer).filter(|one| input.means(&one.workload)) {
            found.known = true;
            let expected = Expected { kind: TokenKind::Workload, audience: &one.audience, now: self.now() };
            match self.identity.verify(&one.issuer, &expected, token).await {
                Ok(claims) if one.admits(&claims) => found.all.push(Believed {
                    workload: one.workload.clone(),
                    trust: one.digest(),
                    attributes: one.attributes_of(&claims).map_err(unreadable)?,
                    issuer: issuer.to_owned(),
                    subject: claims.text("sub").unwrap_or_default(),
                    bound: None,
                }),
                Ok(_) => {}
                Err(error) => found.why = Some(error),
            }
        }
        // A token may be both: of an issuer, and a JWT-SVID of whoever is behind it.
        let subject = read.claims.get("sub").and_then(serde_json::Value::as_str);
        if let Some(id) = subject.and_then(|subject| subject.parse::<SpiffeId>().ok()) {
            self.by_jwt_svid(trust, input, token, &id, &mut found).await?;
        }
        Ok(found)
    }

    async fn by_jwt_svid(
        &self,
        trust: &Trust,
        input: &ExchangeInput,
        token: &str,
        id: &SpiffeId,
        found: &mut Found,
    ) -> Result<()> {
        found.known |= trust.domains.contains_key(id.domain());
        for one in trust.of_spiffe_id(id).filter(|one| input.means(&one.workload)) {
            let Some(audience) = &one.audience else {
                let what = format!("the workload `{}` shows an X.509-SVID, and no token is taken for it", one.workload);
                found.why = Some(IdentityError::Refused(what));
                continue;
            };
            let expected = Expected { kind: TokenKind::JwtSvid, audience, now: self.now() };
            match self.identity.verify_jwt_svid(&trust.domains, &expected, token).await {
                Ok(id) => found.all.push(believed(trust, one, &id, SvidKind::Jwt, None)?),
                Err(error) => found.why = Some(error),
            }
        }
        Ok(())
    }

    async fn by_certificates(&self, trust: &Trust, input: &ExchangeInput, chain: &[Vec<u8>]) -> Result<Found> {
        let mut found = Found::default();
        let svid = self.identity.verify_x509_svid(&trust.domains, self.now(), chain).await;
        let X509Svid { id, ends } = svid.map_err(|error| match error {
            IdentityError::Refused(why) => refused(format!("the certificate is refused: {why}")),
            IdentityError::Unreachable { .. } | IdentityError::Unusable { .. } | IdentityError::Denied { .. } => {
                crate::signin::of_identity(error)
            }
        })?;
        found.known = true;
        let certificate = Digest::of(chain.first().map_or(&[][..], Vec::as_slice));
        for one in trust.of_spiffe_id(&id).filter(|one| input.means(&one.workload)) {
            found.all.push(believed(trust, one, &id, SvidKind::X509, Some(Bound { certificate, ends }))?);
        }
        Ok(found)
    }
}

impl ExchangeInput {
    /// Whether it could want to be this one.
    fn means(&self, workload: &Name) -> bool {
        self.workload.as_ref().is_none_or(|wanted| wanted == workload)
    }
}

impl Found {
    fn only(mut self) -> Result<Believed> {
        let several = self.all.iter().any(|one| self.all.iter().any(|other| one.workload != other.workload));
        match (self.all.pop(), self.why) {
            (Some(_), _) if several => Err(Problem::invalid(
                "several_workloads",
                "what was shown could be that of several workloads",
                "say which: `workload=NAME`",
            )),
            (Some(believed), _) => Ok(believed),
            (None, Some(error)) => Err(crate::signin::of_identity(error)),
            (None, None) if self.known => {
                Err(refused("nobody declared whose it is: no workload is whoever shows this".to_owned()))
            }
            (None, None) => Err(refused("nobody declared that tokens of its issuer are taken".to_owned())),
        }
    }
}

fn believed(
    trust: &Trust,
    one: &SpiffeTrust,
    id: &SpiffeId,
    shown: SvidKind,
    bound: Option<Bound>,
) -> Result<Believed> {
    Ok(Believed {
        workload: one.workload.clone(),
        trust: trust.digest_of(one),
        attributes: id.attributes(shown).map_err(unreadable)?,
        issuer: id.domain().to_string(),
        subject: id.to_string(),
        bound,
    })
}

fn unreadable(error: BadAttribute) -> Problem {
    refused(format!("of what it says, {error}"))
}
