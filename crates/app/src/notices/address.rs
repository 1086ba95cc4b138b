//! Who is to hear: found when there is something to tell, by the evaluator that says whose yes would count.

use std::collections::BTreeSet;

use daypass_domain::{
    Name, NoticeId, PrincipalId, RequestId, Time,
    change::{Change, ChangeState},
    grant::{Grant, GrantState},
    kit::Kit,
    notice::{Hearer, KnownTo, News, Notice, NoticeState, Occasion, Tries},
    principal::Principal,
    request::{Request, RequestState},
};
use daypass_policy::{Directory, Giver, Lack, Missing};
use daypass_ports::{
    notices::Reach,
    record::{Commit, Read},
    rows::key,
};

use super::{Audience, Way};
use crate::{App, Result, retry_stale};

/// Who is to hear of an occasion now, and what of it is to be told later.
#[derive(Default)]
struct Told {
    hearers: BTreeSet<PrincipalId>,
    /// What is told next, and when, unless it is moot by then.
    next: Vec<(News, Time)>,
}

impl App {
    /// Makes notices of every occasion that is due.
    ///
    /// # Errors
    /// When the store doesn't answer, or can't be written.
    pub async fn tell(&self) -> Result<()> {
        for occasion in self.store_ref().due_now::<Occasion>(self.now()).await? {
            let id = occasion.value.id.to_string();
            retry_stale!(self.try_tell(&id).await)?;
        }
        Ok(())
    }

    async fn try_tell(&self, id: &str) -> Result<()> {
        let Some(occasion) = self.store_ref().get::<Occasion>(id).await? else { return Ok(()) };
        let mut told = self.told(&occasion).await?;
        match occasion.value.known_to {
            KnownTo::Doer { principal } => {
                told.hearers.remove(&principal);
            }
            KnownTo::Nobody => {}
        }
        let mut commit = Commit::default();
        commit.delete(&occasion);
        let notices = self.notices_for(&occasion.value.news, &told.hearers).await?;
        // A later round that reaches no further person is the last one: rooms aren't told the same for ever.
        let first = !matches!(occasion.value.news, News::StillWanted { .. });
        let goes_on = first || notices.iter().any(|n| n.hearer != Hearer::Room);
        for notice in &notices {
            commit.put(notice);
        }
        for (news, due) in told.next.into_iter().filter(|_| goes_on) {
            self.occasion_at(&mut commit, news, KnownTo::Nobody, due);
        }
        // No entry: nobody was told anything yet. Each telling has its own.
        self.store_ref().append(commit).await?;
        Ok(())
    }

    async fn told(&self, occasion: &Read<Occasion>) -> Result<Told> {
        let everybody = |hearers| Ok(Told { hearers, next: Vec::new() });
        match &occasion.value.news {
            News::ApprovalWanted { request, .. } | News::StillWanted { request, .. } => {
                self.approvers_to_tell(*request, &occasion.value.news).await
            }
            News::ConfirmationWanted { request, .. } => everybody(self.owner_to_tell(*request).await?),
            News::Granted { request, .. }
            | News::Denied { request }
            | News::Forbidden { request }
            | News::Expired { request }
            | News::Withdrawn { request } => everybody(self.parties(*request).await?),
            News::EndNear { grant, request, deadline } => {
                let live = self.store_ref().get::<Grant>(&grant.to_string()).await?;
                if !live.is_some_and(|read| ends_at(&read.value, *deadline)) {
                    return Ok(Told::default());
                }
                everybody(self.holder_and_approvers(*grant, *request).await?)
            }
            News::EndedEarly { grant, .. } => {
                let read = self.store_ref().get::<Grant>(&grant.to_string()).await?;
                everybody(read.into_iter().map(|g| g.value.person.id()).collect())
            }
            News::ChangeWaits { change, .. } => everybody(self.other_administrators(*change).await?),
            News::EmergencyUsed { .. } => everybody(self.administrators().await?.value.members),
            News::EmergencyOpen { kit, .. } => {
                let read = self.store_ref().get::<Kit>(&kit.to_string()).await?;
                if !read.is_some_and(|kit| kit.value.alarm.is_raised()) {
                    return Ok(Told::default());
                }
                everybody(self.administrators().await?.value.members)
            }
            // A trial is made for one person: see `look`.
            News::Trial => Ok(Told::default()),
        }
    }

