//! What would turn a no into a yes: found by asking the one evaluator again with that thing supposed.
//!
//! There is no second reading of policies here. A thing is missing exactly when the evaluator says yes with it and no
//! without it; so what is told to people can't drift from what is judged.

use std::collections::BTreeSet;

use daypass_domain::{
    Name, Span, Time,
    request::{Purpose, TicketRef},
    signals::{AssuranceLevel, Compliance, RiskLevel, Since, Told},
};
use serde::{Deserialize, Serialize};

use crate::{
    Act, Directory, Input, PartyKind, PolicySet, Quorum, Verdict, Yes,
    evaluate::Case,
    owner::{Found, Owner, READ_AS, Word},
    quorum::Voices,
    schema::EntityKind,
    set::secs_up,
};

/// How many things are supposed at once while every combination is tried; a larger way is looked for only where no
/// smaller one was found.
const TOGETHER_MAX: usize = 3;

/// How many of the quorums that policies name are tried, those of the fewest people first.
const QUORUMS_MAX: usize = 12;

/// How many kinds of ticket are tried.
const TICKETS_MAX: usize = 4;

/// How many levels of assurance are tried.
const LEVELS_MAX: usize = 4;

/// How many people are named as able to give an approval.
pub const WHO_MAX: usize = 32;

/// The shortest time that is proposed.
const SHORTEST_S: u32 = 60;

/// The oldest second factor that is looked for.
const FACTOR_AGE_MAX_S: i64 = 86_400;

/// Every way found to turn a no into a yes; no way when nothing that could be added would.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The ways, from the fewest things to the most. Each is enough, and nothing can be left out of any.
    pub ways: Vec<Way>,
}

/// Things that are enough together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Way {
    /// All of them are needed.
    pub lacks: Vec<Lack>,
}

/// One thing that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "lack", rename_all = "snake_case")]
pub enum Lack {
    /// Approvals. Parties to the request never count. // I8
    Approvals {
        /// As the policy names it: `1 dba-leads, 1 security`.
        quorum: String,
        /// How many of its places are filled already.
        given: usize,
        /// Who could fill the next one, by name: at most [`WHO_MAX`], at least one.
        who: Vec<Name>,
    },
    /// The confirmation of the owner of the workload that asks. It is no approval. // I8
    Confirmation {
        /// Who, by name.
        owner: Name,
        /// Whether it takes a second factor, shown with it.
        factor: Factor,
    },
    /// A reason.
    Reason,
    /// A ticket.
    Ticket {
        /// What its key looks like (`*` stands for anything), where it matters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        like: Option<String>,
    },
    /// A second factor, shown at most so long before asking.
    SecondFactor {
        /// How long.
        within: Span,
    },
    /// Less time.
    ShorterTime {
        /// The longest that would do, in whole seconds.
        at_most: Span,
    },
    /// Another purpose.
    Purpose {
        /// Which.
        purpose: Purpose,
    },
    /// A transmitter of signals that says they are a lower risk.
    LowerRisk {
        /// The highest that would do.
        at_most: RiskLevel,
    },
    /// One that says, by now, that their devices keep to the rules.
    CompliantDevice,
    /// One that says it is as sure of who they are.
    Assurance {
        /// As that.
        level: AssuranceLevel,
    },
}

/// Whether an owner's confirmation takes a second factor: it does where the owner could have it only with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Factor {
    /// It doesn't.
    NotNeeded,
    /// It does, shown just before.
    Needed,
}

