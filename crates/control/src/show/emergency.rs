//! Emergency kits.

use daypass_api::{
    KitId, SecretText, Timestamp,
    emergency::{EmergencyKit, KitAlarm, KitFile, KitHolder, KitReview, KitState},
};
use daypass_app::{
    emergency::{KitView, SealedKit, file_name},
    ending::outcome_word,
};
use daypass_domain::kit::{Alarm, AtTarget, Review, Rotation};

use super::{names, time};

pub(crate) fn view(view: KitView) -> EmergencyKit {
    let attention = view.attention();
    let KitView { kit, resource, holders, due, reviewed, .. } = view;
    let held = kit.sealed.holders.iter().zip(&holders);
    EmergencyKit {
        id: KitId::of(kit.id),
        resource: resource.to_string(),
        login: kit.login.clone(),
        roles: names(&kit.sealed.roles),
        holders: held
            .map(|(held, name)| KitHolder { user: name.to_string(), recipient: held.recipient.clone() })
            .collect(),
        made: time(kit.made),
        sealed: time(kit.sealed.at),
        state: state(&kit.at_target),
        last_used: kit.last_used.map(time),
        alarm: alarm(&kit.alarm, reviewed),
        rotation_due: !due.is_empty(),
        attention,
    }
}

fn state(state: &AtTarget) -> KitState {
    match state {
        AtTarget::Making { .. } => KitState::Making,
        AtTarget::Ready { since, .. } => KitState::Ready { since: time(*since) },
        AtTarget::Removing { at, .. } => KitState::Removing { at: time(*at) },
        AtTarget::Gone { at, confirmation, .. } => {
            KitState::Gone { at: time(*at), confirmation: outcome_word(confirmation).to_owned() }
        }
    }
}

fn alarm(alarm: &Alarm, reviewed: Option<(daypass_domain::Name, String)>) -> KitAlarm {
    let rotated = |rotation: &Rotation| -> Option<Timestamp> {
        match rotation {
            Rotation::Wanted => None,
            Rotation::Done { at } => Some(time(*at)),
        }
    };
    match alarm {
        Alarm::Quiet => KitAlarm::Quiet,
        Alarm::Raised { first, last, rotation, review: Review::Wanted | Review::Closed { .. }, .. } => {
            KitAlarm::Raised {
                first: time(*first),
                last: time(*last),
                rotated: rotated(rotation),
                reviewed: reviewed.map(|(by, words)| KitReview { by: by.to_string(), words }),
            }
        }
    }
}

/// What goes to whoever proposed it, once.
pub(crate) fn files(sealed: &SealedKit) -> Vec<KitFile> {
    let secret = |text: &str| SecretText::new(text.to_owned());
    let file = |file: &daypass_app::emergency::KitFile| KitFile {
        holder: file.holder.to_string(),
        sealed_name: file_name(&sealed.resource, &file.holder, "age"),
        sealed: secret(&file.sealed),
        page_name: file_name(&sealed.resource, &file.holder, "txt"),
        page: secret(&file.page),
    };
    sealed.files.iter().map(file).collect()
}
