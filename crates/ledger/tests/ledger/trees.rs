//! The tree against RFC 6962's definitions written out naively, and against another crate.

use std::sync::LazyLock;

use daypass_ledger::{
    ConsistencyProof, Frontier, Hash, InclusionProof, MemLog, NodeAt, leaf_hash,
    merkle::{self, ProofError},
    node_hash,
    tree::{TreeError, frontier_nodes},
};
use proptest::prelude::*;

use crate::fixtures::plain_log;

const LARGEST: u64 = 700;

static LOG: LazyLock<MemLog> = LazyLock::new(|| plain_log(LARGEST));
static LEAVES: LazyLock<Vec<Hash>> = LazyLock::new(|| LOG.entries().iter().map(|entry| leaf_hash(entry)).collect());

static ROOTS: LazyLock<Vec<Hash>> =
    LazyLock::new(|| (0..=LEAVES.len()).map(|size| naive_root(&LEAVES[..size])).collect());

/// MTH of RFC 6962, 2.1, as it is written there.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::empty_root(),
        [leaf] => *leaf,
        more => {
            let k = more.len().next_power_of_two() / 2;
            node_hash(naive_root(&more[..k]), naive_root(&more[k..]))
        }
    }
}

/// PATH of RFC 6962, 2.1.1.
fn naive_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) =
        if m < left.len() { (naive_path(m, left), right) } else { (naive_path(m - left.len(), right), left) };
    path.push(naive_root(sibling));
    path
}

/// SUBPROOF of RFC 6962, 2.1.2.
fn naive_subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if m <= left.len() {
        (naive_subproof(m, left, whole), right)
    } else {
        (naive_subproof(m - left.len(), right, false), left)
    };
    path.push(naive_root(sibling));
    path
}

fn root_at(size: u64) -> Hash {
    ROOTS[size as usize]
}

fn node(at: NodeAt) -> Option<Hash> {
    LOG.node(at)
}

#[test]
fn the_root_and_the_edge_are_right_at_every_size() {
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root(), root_at(0));
    for size in 1..=LARGEST {
        frontier.append(LEAVES[size as usize - 1]);
        assert_eq!(frontier.root(), root_at(size), "at size {size}");
        assert_eq!(Frontier::load(size, &node).unwrap(), frontier, "at size {size}");
        let parts = Frontier::from_parts(size, frontier.hashes().to_vec());
        assert_eq!(parts.unwrap(), frontier);
        assert_eq!(frontier_nodes(size).len(), size.count_ones() as usize);
    }
}

#[test]
fn every_complete_node_is_given_once_and_covers_its_entries() {
    let mut frontier = Frontier::new();
    let mut seen = std::collections::BTreeMap::new();
    for leaf in LEAVES.iter() {
        for (at, hash) in frontier.append(*leaf) {
            assert_eq!(seen.insert(at, hash), None, "{at:?} was given twice");
        }
    }
    for (at, hash) in &seen {
        let (lo, hi) = (at.index << at.level, (at.index + 1) << at.level);
        assert_eq!(*hash, naive_root(&LEAVES[lo as usize..hi as usize]), "{at:?}");
    }
    let complete: u64 = (0..10).map(|level| LARGEST >> level).sum();
    assert_eq!(seen.len() as u64, complete);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn inclusion_proofs_are_rfc_6962s_and_verify((size, index) in (1..=LARGEST).prop_flat_map(|s| (Just(s), 0..s))) {
        let proof = InclusionProof::build(index, size, &node).unwrap();
        prop_assert_eq!(&proof.path, &naive_path(index as usize, &LEAVES[..size as usize]));
        let leaf = LEAVES[index as usize];
        prop_assert_eq!(proof.verify(leaf, root_at(size)), Ok(()));
        // The plan names all that building looks up, and nothing else.
        let planned = merkle::inclusion_nodes(index, size).unwrap();
        let asked = std::cell::RefCell::new(Vec::new());
        InclusionProof::build(index, size, &|at| { asked.borrow_mut().push(at); node(at) }).unwrap();
        prop_assert_eq!(asked.into_inner(), planned);
        // Another crate agrees.
        let theirs: Vec<_> = proof.path.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect();
        let root = tlog_tiles::Hash(root_at(size).0);
        prop_assert!(tlog_tiles::check_record(&theirs, size, root, index, tlog_tiles::Hash(leaf.0)).is_ok());
    }

    #[test]
    fn consistency_proofs_are_rfc_6962s_and_verify((new, old) in (1..=LARGEST).prop_flat_map(|n| (Just(n), 1..=n))) {
        let proof = ConsistencyProof::build(old, new, &node).unwrap();
        prop_assert_eq!(&proof.path, &naive_subproof(old as usize, &LEAVES[..new as usize], true));
        prop_assert_eq!(proof.verify(root_at(old), root_at(new)), Ok(()));
        let planned = merkle::consistency_nodes(old, new).unwrap();
        let asked = std::cell::RefCell::new(Vec::new());
        ConsistencyProof::build(old, new, &|at| { asked.borrow_mut().push(at); node(at) }).unwrap();
        prop_assert_eq!(asked.into_inner(), planned);
        let theirs: Vec<_> = proof.path.iter().map(|hash| tlog_tiles::Hash(hash.0)).collect();
        let (old_root, new_root) = (tlog_tiles::Hash(root_at(old).0), tlog_tiles::Hash(root_at(new).0));
        prop_assert!(tlog_tiles::check_tree(&theirs, new, new_root, old, old_root).is_ok());
    }

    #[test]
    fn an_altered_inclusion_proof_is_refused(
        (size, index) in (2..=LARGEST).prop_flat_map(|s| (Just(s), 0..s)),
        at in any::<prop::sample::Index>(), bit in 0..256usize, how in 0..5u8,
    ) {
        let mut proof = InclusionProof::build(index, size, &node).unwrap();
        let mut leaf = LEAVES[index as usize];
        let slot = at.index(proof.path.len());
        match how {
            0 => proof.path[slot].0[bit / 8] ^= 1 << (bit % 8),
            1 => { proof.path.remove(slot); }
            2 => proof.path.insert(slot, leaf),
            3 => leaf.0[bit / 8] ^= 1 << (bit % 8),
            _ => proof.index = (proof.index + 1) % size,
        }
        prop_assert!(proof.verify(leaf, root_at(size)).is_err());
    }

    #[test]
    fn an_altered_consistency_proof_is_refused(
        (new, old) in (2..=LARGEST).prop_flat_map(|n| (Just(n), 1..n)),
        at in any::<prop::sample::Index>(), bit in 0..256usize, how in 0..5u8,
    ) {
        let mut proof = ConsistencyProof::build(old, new, &node).unwrap();
        let (mut old_root, mut new_root) = (root_at(old), root_at(new));
        let slot = at.index(proof.path.len());
        match how {
            0 => proof.path[slot].0[bit / 8] ^= 1 << (bit % 8),
            1 => { proof.path.remove(slot); }
            2 => proof.path.insert(slot, old_root),
            3 => old_root.0[bit / 8] ^= 1 << (bit % 8),
            _ => new_root.0[bit / 8] ^= 1 << (bit % 8),
        }
        prop_assert!(proof.verify(old_root, new_root).is_err());
    }

    #[test]
    fn no_proof_from_outside_panics(
        index in any::<u64>(), size in any::<u64>(), other in any::<u64>(),
        path in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..70),
    ) {
        let proof = InclusionProof { index, size, path: path.clone() };
        prop_assert!(proof.verify(LEAVES[0], LEAVES[1]).is_err());
        let proof = ConsistencyProof { old: other, new: size, path };
        prop_assert!(proof.verify(LEAVES[0], LEAVES[1]).is_err());
    }
}

