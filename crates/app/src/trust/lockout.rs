//! A provider doesn't go while it is the only way in for whoever administers.

use daypass_domain::trust::Trust;

use crate::{App, Problem, Result};

impl App {
    /// Somebody who administers must be able to sign in under the new document, where somebody can under the old one.
    pub(super) async fn must_leave_a_way_in(&self, old: &Trust, new: &Trust) -> Result<()> {
        let administrators = self.administrators().await?.value.members;
        let mut by_the_old = false;
        for member in administrators {
            if self.could_sign_in(member, new).await? {
                return Ok(());
            }
            by_the_old |= self.could_sign_in(member, old).await?;
        }
        if !by_the_old {
            return Ok(());
        }
        Err(Problem::conflict(
            "last_administrator",
            "nobody who can sign in would be left to administer Daypass: whoever does so now signs in by a provider that this \
             document doesn't name any more, and has no password here",
            "keep that provider; or first make an administrator with a password: `daypass invite NAME --group \
             administrators`, which they take up",
        ))
    }
}