    /// The next of those whose yes would bring a request nearer, as the evaluator sees it now.
    ///
    /// At once hear those whom the way of the fewest things asks for; after a while, round by round, those of the other
    /// ways. Whoever has heard doesn't hear again.
    async fn approvers_to_tell(&self, id: RequestId, news: &News) -> Result<Told> {
        let Some(read) = self.store_ref().get::<Request>(&id.to_string()).await? else { return Ok(Told::default()) };
        let request = read.value;
        let RequestState::Pending { expires } = request.state else { return Ok(Told::default()) };
        let facts = self.facts(request.asked.resource).await?;
        let judged = self.judge(&request, &facts, self.now())?;
        let mut ways = ranked(&self.missing(&judged, &facts), &facts.directory, id);
        let heard = self.heard(id).await?;
        for way in &mut ways {
            way.retain(|who| !heard.contains(who));
        }
        let first_round = matches!(news, News::ApprovalWanted { .. });
        let mut hearers = BTreeSet::new();
        let mut left = BTreeSet::new();
        for (number, way) in ways.into_iter().enumerate() {
            for who in way {
                let in_this_round = hearers.len() < self.notices.at_once && (number == 0 || !first_round);
                let set = if in_this_round { &mut hearers } else { &mut left };
                set.insert(who);
            }
        }
        let due = self.now() + self.notices.escalate_after;
        let again = left.iter().any(|who| !hearers.contains(who)) && due < expires;
        let next = again.then_some((News::StillWanted { request: id, since: request.made, until: expires }, due));
        Ok(Told { hearers, next: next.into_iter().collect() })
    }

    /// The owner of the workload that asks, where their own word would bring its request nearer.
    async fn owner_to_tell(&self, id: RequestId) -> Result<BTreeSet<PrincipalId>> {
        let Some(read) = self.store_ref().get::<Request>(&id.to_string()).await? else { return Ok(BTreeSet::new()) };
        let owner = read.value.asked.beneficiary_person;
        let wanted = self.confirms(owner, &read.value).await? && !self.heard(id).await?.contains(&owner.id());
        Ok(wanted.then_some(owner.id()).into_iter().collect())
    }

    /// Who was told about a request that their approval is wanted.
    async fn heard(&self, request: RequestId) -> Result<BTreeSet<PrincipalId>> {
        let told = self.store_ref().find::<Notice>(key::REQUEST, &request.to_string()).await?;
        let wanted = told.into_iter().filter(|n| n.value.news.topic() == daypass_domain::notice::Topic::Approvals);
        Ok(wanted
            .filter_map(|n| match n.value.hearer {
                Hearer::Person { principal } => Some(principal),
                Hearer::Room => None,
            })
            .collect())
    }

    /// Who asks and who would hold it.
    async fn parties(&self, request: RequestId) -> Result<BTreeSet<PrincipalId>> {
        let read = self.store_ref().get::<Request>(&request.to_string()).await?;
        Ok(read
            .into_iter()
            .flat_map(|r| [r.value.asked.requester_person.id(), r.value.asked.beneficiary_person.id()])
            .collect())
    }

    async fn holder_and_approvers(
        &self,
        grant: daypass_domain::GrantId,
        request: RequestId,
    ) -> Result<BTreeSet<PrincipalId>> {
        let grant = self.store_ref().get::<Grant>(&grant.to_string()).await?;
        let request = self.store_ref().get::<Request>(&request.to_string()).await?;
        let approvers = request.into_iter().flat_map(|r| r.value.approvals).map(|a| a.approver);
        Ok(grant.into_iter().map(|g| g.value.person.id()).chain(approvers).collect())
    }

