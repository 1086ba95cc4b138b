//! Looking at the outbox, and trying whether notices arrive: for administrators.

use daypass_domain::{
    Name, NoticeId,
    notice::{Hearer, News, Notice},
    principal::Actor,
};
use daypass_ports::{
    notices::Reach,
    record::{Commit, Kind},
    store::{Order, Query},
};

use crate::{
    App, Problem, Result,
    ask::Page,
    changes::PRINCIPAL,
    entry::{administration, event},
};

/// A notice, as administrators see it.
#[derive(Debug, Clone)]
pub struct NoticeView {
    /// The notice.
    pub notice: Notice,
    /// Who hears it; none when a room does.
    pub person: Option<Name>,
}

impl App {
    /// The outbox, the newest first. For whoever may administer people.
    ///
    /// # Errors
    /// When they may not.
    pub async fn notices_list(&self, actor: &Actor, page: &Page) -> Result<Vec<NoticeView>> {
        self.may_administer(actor, PRINCIPAL).await?;
        let (after, most) = (page.after.as_deref(), page.most());
        let query = Query { kind: Kind::Notice, by: None, after, order: Order::Falling, most };
        let mut views = Vec::new();
        for read in self.store_ref().page::<Notice>(query).await? {
            views.push(self.notice_view(read.value).await?);
        }
        Ok(views)
    }

    /// One notice.
    ///
    /// # Errors
    /// When they may not administer people, or there is none.
    pub async fn notice_shown(&self, actor: &Actor, id: NoticeId) -> Result<NoticeView> {
        self.may_administer(actor, PRINCIPAL).await?;
        let read = self.store_ref().get::<Notice>(&id.to_string()).await?;
        self.notice_view(read.ok_or_else(|| Problem::not_found("notice", id))?.value).await
    }

    async fn notice_view(&self, notice: Notice) -> Result<NoticeView> {
        let person = match notice.hearer {
            Hearer::Person { principal } => Some(self.name_of(principal).await?),
            Hearer::Room => None,
        };
        Ok(NoticeView { notice, person })
    }

    /// Puts a trial into the outbox: to one person, by each channel, or by the one that is named.
    ///
    /// # Errors
    /// When they may not administer people, or there is no such person or channel.
    pub async fn try_notices(&self, actor: &Actor, to: &Name, only: Option<&Name>) -> Result<Vec<NoticeId>> {
        let decision = self.may_administer(actor, PRINCIPAL).await?;
        let person = self.user_named(to).await?.value.id;
        let ways: Vec<_> =
            self.notices.channels.iter().filter(|way| only.is_none_or(|name| way.name == *name)).collect();
        if ways.is_empty() {
            let known: Vec<&str> = self.notices.channels.iter().map(|way| way.name.as_str()).collect();
            return Err(Problem::invalid(
                "no_such_channel",
                "there is no such way for notices",
                match known.as_slice() {
                    [] => "add one under [notices.channel.NAME] in server.toml, and restart".to_owned(),
                    known => format!("the configuration has: {}", known.join(", ")),
                },
            ));
        }
        let mut commit = Commit::default();
        let mut made = Vec::new();
        for way in ways {
            let hearer = match way.channel.reach() {
                Reach::People => Hearer::Person { principal: person },
                Reach::Room => Hearer::Room,
            };
            let notice = self.notice(News::Trial, hearer, way.name.clone());
            commit.put(&notice);
            made.push(notice.id);
        }
        let ids = vec![("principal", actor.principal.to_string()), ("subject_principal", person.to_string())];
        let parts = vec![self.decision_part(&decision)];
        commit.entry(administration(event::NOTICE_TRIED, ids, self.region().await?, parts));
        Ok(self.commit(commit, made).await?.into_effect())
    }
}
