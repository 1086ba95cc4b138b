//! Pages.

use daypass_api::Page;
use daypass_app::{App, ask};
use daypass_ports::{
    record::Kind,
    store::{Order, Query},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::fault::Result;

/// The most items on a page.
pub(crate) const MOST: u32 = 200;
const USUAL: u32 = 50;

/// Which page.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    /// What the page before said as `next`.
    pub after: Option<String>,
    /// The most items: 50 when absent, 200 at most.
    pub most: Option<u32>,
}

/// How many are wanted.
pub(crate) fn most(wanted: Option<u32>) -> u32 {
    match wanted {
        None | Some(0) => USUAL,
        Some(n) => n.min(MOST),
    }
}

/// As the use cases want it.
pub(crate) fn asked(after: Option<String>, wanted: Option<u32>) -> ask::Page {
    ask::Page { after, most: most(wanted) }
}

/// A page of a whole list that is sorted by what `key` gives.
pub(crate) fn of_all<T>(all: Vec<T>, key: impl Fn(&T) -> String, query: &PageQuery) -> Page<T> {
    let most = most(query.most) as usize;
    let mut rest = all.into_iter().filter(|item| query.after.as_ref().is_none_or(|after| key(item) > *after));
    let items: Vec<T> = rest.by_ref().take(most).collect();
    let next = if rest.next().is_some() { items.last().map(&key) } else { None };
    Page { items, next }
}

/// What the next page starts after, where a use case leaves out of a page what the caller may not see: the last row of
/// the whole page, so that nothing after it is lost.
pub(crate) async fn next(
    app: &App,
    kind: Kind,
    by: Option<(&'static str, &str)>,
    page: &ask::Page,
) -> Result<Option<String>> {
    let query = Query { kind, by, after: page.after.as_deref(), order: Order::Falling, most: page.most };
    let rows = app.store().rows(query).await?;
    let full = rows.len() >= page.most as usize;
    Ok(rows.into_iter().last().filter(|_| full).map(|row| row.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_comes_whole_in_pages() {
        let all: Vec<u32> = (10..20).collect();
        let mut query = PageQuery { after: None, most: Some(3) };
        let mut seen = Vec::new();
        loop {
            let page = of_all(all.clone(), ToString::to_string, &query);
            assert!(page.items.len() <= 3);
            seen.extend(page.items);
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, all);
        assert_eq!(most(Some(u32::MAX)), MOST);
    }
}
