//! Listing: under the lock, cut again, roll back what was prepared, unschedule jobs, and say what is there. Nothing is
//! dropped (I5).

use std::collections::BTreeMap;

use daypass_domain::resource::Ownership;
use daypass_ports::targets::{
    Administration, Ending, LoginName, Presence, Residue, ResidueItem, ResidueKind, TargetError,
};

use super::{
    connect::{Pool, Session},
    cron, cut,
    inventory::{self, Found, Subject},
    lock,
    names::{cut_short, ident},
    prepared,
    roles::{self, Login},
};

/// The longest name or detail in a list.
const TEXT_MOST: usize = 300;

pub(super) type Answers<T> = BTreeMap<LoginName, Result<T, TargetError>>;

pub(super) async fn list(pool: &Pool, at: &Administration, endings: &[Ending]) -> Vec<Result<Residue, TargetError>> {
    let logins: Vec<LoginName> = endings.iter().map(|ending| ending.login.clone()).collect();
    let answers = match under_lock(pool, at, &logins, endings).await {
        Ok(answers) => answers,
        Err(error) => logins.iter().map(|login| (login.clone(), Err(error.clone()))).collect(),
    };
    in_order(&logins, &answers)
}

/// The answers, in the order of the question. What isn't among them isn't ours.
pub(super) fn in_order<T: Clone>(logins: &[LoginName], answers: &Answers<T>) -> Vec<Result<T, TargetError>> {
    let missing = |login: &LoginName| Err(TargetError::NotOurs { role: login.to_string() });
    logins.iter().map(|login| answers.get(login).cloned().unwrap_or_else(|| missing(login))).collect()
}

/// Locks what can be locked and cuts it again. The second part is who can go on.
pub(super) async fn lock_and_cut(
    pool: &Pool,
    at: &Administration,
    session: &Session,
    logins: &[LoginName],
) -> Result<(Answers<()>, Vec<LoginName>), TargetError> {
    let ours = logins.iter().filter(|login| login.is_of(at.installation));
    let (held, busy) = lock::lock(session, ours).await?;
    let mut failed: Answers<()> =
        busy.into_iter().map(|login| (login.clone(), Err(TargetError::Busy { login }))).collect();
    let cuts = cut::cut(pool, at, &held).await;
    let mut going = Vec::new();
    for (login, cut) in held.into_iter().zip(cuts) {
        match cut {
            Ok(_) => going.push(login),
            Err(error) => {
                failed.insert(login, Err(error));
            }
        }
    }
    Ok((failed, going))
}

async fn under_lock(
    pool: &Pool,
    at: &Administration,
    logins: &[LoginName],
    endings: &[Ending],
) -> Result<Answers<Residue>, TargetError> {
    let session = pool.primary(at).await?;
    let (failed, going) = lock_and_cut(pool, at, &session, logins).await?;
    let there = roles::of_names(&session, at.installation, &going).await?;
    let mut answers: Answers<Residue> =
        failed.into_iter().filter_map(|(login, answer)| Some((login, Err(answer.err()?)))).collect();
    let mut subjects = Vec::new();
    for ending in endings.iter().filter(|ending| going.contains(&ending.login)) {
        match there.get(&ending.login) {
            None => {
                answers.insert(ending.login.clone(), Ok(lost(ending)));
            }
            Some(login) => subjects.push((ending, login)),
        }
    }
    for (ending, residue) in inspect(pool, at, &session, &subjects).await? {
        answers.insert(ending.login.clone(), Ok(residue));
    }
    lock::unlock(&session).await?;
    pool.give_back(session);
    Ok(answers)
}

/// Gone, and nobody knows what it left.
fn lost(ending: &Ending) -> Residue {
    let item = ResidueItem {
        kind: ResidueKind::ListLost,
        database: None,
        name: ending.login.to_string(),
        detail: "the login was gone before what it left was listed".into(),
    };
    Residue { presence: Presence::Gone, items: vec![item], ..empty(ending) }
}

fn empty(ending: &Ending) -> Residue {
    Residue {
        ending: ending.clone(),
        presence: Presence::There,
        items: Vec::new(),
        kept: Vec::new(),
        undone: Vec::new(),
        objects: 0,
    }
}

