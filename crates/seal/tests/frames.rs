//! A recording's frames come back in order, and a cut, a change, a move or an addition shows where it is.

use daypass_seal::{
    DataKey, FRAME_OVERHEAD, FrameError, FrameOpener, FrameSealer, FrameStream, MAX_FRAME_PLAIN, Opened, SegmentId,
    StreamEnd, TornBecause,
};
use proptest::prelude::*;

const SEGMENT: SegmentId = SegmentId::from_bytes([3; 16]);

fn key() -> DataKey {
    DataKey::from_bytes([5; 32])
}

/// The frames sealed one after another without the last, each apart.
fn sealed(plains: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut sealer = FrameSealer::new(&key(), SEGMENT);
    let frames = plains
        .iter()
        .map(|plain| {
            let mut out = Vec::new();
            assert_eq!(sealer.seal_frame(plain, &mut out).unwrap(), plain.len() + FRAME_OVERHEAD);
            out
        })
        .collect();
    let mut last = Vec::new();
    sealer.finish(&mut last);
    (frames, last)
}

fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, StreamEnd) {
    let mut opener = FrameOpener::new(&key(), SEGMENT, bytes);
    let plains = opener.by_ref().map(|plain| plain.to_vec()).collect();
    (plains, opener.end())
}

fn plains() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..8)
}

#[test]
fn a_frame_over_the_limit_leaves_no_plaintext_behind() {
    let mut sealer = FrameSealer::new(&key(), SEGMENT);
    let mut out = b"before".to_vec();
    let big = vec![0; MAX_FRAME_PLAIN + 1];
    let wanted = Err(FrameError::TooLong { len: MAX_FRAME_PLAIN + 1 });
    assert_eq!(sealer.seal_frame(&big, &mut out), wanted);
    assert_eq!((out.as_slice(), sealer.frames()), (&b"before"[..], 0));
    sealer.seal_frame(&big[1..], &mut out).unwrap();
    sealer.finish(&mut out);
    assert_eq!(read(&out[6..]).1, StreamEnd::Sealed { frames: 1 });
}

#[test]
fn sealing_into_a_buffer_with_room_does_not_move_it() {
    let mut sealer = FrameSealer::new(&key(), SEGMENT);
    let mut out = Vec::with_capacity(1000);
    let before = out.as_ptr();
    for _ in 0..10 {
        sealer.seal_frame(&[1; 80], &mut out).unwrap();
    }
    assert_eq!((out.as_ptr(), out.len(), out.capacity()), (before, 1000, 1000));
}

#[test]
fn nothing_follows_the_last_frame() {
    let (frames, last) = sealed(&[b"one".to_vec()]);
    let mut stream = FrameStream::new(&key(), SEGMENT);
    assert_eq!(stream.open_frame(&frames[0]).unwrap(), Opened::Frame(b"one"));
    assert_eq!(stream.open_frame(&last).unwrap(), Opened::End);
    assert_eq!(stream.open_frame(&last).unwrap_err(), FrameError::AfterEnd);
}

#[test]
fn the_last_frame_cannot_be_made_by_setting_its_bit() {
    let (mut frames, _) = sealed(&[Vec::new()]);
    frames[0][0] |= 0x80;
    assert_eq!(read(&frames[0]).1, StreamEnd::Torn { valid_frames: 0, at_byte: 0, why: TornBecause::Rejected });
}

