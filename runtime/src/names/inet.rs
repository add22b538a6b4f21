//! Addresses of networks and of their hardware.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `AF_INET`, as the kernel's `sa_family_t`.
pub const AF_INET: u16 = libc::AF_INET as u16;
/// `AF_INET6`, as the kernel's `sa_family_t`.
pub const AF_INET6: u16 = libc::AF_INET6 as u16;

/// An address as text; of IPv4 the first four bytes count. Empty for another family.
#[must_use]
pub fn ntop(family: u16, bytes: &[u8; 16]) -> String {
    match family {
        AF_INET => Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]).to_string(),
        AF_INET6 => Ipv6Addr::from(*bytes).to_string(),
        _ => String::new(),
    }
}

/// The family and the bytes of an address, in the order of the network; of IPv4 the first four.
#[must_use]
pub fn pton(text: &str) -> Option<(u16, [u8; 16])> {
    Some(match text.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&address.octets());
            (AF_INET, bytes)
        }
        IpAddr::V6(address) => (AF_INET6, address.octets()),
    })
}

/// A hardware address as text, `05:A1:…`.
#[must_use]
pub fn mac(bytes: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = bytes;
    format!("{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{f:02X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_bytes_lead_to_each_other() {
        let six = ["::1", "::ffff:1.2.3.4", "fe80::1:0:0:2"].map(|text| (text, AF_INET6));
        for (text, family) in [("127.0.0.1", AF_INET)].into_iter().chain(six) {
            let (found, bytes) = pton(text).unwrap();
            assert_eq!((found, ntop(found, &bytes).as_str()), (family, text));
        }
        assert_eq!(pton("10.1.2.3").unwrap().1[..5], [10, 1, 2, 3, 0]);
    }

    #[test]
    fn what_is_no_address_gives_nothing() {
        assert_eq!(ntop(0, &[1; 16]), "");
        for text in ["", "1.2.3", "01.2.3.4", "::g", "localhost", "fe80::1%eth0"] {
            assert_eq!(pton(text), None, "{text}");
        }
    }

    #[test]
    fn hardware_addresses_are_in_capitals() {
        assert_eq!(mac([5, 0xa1, 0, 0xff, 0x10, 9]), "05:A1:00:FF:10:09");
    }
}
