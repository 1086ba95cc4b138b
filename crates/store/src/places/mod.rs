//! Where payloads are kept: the home region's in the database beside the log, every other region's in a folder of that
//! region. The log, with its headers and commitments, is one, and crosses. // I10

mod writer;

use std::{collections::BTreeMap, path::PathBuf};

use daypass_domain::Name;
use daypass_ledger::Region;
use daypass_ports::record::CommitError;
use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};

pub(crate) use writer::{Acquaintance, Away, PlaceWriter, Stray};

use crate::schema;

/// A place's database in the region's folder.
pub(crate) const FILE: &str = "payloads.db";

/// Connections of one place that only read.
const READERS: u32 = 2;

/// The regions that an installation keeps payloads in.
#[derive(Debug, Clone)]
pub struct Regions {
    /// The region of the data folder itself: where the log is, and what belongs to no resource. Read when the folder is
    /// made, and fixed from then on.
    pub home: Name,
    /// The folders of the others.
    pub elsewhere: BTreeMap<Name, PathBuf>,
}

impl Regions {
    /// Nothing but the data folder.
    #[must_use]
    pub fn only(home: Name) -> Self {
        Self { home, elsewhere: BTreeMap::new() }
    }
}

/// Where an entry's payload goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    /// Into the database with the log.
    Home,
    /// Into that one of the other places.
    Elsewhere(usize),
}

/// All places, as readers see them.
#[derive(Debug)]
pub(crate) struct Places {
    home: String,
    elsewhere: Vec<Place>,
}

/// One region's folder, as readers see it.
#[derive(Debug)]
pub(crate) struct Place {
    region: String,
    pub(crate) pool: SqlitePool,
}

impl Place {
    pub(crate) fn region(&self) -> &str {
        &self.region
    }
}

impl Places {
    pub(crate) fn new(home: String, writers: &[PlaceWriter]) -> Self {
        let place = |writer: &PlaceWriter| Place {
            region: writer.region.to_string(),
            // Lazily: a region whose folder is away keeps no other from starting.
            pool: SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(schema::reader(&writer.file)),
        };
        Self { home, elsewhere: writers.iter().map(place).collect() }
    }

    /// Where what belongs to a region goes; a refusal when it has no place here.
    pub(crate) fn of(&self, region: &Region) -> Result<Where, CommitError> {
        self.find(region.as_str()).ok_or_else(|| CommitError::BadEntry {
            why: format!("there is no place here for what belongs to the region {region}, and nowhere else may it go"),
        })
    }

    /// Whether a region has a place.
    pub(crate) fn keeps(&self, region: &str) -> bool {
        self.find(region).is_some()
    }

    fn find(&self, region: &str) -> Option<Where> {
        if self.home == region {
            return Some(Where::Home);
        }
        self.elsewhere.iter().position(|place| place.region == region).map(Where::Elsewhere)
    }

    pub(crate) fn elsewhere(&self) -> impl Iterator<Item = &Place> {
        self.elsewhere.iter()
    }
}
