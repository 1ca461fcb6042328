//! The PROXY protocol (haproxy's proxy-protocol.txt, versions 1 and 2): a proxy tells the client's address before it
//! passes on what the client says. Whom to believe is the listener's business.

use std::io;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The first octets of version 2, section 2.2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Octets of a version 1 header, CRLF included, section 2.1.
const MAX_LINE: usize = 107;
/// Octets behind the fixed part of a version 2 header: addresses and fields of the usual proxies take some hundred.
const MAX_REST: usize = 2048;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    /// The connection is this client's.
    Client(SocketAddr),
    /// The proxy's own connection, as for its health checks, or a client whose address it does not know.
    Nobody,
}

/// Reads the header and not one octet more: what follows may be TLS. Sets no deadline: the caller does.
pub(super) async fn read_header(socket: &mut (impl AsyncRead + Unpin)) -> io::Result<Announced> {
    let mut header = vec![0; SIGNATURE.len()]; // the shortest header of version 1 has 15
    socket.read_exact(&mut header).await?;
    if header == SIGNATURE {
        header.resize(SIGNATURE.len() + 4, 0);
        socket.read_exact(&mut header[SIGNATURE.len()..]).await?;
        let rest = usize::from(u16::from_be_bytes([header[14], header[15]]));
        if rest > MAX_REST {
            return Err(invalid());
        }
        header.resize(SIGNATURE.len() + 4 + rest, 0);
        socket.read_exact(&mut header[SIGNATURE.len() + 4..]).await?;
    } else {
        // Exactly one space: the parser takes any octet there. Nor may a number have a sign.
        if !header.starts_with(b"PROXY ") {
            return Err(invalid());
        }
        while !header.ends_with(b"\r\n") {
            if header.len() == MAX_LINE {
                return Err(invalid());
            }
            header.push(socket.read_u8().await?);
        }
        if header.contains(&b'+') {
            return Err(invalid());
        }
    }
    let (parsed, length) = ProxyHeader::parse(&header, ParseConfig::default()).map_err(|_| invalid())?;
    match parsed.proxied_address() {
        _ if length != header.len() => Err(invalid()),
        None => Ok(Announced::Nobody),
        Some(address) if address.protocol == Protocol::Stream => {
            Ok(Announced::Client(SocketAddr::new(address.source.ip().to_canonical(), address.source.port())))
        }
        Some(_) => Err(invalid()),
    }
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "no PROXY protocol header")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is announced and what is left; errors as `None`.
    fn read(octets: &[u8]) -> Option<(Announced, Vec<u8>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut rest = octets;
        let announced = runtime.block_on(read_header(&mut rest)).ok()?;
        Some((announced, rest.to_vec()))
    }

    fn version_2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    #[test]
    fn version_1_is_read_to_its_line_end() {
        let client = |text: &str| Some(Announced::Client(text.parse().expect(text)));
        for (header, expected) in [
            ("PROXY TCP4 192.0.2.1 10.0.0.1 5000 25\r\n", client("192.0.2.1:5000")),
            ("PROXY TCP6 2001:db8::1 2001:db8::2 5000 25\r\n", client("[2001:db8::1]:5000")),
            ("PROXY TCP6 ::ffff:192.0.2.1 ::1 5000 25\r\n", client("192.0.2.1:5000")),
            ("PROXY UNKNOWN\r\n", Some(Announced::Nobody)),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Some(Announced::Nobody)),
            ("PROXY TCP4 192.0.2.1 10.0.0.1 5000 +25\r\n", None),
            ("PROXY TCP4 192.0.2.1 10.0.0.1 5000 99999\r\n", None),
            ("PROXY TCP4 192.0.2.1 10.0.0.1 5000\r\n", None),
            ("PROXY TCP4 2001:db8::1 10.0.0.1 5000 25\r\n", None),
            ("PROXY UDP4 192.0.2.1 10.0.0.1 5000 25\r\n", None),
            ("PROXY\tTCP4 192.0.2.1 10.0.0.1 5000 25\r\n", None),
            ("proxy tcp4 192.0.2.1 10.0.0.1 5000 25\r\n", None),
            ("EHLO x.example\r\nMAIL FROM:<>\r\n", None),
            ("PROXY TCP4 192.0.2.1 10.0.0.1 5000 25\n", None),
        ] {
            let expected = expected.map(|announced| (announced, b"EHLO".to_vec()));
            assert_eq!(read(format!("{header}EHLO").as_bytes()), expected, "{header}");
            assert_eq!(read(&header.as_bytes()[..header.len() - 1]), None, "{header}");
        }
        assert_eq!(read(format!("PROXY UNKNOWN {}\r\n", "x".repeat(MAX_LINE)).as_bytes()), None);
    }

    #[test]
    fn version_2_is_read_to_its_length() {
        let v4 = [192, 0, 2, 1, 10, 0, 0, 1, 0x13, 0x88, 0, 25];
        let client = Some((Announced::Client("192.0.2.1:5000".parse().expect("an address")), b"EHLO".to_vec()));
        let nobody = Some((Announced::Nobody, b"EHLO".to_vec()));
        for (header, expected) in [
            (version_2(0x21, 0x11, &v4), client.clone()),
            (version_2(0x21, 0x11, &[&v4[..], &[4, 0, 3, 1, 2, 3]].concat()), client), // a TLV field
            (version_2(0x20, 0x00, &[]), nobody.clone()),
            (version_2(0x20, 0x11, &v4), nobody.clone()),
            (version_2(0x21, 0x00, &[]), nobody.clone()),
            (version_2(0x21, 0x31, &[0; 216]), nobody),
            (version_2(0x21, 0x12, &v4), None), // UDP
            (version_2(0x21, 0x11, &v4[..11]), None),
            (version_2(0x22, 0x11, &v4), None),
            (version_2(0x11, 0x11, &v4), None),
            (version_2(0x20, 0x00, &[0; MAX_REST + 1]), None),
        ] {
            assert_eq!(read(&[&header[..], b"EHLO"].concat()), expected, "{header:?}");
            assert_eq!(read(&header[..header.len() - 1]), None);
        }
    }

    const FRONTS: &[&[u8]] = &[b"PROXY TCP4 ", b"PROXY UNKNOWN", SIGNATURE, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", b""];

    proptest! {
        #[test]
        fn no_octets_make_it_panic(octets in prop::collection::vec(any::<u8>(), 0..300), front in prop::sample::select(FRONTS)) {
            let _ = read(&[front, &octets].concat());
        }
    }
}