    /// The administrators who could approve a change: never whoever proposed it. // I12
    async fn other_administrators(&self, change: daypass_domain::ChangeId) -> Result<BTreeSet<PrincipalId>> {
        let Some(change) = self.store_ref().get::<Change>(&change.to_string()).await? else {
            return Ok(BTreeSet::new());
        };
        let waits = matches!(change.value.state, ChangeState::Pending { .. });
        let members = self.administrators().await?.value.members;
        let proposer = change.value.proposer_person.id();
        Ok(members.into_iter().filter(|m| waits && *m != proposer).collect())
    }

    /// A notice for each hearer and each way to them; a room gets one for all.
    async fn notices_for(&self, news: &News, hearers: &BTreeSet<PrincipalId>) -> Result<Vec<Notice>> {
        let directory = self.directory().await?;
        let mut active = Vec::new();
        for hearer in hearers {
            let read = self.store_ref().get::<Principal>(&hearer.to_string()).await?;
            active.extend(read.filter(|r| r.value.is_active()).map(|r| r.value.id));
        }
        let mut notices = Vec::new();
        for way in self.notices.channels.iter().filter(|way| way.topics.contains(&news.topic())) {
            let concerned = active.iter().filter(|who| way.is_for(**who, &directory));
            match way.channel.reach() {
                Reach::People => {
                    notices
                        .extend(concerned.map(|who| {
                            self.notice(news.clone(), Hearer::Person { principal: *who }, way.name.clone())
                        }));
                }
                Reach::Room => {
                    let one = concerned.take(1).map(|_| self.notice(news.clone(), Hearer::Room, way.name.clone()));
                    notices.extend(one);
                }
            }
        }
        Ok(notices)
    }

    pub(super) fn notice(&self, news: News, hearer: Hearer, channel: Name) -> Notice {
        let now = self.now();
        let id = NoticeId::new(now, self.id_bytes());
        Notice { id, news, hearer, channel, made: now, state: NoticeState::Waiting { next: now, so_far: Tries::None } }
    }
}

impl Way {
    fn is_for(&self, who: PrincipalId, directory: &Directory) -> bool {
        match &self.audience {
            Audience::Everybody => true,
            Audience::Groups(groups) => {
                directory.party(who).is_some_and(|party| party.groups.iter().any(|group| groups.contains(group)))
            }
        }
    }
}

/// Whether a grant is live and ends then.
pub(super) fn ends_at(grant: &Grant, deadline: Time) -> bool {
    match grant.state {
        GrantState::Active { deadline: ends, .. } => ends == deadline,
        GrantState::Scheduled { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => false,
    }
}

/// Who could give an approval, way by way, the fewest things first; within a way in an order that differs from request to
/// request, so that it isn't always the same people who are woken first.
fn ranked(missing: &Missing, directory: &Directory, request: RequestId) -> Vec<Vec<PrincipalId>> {
    let of_way = |lacks: &[Lack]| {
        let mut names: Vec<&Name> = lacks.iter().flat_map(approvers).collect();
        names.sort_by_key(|name| daypass_domain::Digest::of_value("whom to tell first", &(request, name)).to_string());
        names
            .into_iter()
            .filter_map(|name| directory.voices().find(|yes| yes.name == *name).map(|yes| yes.person.id()))
            .collect()
    };
    // Where more than approvals is missing, nobody's yes would let it through.
    let of_people = missing.ways.iter().filter(|way| way.waits_for_people());
    of_people.map(|way| of_way(&way.lacks)).collect()
}

fn approvers(lack: &Lack) -> &[Name] {
    match lack.giver() {
        Giver::Others(who) => who,
        // The owner hears of it in words of its own; beside approvals it keeps nobody from giving theirs.
        Giver::Owner(_) | Giver::Asker | Giver::AskerSignedIn | Giver::Transmitter => &[],
    }
}
