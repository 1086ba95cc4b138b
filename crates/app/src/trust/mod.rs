//! Whose word is taken for who somebody is: declared in one document, and changed as everything that decisions read (I12).
//!
//! What isn't declared any more takes with it what rested on it: sign-ins by a provider that goes, tokens that were given
//! for a trust that goes.

mod document;
mod lockout;
mod presets;
mod spiffe;
mod words;

use daypass_domain::{
    Digest,
    principal::{ADMINISTRATORS, Actor, Group, Kind, Principal},
    trust::{ClientProof, Trust},
};
use daypass_ports::{
    record::{Commit, Kind as RowKind, Read},
    rows::{SignIn, SignInWord, Token, TokenOrigin, TrustDocument},
};

use crate::{
    App, Problem, Result,
    changes::{Base, Mode, Outcome, Prepared, Proposal, Proposed, TRUST},
};

pub use document::TRUST_MAX;

impl App {
    /// Declares whose word is taken, or says what that would do. // I12
    ///
    /// # Errors
    /// When the document can't be understood, names what doesn't exist, or policy doesn't permit it.
    pub async fn apply_trust(&self, actor: &Actor, file: &str, text: &str, mode: Mode) -> Result<Proposed> {
        let proposal = Proposal::Trust { file: file.to_owned(), text: text.to_owned() };
        match mode {
            Mode::Apply => self.propose(actor, proposal).await,
            Mode::DryRun => {
                let plan = self.preview(actor, &proposal).await?;
                Ok(Proposed { outcome: Outcome::NothingToDo, plan, handed: crate::changes::Handed::Nothing })
            }
        }
    }

    /// The document that is in force, as it was declared; empty when none is.
    ///
    /// # Errors
    /// When who asks may not administer it.
    pub async fn trust_document(&self, actor: &Actor) -> Result<String> {
        self.may_administer(actor, TRUST).await?;
        Ok(self.trust_row().await?.map(|row| row.value.text).unwrap_or_default())
    }

    async fn trust_row(&self) -> Result<Option<Read<TrustDocument>>> {
        Ok(self.store_ref().get::<TrustDocument>(TrustDocument::ID).await?)
    }

    /// Whose word is taken now. The commit that rests on it fails when that changes meanwhile.
    pub(crate) async fn trust(&self, commit: &mut Commit) -> Result<Trust> {
        let Some(row) = self.trust_row().await? else {
            commit.expect_none(RowKind::Setting, TrustDocument::ID);
            return Ok(Trust::default());
        };
        commit.expect(&row);
        document::read("the trust in force", &row.value.text)
    }

    /// The rows of a document, for [`crate::changes`].
    pub(crate) async fn plan_trust(&self, file: &str, text: &str) -> Result<Prepared> {
        let new = document::read(file, text)?;
        let row = self.trust_row().await?;
        let mut prepared = Prepared::default();
        let old = match &row {
            Some(row) => document::read("the trust in force", &row.value.text)?,
            None => {
                prepared.commit.expect_none(RowKind::Setting, TrustDocument::ID);
                Trust::default()
            }
        };
        prepared.base = Base::Trust { digest: row.as_ref().map(|row| row.value.digest) };
        self.check_trust(&new).await?;
        self.must_leave_a_way_in(&old, &new).await?;
        prepared.words = words::differences(&old, &new);
        if prepared.words.is_empty() {
            return Ok(prepared);
        }
        prepared.words.extend(self.warnings_of(&new).await);
        let next = TrustDocument { text: text.to_owned(), digest: Digest::of(text.as_bytes()) };
        match &row {
            Some(row) => prepared.commit.replace(row, &next),
            None => prepared.commit.put(&next),
        }
        self.end_what_rested(&old, &new, &mut prepared).await?;
        prepared.ids = vec![("trust", next.digest.to_string())];
        Ok(prepared)
    }

    /// Who is named must be there; and who administers Daypass is decided here.
    async fn check_trust(&self, trust: &Trust) -> Result<()> {
        let groups = self.store_ref().all::<Group>().await?;
        for group in trust.providers.values().flat_map(|provider| provider.groups.of.values()) {
            if group.as_str() == ADMINISTRATORS {
                return Err(Problem::invalid(
                    "administrators_are_ours",
                    "no provider decides who administers Daypass",
                    format!("take `{ADMINISTRATORS}` out of the mapping, and add its members by hand"),
                ));
            }
            if !groups.iter().any(|g| g.value.name == *group) {
                return Err(Problem::invalid(
                    "unknown_group",
                    format!("the mapping names the group `{group}`, and there is none"),
                    format!("make it with `daypass group create {group}`"),
                ));
            }
        }
        let principals = self.store_ref().all::<Principal>().await?;
        let is_workload = |p: &Principal| match p.kind {
            Kind::User => false,
            Kind::Workload { .. } => true,
        };
        let of_tokens = trust.workloads.iter().map(|trusted| &trusted.workload);
        for name in of_tokens.chain(trust.spiffe.iter().map(|trusted| &trusted.workload)) {
            if !principals.iter().any(|p| p.value.name == *name && is_workload(&p.value)) {
                return Err(Problem::invalid(
                    "unknown_workload",
                    format!("somebody is trusted as the workload `{name}`, and there is none"),
                    format!("make it with `daypass workload create {name} --owner USER`"),
                ));
            }
        }
        Ok(())
    }

    /// What may not be meant.
    async fn warnings_of(&self, trust: &Trust) -> Vec<String> {
        let mut warnings = Vec::new();
        for (name, provider) in &trust.providers {
            for group in provider.groups.of.values() {
                if crate::changes::leaving_may_give(self.policy().files(), group) {
                    warnings.push(format!(
                        "mind that a policy holds `{group}` against its members: whoever `{name}` takes out of it gains"
                    ));
                }
            }
            for client in provider.clients() {
                if let ClientProof::Secret(credential) = &client.proof
                    && let Err(error) = self.credentials.credential(credential).await
                {
                    warnings.push(format!("mind that nobody can sign in by `{name}` yet: {error}"));
                }
            }
        }
        warnings
    }

    /// Ends the sign-ins and tokens that rested on what isn't trusted any more, or not in the same way.
    async fn end_what_rested(&self, old: &Trust, new: &Trust, prepared: &mut Prepared) -> Result<()> {
        let (mut signed_in, mut tokens) = (0, 0);
        for row in self.store_ref().all::<SignIn>().await? {
            let SignInWord::Provider { provider, .. } = &row.value.word else { continue };
            // The one whose word it is, known to it as the same: whoever is in by the pages or by a program.
            let known = |trust: &Trust| {
                trust.providers.get(provider).map(|p| {
                    let ids: Vec<String> = p.clients().map(|client| client.id.clone()).collect();
                    (p.issuer.clone(), ids)
                })
            };
            if known(old) != known(new) {
                signed_in += 1;
                prepared.commit.delete(&row);
                self.drop_connection_secret(row.value.principal, &mut prepared.commit).await?;
            }
        }
        let standing = new.standing();
        for row in self.store_ref().all::<Token>().await? {
            let TokenOrigin::Exchanged { trust, .. } = &row.value.origin else { continue };
            if !standing.contains(trust) {
                tokens += 1;
                prepared.commit.delete(&row);
                self.drop_connection_secret(row.value.principal, &mut prepared.commit).await?;
            }
        }
        if signed_in > 0 {
            prepared.words.push(format!("end {signed_in} sign-ins that rested on it"));
        }
        if tokens > 0 {
            prepared.words.push(format!("end {tokens} tokens that rested on it"));
        }
        Ok(())
    }
}
