//! Notices.

use daypass_api::{
    ChangeId, GrantId, KitId, NoticeId, RequestId,
    notices::{About, Hearer, News, Notice, NoticeState},
};
use daypass_app::notices::NoticeView;
use daypass_domain::notice::{self, Tries};

use super::time;

pub(crate) fn view(view: NoticeView) -> Notice {
    let NoticeView { notice, person } = view;
    Notice {
        id: NoticeId::of(notice.id),
        news: news(&notice.news),
        about: about(&notice.news),
        hearer: person.map_or(Hearer::Room, |name| Hearer::Person { name: name.to_string() }),
        channel: notice.channel.to_string(),
        made: time(notice.made),
        state: state(&notice.state),
    }
}

fn news(news: &notice::News) -> News {
    match news {
        notice::News::ApprovalWanted { .. } => News::ApprovalWanted,
        notice::News::StillWanted { .. } => News::ApprovalStillWanted,
        notice::News::ConfirmationWanted { .. } => News::ConfirmationWanted,
        notice::News::Granted { .. } => News::RequestGranted,
        notice::News::Denied { .. } => News::RequestDenied,
        notice::News::Forbidden { .. } => News::RequestForbidden,
        notice::News::Expired { .. } => News::RequestExpired,
        notice::News::Withdrawn { .. } => News::RequestWithdrawn,
        notice::News::EndNear { .. } => News::EndNear,
        notice::News::EndedEarly { .. } => News::EndedEarly,
        notice::News::ChangeWaits { .. } => News::ChangeWaits,
        notice::News::EmergencyUsed { .. } => News::EmergencyUsed,
        notice::News::EmergencyOpen { .. } => News::EmergencyOpen,
        notice::News::Trial => News::Trial,
    }
}

fn about(news: &notice::News) -> About {
    match news {
        notice::News::ApprovalWanted { request, .. }
        | notice::News::StillWanted { request, .. }
        | notice::News::ConfirmationWanted { request, .. }
        | notice::News::Denied { request }
        | notice::News::Forbidden { request }
        | notice::News::Expired { request }
        | notice::News::Withdrawn { request } => About::Request { request: RequestId::of(request) },
        notice::News::Granted { request, grant, .. }
        | notice::News::EndNear { request, grant, .. }
        | notice::News::EndedEarly { request, grant, .. } => {
            About::Grant { grant: GrantId::of(grant), request: RequestId::of(request) }
        }
        notice::News::ChangeWaits { change, .. } => About::Change { change: ChangeId::of(change) },
        notice::News::EmergencyUsed { kit, .. } | notice::News::EmergencyOpen { kit, .. } => {
            About::Kit { kit: KitId::of(kit) }
        }
        notice::News::Trial => About::Nothing,
    }
}

fn state(state: &notice::NoticeState) -> NoticeState {
    match state {
        notice::NoticeState::Waiting { next, so_far: Tries::None } => NoticeState::Waiting { next: time(*next) },
        notice::NoticeState::Waiting { next, so_far: Tries::Failed { times, why } } => {
            NoticeState::Retrying { next: time(*next), tries: *times, why: why.to_string() }
        }
        notice::NoticeState::Sent { at } => NoticeState::Sent { at: time(*at) },
        notice::NoticeState::GivenUp { at, tries, why } => {
            NoticeState::GivenUp { at: time(*at), tries: *tries, why: why.to_string() }
        }
        notice::NoticeState::Moot { at } => NoticeState::Moot { at: time(*at) },
    }
}
