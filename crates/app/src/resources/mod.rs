//! What can be asked for: declared in documents, applied as a change (I12), exported in the same form.
//!
//! Grants whose role's definition changes or goes end in the same commit that changes it: what was approved isn't what it
//! would give any more (I8). Everything else that policy reads of a resource (labels, owner) is judged again right after.

mod document;
mod export;
mod plan;

use std::collections::BTreeMap;

use daypass_domain::{
    GrantId, Name, ResourceId,
    end::EndCause,
    principal::{Actor, Group},
    resource::{PgRole, Resource, Target},
};
use daypass_ports::{record::Read, targets::Shown};

pub use document::DOCUMENT_MAX;
pub use plan::{FieldChange, Plan, Update};

use crate::{
    App, Problem, Result,
    changes::{Base, Mode, Outcome, Prepared, Proposal},
    taken::End,
};
use document::{Declared, Document};

/// What became of a document.
#[derive(Debug)]
pub struct Applied {
    /// Whether it was done.
    pub outcome: Outcome,
    /// What was, or would be, done.
    pub plan: Plan,
}

/// Roles at servers that can do more than can be taken back, or nearly everything. The target refuses what is a superuser
/// there; this says it before.
const STRONG: &[&str] = &[
    "postgres",
    "rds_superuser",
    "rdsadmin",
    "cloudsqlsuperuser",
    "cloudsqladmin",
    "azure_pg_admin",
    "azuresu",
    "pg_execute_server_program",
    "pg_write_server_files",
    "pg_read_server_files",
    "pg_create_subscription",
    "pg_maintain",
    "pg_signal_backend",
    "pg_write_all_data",
];

/// A plan with what it was made of.
struct Work {
    plan: Plan,
    writes: Vec<(Option<Read<Resource>>, Resource)>,
    removes: Vec<Read<Resource>>,
    ends: Vec<GrantId>,
    versions: BTreeMap<Name, Option<u64>>,
}

impl App {
    /// What applying this document would do.
    ///
    /// # Errors
    /// When it can't be understood, names what doesn't exist, or would move a resource to another region.
    pub async fn plan_resources(&self, actor: &Actor, file: &str, text: &str) -> Result<Plan> {
        self.may_administer(actor, crate::changes::RESOURCE).await?;
        Ok(self.work_out(document::read(file, text)?).await?.plan)
    }

    /// Applies a document: idempotent, and a change. // I12
    ///
    /// # Errors
    /// As [`App::plan_resources`], and when policy doesn't permit it.
    pub async fn apply_resources(&self, actor: &Actor, file: &str, text: &str, mode: Mode) -> Result<Applied> {
        let plan = self.plan_resources(actor, file, text).await?;
        if plan.is_empty() || mode == Mode::DryRun {
            return Ok(Applied { outcome: Outcome::NothingToDo, plan });
        }
        let proposal = Proposal::Resources { file: file.to_owned(), text: text.to_owned() };
        let outcome = self.propose(actor, proposal).await?.outcome;
        Ok(Applied { outcome, plan })
    }

    /// The rows of a document, for [`crate::changes`].
    pub(crate) async fn plan_resource_rows(&self, file: &str, text: &str) -> Result<Prepared> {
        let work = self.work_out(document::read(file, text)?).await?;
        let mut prepared = Prepared {
            words: work.plan.words(),
            base: Base::Resources { versions: work.versions },
            ..Prepared::default()
        };
        for (old, new) in &work.writes {
            match old {
                Some(old) => prepared.commit.replace(old, new),
                None => prepared.commit.put(new),
            }
        }
        for gone in &work.removes {
            self.plan_kits_gone(gone, &mut prepared).await?;
            prepared.commit.delete(gone);
        }
        self.plan_ends(&End::all(&work.ends, &EndCause::RoleChanged), &mut prepared.commit).await?;
        Ok(prepared)
    }

