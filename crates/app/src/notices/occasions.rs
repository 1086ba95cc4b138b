//! Which changes of state there is something to tell about: each adds its occasion to the commit that makes it.

use daypass_domain::{
    change::{Change, ChangeState},
    end::EndCause,
    grant::{Grant, GrantState},
    notice::{KnownTo, News},
    request::{Request, RequestState},
};
use daypass_ports::record::Commit;

use crate::App;

impl App {
    /// What became of a request. `known_to` is whoever did it, and has the answer already.
    pub(crate) fn tell_of_request(&self, request: &Request, known_to: KnownTo, commit: &mut Commit) {
        let id = request.id;
        let (news, known_to) = match &request.state {
            RequestState::Pending { expires } => {
                if request.confirmed.is_never() && request.is_confirmed_by(request.asked.beneficiary_person) {
                    let news = News::ConfirmationWanted { request: id, until: *expires };
                    self.occasion(commit, news, KnownTo::Nobody);
                }
                (News::ApprovalWanted { request: id, until: *expires }, KnownTo::Nobody)
            }
            // With its times: see `tell_of_grant`.
            RequestState::Granted { .. } => return,
            RequestState::Denied { .. } => (News::Denied { request: id }, known_to),
            RequestState::Forbidden { .. } => (News::Forbidden { request: id }, known_to),
            RequestState::Withdrawn { .. } => (News::Withdrawn { request: id }, known_to),
            RequestState::Expired { .. } => (News::Expired { request: id }, known_to),
        };
        self.occasion(commit, news, known_to);
    }

    /// A grant was given.
    pub(crate) fn tell_of_grant(&self, grant: &Grant, known_to: KnownTo, commit: &mut Commit) {
        let (from, until) = match grant.state {
            GrantState::Scheduled { start, duration } => (start, start + duration),
            GrantState::Active { since, deadline, .. } => (since, deadline),
            GrantState::Ending { .. } | GrantState::Ended { .. } => return,
        };
        let news = News::Granted { request: grant.request, grant: grant.id, from, until };
        self.occasion(commit, news, known_to);
        self.tell_before_end(grant, commit);
    }

    /// A grant has a deadline, or another one than before: its end will be told ahead of it.
    pub(crate) fn tell_before_end(&self, grant: &Grant, commit: &mut Commit) {
        match grant.state {
            GrantState::Active { deadline, .. } => {
                let due = self.notices.before(self.now(), deadline);
                let news = News::EndNear { grant: grant.id, request: grant.request, deadline };
                self.occasion_at(commit, news, KnownTo::Nobody, due);
            }
            // Its deadline comes with its start.
            GrantState::Scheduled { .. } | GrantState::Ending { .. } | GrantState::Ended { .. } => {}
        }
    }

    /// A grant ended: told unless everybody expected it.
    pub(crate) fn tell_of_end(&self, grant: &Grant, cause: &EndCause, commit: &mut Commit) {
        let known_to = match cause {
            // Both heard before the end; who gives back knows; and who ran a statement was answered.
            EndCause::Deadline | EndCause::Released { .. } | EndCause::StatementOver => return,
            EndCause::Revoked { by, .. } => KnownTo::Doer { principal: *by },
            EndCause::Disabled { .. }
            | EndCause::Signalled { .. }
            | EndCause::FactGone { .. }
            | EndCause::PolicyChanged { .. }
            | EndCause::RoleChanged
            | EndCause::Restored => KnownTo::Nobody,
        };
        let news = News::EndedEarly { grant: grant.id, request: grant.request, at: self.now(), cause: cause.clone() };
        self.occasion(commit, news, known_to);
    }

    /// A change waits for another administrator. // I12
    pub(crate) fn tell_of_change(&self, change: &Change, commit: &mut Commit) {
        match change.state {
            ChangeState::Pending { expires } => {
                let news = News::ChangeWaits { change: change.id, subject: change.subject.clone(), until: expires };
                self.occasion(commit, news, KnownTo::Doer { principal: change.proposer });
            }
            ChangeState::Committed { .. } | ChangeState::Rejected { .. } | ChangeState::Expired { .. } => {}
        }
    }
}
