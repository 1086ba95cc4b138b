//! Where pages are: their paths under the public address, for those who serve them and those who link to them.

use daypass_domain::RequestId;

/// What waits for one's answer.
pub const INBOX: &str = "/inbox";

/// One request, with what came of it.
#[must_use]
pub fn request(id: RequestId) -> String {
    format!("/requests/{id}")
}
