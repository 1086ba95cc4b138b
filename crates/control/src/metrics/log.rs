//! Counting the ledger's headers, from the moment that the API came up.

use daypass_app::{App, entry::event};

use super::{EventLabels, VerdictLabels};
use crate::{fault::Result, ledger, state::Control};

const AT_ONCE: u32 = 1_000;

/// How far the ledger was counted.
#[derive(Debug, Default)]
pub(super) enum Counted {
    /// Not at all yet.
    #[default]
    Nothing,
    /// Up to this entry, and not this one.
    UpTo(u64),
}

/// Counts what is new.
pub(super) async fn count(control: &Control) -> Result<()> {
    let (app, metrics) = (control.app(), &control.metrics);
    let mut counted = metrics.counted.lock().await;
    let mut next = match *counted {
        Counted::Nothing => first_since(app, control.since.micros()).await?,
        Counted::UpTo(next) => next,
    };
    loop {
        let leaves = app.store().leaves(next, AT_ONCE).await?;
        let whole = leaves.len() == AT_ONCE as usize;
        for (seq, bytes) in leaves {
            let leaf = ledger::read(&bytes)?;
            let header = leaf.header();
            metrics.entries.get_or_create(&EventLabels { event: header.event.to_string() }).inc();
            if let Some(verdict) = verdict(header.event.as_str(), header.ids.get("outcome").map(String::as_str)) {
                metrics.decisions.get_or_create(&VerdictLabels { verdict: verdict.to_owned() }).inc();
            }
            next = seq + 1;
        }
        *counted = Counted::UpTo(next);
        if !whole {
            return Ok(());
        }
    }
}

/// What was decided by an entry, if anything was.
fn verdict<'a>(what: &str, outcome: Option<&'a str>) -> Option<&'a str> {
    match what {
        event::REQUESTED | event::REJUDGED => outcome,
        event::REFUSED => Some("refused"),
        _ => None,
    }
}

/// The first entry that isn't older than `since`: entries are in order of their time.
async fn first_since(app: &App, since: i64) -> Result<u64> {
    let (mut low, mut high) = (0, ledger::size(app).await?);
    while low < high {
        let middle = low + (high - low) / 2;
        let leaves = app.store().leaves(middle, 1).await?;
        let Some((_, bytes)) = leaves.first() else { break };
        if ledger::read(bytes)?.header().time_us < since {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