proptest! {
    #[test]
    fn frames_come_back_in_order_and_whole(plains in plains()) {
        let (frames, last) = sealed(&plains);
        let bytes = [frames.concat(), last].concat();
        let frames = plains.len() as u64;
        prop_assert_eq!(read(&bytes), (plains, StreamEnd::Sealed { frames }));
    }

    #[test]
    fn pieces_seal_as_their_join(parts in plains()) {
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let (mut joined, mut pieces) = (Vec::new(), Vec::new());
        FrameSealer::new(&key(), SEGMENT).seal_frame(&parts.concat(), &mut joined).unwrap();
        FrameSealer::new(&key(), SEGMENT).seal_parts(&slices, &mut pieces).unwrap();
        prop_assert_eq!(joined, pieces);
    }

    #[test]
    fn a_cut_shows_what_is_good_before_it(plains in plains(), at in any::<prop::sample::Index>()) {
        let (frames, last) = sealed(&plains);
        let bytes = [frames.concat(), last].concat();
        let at = at.index(bytes.len());
        let ends: Vec<usize> =
            frames.iter().scan(0, |end, frame| { *end += frame.len(); Some(*end) }).take_while(|end| *end <= at).collect();
        let (good, at_byte) = (ends.len(), ends.last().copied().unwrap_or(0));
        let why = if at_byte == at { TornBecause::Unfinished } else { TornBecause::Cut };
        prop_assert_eq!(
            read(&bytes[..at]),
            (plains[..good].to_vec(), StreamEnd::Torn { valid_frames: good as u64, at_byte, why })
        );
    }

    #[test]
    fn a_flipped_bit_ends_the_good_part_before_its_frame(
        plains in plains(), at in any::<prop::sample::Index>(), bit in 0_u8..8
    ) {
        let (frames, last) = sealed(&plains);
        let mut bytes = [frames.concat(), last].concat();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let (read, end) = read(&bytes);
        let StreamEnd::Torn { valid_frames, at_byte, .. } = end else { panic!("{end:?}") };
        prop_assert!(at_byte <= at);
        prop_assert_eq!(&read[..], &plains[..read.len()]);
        prop_assert_eq!(valid_frames, read.len() as u64);
        prop_assert_eq!(at_byte, frames[..read.len()].concat().len());
        let damaged_frame_len = frames.get(read.len()).map_or(last_len(), Vec::len);
        prop_assert!(at < at_byte + damaged_frame_len);
    }

    #[test]
    fn swapped_dropped_and_doubled_frames_do_not_open(
        plains in prop::collection::vec(prop::collection::vec(any::<u8>(), 4..5), 3..6), at in 0_usize..2
    ) {
        let (frames, last) = sealed(&plains);
        let mut swapped = frames.clone();
        swapped.swap(at, at + 1);
        let mut dropped = frames.clone();
        dropped.remove(at);
        let mut doubled = frames.clone();
        doubled.insert(at, frames[at].clone());
        for (changed, good) in [(swapped, at), (dropped, at), (doubled, at + 1)] {
            let end = read(&[changed.concat(), last.clone()].concat()).1;
            let wanted = StreamEnd::Torn {
                valid_frames: good as u64,
                at_byte: frames[..good].concat().len(),
                why: TornBecause::Rejected,
            };
            prop_assert_eq!(end, wanted);
        }
    }

    #[test]
    fn what_is_appended_shows(plains in plains(), extra in prop::collection::vec(any::<u8>(), 1..40)) {
        let (frames, last) = sealed(&plains);
        let whole = [frames.concat(), last].concat();
        let end = read(&[whole.clone(), extra].concat()).1;
        prop_assert_eq!(
            end,
            StreamEnd::Torn { valid_frames: plains.len() as u64, at_byte: whole.len(), why: TornBecause::AfterEnd }
        );
    }

    #[test]
    fn another_segment_or_key_opens_nothing(plains in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..4)) {
        let bytes = sealed(&plains).0.concat();
        let wanted = StreamEnd::Torn { valid_frames: 0, at_byte: 0, why: TornBecause::Rejected };
        prop_assert_eq!(FrameOpener::new(&key(), SegmentId::from_bytes([4; 16]), &bytes).end(), wanted);
        prop_assert_eq!(FrameOpener::new(&DataKey::from_bytes([6; 32]), SEGMENT, &bytes).end(), wanted);
    }

    #[test]
    fn random_bytes_never_open_nor_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), len in 0_u8..90) {
        prop_assert_eq!(read(&bytes).0, Vec::<Vec<u8>>::new());
        prop_assert_eq!(read(&[&[0, 0, 0, len][..], &bytes].concat()).0, Vec::<Vec<u8>>::new());
    }
}

fn last_len() -> usize {
    FRAME_OVERHEAD
}