/// What would turn a no on `input` into a yes. Empty when it is permitted already.
///
/// Only approvals that people in `directory` could really give are proposed.
#[must_use]
pub fn missing(policies: &PolicySet, input: &Input, directory: &Directory) -> Missing {
    let Ok(case) = Case::of(input) else { return Missing::default() };
    let search = Search::new(policies, input, directory, &case);
    if !input.principal.active || search.verdict(&[]).is_permitted() {
        return Missing::default();
    }
    let mut found: Vec<Vec<&Pick>> = Vec::new();
    for size in 1..=TOGETHER_MAX {
        search.of_size(size, 0, &mut Vec::new(), &mut found);
    }
    if found.is_empty() {
        found.extend(search.everything_then_less());
    }
    found.sort_by_key(Vec::len);
    Missing { ways: found.into_iter().map(|picks| search.tell(&picks)).collect() }
}

/// One thing that is supposed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pick {
    Quorum(Quorum),
    Confirmation,
    Reason,
    Ticket { like: Option<String>, sample: TicketRef },
    SecondFactor,
    ShorterTime,
    Purpose(Purpose),
    Risk(RiskLevel),
    Device,
    Assurance(AssuranceLevel),
}

struct Search<'a> {
    policies: &'a PolicySet,
    case: &'a Case,
    /// What is asked, without the approvals: quorums are given to the evaluator by name.
    act: Act,
    met: BTreeSet<String>,
    /// The owner of the workload that asks, where policies read whether they confirmed it.
    owner: Option<TheirOwner>,
    voices: Voices<'a>,
    /// What transmitters of signals said.
    told: &'a Told,
    at: Time,
    /// Everybody who could still say yes.
    others: Vec<&'a Yes>,
    picks: Vec<Pick>,
}

/// An owner whose confirmation could matter.
struct TheirOwner {
    name: Name,
    asked: Owner,
    /// The age of the second factor that their confirmation was given with, where it stands.
    given: Option<Option<i64>>,
}

impl<'a> Search<'a> {
    fn new(policies: &'a PolicySet, input: &'a Input, directory: &'a Directory, case: &'a Case) -> Self {
        let met = policies.quorums_met(input);
        let mut act = input.act.clone();
        let owner = their_owner(policies, input);
        let (mut voices, mut others, mut picks) = (Voices::default(), Vec::<&Yes>::new(), Vec::new());
        // It is given once: what stands isn't given again.
        if owner.as_ref().is_some_and(|owner| owner.given.is_none()) {
            picks.push(Pick::Confirmation);
        }
        if let (Act::Use(asked), Act::Use(supposed)) = (&input.act, &mut act) {
            let parties = asked.parties(&input.principal);
            voices = Voices::of(&asked.approvals, &parties);
            others = directory.voices().filter(|y| !parties.contains(&y.person) && !voices.has(y.person)).collect();
            supposed.approvals.clear();
            picks.extend(picks_of_use(policies, &asked.asked, &met, &voices, &others));
        }
        if act.second_factor_age_s() != Some(0) {
            picks.push(Pick::SecondFactor);
        }
        let told = &input.principal.told;
        picks.extend(picks_of_told(policies, told));
        Self { policies, case, act, met, owner, voices, told, at: input.at, others, picks }
    }

    /// What the evaluator says with these supposed.
    fn verdict(&self, picks: &[&Pick]) -> Verdict {
        let (act, quorums) = self.suppose(picks);
        self.judge(picks, &act, quorums)
    }

    fn judge(&self, picks: &[&Pick], act: &Act, quorums: BTreeSet<String>) -> Verdict {
        let told = self.suppose_told(picks);
        let found = Found { quorums, confirmation: self.confirmation(picks, act, &told) };
        self.case.judge_told(self.policies, act, &found, &told)
    }

    /// Whether the owner's word is given or supposed, and they could have what is supposed themselves.
    fn confirmation(&self, picks: &[&Pick], act: &Act, told: &Told) -> Word {
        let Some(owner) = &self.owner else { return Word::Missing };
        let supposed = picks.contains(&&Pick::Confirmation);
        // Whoever confirms can show a second factor with it.
        let suffices = supposed && self.confirms(owner, act, told).is_some()
            || owner.given.is_some_and(|age| owner.asked.could_have(self.policies, act, told, age));
        if suffices { Word::Suffices } else { Word::Missing }
    }