async fn inspect<'a>(
    pool: &Pool,
    at: &Administration,
    session: &Session,
    subjects: &[(&'a Ending, &Login)],
) -> Result<Vec<(&'a Ending, Residue)>, TargetError> {
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = subjects.iter().map(|(ending, _)| ending.login.as_str()).collect();
    let mut found = roll_back(pool, at, session, &names).await?;
    let reached = roles::reached_from(session, &names).await?;
    let mut seen = Vec::new();
    for (_, login) in subjects {
        let root = login.name.as_str();
        let others = reached.iter().filter(|r| r.root == root && r.role != root);
        seen.push(Subject::new(login, others.map(|r| (r.oid, r.role.clone())).collect()));
    }
    found.extend(inventory::of_server(session, at, &seen).await?);
    found.extend(inventory::of_databases(pool, at, session, &seen).await?);
    found.extend(cron::end_jobs(pool, at, session, &seen).await?);
    take_memberships_back(session, &found).await?;
    let counts = inventory::owned(session, &seen).await?;
    let residues = subjects.iter().map(|(ending, login)| {
        let mut residue = empty(ending);
        residue.objects = counts.get(&login.oid).copied().unwrap_or(0);
        residue.items.extend(login.strong.iter().map(|attribute| ResidueItem {
            kind: ResidueKind::Attribute,
            database: None,
            name: (*attribute).to_owned(),
            detail: "given to the login after it was made; what it did with it can't be told".into(),
        }));
        for one in found.iter().filter(|one| one.login == ending.login.as_str()) {
            sort_in(&mut residue, one);
        }
        (*ending, residue)
    });
    Ok(residues.collect())
}

async fn roll_back(
    pool: &Pool,
    at: &Administration,
    session: &Session,
    names: &[&str],
) -> Result<Vec<Found>, TargetError> {
    let mut found = Vec::new();
    for transaction in prepared::of_owners(session, names).await? {
        prepared::roll_back(pool, at, &transaction).await?;
        found.push(Found {
            login: transaction.owner,
            kind: ResidueKind::PreparedTransaction,
            owner: None,
            database: Some(transaction.database),
            name: transaction.gid,
            detail: "rolled back".into(),
            undone: true,
        });
    }
    Ok(found)
}

/// Others may have been made members of the login: they lose that now, and not only when the login is dropped.
async fn take_memberships_back(session: &Session, found: &[Found]) -> Result<(), TargetError> {
    for one in found.iter().filter(|one| one.undone && one.kind == ResidueKind::Membership) {
        let cascade = if session.version >= 160_000 { " CASCADE" } else { "" };
        let sql = format!("REVOKE {} FROM {}{cascade}", ident(&one.login), ident(&one.name));
        session.run("take a membership back", &sql).await?;
    }
    Ok(())
}

/// Undone, kept or remaining.
fn sort_in(residue: &mut Residue, found: &Found) {
    let declared = match &residue.ending.owns {
        Ownership::Quarantine => None,
        Ownership::Kept { owner } => Some(owner.as_str()),
    };
    let object = match found.kind {
        ResidueKind::Object
        | ResidueKind::Function
        | ResidueKind::SecurityDefiner
        | ResidueKind::MadeAsAnother
        | ResidueKind::Replication => true,
        ResidueKind::ListLost
        | ResidueKind::PublicGrant
        | ResidueKind::Membership
        | ResidueKind::DefaultPrivileges
        | ResidueKind::PreparedTransaction
        | ResidueKind::CronJob
        | ResidueKind::Attribute => false,
    };
    // The login's own objects go to the declared owner; what was made as another role is kept only if that is it.
    let kept = object && declared.is_some() && (found.owner.is_none() || found.owner.as_deref() == declared);
    let list = match (found.undone, kept) {
        (true, _) => &mut residue.undone,
        (false, true) => &mut residue.kept,
        (false, false) => &mut residue.items,
    };
    if list.len() < Residue::MOST_ITEMS {
        list.push(ResidueItem {
            kind: found.kind,
            database: found.database.clone(),
            name: cut_short(&found.name, TEXT_MOST),
            detail: cut_short(&found.detail, TEXT_MOST),
        });
    }
}
