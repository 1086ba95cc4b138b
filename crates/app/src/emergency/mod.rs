//! When Daypass is down: a login at the target that two people open together, without us.
//!
//! ```text
//! make, rotate ──► a change ──► commit: the kit, with a verifier     the two halves go to whoever proposed it, once
//! finish       ──► the login at the target, until it is there ──► commit: sealed
//! the reaper   ──► a session of it ──► commit: used, everybody told   the alarm stays until it is rotated and reviewed
//! remove       ──► commit: removing ──► cut, list ──► commit: list ──► drop ──► commit: gone
//! ```
//!
//! The credential is made here, split in two, and each half sealed to one person's own key (`age`). Nothing of it is kept
//! but a verifier, and that only until the target has it. This is the one exception to "nobody sees a target's
//! credential", and it takes two people. // I6

mod finish;
mod look;
mod page;
mod plan;
mod review;
mod seen;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use daypass_domain::{KitId, Name, kit::Kit};
use daypass_ports::record::Read;
use serde::{Deserialize, Serialize};
use tokio::{sync::Notify, time::Instant};

use crate::{App, Problem, ProblemKind, Result};

pub use look::{KitView, RotationDue};
pub use page::file_name;

/// One of the two whom a kit is to be sealed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KitHolder {
    /// Who: a user, by name.
    pub user: Name,
    /// Their own public key, as `age-keygen` prints it: `age1...`.
    pub recipient: String,
}

/// A kit that was sealed, for whoever proposed it: shown once. It is good once the change is done and the target has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKit {
    /// Which.
    pub kit: KitId,
    /// Of which resource.
    pub resource: Name,
    /// One file for each holder.
    pub files: [KitFile; 2],
}

/// What one holder gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KitFile {
    /// Who.
    pub holder: Name,
    /// Their half, sealed to them: an age file in its armor.
    pub sealed: String,
    /// The same with instructions in plain words, to be printed.
    pub page: String,
}

/// What is under way in this process.
#[derive(Default)]
pub(crate) struct Kits {
    /// There is something to do at a target.
    pub(crate) wake: Notify,
    /// What didn't work, and until when it is left in peace.
    troubles: Mutex<BTreeMap<KitId, Trouble>>,
    /// Sessions that are written down already, by the process and its start.
    written_down: Mutex<BTreeSet<(KitId, String)>>,
}

/// Why a kit's login isn't as it should be yet.
#[derive(Debug, Clone)]
struct Trouble {
    why: String,
    times: u32,
    until: Instant,
}

impl Kits {
    fn troubles(&self) -> MutexGuard<'_, BTreeMap<KitId, Trouble>> {
        // Plain data: whole whatever a panicking thread was doing.
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written_down(&self) -> MutexGuard<'_, BTreeSet<(KitId, String)>> {
        self.written_down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    async fn kit(&self, id: KitId) -> Result<Read<Kit>> {
        let found = self.store_ref().get::<Kit>(&id.to_string()).await?;
        found.ok_or_else(|| {
            let what = format!("there is no emergency kit `{id}`, or none that you may see");
            Problem::new(
                ProblemKind::NotFound,
                "not_found",
                what,
                "list what there is with `daypass emergency-kit list`",
            )
        })
    }
}

/// The ids that every entry about a kit carries: its two holders are named in each.
fn ids_of(kit: &Kit) -> Vec<(&'static str, String)> {
    let [one, other] = &kit.sealed.holders;
    vec![
        ("kit", kit.id.to_string()),
        ("resource", kit.resource.to_string()),
        ("holder", one.principal.to_string()),
        ("other_holder", other.principal.to_string()),
    ]
}
