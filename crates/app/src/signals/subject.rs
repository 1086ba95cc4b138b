//! Whom a signal is about: by what a provider and a directory have said of who is who, and by nothing else.
//!
//! | it names | it is |
//! | --- | --- |
//! | issuer and subject | who signed in by that provider as that subject; or the directory's user of that `externalId` |
//! | a mail address, an account | the directory's user of that `userName` |
//! | an opaque id | the directory's user of that `externalId`, or of the id that Daypass gave it |
//! | a session, and nobody | who signed in by the provider in that session |
//!
//! A mail address never means somebody by what a provider or a person says of their address: those can be chosen.

use std::collections::BTreeSet;

use daypass_domain::{Name, PrincipalId};
use daypass_ports::{
    directories::{Directory, DirectoryUser, directory_key},
    record::Commit,
    rows::{Link, SignIn, key},
    signals::Declared,
};
use daypass_scim::User;
use daypass_wire::secevent::{Identifier, Subject};

use crate::{
    App, Result,
    signin::{session_digest, subject_digest},
};

/// Whom a signal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matched {
    Person(PrincipalId),
    Nobody,
    Several,
}

/// What a transmitter speaks of, as it stands now.
struct Known {
    /// What the provider calls itself.
    issuer: Option<String>,
    /// The issuers by whose subjects the directory's users are known: the provider's, and the transmitter's own.
    issuers: BTreeSet<String>,
    directory: Option<Directory>,
}

impl App {
    /// Whom a subject is, among those of whom the transmitter speaks.
    pub(super) async fn match_subject(&self, declared: &Declared, subject: &Subject) -> Result<Matched> {
        let known = self.known_of(declared).await?;
        let mut found = BTreeSet::new();
        match subject.person() {
            Some(Identifier::Aliases(all)) => {
                for one in all {
                    found.extend(self.identified(&known, one).await?);
                }
            }
            Some(one) => found.extend(self.identified(&known, one).await?),
            None => {}
        }
        if found.is_empty()
            && let (Some(issuer), Some(Identifier::Opaque(session))) = (&known.issuer, subject.session())
        {
            let session = session_digest(issuer, session).to_string();
            let rows = self.store_ref().find::<SignIn>(key::PROVIDER_SESSION, &session).await?;
            found.extend(rows.into_iter().map(|row| row.value.principal));
        }
        let mut each = found.into_iter();
        Ok(match (each.next(), each.next()) {
            (None, _) => Matched::Nobody,
            (Some(one), None) => Matched::Person(one),
            (Some(_), Some(_)) => Matched::Several,
        })
    }

    async fn known_of(&self, declared: &Declared) -> Result<Known> {
        let transmitter = &declared.transmitter;
        let trust = self.trust(&mut Commit::default()).await?;
        let provider = transmitter.provider.as_ref().and_then(|name| trust.providers.get(name));
        let issuer = provider.map(|provider| provider.issuer.url.as_str().to_owned());
        let issuers = issuer.iter().cloned().chain([transmitter.issuer.clone()]).collect();
        let directory = match &transmitter.directory {
            Some(name) => self.store_ref().get::<Directory>(name.as_str()).await?.map(|read| read.value),
            None => None,
        };
        Ok(Known { issuer, issuers, directory })
    }

    async fn identified(&self, known: &Known, identifier: &Identifier) -> Result<Option<PrincipalId>> {
        match identifier {
            Identifier::IssuerSubject { issuer, subject } => {
                if known.issuer.as_ref() == Some(issuer)
                    && let Some(who) = self.linked(issuer, subject).await?
                {
                    return Ok(Some(who));
                }
                match &known.directory {
                    Some(directory) if known.issuers.contains(issuer) => self.by_external_id(directory, subject).await,
                    Some(_) | None => Ok(None),
                }
            }
            Identifier::Email(name) | Identifier::Account(name) => match &known.directory {
                Some(directory) => Ok(self.user_said(directory, name).await?.map(|row| row.value.principal)),
                None => Ok(None),
            },
            Identifier::Opaque(id) => match &known.directory {
                Some(directory) => match self.by_our_id(&directory.name, id).await? {
                    Some(who) => Ok(Some(who)),
                    None => self.by_external_id(directory, id).await,
                },
                None => Ok(None),
            },
            Identifier::Aliases(_) | Identifier::Other { .. } => Ok(None),
        }
    }

    async fn linked(&self, issuer: &str, subject: &str) -> Result<Option<PrincipalId>> {
        let row = format!("link {}", subject_digest(issuer, subject));
        Ok(self.store_ref().get::<Link>(&row).await?.map(|link| link.value.principal))
    }

    async fn by_our_id(&self, directory: &Name, id: &str) -> Result<Option<PrincipalId>> {
        let row = self.store_ref().get::<DirectoryUser>(id).await?;
        Ok(row.filter(|row| row.value.directory == *directory).map(|row| row.value.principal))
    }

    /// What a directory calls its users by is sealed, so each is opened: signals are few.
    async fn by_external_id(&self, directory: &Directory, id: &str) -> Result<Option<PrincipalId>> {
        for row in self.store_ref().find::<DirectoryUser>(directory_key::DIRECTORY, directory.name.as_str()).await? {
            let said: User = self.said(row.value.principal.bytes(), &row.value.said)?;
            if said.external_id.as_deref() == Some(id) {
                return Ok(Some(row.value.principal));
            }
        }
        Ok(None)
    }
}