    /// What a confirmation by the owner would take to suffice; nothing when it can't.
    fn confirms(&self, owner: &TheirOwner, act: &Act, told: &Told) -> Option<Factor> {
        let could = |age| owner.asked.could_have(self.policies, act, told, age);
        if could(None) {
            return Some(Factor::NotNeeded);
        }
        could(Some(0)).then_some(Factor::Needed)
    }

    /// What transmitters of signals would say just now.
    fn suppose_told(&self, picks: &[&Pick]) -> Told {
        let (mut told, at) = (self.told.clone(), self.at);
        for pick in picks {
            match pick {
                Pick::Risk(level) => told.risk = Some(Since { what: *level, at }),
                Pick::Device => told.device = Some(Since { what: Compliance::Compliant, at }),
                Pick::Assurance(level) => told.assurance = Some(Since { what: level.clone(), at }),
                Pick::Quorum(_)
                | Pick::Confirmation
                | Pick::Reason
                | Pick::Ticket { .. }
                | Pick::SecondFactor
                | Pick::ShorterTime
                | Pick::Purpose(_) => {}
            }
        }
        told
    }

    fn suppose(&self, picks: &[&Pick]) -> (Act, BTreeSet<String>) {
        let (mut act, mut quorums) = (self.act.clone(), self.met.clone());
        for pick in picks {
            if let Pick::Quorum(quorum) = pick {
                // Whoever meets it meets what it implies as well, and nothing else is taken for granted.
                let too = self.policies.quorums().iter().filter(|other| quorum.implies(other));
                quorums.extend(too.map(|q| q.text().to_owned()));
            }
            if let Pick::SecondFactor = pick {
                act.set_second_factor_age_s(0);
            }
            let Act::Use(used) = &mut act else { continue };
            match pick {
                Pick::Reason => used.asked.reason_given = true,
                Pick::Ticket { sample, .. } => used.asked.ticket = Some(sample.clone()),
                Pick::ShorterTime => used.asked.duration = Span::from_secs(SHORTEST_S),
                Pick::Purpose(purpose) => used.asked.purpose = *purpose,
                Pick::Quorum(_)
                | Pick::Confirmation
                | Pick::SecondFactor
                | Pick::Risk(_)
                | Pick::Device
                | Pick::Assurance(_) => {}
            }
        }
        (act, quorums)
    }

