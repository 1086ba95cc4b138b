//! What makes a page live: a stream that says "something that concerns you has moved", and nothing of what. The page then
//! gets itself anew, so there is one way in which anything is shown, and one place that says who may see it.

use axum::response::sse::Event;
use daypass_app::entry::event;
use futures_util::{StreamExt as _, future};

use crate::{
    body::Raw,
    call::Call,
    events,
    fault::Result,
    ledger,
    route::{Access::Browser, Route},
};

/// The name of the event that says so, and all that it says: without data a browser drops it (WHATWG HTML, 9.2.6).
const MOVED: &str = "moved";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/live", Browser, "That something moved that concerns one, as server-sent events", listen)
            .gives("text/event-stream"),
    ]
}

async fn listen(call: Call) -> Result<Raw> {
    let size = ledger::size(call.app()).await?;
    let entries = events::follow(call, Browser, size).await?;
    let moved = entries.filter(|entry| future::ready(changes_a_page(&entry.event)));
    Ok(events::answer(moved.map(|entry| Event::default().event(MOVED).id(entry.seq.to_string()).data(MOVED))))
}

/// Looking is an entry too: a page that looked again for having looked would never stop. // I11
fn changes_a_page(what: &str) -> bool {
    what != event::EVIDENCE_READ
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_makes_no_page_look_again() {
        assert!(!changes_a_page(event::EVIDENCE_READ));
        assert!(changes_a_page(event::REQUESTED) && changes_a_page(event::SESSION_CLOSED));
    }
}