    async fn work_out(&self, document: Document) -> Result<Work> {
        let stored = self.store_ref().all::<Resource>().await?;
        let groups: Vec<Name> = self.store_ref().all::<Group>().await?.into_iter().map(|g| g.value.name).collect();
        let mut by_name: BTreeMap<Name, Read<Resource>> =
            stored.into_iter().map(|r| (r.value.name.clone(), r)).collect();
        let mut work = Work {
            plan: Plan::default(),
            writes: Vec::new(),
            removes: Vec::new(),
            ends: Vec::new(),
            versions: BTreeMap::new(),
        };
        let region = self.region().await?;
        for declared in document.resources {
            if !groups.contains(&declared.owner) {
                return Err(Problem::invalid(
                    "unknown_owner",
                    format!(
                        "the resource `{}` names the owner `{}`, and there is no such group",
                        declared.name, declared.owner
                    ),
                    format!(
                        "make it with `daypass group create {}`, or name one of: {}",
                        declared.owner,
                        join(&groups)
                    ),
                ));
            }
            work.plan.warnings.extend(warnings(&declared));
            let old = by_name.remove(&declared.name);
            work.versions.insert(declared.name.clone(), old.as_ref().map(|r| r.version));
            self.place(declared, old, &region, &mut work)?;
        }
        for name in document.remove {
            match by_name.remove(&name) {
                Some(read) => {
                    work.versions.insert(name.clone(), Some(read.version));
                    work.plan.removes.push(name);
                    work.removes.push(read);
                }
                // Removed already: applying twice is no error.
                None => drop(work.versions.insert(name, None)),
            }
        }
        self.find_ends(&mut work).await?;
        Ok(work)
    }

    fn place(&self, declared: Declared, old: Option<Read<Resource>>, region: &Name, work: &mut Work) -> Result<()> {
        let Some(old) = old else {
            let id = ResourceId::new(self.now(), self.id_bytes());
            let new = made(declared, id, region);
            if !self.store.keeps(&new.region) {
                return Err(no_place(&new)); // I10
            }
            work.plan.creates.push(Update { name: new.name.clone(), fields: plan::all(&new) });
            work.writes.push((None, new));
            return Ok(());
        };
        let new = made(declared, old.value.id, &old.value.region);
        if new.region != old.value.region {
            return Err(Problem::conflict(
                "region_is_fixed",
                format!(
                    "the resource `{}` is in the region `{}`, and its records stay there",
                    new.name, old.value.region
                ),
                "declare it under a new name in the other region, and remove this one",
            ));
        }
        if old.value == new {
            work.plan.unchanged.push(new.name);
            return Ok(());
        }
        let fields = plan::differences(&old.value, &new);
        work.plan.updates.push(Update { name: new.name.clone(), fields });
        work.writes.push((Some(old), new));
        Ok(())
    }

    /// The live grants whose role isn't what they were given for any more.
    async fn find_ends(&self, work: &mut Work) -> Result<()> {
        for grant in self.live_grants().await? {
            let grant = grant.value;
            let removed = work.removes.iter().any(|r| r.value.id == grant.resource);
            let changed = work.writes.iter().filter(|(_, new)| new.id == grant.resource);
            let mut other = changed
                .filter(|(_, new)| new.roles.get(&grant.role).map(|role| role.digest(new)) != Some(grant.role_digest));
            if removed || other.next().is_some() {
                work.ends.push(grant.id);
            }
        }
        work.plan.ends_grants = work.ends.len();
        Ok(())
    }
}

/// Nothing is put where it doesn't belong: not even for a while. // I10
fn no_place(resource: &Resource) -> Problem {
    let region = &resource.region;
    Problem::conflict(
        "no_place",
        format!(
            "the resource `{}` is in the region `{region}`, and this installation keeps no payloads there",
            resource.name
        ),
        format!(
            "name a folder of that region in server.toml, like `{region} = \"/srv/{region}\"` under [regions], and restart; or leave `region` out where the data may be kept with the rest"
        ),
    )
}

fn made(declared: Declared, id: ResourceId, region: &Name) -> Resource {
    let Declared { name, target, region: said, owner, labels, roles, record, limits } = declared;
    let region = said.unwrap_or_else(|| region.clone());
    Resource { id, name, target, region, owner, labels, roles, record, limits }
}

fn warnings(declared: &Declared) -> Vec<String> {
    let strong = |role: &PgRole| STRONG.contains(&role.as_str());
    let mut warnings = Vec::new();
    for (name, role) in &declared.roles {
        for given in role.member_of.iter().filter(|r| strong(r)) {
            warnings.push(format!(
                "the role `{}/{name}` gives `{}`, which can do more at a server than a grant's end can undo",
                declared.name,
                Shown(given.as_str())
            ));
        }
    }
    let Target::Postgres(postgres) = &declared.target;
    if strong(&postgres.administrator) {
        warnings.push(format!(
            "`{}` is administered by `{}`, and a login with CREATEROLE alone is enough: see `daypass doctor {}`",
            declared.name,
            Shown(postgres.administrator.as_str()),
            declared.name
        ));
    }
    warnings
}

fn join(names: &[Name]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
