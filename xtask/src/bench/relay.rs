//! A relay that notices when a connection is closed.
//!
//! An idle psql or pgbench doesn't look at its socket. So it is given this to connect to, which looks all the time. TLS
//! passes through, so the client still talks with the gateway itself.

use super::stage::io;
use crate::shell::Failure;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The relay. It listens until this process ends; what carries a connection ends with it.
pub struct Relay {
    pub port: u16,
    /// How many connections were taken.
    taken: Arc<AtomicUsize>,
    /// When connections were closed by the gateway, in microseconds since 1970.
    closed: Receiver<i64>,
}

impl Relay {
    /// Takes connections and passes them on to a port.
    pub fn start(to: u16) -> Result<Self, Failure> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(io("listen on a free port"))?;
        let port = listener.local_addr().map_err(io("listen on a free port"))?.port();
        let (sender, closed) = channel();
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if let Ok(gateway) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) {
                    count.fetch_add(1, Ordering::SeqCst);
                    carry(client, gateway, sender.clone());
                }
            }
        });
        Ok(Self { port, taken, closed })
    }

    /// When the last of the connections was closed; nothing when that takes too long. Those that were closed before
    /// count too: pgbench looks at the database over one of its own before it begins.
    pub fn last_closed(&self, patience: Duration) -> Option<i64> {
        let closed = (0..self.taken.load(Ordering::SeqCst)).map(|_| self.closed.recv_timeout(patience).ok());
        closed.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

fn carry(client: TcpStream, gateway: TcpStream, closed: Sender<i64>) {
    // Small messages shall not wait for an acknowledgement.
    let _ = client.set_nodelay(true);
    let _ = gateway.set_nodelay(true);
    let (Ok(from_client), Ok(to_gateway)) = (client.try_clone(), gateway.try_clone()) else { return };
    thread::spawn(move || copy(from_client, to_gateway));
    thread::spawn(move || {
        copy(gateway, client);
        // Nobody may be waiting any more.
        let _ = closed.send(now());
    });
}

/// Copies until one side ends; then neither goes on.
fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if bytes.get(..count).is_none_or(|some| to.write_all(some).is_err()) {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// Microseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_pass_and_the_end_is_noticed() {
        let gateway = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Relay::start(gateway.local_addr().unwrap().port()).unwrap();
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port)).unwrap();
        let (mut server, _) = gateway.accept().unwrap();
        client.write_all(b"ask").unwrap();
        let mut three = [0; 3];
        server.read_exact(&mut three).unwrap();
        assert_eq!(&three, b"ask");
        let before = now();
        server.write_all(b"bye").unwrap();
        drop(server);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"bye");
        assert!(relay.last_closed(Duration::from_secs(60)).unwrap() >= before);
    }
}
