//! Notices: who was told what, what came of it, and trying it.

use std::time::{Duration, Instant};

use daypass_api::{
    NoticeId,
    notices::{About, Hearer, News, Notice, NoticeState, TryNotices},
};

use super::{
    Context,
    output::{self, Rows, Waiting},
    words,
};
use crate::{
    client::{
        calls::{self, WhichNotices},
        http::Api,
    },
    failure::{Exit, Failure},
};

/// What to do about notices.
#[derive(Debug, Clone, clap::Args)]
pub struct NoticesArgs {
    /// All that are kept, not the newest only
    #[arg(long)]
    all: bool,
    #[command(subcommand)]
    verb: Option<NoticesVerb>,
}

/// Verbs of `notices`.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum NoticesVerb {
    /// Send somebody a trial, and say what came of it
    #[command(after_help = "Example: daypass notices test bob --channel mail")]
    Test {
        /// To whom
        name: String,
        /// By this channel only
        #[arg(long)]
        channel: Option<String>,
    },
}

/// How long a trial is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const BREATH: Duration = Duration::from_millis(250);

/// Runs `notices`.
pub async fn notices(context: &Context, args: NoticesArgs) -> Result<(), Failure> {
    match args.verb {
        Some(NoticesVerb::Test { name, channel }) => test(context, TryNotices { to: name, channel }).await,
        None => {
            let which = if args.all { WhichNotices::All } else { WhichNotices::Newest };
            let notices = calls::notices(&context.api()?, which).await?;
            context.format.show(notices.as_slice(), table)
        }
    }
}

async fn test(context: &Context, trial: TryNotices) -> Result<(), Failure> {
    let api = context.api()?;
    let made = calls::try_notices(&api, &trial).await?;
    let notices = {
        let _waiting = Waiting::for_("the channels are tried");
        tried(&api, &made.notices).await?
    };
    context.format.show(notices.as_slice(), table)?;
    let not_sent = notices.iter().filter(|n| !matches!(n.state, NoticeState::Sent { .. })).count();
    if not_sent == 0 {
        return Ok(());
    }
    let what = format!("{} of {} didn't arrive", not_sent, words::count(notices.len(), "notice", "notices"));
    Err(Failure::new(Exit::Other, what, "the table says why; the server's log says more"))
}

/// The notices, once each was tried, or as they are when that takes too long.
async fn tried(api: &Api, ids: &[NoticeId]) -> Result<Vec<Notice>, Failure> {
    let since = Instant::now();
    loop {
        let mut notices = Vec::with_capacity(ids.len());
        for id in ids {
            notices.push(calls::notice(api, id.as_str()).await?);
        }
        let untried = notices.iter().any(|n| matches!(n.state, NoticeState::Waiting { .. }));
        if !untried || since.elapsed() > PATIENCE {
            return Ok(notices);
        }
        tokio::time::sleep(BREATH).await;
    }
}

fn table(notices: &[Notice]) -> String {
    let mut rows = Rows::new(&["when", "what", "to", "by", "state"], "No notices.");
    for notice in notices {
        let (what, to) = (news(notice.news), hearer(&notice.hearer));
        rows.row([&words::time(notice.made), what, &to, &notice.channel, &state(&notice.state)]);
    }
    rows.text()
}

/// One notice, for people.
pub fn shown(notice: &Notice) -> String {
    let about = match &notice.about {
        About::Request { request } => request.to_string(),
        About::Grant { grant, request } => format!("{grant}, {request}"),
        About::Change { change } => change.to_string(),
        About::Kit { kit } => kit.to_string(),
        About::Nothing => "notices".to_owned(),
    };
    output::fields(&[
        ("notice", notice.id.to_string()),
        ("what", news(notice.news).to_owned()),
        ("about", about),
        ("to", hearer(&notice.hearer)),
        ("by", notice.channel.clone()),
        ("made", words::time(notice.made)),
        ("state", state(&notice.state)),
    ])
}

fn hearer(hearer: &Hearer) -> String {
    match hearer {
        Hearer::Person { name } => name.clone(),
        Hearer::Room => "whoever reads there".to_owned(),
    }
}

fn news(news: News) -> &'static str {
    match news {
        News::ApprovalWanted => "approval wanted",
        News::ApprovalStillWanted => "approval still wanted",
        News::ConfirmationWanted => "confirmation wanted",
        News::RequestGranted => "request granted",
        News::RequestDenied => "request denied",
        News::RequestForbidden => "request forbidden",
        News::RequestExpired => "request expired",
        News::RequestWithdrawn => "request withdrawn",
        News::EndNear => "end near",
        News::EndedEarly => "ended early",
        News::ChangeWaits => "change waits",
        News::EmergencyUsed => "emergency kit used",
        News::EmergencyOpen => "emergency kit waits",
        News::Trial => "trial",
    }
}

fn state(state: &NoticeState) -> String {
    let tried = |tries: u32| words::count(tries as usize, "try", "tries");
    match state {
        NoticeState::Waiting { next } => format!("to be sent {}", words::until(*next)),
        NoticeState::Retrying { next, tries, why } => {
            format!("not sent in {}: {why}; next {}", tried(*tries), words::until(*next))
        }
        NoticeState::Sent { at } => format!("sent {}", words::time(*at)),
        NoticeState::GivenUp { at, tries, why } => {
            format!("given up {} after {}: {why}", words::time(*at), tried(*tries))
        }
        NoticeState::Moot { at } => format!("moot since {}: nobody had to hear it any more", words::time(*at)),
    }
}
