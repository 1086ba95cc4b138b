//! Handing notices to their channels, and recording how that went.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
};

use daypass_domain::{
    InstallationId, Name, NoticeId,
    change::{Change, ChangeState},
    grant::Grant,
    kit::Kit,
    notice::{Hearer, News, Notice, NoticeEvent, NoticeState, Why},
    request::Request,
    resource::Resource,
};
use daypass_ports::{
    notices::{Addressee, Letter, Names, NotSent},
    pages,
    record::{Commit, Read},
};

use super::{Way, address::ends_at};
use crate::{
    App, Result,
    entry::{access, event},
};

/// How many notices are in hand at once, by channel: one that doesn't answer must not hold up the others for long, and
/// none is to be flooded.
const IN_HAND_MOST: usize = 16;

impl App {
    /// Hands over every notice that is due, each on a task of its own; what is over for long is forgotten.
    ///
    /// # Errors
    /// When the store doesn't answer.
    pub async fn deliver(self: &Arc<Self>) -> Result<()> {
        for read in self.store_ref().due_now::<Notice>(self.now()).await? {
            match read.value.state {
                NoticeState::Waiting { .. } => {
                    if !self.take_in_hand(&read.value) {
                        continue;
                    }
                    let app = Arc::clone(self);
                    tokio::spawn(async move {
                        let id = read.value.id;
                        if let Err(problem) = app.deliver_one(read).await {
                            tracing::warn!(%problem, notice = %id, "a notice isn't recorded as sent yet");
                        }
                        app.sending().remove(&id);
                        app.under_way.free.notify_one();
                    });
                }
                NoticeState::Sent { .. } | NoticeState::GivenUp { .. } | NoticeState::Moot { .. } => {
                    let mut commit = Commit::default();
                    commit.delete(&read);
                    // Without an entry: what was told stands in the ledger.
                    let _ = self.store_ref().append(commit).await;
                }
            }
        }
        Ok(())
    }

    fn sending(&self) -> MutexGuard<'_, HashMap<NoticeId, Name>> {
        // Ids and names: whole whatever a panicking thread was doing.
        self.under_way.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_in_hand(&self, notice: &Notice) -> bool {
        let mut sending = self.sending();
        let full = sending.values().filter(|channel| **channel == notice.channel).count() >= IN_HAND_MOST;
        !full && sending.insert(notice.id, notice.channel.clone()).is_none()
    }

    /// Sends one notice, and records that: the entry and the row in one commit.
    async fn deliver_one(&self, read: Read<Notice>) -> Result<()> {
        // The row may have moved on since it was found due.
        let Some(read) = self.store_ref().get::<Notice>(&read.value.id.to_string()).await? else { return Ok(()) };
        let NoticeState::Waiting { next, .. } = read.value.state else { return Ok(()) };
        if self.now() < next {
            return Ok(());
        }
        let id = read.value.id;
        let kept = self.unrecorded().get(&id).cloned();
        let done = match kept {
            Some(done) => done,
            None => {
                let event = self.try_send(&read.value).await?;
                read.value.clone().apply(event, self.now())?
            }
        };
        self.unrecorded().insert(id, done.clone());
        self.record_try(&read, &done).await?;
        self.unrecorded().remove(&id);
        Ok(())
    }

    fn unrecorded(&self) -> MutexGuard<'_, HashMap<NoticeId, Notice>> {
        self.under_way.unrecorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn try_send(&self, notice: &Notice) -> Result<NoticeEvent> {
        if !self.still_so(notice).await? {
            return Ok(NoticeEvent::Moot);
        }
        let sent = match self.notices.way(&notice.channel) {
            None => Err(NotSent::from(Why::NoChannel)),
            Some(way) => match self.letter(notice, way).await? {
                Some(letter) => way.channel.send(&letter).await,
                None => Err(NotSent::from(Why::NoAddress)),
            },
        };
        Ok(match sent {
            Ok(()) => NoticeEvent::Delivered,
            Err(not_sent) => {
                tracing::warn!(notice = %notice.id, channel = %notice.channel, why = %not_sent, "a notice wasn't sent");
                NoticeEvent::Failed { why: not_sent.why, wait: not_sent.wait }
            }
        })
    }

    /// What is final is an entry: who was told what, and when, or that they weren't. Another try is none.
    async fn record_try(&self, read: &Read<Notice>, done: &Notice) -> Result<()> {
        let mut commit = Commit::default();
        commit.replace(read, done);
        let what = match done.state {
            NoticeState::Sent { .. } => event::NOTICE_SENT,
            NoticeState::GivenUp { .. } => event::NOTICE_GIVEN_UP,
            NoticeState::Waiting { .. } | NoticeState::Moot { .. } => {
                self.store_ref().append(commit).await?;
                return Ok(());
            }
        };
        let region = self.region_told_of(&done.news).await?;
        let mut ids = vec![
            ("notice", done.id.to_string()),
            ("news", done.news.word().to_owned()),
            ("channel", done.channel.to_string()),
        ];
        match done.hearer {
            Hearer::Person { principal } => ids.push(("principal", principal.to_string())),
            Hearer::Room => {}
        }
        ids.extend(done.news.ids());
        commit.entry(access(what, ids, region, Vec::new()));
        self.commit(commit, ()).await?;
        Ok(())
    }

