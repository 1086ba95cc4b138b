//! What is kept about notices: where people hear them, occasions, the outbox.

use daypass_domain::{
    MailAddress, PrincipalId,
    notice::{Hearer, KEPT_FOR, Notice, NoticeState, Occasion},
};
use serde::{Deserialize, Serialize};

use crate::{
    record::{Due, Kind, Stored},
    rows::key,
};

/// Where a person hears notices. A row of its own, under the principal's id: no decision reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Whose.
    pub principal: PrincipalId,
    /// Their mail address; chat services know them by it too.
    pub mail: MailAddress,
}

impl Stored for Contact {
    const KIND: Kind = Kind::Contact;
    fn row_id(&self) -> String {
        self.principal.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

impl Stored for Occasion {
    const KIND: Kind = Kind::Occasion;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    fn due(&self) -> Due {
        Due::At(self.due)
    }
}

impl Stored for Notice {
    const KIND: Kind = Kind::Notice;
    fn row_id(&self) -> String {
        self.id.to_string()
    }
    fn keys(&self) -> Vec<(&'static str, String)> {
        let mut keys = vec![(key::STATE, self.state.word().to_owned())];
        keys.extend(self.news.request().map(|request| (key::REQUEST, request.to_string())));
        match self.hearer {
            Hearer::Person { principal } => keys.push((key::PRINCIPAL, principal.to_string())),
            Hearer::Room => {}
        }
        keys
    }
    fn due(&self) -> Due {
        match self.state {
            NoticeState::Waiting { next, .. } => Due::At(next),
            NoticeState::Sent { at } | NoticeState::GivenUp { at, .. } | NoticeState::Moot { at } => {
                Due::At(at + KEPT_FOR)
            }
        }
    }
}