/// Another crate's reader over our nodes.
struct Nodes;

impl tlog_tiles::HashReader for Nodes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let find = |&index: &u64| {
            let (level, index) = tlog_tiles::split_stored_hash_index(index);
            tlog_tiles::Hash(node(NodeAt { level, index }).expect("a complete node").0)
        };
        Ok(indexes.iter().map(find).collect())
    }
}

#[test]
fn another_crate_computes_the_same_roots_and_proofs_from_our_nodes() {
    for size in 1..=300 {
        assert_eq!(tlog_tiles::tree_hash(size, &Nodes).unwrap().0, root_at(size).0);
        let old = 1 + size * 7 % size.max(2);
        let ours = ConsistencyProof::build(old.min(size), size, &node).unwrap();
        let theirs = tlog_tiles::prove_tree(size, old.min(size), &Nodes).unwrap();
        assert!(ours.path.iter().map(|hash| hash.0).eq(theirs.iter().map(|hash| hash.0)));
        let ours = InclusionProof::build(size / 2, size, &node).unwrap();
        let theirs = tlog_tiles::prove_record(size, size / 2, &Nodes).unwrap();
        assert!(ours.path.iter().map(|hash| hash.0).eq(theirs.iter().map(|hash| hash.0)));
    }
}

#[test]
fn the_edges_of_proofs() {
    let empty = Hash::empty_root();
    let from_nothing = ConsistencyProof { old: 0, new: 5, path: vec![] };
    assert_eq!(from_nothing.verify(empty, root_at(5)), Ok(()));
    assert_eq!(from_nothing.verify(root_at(1), root_at(5)), Err(ProofError::OldRootDiffers));
    let same = ConsistencyProof { old: 5, new: 5, path: vec![] };
    assert_eq!(same.verify(root_at(5), root_at(5)), Ok(()));
    assert_eq!(same.verify(root_at(4), root_at(5)), Err(ProofError::OldRootDiffers));
    let padded = ConsistencyProof { path: vec![empty], ..same };
    assert_eq!(padded.verify(root_at(5), root_at(5)), Err(ProofError::WrongShape));

    let no_entry = TreeError::NoSuchEntry { index: 5, size: 5 };
    assert_eq!(InclusionProof::build(5, 5, &node), Err(no_entry));
    let backwards = TreeError::Backwards { old: 6, new: 5 };
    assert_eq!(ConsistencyProof::build(6, 5, &node), Err(backwards));
    let lost = NodeAt { level: 1, index: 0 };
    let without = |at| if at == lost { None } else { node(at) };
    assert_eq!(InclusionProof::build(2, 4, &without), Err(TreeError::MissingNode(lost)));
    assert_eq!(Frontier::load(2, &without), Err(TreeError::MissingNode(lost)));
}

#[test]
fn an_edge_that_does_not_fit_its_size_is_refused() {
    let wrong = TreeError::WrongEdge { size: 3, need: 2, have: 1 };
    assert_eq!(Frontier::from_parts(3, vec![LEAVES[0]]), Err(wrong));
    let large = daypass_ledger::MAX_TREE_SIZE + 1;
    assert_eq!(Frontier::from_parts(large, vec![LEAVES[0]]), Err(TreeError::TooLarge(large)));
    let json = serde_json::to_string(&Frontier::load(5, &node).unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<Frontier>(&json).unwrap(), Frontier::load(5, &node).unwrap());
    assert!(serde_json::from_str::<Frontier>(&json.replace(":5,", ":7,")).is_err());
}