    /// Whether what a notice tells is still so: nobody is woken for what is over.
    async fn still_so(&self, notice: &Notice) -> Result<bool> {
        Ok(match &notice.news {
            News::ApprovalWanted { request, .. } | News::StillWanted { request, .. } => {
                let read = self.store_ref().get::<Request>(&request.to_string()).await?;
                read.is_some_and(|r| r.value.is_pending())
            }
            News::ConfirmationWanted { request, .. } => {
                let read = self.store_ref().get::<Request>(&request.to_string()).await?;
                read.is_some_and(|r| r.value.is_pending() && r.value.confirmed.is_never())
            }
            News::EndNear { grant, deadline, .. } => {
                let read = self.store_ref().get::<Grant>(&grant.to_string()).await?;
                read.is_some_and(|r| ends_at(&r.value, *deadline))
            }
            News::ChangeWaits { change, .. } => {
                let read = self.store_ref().get::<Change>(&change.to_string()).await?;
                read.is_some_and(|r| matches!(r.value.state, ChangeState::Pending { .. }))
            }
            News::EmergencyOpen { kit, .. } => {
                let read = self.store_ref().get::<Kit>(&kit.to_string()).await?;
                read.is_some_and(|kit| kit.value.alarm.is_raised())
            }
            News::Granted { .. }
            | News::Denied { .. }
            | News::Forbidden { .. }
            | News::Expired { .. }
            | News::Withdrawn { .. }
            | News::EndedEarly { .. }
            | News::EmergencyUsed { .. }
            | News::Trial => true,
        })
    }

    /// The letter of a notice; none when the person has no address here, or may not act any more.
    async fn letter(&self, notice: &Notice, way: &Way) -> Result<Option<Letter>> {
        let to = match notice.hearer {
            Hearer::Room => Addressee::Room,
            Hearer::Person { principal } => match self.contact(principal).await? {
                Some(contact) => Addressee::Mail(contact.value.mail),
                None => return Ok(None),
            },
        };
        let installation: InstallationId = self.settings().await?.value.installation;
        let page = match &notice.news {
            News::ChangeWaits { .. } | News::Trial => pages::INBOX.to_owned(),
            News::EmergencyUsed { .. } | News::EmergencyOpen { .. } => pages::EMERGENCY.to_owned(),
            News::ApprovalWanted { request, .. }
            | News::ConfirmationWanted { request, .. }
            | News::StillWanted { request, .. }
            | News::Granted { request, .. }
            | News::Denied { request }
            | News::Forbidden { request }
            | News::Expired { request }
            | News::Withdrawn { request }
            | News::EndNear { request, .. }
            | News::EndedEarly { request, .. } => pages::request(*request),
        };
        Ok(Some(Letter {
            id: notice.id,
            installation,
            made: notice.made,
            to,
            news: notice.news.clone(),
            names: self.names_for(&notice.news, way).await?,
            link: format!("{}{page}", self.notices.url),
        }))
    }

    /// Names are payload: they leave by a channel only when it may have those of the region. // I10
    async fn names_for(&self, news: &News, way: &Way) -> Result<Names> {
        if !way.names_of.contains(&self.region_told_of(news).await?) {
            return Ok(Names::Withheld);
        }
        if let News::ChangeWaits { change, .. } = news {
            let Some(read) = self.store_ref().get::<Change>(&change.to_string()).await? else {
                return Ok(Names::Withheld);
            };
            return Ok(Names::Change { proposer: self.name_of(read.value.proposer).await? });
        }
        if let News::EmergencyUsed { resource, .. } | News::EmergencyOpen { resource, .. } = news {
            return Ok(Names::Emergency { resource: self.resource_name(*resource).await? });
        }
        let Some((request, resource)) = self.told_of(news).await? else { return Ok(Names::Withheld) };
        Ok(Names::Access {
            holder: self.name_of(request.asked.beneficiary).await?,
            role: request.narrowed().1,
            resource: resource.name,
        })
    }

    /// The region of the resource that it is about; the installation's when it is about none. // I10
    async fn region_told_of(&self, news: &News) -> Result<Name> {
        if let News::EmergencyUsed { kit, .. } | News::EmergencyOpen { kit, .. } = news
            && let Some(kit) = self.store_ref().get::<Kit>(&kit.to_string()).await?
        {
            return Ok(kit.value.region);
        }
        match self.told_of(news).await? {
            Some((_, resource)) => Ok(resource.region),
            None => self.region().await,
        }
    }

    async fn told_of(&self, news: &News) -> Result<Option<(Request, Resource)>> {
        let Some(id) = news.request() else { return Ok(None) };
        let Some(request) = self.store_ref().get::<Request>(&id.to_string()).await? else { return Ok(None) };
        let resource = self.store_ref().get::<Resource>(&request.value.asked.resource.to_string()).await?;
        Ok(resource.map(|resource| (request.value, resource.value)))
    }
}
