//! What a call of SCIM asks to see: which resources, which page, which attributes (RFC 7644, 3.4.2 and 3.9).

use axum::http::header;
use daypass_scim::{Filter, schema::PAGE_MOST};
use serde::Deserialize;
use serde_json::Value;

use super::{
    ROOT,
    answer::{Answer, page},
};
use crate::{call::Call, fault::Result};

/// How many resources are on a page when nobody says.
const PAGE_USUAL: i64 = 100;
/// What every resource says of itself, whatever is asked for.
const ALWAYS: [&str; 2] = ["schemas", "id"];

/// The query. What isn't known of it (sorting, say) is passed over, as RFC 7644 has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Query {
    pub filter: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
    attributes: Option<String>,
    excluded_attributes: Option<String>,
}

impl Query {
    pub fn of(call: &Call) -> Result<Self> {
        call.query()
    }

    /// Of all, the page that is asked for.
    pub fn page(&self, all: Vec<Value>) -> Result<Answer> {
        let filter = self.filter.as_deref().map(Filter::read).transpose().map_err(daypass_app::Problem::from)?;
        let mut found: Vec<Value> = match filter {
            Some(filter) => all.into_iter().filter(|shown| filter.means(shown)).collect(),
            None => all,
        };
        let total = found.len();
        let start = usize::try_from(self.start_index.unwrap_or(1)).unwrap_or(1).max(1);
        let count = usize::try_from(self.count.unwrap_or(PAGE_USUAL)).unwrap_or(0).min(PAGE_MOST);
        found.drain(..(start - 1).min(total));
        found.truncate(count);
        Ok(page(found.into_iter().map(|shown| self.narrow(shown)).collect(), total, start))
    }

    /// A resource with the attributes that are asked for.
    pub fn narrow(&self, mut shown: Value) -> Value {
        let Some(object) = shown.as_object_mut() else { return shown };
        let is = |list: &str, key: &str| list.split(',').any(|name| base(name).eq_ignore_ascii_case(key));
        object.retain(|key, _| {
            ALWAYS.contains(&key.as_str())
                || (self.attributes.as_deref().is_none_or(|wanted| is(wanted, key))
                    && !self.excluded_attributes.as_deref().is_some_and(|unwanted| is(unwanted, key)))
        });
        shown
    }
}

/// `urn:ietf:params:scim:schemas:core:2.0:User:userName` is `userName`, and `members.value` is `members`.
fn base(name: &str) -> &str {
    let name = name.trim();
    let last = name.rsplit(':').next().unwrap_or_default();
    last.split('.').next().unwrap_or_default()
}

/// Where this server is, as the caller reached it, up to and with `/scim/v2`.
pub(crate) fn at(call: &Call) -> String {
    let host = call.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let fine = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    let host = if host.len() <= 255 && host.chars().all(fine) { host } else { "localhost" };
    format!("https://{host}{ROOT}")
}