    /// Tries every combination of `left` further picks from `from` on, skipping what only adds to a way found.
    fn of_size<'s>(&'s self, left: usize, from: usize, chosen: &mut Vec<&'s Pick>, found: &mut Vec<Vec<&'s Pick>>) {
        if left == 0 {
            if !found.iter().any(|way| covers(way, chosen)) && self.verdict(chosen).is_permitted() {
                found.push(chosen.clone());
            }
            return;
        }
        for (index, pick) in self.picks.iter().enumerate().skip(from) {
            if chosen.iter().any(|c| c.excludes(pick)) {
                continue;
            }
            chosen.push(pick);
            self.of_size(left - 1, index + 1, chosen, found);
            chosen.pop();
        }
    }

    /// Where no small combination helps: supposes everything at once, and takes away what isn't needed.
    fn everything_then_less(&self) -> Option<Vec<&Pick>> {
        let mut way: Vec<&Pick> = Vec::new();
        for pick in &self.picks {
            if !matches!(pick, Pick::Purpose(_)) && !way.iter().any(|c| c.excludes(pick)) {
                way.push(pick);
            }
        }
        if !self.verdict(&way).is_permitted() {
            return None;
        }
        // The largest quorums go first, so that what stays asks for few people.
        for pick in self.picks.iter().rev() {
            let less: Vec<&Pick> = way.iter().copied().filter(|p| *p != pick).collect();
            if less.len() < way.len() && self.verdict(&less).is_permitted() {
                way = less;
            }
        }
        Some(way)
    }

    /// In words, with the most generous numbers that the evaluator still accepts.
    fn tell(&self, picks: &[&Pick]) -> Way {
        let (mut act, quorums) = self.suppose(picks);
        let yes = |act: &Act| self.judge(picks, act, quorums.clone()).is_permitted();
        let mut lacks = Vec::new();
        for pick in picks {
            lacks.push(match pick {
                Pick::Quorum(quorum) => self.approvals(quorum),
                Pick::Confirmation => {
                    let Some(owner) = &self.owner else { continue };
                    // What it takes is said below, when everything else is known.
                    Lack::Confirmation { owner: owner.name.clone(), factor: Factor::Needed }
                }
                Pick::Reason => Lack::Reason,
                Pick::Ticket { like, .. } => Lack::Ticket { like: like.clone() },
                Pick::Purpose(purpose) => Lack::Purpose { purpose: *purpose },
                Pick::Risk(level) => Lack::LowerRisk { at_most: *level },
                Pick::Device => Lack::CompliantDevice,
                Pick::Assurance(level) => Lack::Assurance { level: level.clone() },
                Pick::ShorterTime => {
                    let asked_s = self.act.duration().map_or(0, secs_up);
                    let at_most_s = most(i64::from(SHORTEST_S), asked_s - 1, |s| {
                        act.set_duration(secs(s));
                        yes(&act)
                    });
                    act.set_duration(secs(at_most_s));
                    Lack::ShorterTime { at_most: secs(at_most_s) }
                }
                Pick::SecondFactor => {
                    let oldest = self.act.second_factor_age_s().map_or(FACTOR_AGE_MAX_S, |age| age - 1);
                    let within_s = most(0, oldest.min(FACTOR_AGE_MAX_S), |s| {
                        act.set_second_factor_age_s(s);
                        yes(&act)
                    });
                    act.set_second_factor_age_s(within_s);
                    Lack::SecondFactor { within: secs(within_s) }
                }
            });
        }
        for lack in &mut lacks {
            if let (Lack::Confirmation { factor, .. }, Some(owner)) = (lack, &self.owner) {
                *factor = self.confirms(owner, &act, &self.suppose_told(picks)).unwrap_or(Factor::Needed);
            }
        }
        Way { lacks }
    }

    fn approvals(&self, quorum: &Quorum) -> Lack {
        let given = quorum.filled(&self.voices);
        let helps = |yes: &&&'a Yes| quorum.filled(&self.voices.with(yes)) > given;
        let mut who: Vec<Name> = self.others.iter().filter(helps).map(|y| y.name.clone()).collect();
        who.sort();
        who.truncate(WHO_MAX);
        Lack::Approvals { quorum: quorum.text().to_owned(), given, who }
    }
}

/// The owner of the workload that asks for itself, where policies read whether they confirmed it.
fn their_owner(policies: &PolicySet, input: &Input) -> Option<TheirOwner> {
    let asked = policies.literals().reads(READ_AS).then(|| Owner::of(input)).flatten()?;
    let (Act::Use(used), PartyKind::Workload { owner }) = (&input.act, &input.principal.kind) else { return None };
    let given = used.confirmation.map(|confirmed| confirmed.second_factor_age_s);
    Some(TheirOwner { name: owner.name.clone(), asked, given })
}

