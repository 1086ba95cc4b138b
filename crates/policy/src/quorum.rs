//! Quorums: how many people, out of which groups, must have said yes (I8).
//!
//! Cedar can't count, so policies name quorums, `Quorum::"1 dba-leads, 1 security"`, and the code here computes which of
//! them are met: by matching distinct people to places, so that one person fills one place however many groups they
//! are in. Who asks and who would hold the access are never matched.
//!
//! ```text
//! quorum = part *( "," part )
//! part   = count 1*SP source
//! count  = 1 to 32, in decimal
//! source = "anyone" / the name of a group
//! ```

use std::{collections::BTreeMap, fmt, str::FromStr};

use daypass_domain::{BadName, Name, principal::Person};

use crate::Yes;

/// The most people that a quorum may ask for.
pub const PEOPLE_MAX: usize = 32;

/// How many people, out of which groups. Parsed from what a policy names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    text: String,
    parts: Vec<Part>,
}

/// So many people out of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// How many: 1 to [`PEOPLE_MAX`].
    pub count: usize,
    /// Out of whom.
    pub source: Source,
}

/// Out of whom a place in a quorum is filled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Any active user.
    Anyone,
    /// Members of this group.
    Group(Name),
}

/// Why a text doesn't name a quorum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadQuorum {
    /// A part isn't a count and a group.
    #[error("`{0}` isn't a count and a group")]
    Part(String),
    /// What follows the count can't be a group.
    #[error(transparent)]
    Group(#[from] BadName),
    /// A group is named twice.
    #[error("{0} is named twice: write it once, with the sum")]
    Twice(Source),
    /// It asks for nobody, or for too many.
    #[error("a quorum asks for 1 to {PEOPLE_MAX} people, not {0}")]
    People(usize),
}

impl FromStr for Quorum {
    type Err = BadQuorum;

    fn from_str(text: &str) -> Result<Self, BadQuorum> {
        let mut parts: Vec<Part> = Vec::new();
        for part in text.split(',') {
            let bad = || BadQuorum::Part(part.trim().chars().take(80).flat_map(char::escape_default).collect());
            let (count, source) = part.trim().split_once(char::is_whitespace).ok_or_else(bad)?;
            // Leading signs and zeros would let one quorum be written in many ways.
            if !count.bytes().all(|b| b.is_ascii_digit())
                || count.starts_with('0') && count.len() > 1
                || count.len() > 4
            {
                return Err(bad());
            }
            let count: usize = count.parse().map_err(|_| bad())?;
            if count == 0 {
                return Err(BadQuorum::People(0));
            }
            let source = match source.trim() {
                "anyone" => Source::Anyone,
                group => Source::Group(group.parse()?),
            };
            if parts.iter().any(|p| p.source == source) {
                return Err(BadQuorum::Twice(source));
            }
            parts.push(Part { count, source });
        }
        let people = parts.iter().map(|p| p.count).sum();
        if people > PEOPLE_MAX {
            return Err(BadQuorum::People(people));
        }
        Ok(Self { text: text.to_owned(), parts })
    }
}

impl Quorum {
    /// As the policy names it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is made of.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// How many people it asks for.
    #[must_use]
    pub fn people(&self) -> usize {
        self.parts.iter().map(|p| p.count).sum()
    }

    /// The groups that it names.
    pub fn groups(&self) -> impl Iterator<Item = &Name> {
        self.parts.iter().filter_map(|p| match &p.source {
            Source::Anyone => None,
            Source::Group(name) => Some(name),
        })
    }

    /// Whether these people fill every place. // I8
    #[must_use]
    pub fn is_met(&self, voices: &Voices<'_>) -> bool {
        voices.len() >= self.people() && self.filled(voices) == self.people()
    }

    /// How many places these people can fill at once.
    #[must_use]
    pub fn filled(&self, voices: &Voices<'_>) -> usize {
        let people: Vec<&Yes> = voices.iter().collect();
        let places = self.places();
        matched(places.len(), people.len(), |place, person| places[place].admits(people[person]))
    }

    /// Whether whoever meets this quorum meets `other` too, whatever groups they are in besides.
    #[must_use]
    pub fn implies(&self, other: &Self) -> bool {
        let (wanted, given) = (other.places(), self.places());
        let full = matched(wanted.len(), given.len(), |w, g| match wanted[w] {
            Source::Anyone => true,
            Source::Group(_) => wanted[w] == given[g],
        });
        full == wanted.len()
    }

    fn places(&self) -> Vec<&Source> {
        self.parts.iter().flat_map(|p| std::iter::repeat_n(&p.source, p.count)).collect()
    }
}

/// The people whose yes counts: distinct, and none of them a party to what is asked. // I8
#[derive(Debug, Clone, Default)]
pub struct Voices<'a>(BTreeMap<Person, &'a Yes>);

impl<'a> Voices<'a> {
    /// Those of `given` that count where `parties` ask and hold. // I8
    pub fn of(given: impl IntoIterator<Item = &'a Yes>, parties: &[Person]) -> Self {
        let mut voices = BTreeMap::new();
        for yes in given {
            if !parties.contains(&yes.person) {
                voices.entry(yes.person).or_insert(yes);
            }
        }
        Self(voices)
    }

    /// How many people.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this person is among them.
    #[must_use]
    pub fn has(&self, person: Person) -> bool {
        self.0.contains_key(&person)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'a Yes> + use<'_, 'a> {
        self.0.values().copied()
    }

    /// These and one more.
    #[must_use]
    pub fn with(&self, yes: &'a Yes) -> Self {
        let mut more = self.0.clone();
        more.entry(yes.person).or_insert(yes);
        Self(more)
    }
}

impl Source {
    fn admits(&self, yes: &Yes) -> bool {
        match self {
            Self::Anyone => true,
            Self::Group(name) => yes.groups.contains(name),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Group(name) => write!(f, "{name}"),
        }
    }
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The size of a largest matching of places to people (Kuhn's algorithm: at most 32 places, so it is fast enough).
fn matched(places: usize, people: usize, fits: impl Fn(usize, usize) -> bool) -> usize {
    let mut place_of: Vec<Option<usize>> = vec![None; people];
    (0..places).filter(|place| seat(*place, &fits, &mut place_of, &mut vec![false; people])).count()
}

/// Seats a person at `place`, moving others on where that helps. The depth is at most the number of places.
fn seat(
    place: usize,
    fits: &impl Fn(usize, usize) -> bool,
    place_of: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for person in 0..place_of.len() {
        if tried[person] || !fits(place, person) {
            continue;
        }
        tried[person] = true;
        let free = match place_of[person] {
            None => true,
            Some(other) => seat(other, fits, place_of, tried),
        };
        if free {
            place_of[person] = Some(place);
            return true;
        }
    }
    false
}
