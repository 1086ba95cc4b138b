//! Large values aren't held. A test of its own, since it looks at the memory of its whole process.

mod common;

use common::{
    House,
    client::{query, tags},
};
use daypass_testkit::Pg;
use tokio::io::AsyncReadExt;

#[tokio::test(flavor = "multi_thread")]
async fn large_values_pass_without_being_held() {
    let pg = Pg::start().await;
    let house = House::start(&pg).await;
    let mut raw = house.raw().await;
    let before = resident_kb();
    let mut most = 0;
    raw.send(&query("SELECT repeat('x', 100000000)")).await;
    let mut length = 0;
    let mut piece = vec![0; 64 << 10];
    // Read off by hand, so that the client doesn't hold it either.
    while length < 100_000_000 {
        length += raw.tls.read(&mut piece).await.unwrap();
        most = most.max(resident_kb());
    }
    assert!(most < before + 40_000, "{before} kB grew to {most} kB");
    // The other way, a statement of 100 MB.
    let text = [b"SELECT length('".to_vec(), vec![b'y'; 100_000_000], b"')\0".to_vec()].concat();
    let mut raw = house.raw().await;
    let before = resident_kb();
    let header = [&b"Q"[..], &u32::try_from(text.len() + 4).unwrap().to_be_bytes()].concat();
    raw.send(&header).await;
    let mut most = 0;
    for piece in text.chunks(1 << 20) {
        raw.send(piece).await;
        most = most.max(resident_kb());
    }
    let answer = raw.until_ready().await;
    assert_eq!((tags(&answer).as_str(), &answer[1].body[6..]), ("TDCZ", &b"100000000"[..]));
    assert!(most < before + 40_000, "{before} kB grew to {most} kB");
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