/// What could be supposed of a request: only what it lacks, and of quorums only what people could really meet.
fn picks_of_use(
    policies: &PolicySet,
    asked: &crate::AskedFacts,
    met: &BTreeSet<String>,
    voices: &Voices<'_>,
    others: &[&Yes],
) -> Vec<Pick> {
    let everybody = Voices::of(voices.iter().chain(others.iter().copied()), &[]);
    let open = |q: &&Quorum| !met.contains(q.text()) && q.is_met(&everybody);
    let quorums = policies.quorums().iter().filter(open).take(QUORUMS_MAX).cloned();
    let mut picks = Vec::new();
    if !asked.reason_given {
        picks.push(Pick::Reason);
    }
    picks.extend(quorums.map(Pick::Quorum));
    let any = asked.ticket.is_none().then(|| (None, "TICKET-1".to_owned()));
    let patterns =
        policies.literals().ticket_patterns.iter().map(|(like, sample)| (Some(like.clone()), sample.clone()));
    for (like, sample) in any.into_iter().chain(patterns).take(TICKETS_MAX) {
        picks.extend(TicketRef::try_from(sample).ok().map(|sample| Pick::Ticket { like, sample }));
    }
    if secs_up(asked.duration) > i64::from(SHORTEST_S) {
        picks.push(Pick::ShorterTime);
    }
    let named: BTreeSet<&str> = policies.literals().ids(EntityKind::Purpose).collect();
    let other = |p: &Purpose| *p != asked.purpose && named.contains(p.as_str());
    picks.extend(Purpose::ALL.into_iter().filter(other).map(Pick::Purpose));
    picks
}

/// What transmitters of signals could say of the person that they don't say yet: only what policies read.
fn picks_of_told(policies: &PolicySet, told: &Told) -> Vec<Pick> {
    let literals = policies.literals();
    let mut picks = Vec::new();
    if literals.reads("risk_level") {
        // The highest first: whoever is less of a risk than that is so as well.
        let lower = |level: &RiskLevel| told.risk.as_ref().is_none_or(|now| *level < now.what);
        let anew =
            |level: &RiskLevel| literals.reads("risk_age_s") && told.risk.as_ref().is_some_and(|r| r.what == *level);
        picks.extend(RiskLevel::ALL.into_iter().rev().filter(|l| lower(l) || anew(l)).map(Pick::Risk));
    }
    let compliant = told.device.as_ref().is_some_and(|now| now.what == Compliance::Compliant);
    if literals.reads("device_compliance") && (!compliant || literals.reads("device_age_s")) {
        picks.push(Pick::Device);
    }
    if literals.reads("assurance_level") {
        let is = |level: &AssuranceLevel| told.assurance.as_ref().is_some_and(|now| now.what == *level);
        let named = literals.assurance_levels.iter().filter_map(|level| AssuranceLevel::try_from(level.clone()).ok());
        let wanted = named.filter(|level| !is(level) || literals.reads("assurance_age_s"));
        picks.extend(wanted.take(LEVELS_MAX).map(Pick::Assurance));
    }
    picks
}

impl Pick {
    /// Whether two can't be supposed together, since one request has one of them.
    fn excludes(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Ticket { .. }, Self::Ticket { .. })
                | (Self::Purpose(_), Self::Purpose(_))
                | (Self::Risk(_), Self::Risk(_))
                | (Self::Assurance(_), Self::Assurance(_))
        )
    }

    /// Whether who brings `self` has brought `other` as well.
    fn includes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Quorum(mine), Self::Quorum(theirs)) => mine.implies(theirs),
            (Self::Ticket { .. }, Self::Ticket { like: None, .. }) => true,
            (Self::Risk(mine), Self::Risk(theirs)) => mine <= theirs,
            (mine, theirs) => mine == theirs,
        }
    }
}

/// Whether `more` brings everything that `way` asks for, so that it says nothing new.
fn covers(way: &[&Pick], more: &[&Pick]) -> bool {
    way.iter().all(|needed| more.iter().any(|m| m.includes(needed)))
}

/// The largest number from `least` (which is accepted) to `greatest` that is accepted, by halving.
fn most(least: i64, greatest: i64, mut accepted: impl FnMut(i64) -> bool) -> i64 {
    let (mut low, mut high) = (least, greatest.max(least));
    while low < high {
        let middle = low + (high - low + 1) / 2;
        if accepted(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    low
}

fn secs(s: i64) -> Span {
    Span::from_micros(s.saturating_mul(1_000_000))
}
