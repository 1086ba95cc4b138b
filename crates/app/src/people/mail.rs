//! Where people are told: mail addresses, by which chat services find them too.
//!
//! Setting or removing one is a change like any other (I12), one's own too. An address decides who is told, an invitation
//! may be sent to it, and an identity provider may know the person by it: so it is a claim about who somebody is, and who
//! types one proves nothing. Removing one keeps somebody from being told what they should see. Nothing is lost by waiting:
//! whoever has no address finds everything on the pages.

use daypass_domain::{MailAddress, Name, PrincipalId, principal::Principal};
use daypass_ports::{
    notices::Contact,
    record::{Read, Scope},
};

use crate::{App, Problem, Result, changes::Prepared};

impl App {
    pub(crate) async fn plan_set_mail(&self, name: &Name, mail: &MailAddress) -> Result<Prepared> {
        let user = self.user_named(name).await?;
        let known = self.contact(user.value.id).await?;
        if known.as_ref().is_some_and(|contact| contact.value.mail == *mail) {
            return Ok(Prepared::default());
        }
        self.mail_is_free(mail, &user.value).await?;
        let words = match &known {
            None => format!("tell `{name}` by mail to {mail}"),
            Some(contact) => format!("tell `{name}` by mail to {mail}, no longer to {}", contact.value.mail),
        };
        let mut prepared = prepared(&user, words);
        let contact = Contact { principal: user.value.id, mail: mail.clone() };
        match &known {
            None => prepared.commit.put(&contact),
            Some(known) => prepared.commit.replace(known, &contact),
        }
        Ok(prepared)
    }

    pub(crate) async fn plan_remove_mail(&self, name: &Name) -> Result<Prepared> {
        let user = self.user_named(name).await?;
        let Some(contact) = self.contact(user.value.id).await? else { return Ok(Prepared::default()) };
        let words = format!("forget the mail address of `{name}`, {}: they are told nothing by it", contact.value.mail);
        let mut prepared = prepared(&user, words);
        prepared.commit.delete(&contact);
        Ok(prepared)
    }

    /// Where somebody is told, if that is known.
    pub(crate) async fn contact(&self, whose: PrincipalId) -> Result<Option<Read<Contact>>> {
        Ok(self.store_ref().get::<Contact>(&whose.to_string()).await?)
    }

    /// An address stands for one person: two with the same couldn't be told apart by it. Case doesn't tell them apart,
    /// since most mail servers don't look at it.
    async fn mail_is_free(&self, mail: &MailAddress, user: &Principal) -> Result<()> {
        for other in self.store_ref().all::<Contact>().await? {
            if other.value.principal != user.id && other.value.mail.as_str().eq_ignore_ascii_case(mail.as_str()) {
                let holder = self.name_of(other.value.principal).await?;
                return Err(Problem::conflict(
                    "mail_taken",
                    format!("{mail} is the mail address of `{holder}`"),
                    format!(
                        "give `{}` another, or remove that one first: `daypass user mail {holder} --remove`",
                        user.name
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// What is said of an address is under the key of the person: erasing them erases it. // I9
fn prepared(user: &Read<Principal>, words: String) -> Prepared {
    let mut prepared = Prepared {
        words: vec![words],
        ids: vec![("subject_principal", user.value.id.to_string())],
        about: Scope::Subject(user.value.id),
        ..Prepared::default()
    };
    prepared.commit.expect(user);
    prepared
}
