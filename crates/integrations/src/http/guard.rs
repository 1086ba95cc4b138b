//! Which addresses are public (RFC 6890 and its registries), and names that resolve to those only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Network;

/// What a name that has only private addresses is refused with.
pub(super) const PRIVATE: &str = "it resolves to private addresses only";

/// A name has only private addresses.
#[derive(Debug, thiserror::Error)]
#[error("{PRIVATE}")]
pub(super) struct Private;

/// Resolves names as the system does, and forgets what isn't allowed. The connection is made to what it gives, so a name
/// can't mean one address when it is looked at and another when it is connected to.
pub(crate) struct Resolver(pub Network);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let network = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> = found.into_iter().filter(|at| allowed(network, at.ip())).collect();
            if allowed.is_empty() {
                return Err(Box::new(Private) as _);
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

pub(crate) fn allowed(network: Network, ip: IpAddr) -> bool {
    match network {
        Network::Public => is_public(ip),
        Network::Private => !ip.is_unspecified() && !ip.is_multicast(),
    }
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b)) // shared address space, RFC 6598
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b)); // benchmarking, RFC 2544
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    let embedded = |at: usize| {
        let octets = ip.octets();
        Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3])
    };
    if let Some(v4) = ip.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    match (a, b) {
        (0x64, 0xff9b) => is_public_v4(embedded(12)), // NAT64, RFC 6052
        (0x2002, _) => is_public_v4(embedded(2)),     // 6to4, RFC 3056
        (0x2001, 0xdb8 | 0) => false,                 // documentation; Teredo, which embeds what it likes
        // Global unicast is 2000::/3 so far; everything else is local, special or unassigned.
        (0x2000..=0x3fff, _) => true,
        (_, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }
}
