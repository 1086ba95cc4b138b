//! What every store must do: hundreds of random steps, each compared with a map in memory.

use std::{collections::BTreeMap, sync::Arc};

use daypass_domain::{Digest, Time};
use daypass_ports::{
    record::{Commit, CommitError, Kind},
    store::Store,
};

use crate::support::{SetClock, Thing, entry, expect, thing, verified};

/// Numbers that look random, and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 += 1;
        let bytes = Digest::of(&self.0.to_be_bytes());
        let [a, b, c, d, ..] = *bytes.bytes();
        u64::from(u32::from_be_bytes([a, b, c, d])) % limit
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[usize::try_from(self.below(from.len() as u64)).expect("an index")]
    }
}

const IDS: &[&str] = &["a", "b", "c", "d", "e", "f"];
const STATES: &[&str] = &["open", "shut", "lost"];

#[derive(Default)]
struct Model {
    rows: BTreeMap<String, (Thing, u64)>,
    entries: u64,
}

impl Model {
    fn version(&self, id: &str) -> u64 {
        self.rows.get(id).map_or(0, |(_, version)| *version)
    }

    /// What the store should do with a commit: refuse it for the first wrong expectation, or do all of it.
    fn apply(&mut self, commit: &Commit, writes: &[(&'static str, Option<Thing>)]) -> Result<(), String> {
        if let Some(wrong) = commit.expect.iter().find(|e| self.version(&e.id) != e.version) {
            return Err(wrong.id.clone());
        }
        for (id, value) in writes {
            match value {
                Some(value) => {
                    let version = self.version(id) + 1;
                    self.rows.insert((*id).to_owned(), (value.clone(), version));
                }
                None => drop(self.rows.remove(*id)),
            }
        }
        self.entries += commit.entries.len() as u64;
        Ok(())
    }
}

pub async fn random_steps_do_what_a_model_does(store: Arc<dyn Store>, _: Arc<SetClock>) {
    let (mut dice, mut model) = (Dice(0), Model::default());
    let (mut done, mut refused) = (0, 0);
    for _ in 0..400 {
        let (commit, writes) = step(&mut dice, &model);
        let before = model.entries;
        match (model.apply(&commit, &writes), store.append(commit).await) {
            (Ok(()), Ok(committed)) => {
                assert!(committed.entries.into_iter().eq(before..model.entries));
                done += 1;
            }
            (Err(id), refusal) => {
                assert_eq!(refusal, Err(CommitError::Stale { kind: Kind::Setting, id }));
                refused += 1;
            }
            (Ok(()), refusal) => panic!("the model does it, and the store doesn't: {refusal:?}"),
        }
        compare(&*store, &model).await;
    }
    assert!(done > 100 && refused > 50, "both happen: {done} done, {refused} refused");
    assert_eq!(verified(&*store).await.size, model.entries);
}

/// One to three writes of distinct rows, each with an expectation that is right three times out of four.
fn step(dice: &mut Dice, model: &Model) -> (Commit, Vec<(&'static str, Option<Thing>)>) {
    let (mut commit, mut writes) = (Commit::default(), BTreeMap::new());
    for _ in 0..=dice.below(3) {
        let id = dice.pick(IDS);
        let version = model.version(id);
        commit.expect.push(expect(id, if dice.below(4) == 0 { dice.below(4) } else { version }));
        let value = (dice.below(5) > 0).then(|| random_thing(dice, id));
        writes.insert(id, value);
    }
    let writes: Vec<_> = writes.into_iter().collect();
    for (id, value) in &writes {
        match value {
            Some(value) => commit.put(value),
            None => commit.writes.push(daypass_ports::record::Write {
                kind: Kind::Setting,
                id: (*id).to_owned(),
                what: daypass_ports::record::Written::Delete,
            }),
        }
    }
    (0..dice.below(4)).for_each(|_| commit.entry(entry("step")));
    (commit, writes)
}

fn random_thing(dice: &mut Dice, id: &str) -> Thing {
    let tags = (0..dice.below(3)).map(|_| dice.pick(STATES).to_owned()).collect();
    let due = (dice.below(2) == 0).then(|| i64::try_from(dice.below(50)).expect("small"));
    Thing { tags, due, ..thing(id, dice.pick(STATES)) }
}

async fn compare(store: &dyn Store, model: &Model) {
    let all = store.all::<Thing>().await.expect("it reads");
    let wanted: Vec<_> = model.rows.values().cloned().collect();
    assert_eq!(all.into_iter().map(|r| (r.value, r.version)).collect::<Vec<_>>(), wanted);
    for state in STATES {
        for (key, has) in [
            ("state", &(|t: &Thing| t.state == *state) as &dyn Fn(&Thing) -> bool),
            ("tag", &|t: &Thing| t.tags.iter().any(|tag| tag == state)),
        ] {
            let found = store.find::<Thing>(key, state).await.expect("it reads");
            let wanted: Vec<_> = model.rows.values().map(|(t, _)| t).filter(|t| has(t)).cloned().collect();
            assert_eq!(found.into_iter().map(|r| r.value).collect::<Vec<_>>(), wanted, "{key} {state}");
        }
    }
    let mut due: Vec<_> = model.rows.values().filter_map(|(t, _)| Some((t.due?, t.id.clone()))).collect();
    due.sort();
    assert_eq!(store.next_due().await, Ok(due.first().map(|(us, _)| Time::from_micros(*us))));
    let found = store.due_now::<Thing>(Time::from_micros(25)).await.expect("it reads");
    let wanted: Vec<_> = due.into_iter().filter(|(us, _)| *us <= 25).map(|(_, id)| id).collect();
    assert_eq!(found.into_iter().map(|r| r.value.id).collect::<Vec<_>>(), wanted);
}
