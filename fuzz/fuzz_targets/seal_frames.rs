//! Whatever bytes a recording is made of, reading it doesn't panic, gives nothing that wasn't sealed, and says where the
//! good part ends.
//!
//! The input's first byte says what to do to a whole recording made from the rest: nothing, flip, cut, splice in, drop,
//! double or move a frame, or take the rest as the recording itself.
#![no_main]

use daypass_seal::{DataKey, FrameOpener, FrameSealer, MasterKey, SegmentId, StreamEnd, WrappedKey};
use libfuzzer_sys::fuzz_target;

const SEGMENT: SegmentId = SegmentId::from_bytes([3; 16]);
const UNUSED: SegmentId = SegmentId::from_bytes([4; 16]);

fuzz_target!(|input: &[u8]| {
    let [what, at_high, at_low, rest @ ..] = input else { return };
    let at = usize::from(u16::from_be_bytes([*at_high, *at_low]));
    let plains: Vec<&[u8]> = rest.chunks(17).collect();
    let frames = sealed(&plains);
    let whole = frames.concat();
    let at = at % (whole.len() + 1);
    match what % 6 {
        0 => {
            let frames = plains.len() as u64;
            assert_eq!(read(SEGMENT, &whole, &plains), StreamEnd::Sealed { frames });
        }
        1 => {
            let mut changed = whole.clone();
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= what | 1;
                torn(&changed, &plains, at);
            }
        }
        2 if at < whole.len() => torn(&whole[..at], &plains, at),
        2 => {}
        3 => {
            let spliced = [&whole[..at], &[*what], &whole[at..]].concat();
            // An inserted byte may equal the one that it pushes on; what is then good reaches past it.
            assert!(matches!(read(SEGMENT, &spliced, &plains), StreamEnd::Torn { .. }));
        }
        4 => {
            let nth = usize::from(*at_low) % frames.len();
            let mut changed = frames.clone();
            match at_high % 3 {
                0 => drop(changed.remove(nth)),
                1 => changed.insert(nth, frames[nth].clone()),
                _ => changed.rotate_left(nth),
            }
            if changed != frames {
                assert!(matches!(read(SEGMENT, &changed.concat(), &plains), StreamEnd::Torn { .. }));
            }
        }
        _ => {
            // Of a segment that nothing was sealed for: the fuzzer learns what it sees sealed, and plays it back.
            assert!(matches!(read(UNUSED, rest, &[]), StreamEnd::Torn { valid_frames: 0, .. }));
            let key = MasterKey::from_bytes([7; 32]).sealing_key("fuzz", b"");
            assert!(key.open(b"", rest).is_err());
            assert!(key.unwrap(b"", &WrappedKey::from_bytes(rest.to_vec())).is_err());
            let _ = MasterKey::read(rest);
        }
    }
});

fn key() -> DataKey {
    DataKey::from_bytes([5; 32])
}

/// The frames of a whole recording, the last one included.
fn sealed(plains: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut sealer = FrameSealer::new(&key(), SEGMENT);
    let mut frames = Vec::new();
    for plain in plains {
        let mut frame = Vec::new();
        sealer.seal_frame(plain, &mut frame).expect("17 bytes are within the limit");
        frames.push(frame);
    }
    let mut last = Vec::new();
    sealer.finish(&mut last);
    frames.push(last);
    frames
}

/// Reads to the end; what comes must be what was sealed, in order.
fn read(segment: SegmentId, bytes: &[u8], plains: &[&[u8]]) -> StreamEnd {
    let mut opener = FrameOpener::new(&key(), segment, bytes);
    let mut read = 0;
    while let Some(frame) = opener.next_frame() {
        assert_eq!(frame, plains[read]);
        read += 1;
    }
    opener.end()
}

fn torn(bytes: &[u8], plains: &[&[u8]], damaged_at: usize) {
    match read(SEGMENT, bytes, plains) {
        StreamEnd::Torn { at_byte, .. } => assert!(at_byte <= damaged_at),
        end @ StreamEnd::Sealed { .. } => panic!("a damaged recording reads as whole: {end:?}"),
    }
}
