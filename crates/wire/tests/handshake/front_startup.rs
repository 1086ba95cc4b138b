//! The client's door: what startup packets ask for.

use daypass_wire::postgres::front::{Front, Start};

use crate::front::{admission, all_shown, credential, packet, sasl_first, sasl_last};

/// Goes as far as the packet gets.
fn knock(packet: &[u8]) -> Vec<String> {
    let mut front = Front::new(Start::Tls);
    front.from_client(packet);
    let mut shown = all_shown(&mut front);
    if front.credential(credential("alice")).is_ok() {
        front.from_client(&sasl_first());
        front.from_client(&sasl_last().1);
        shown.extend(all_shown(&mut front).into_iter().filter(|output| output.starts_with("Ask")));
        front.admit(admission()).unwrap();
    }
    shown
}

#[test]
fn packets() {
    let v3_0 = 3 << 16;
    let many = format!("user\0alice\0database\0orders\0{}\0", "a\0b\0".repeat(127));
    let long = format!("user\0{}\0database\0orders\0\0", "a".repeat(161));
    let packets: [(i32, &[u8]); 34] = [
        (v3_0, b"user\0alice\0database\0orders\0\0"),
        (v3_0, b"user\0alice:dba\0database\0orders:sales\0\0"),
        (v3_0, b"user\0alice\0database\0orders:a:b\0\0"),
        (v3_0, b"user\0alice\0database\0alice\0\0"),
        (v3_0, b"user\0alice\0database\0orders\0options\0-c a=b\0DateStyle\0\xffISO\0Application_Name\0psql \xff\0\0"),
        (v3_0, b"user\0alice\0database\0orders\0a\x001\0a\x002\0empty\0\0\0"),
        (v3_0, b"user\0alice\0database\0orders\0replication\0off\0\0"),
        (v3_0, b"user\0alice\0database\0orders\0replication\0true\0\0"),
        (v3_0, b"user\0alice\0database\0orders\0replication\0database\0\0"),
        (v3_0, b"user\0alice\0database\0orders\0_pq_.one\0x\0_pq_.two\0y\0\0"),
        (v3_0 + 1, b"user\0alice\0database\0orders\0\0"),
        (v3_0 + 2, b"user\0alice\0database\0orders\0\0"),
        (v3_0 + 9999, b"user\0alice\0database\0orders\0_pq_.test\0x\0\0"),
        (2 << 16, b"user\0alice\0database\0orders\0\0"),
        (4 << 16, b"user\0alice\0database\0orders\0\0"),
        (-1, b"\0"),
        (v3_0, b""),
        (v3_0, b"\0"),
        (v3_0, b"user\0alice\0\0"),
        (v3_0, b"user\0alice\0database\0\0\0"),
        (v3_0, b"database\0orders\0\0"),
        (v3_0, b"user\0\0database\0orders\0\0"),
        (v3_0, b"user\0alice\0user\0bob\0database\0orders\0\0"),
        (v3_0, b"user\0alice\0database\0orders\0database\0other\0\0"),
        (v3_0, b"user\0alice:\0database\0orders\0\0"),
        (v3_0, b"user\0:dba\0database\0orders\0\0"),
        (v3_0, b"user\0alice:dba:x\0database\0orders\0\0"),
        (v3_0, b"user\0alice\0database\0orders:\0\0"),
        (v3_0, b"user\0alice\0database\0:sales\0\0"),
        (v3_0, b"user\0al\x1bice\0database\0orders\0\0"),
        (v3_0, b"user\0alice\0database\0\xff\0\0"),
        (v3_0, b"user\0alice\0database\0orders\0\0more"),
        (v3_0, many.as_bytes()),
        (v3_0, long.as_bytes()),
    ];
    let mut table = String::new();
    for (code, rest) in packets {
        let name = rest.escape_ascii().to_string();
        let name = if name.len() > 120 { format!("{} bytes", rest.len()) } else { name };
        table.push_str(&format!("{}.{} {name}\n", code >> 16, code & 0xffff));
        knock(&packet(code, rest)).iter().for_each(|output| table.push_str(&format!("    {output}\n")));
    }
    insta::assert_snapshot!(table);
}

#[test]
fn lengths_are_limited_before_the_packet_is_there() {
    for length in [-1_i32, 0, 4, 7, 10_001, i32::MAX, i32::MIN] {
        let mut front = Front::new(Start::Tls);
        front.from_client(&length.to_be_bytes());
        let shown = all_shown(&mut front);
        assert_eq!(shown.last().map(String::as_str), Some("Close Refused 08P01"), "{length}");
    }
    for length in [8_i32, 10_000] {
        let mut front = Front::new(Start::Tls);
        front.from_client(&length.to_be_bytes());
        assert!(front.poll().is_none(), "{length}");
    }
}
