//! Where pages are: their paths under the public address, for those who serve them and those who link to them.

use daypass_domain::RequestId;

/// What waits for one's answer.
pub const INBOX: &str = "/inbox";

/// Emergency kits: what was used, and what is to be done about it.
pub const EMERGENCY: &str = "/emergency";

/// One request, with what came of it.
#[must_use]
pub fn request(id: RequestId) -> String {
    format!("/requests/{id}")
}
