//! Paths, tiles and bundles.

use daypass_ledger::{
    BundleAt, Hash, MAX_TREE_SIZE, Resource, TileAt,
    bundle::{self, BundleError, MAX_ENTRY_BYTES},
    leaf_hash,
    tile::{self, MAX_TILE_LEVEL, PathError},
};
use proptest::prelude::*;

use crate::fixtures::plain_log;

fn tile_at(level: u8, index: u64, width: u16) -> String {
    TileAt::new(level, index, width).unwrap().to_string()
}

#[test]
fn paths_are_those_of_the_text() {
    assert_eq!(tile_at(0, 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(tile_at(1, 0, 17), "tile/1/000.p/17");
    assert_eq!(BundleAt::new(273, 112).unwrap().to_string(), "tile/entries/273.p/112");
    assert_eq!(BundleAt::new(1000, 256).unwrap().to_string(), "tile/entries/x001/000");
    assert_eq!("checkpoint".parse(), Ok(Resource::Checkpoint));
}

#[test]
fn the_tiles_of_a_log_of_70000_are_those_of_the_text() {
    let count =
        |level, full| tile::tiles(70_000).filter(|at| at.level() == level && (at.width() == 256) == full).count();
    assert_eq!((count(0, true), count(0, false)), (273, 1));
    assert_eq!((count(1, true), count(1, false)), (1, 1));
    assert_eq!((count(2, true), count(2, false)), (0, 1));
    let partial: Vec<_> = tile::tiles(70_000).filter(|at| at.width() < 256).collect();
    assert_eq!(partial.iter().map(TileAt::width).collect::<Vec<_>>(), [112, 17, 1]);
    assert_eq!(tile::bundles(70_000).count(), 274);
    let paths: Vec<_> = tile::tiles(256).map(|at| at.to_string()).collect();
    assert_eq!(paths, ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(tile::tiles(0).count() + tile::bundles(0).count(), 0);
}

#[test]
fn other_spellings_of_paths_are_refused() {
    let wrong = [
        "",
        "/checkpoint",
        "checkpoint/",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p/1.p/1",
        "tile/0/000/",
        "tile/0/+12",
        "tile/0/../000",
        "tile/data/000",
        "tile/8/0/000",
        "tile/entries/x000/001",
        "tile/64/000",
        "tile/8/000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/entries/\u{0661}\u{0662}\u{0663}",
    ];
    for path in wrong {
        assert!(path.parse::<Resource>().is_err(), "`{path}` was read");
    }
}

#[test]
fn what_no_log_can_hold_is_out_of_range() {
    assert_eq!(TileAt::new(MAX_TILE_LEVEL + 1, 0, 1), Err(PathError::OutOfRange));
    assert_eq!(TileAt::new(0, 0, 0), Err(PathError::OutOfRange));
    assert_eq!(TileAt::new(0, 0, 257), Err(PathError::OutOfRange));
    assert_eq!(TileAt::new(MAX_TILE_LEVEL, 0, 128), Err(PathError::OutOfRange));
    assert_eq!(TileAt::new(MAX_TILE_LEVEL, 0, 127).unwrap().min_size(), 127 << 56);
    assert_eq!(TileAt::new(0, u64::MAX, 256), Err(PathError::OutOfRange));
    let last = tile::bundles(MAX_TREE_SIZE).next().unwrap();
    assert_eq!(last.first_entry(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn paths_come_back_and_another_crate_agrees(level in 0..=4u8, index in 0..1u64 << 22, width in 1..=256u16) {
        let at = TileAt::new(level, index, width).unwrap();
        let path = at.to_string();
        prop_assert_eq!(path.parse(), Ok(Resource::Tile(at)));
        let theirs = tlog_tiles::Tile::new(8, level, index, width.into(), false).path();
        prop_assert_eq!(path.replacen("tile/", "tile/8/", 1), theirs);
        let bundle = BundleAt::new(index, width).unwrap();
        prop_assert_eq!(bundle.to_string().parse(), Ok(Resource::Entries(bundle)));
        let theirs = tlog_tiles::Tile::new(8, 0, index, width.into(), true).path();
        prop_assert_eq!(bundle.to_string().replacen("tile/entries", "tile/8/data", 1), theirs);
    }

    #[test]
    fn a_log_has_exactly_the_tiles_that_its_size_needs(size in 0..200_000u64) {
        for at in tile::tiles(size) {
            prop_assert!(at.min_size() <= size);
            let wider = TileAt::new(at.level(), at.index(), at.width() + 1);
            if let Ok(wider) = wider {
                prop_assert!(wider.min_size() > size);
            }
        }
        let entries: u64 = tile::bundles(size).map(|at| u64::from(at.width())).sum();
        prop_assert_eq!(entries, size);
        let mut theirs = tlog_tiles::Tile::new_tiles(8, 0, size).iter().map(tlog_tiles::Tile::path).collect::<Vec<_>>();
        let mut ours = tile::tiles(size).map(|at| at.to_string().replacen("tile/", "tile/8/", 1)).collect::<Vec<_>>();
        theirs.sort();
        ours.sort();
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn bundles_come_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..=256)) {
        let bytes = bundle::encode(&entries).unwrap();
        let width = entries.len() as u16;
        prop_assert_eq!(bundle::parse(&bytes, width).unwrap(), entries);
        prop_assert!(bundle::parse(&bytes, width + 1).is_err());
        prop_assert!(bundle::parse(&bytes, width - 1).is_err());
        prop_assert!(bundle::parse(&bytes[..bytes.len() - 1], width).is_err());
    }
}

#[test]
fn tiles_hold_the_hashes_of_their_nodes() {
    let log = plain_log(600);
    for at in tile::tiles(600) {
        let bytes = at.bytes(&|node| log.node(node)).unwrap();
        let hashes = at.parse(&bytes).unwrap();
        assert!(hashes.iter().copied().eq(at.nodes().filter_map(|node| log.node(node))));
        assert_eq!(at.parse(&bytes[1..]), None);
        assert_eq!(at.parse(&[&bytes[..], &[0; 32]].concat()), None);
    }
    let first: Vec<Hash> = log.entries()[..256].iter().map(|entry| leaf_hash(entry)).collect();
    let tile = TileAt::new(0, 0, 256).unwrap();
    assert_eq!(tile.parse(&tile.bytes(&|node| log.node(node)).unwrap()), Some(first));
    assert!(TileAt::new(0, 2, 256).unwrap().bytes(&|node| log.node(node)).is_err());
}

#[test]
fn the_longest_entry_fits_and_one_byte_more_does_not() {
    let longest = vec![7; MAX_ENTRY_BYTES];
    let bytes = bundle::encode(std::slice::from_ref(&longest)).unwrap();
    assert_eq!(&bytes[..2], [0xff, 0xff]);
    assert_eq!(bundle::parse(&bytes, 1).unwrap(), [&longest[..]]);
    let too_long = vec![7; MAX_ENTRY_BYTES + 1];
    let refused = BundleError::EntryTooLong { bytes: MAX_ENTRY_BYTES + 1 };
    assert_eq!(bundle::encode(&[too_long]), Err(refused));
    assert_eq!(bundle::parse(&[0], 1), Err(BundleError::CutShort { entry: 0 }));
    assert_eq!(bundle::parse(&[], 1), Err(BundleError::WrongCount { need: 1, have: 0 }));
}
