//! Who asks: client address, browser, language, and whether by hand. The address is evidence, so a forwarding
//! header counts only where the one who wrote it is trusted.

use std::fmt;
use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use crate::consent::{Language, Navigation};
use crate::desk::Actor;

/// What is kept of a User-Agent, characters.
const USER_AGENT_LIMIT: usize = 512;

/// The header in which a reverse proxy says who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, which most proxies write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ForwardedHeader {
    fn name(self) -> HeaderName {
        match self {
            Self::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            Self::Forwarded => header::FORWARDED,
        }
    }
}

impl fmt::Display for ForwardedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::XForwardedFor => "X-Forwarded-For",
            Self::Forwarded => "Forwarded",
        })
    }
}

/// The reverse proxies in front of us.
pub(super) struct Proxies {
    /// Their networks.
    pub(super) trusted: Vec<IpNet>,
    /// What they write.
    pub(super) header: ForwardedHeader,
}

/// Who asks; holds personal data, hence no `Debug`.
#[derive(Clone)]
pub(super) struct Visitor {
    /// `None` when it cannot be told for sure.
    ip: Option<IpAddr>,
    user_agent: Option<String>,
    /// The languages of Accept-Language, the most wanted first.
    pub(super) languages: Vec<Language>,
    /// What the browser says of how this request came about.
    pub(super) navigation: Navigation,
}

impl Visitor {
    /// `peer` is the other end of the connection.
    pub(super) fn of(headers: &HeaderMap, peer: Option<IpAddr>, proxies: &Proxies) -> Self {
        let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
        Self {
            ip: peer.and_then(|peer| client(headers, peer.to_canonical(), proxies)),
            // Evidence: octets beyond ASCII (RFC 9110 s.5.5) must not lose the rest.
            user_agent: headers
                .get(header::USER_AGENT)
                .map(|agent| String::from_utf8_lossy(agent.as_bytes()).chars().take(USER_AGENT_LIMIT).collect()),
            languages: text(header::ACCEPT_LANGUAGE).map(Language::ranges).unwrap_or_default(),
            navigation: navigation(headers),
        }
    }

    /// The client's address, to limit how often one place may try.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// For the evidence.
    pub(super) fn actor(self) -> Actor {
        Actor { ip: self.ip.map(|ip| ip.to_string()), user_agent: self.user_agent }
    }
}

/// How the request came about (W3C Fetch Metadata). Chromium and Firefox add `Sec-Fetch-User` to navigations that a
/// person's hand caused, and to no others, whatever a page's script does; other browsers leave it out always.
fn navigation(headers: &HeaderMap) -> Navigation {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let agent = text("user-agent").unwrap_or_default();
    let says_user = headers.contains_key("sec-ch-ua") || agent.contains("Chrome/") || agent.contains("Firefox/");
    match (text("sec-fetch-mode"), text("sec-fetch-user")) {
        (None, _) => Navigation::Unsaid,
        (Some("navigate"), Some("?1")) => Navigation::ByHand,
        (Some("navigate"), _) if says_user => Navigation::ByScript,
        (Some("navigate"), _) => Navigation::Unsaid,
        (Some(_), _) => Navigation::Fetched,
    }
}

/// The client's address. Behind a trusted proxy it stands in the header that the configuration names: a proxy writes that
/// one, and passes any other on as a client may have forged it.
fn client(headers: &HeaderMap, peer: IpAddr, proxies: &Proxies) -> Option<IpAddr> {
    let believed = |ip: &IpAddr| proxies.trusted.iter().any(|net| net.contains(ip));
    if !believed(&peer) {
        return Some(peer);
    }
    let read = match proxies.header {
        ForwardedHeader::XForwardedFor => address,
        ForwardedHeader::Forwarded => forwarded_address,
    };
    let hops: Vec<Option<IpAddr>> = elements(headers, &proxies.header.name()).map(read).collect();
    // Each proxy appends at the right; the first one from the right that is not ours is the client.
    hops.into_iter().rev().find(|hop| hop.as_ref().is_none_or(|ip| !believed(ip))).unwrap_or(Some(peer))
}

/// The comma-separated elements of all fields of that name, in order.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().flat_map(|value| value.to_str().unwrap_or("unreadable").split(',')).map(str::trim)
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches('"');
    let ip = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inner, _port)) => inner.parse::<IpAddr>(),
        None => text.parse::<IpAddr>().or_else(|error| match text.split_once(':') {
            Some((v4, _port)) => v4.parse::<IpAddr>(),
            None => Err(error),
        }),
    };
    ip.ok().map(|ip| ip.to_canonical())
}

/// The `for` of one element of `Forwarded` (RFC 7239 s.4).
fn forwarded_address(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then(|| address(value))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_told_from_a_hand_where_the_browser_tells() {
        const CHROMIUM: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36");
        const FIREFOX: (&str, &str) = ("user-agent", "Mozilla/5.0 (X11; rv:140.0) Gecko/20100101 Firefox/140.0");
        const SAFARI: (&str, &str) = ("user-agent", "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15");
        const NAVIGATE: (&str, &str) = ("sec-fetch-mode", "navigate");
        const USER: (&str, &str) = ("sec-fetch-user", "?1");
        type Row = (&'static [(&'static str, &'static str)], Navigation);
        let rows: &[Row] = &[
            (&[], Navigation::Unsaid),
            (&[CHROMIUM], Navigation::Unsaid),
            (&[CHROMIUM, NAVIGATE, USER], Navigation::ByHand),
            (&[FIREFOX, NAVIGATE, USER], Navigation::ByHand),
            (&[CHROMIUM, NAVIGATE], Navigation::ByScript),
            (&[FIREFOX, NAVIGATE], Navigation::ByScript),
            (&[SAFARI, NAVIGATE], Navigation::Unsaid),
            // a scanner that calls itself Safari and is Chromium
            (&[SAFARI, ("sec-ch-ua", "\"Chromium\";v=\"140\""), NAVIGATE], Navigation::ByScript),
            (&[CHROMIUM, ("sec-fetch-mode", "cors"), USER], Navigation::Fetched),
            (&[SAFARI, ("sec-fetch-mode", "same-origin")], Navigation::Fetched),
        ];
        for (fields, expected) in rows {
            let mut headers = HeaderMap::new();
            for (name, value) in *fields {
                headers.append(HeaderName::from_static(name), value.parse().expect("valid"));
            }
            assert_eq!(navigation(&headers), *expected, "{fields:?}");
        }
    }

    #[test]
    fn forwarding_headers_count_only_from_trusted_proxies_and_from_the_right() {
        use ForwardedHeader::{Forwarded, XForwardedFor};
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("valid"), "::1/128".parse().expect("valid")];
        type Row = (&'static str, ForwardedHeader, &'static [(&'static str, &'static str)], Option<&'static str>);
        let rows: &[Row] = &[
            ("192.0.2.1", XForwardedFor, &[], Some("192.0.2.1")),
            ("192.0.2.1", XForwardedFor, &[("x-forwarded-for", "203.0.113.9")], Some("192.0.2.1")),
            ("10.0.0.1", XForwardedFor, &[], Some("10.0.0.1")),
            ("10.0.0.1", XForwardedFor, &[("x-forwarded-for", "203.0.113.9")], Some("203.0.113.9")),
            ("::ffff:10.0.0.1", XForwardedFor, &[("x-forwarded-for", "203.0.113.9")], Some("203.0.113.9")),
            // what the client itself wrote stands at the left
            ("10.0.0.1", XForwardedFor, &[("x-forwarded-for", "198.51.100.7, 203.0.113.9")], Some("203.0.113.9")),
            (
                "10.0.0.1",
                XForwardedFor,
                &[("x-forwarded-for", "198.51.100.7"), ("x-forwarded-for", "203.0.113.9, 10.0.0.2")],
                Some("203.0.113.9"),
            ),
            ("10.0.0.1", XForwardedFor, &[("x-forwarded-for", "203.0.113.9:4711, 10.0.0.2")], Some("203.0.113.9")),
            ("10.0.0.1", XForwardedFor, &[("x-forwarded-for", "198.51.100.7, garbage")], None),
            ("10.0.0.1", XForwardedFor, &[("x-forwarded-for", "10.0.0.3")], Some("10.0.0.1")),
            ("::1", Forwarded, &[("forwarded", "for=\"[2001:db8::1]:4711\";proto=https")], Some("2001:db8::1")),
            ("::1", Forwarded, &[("forwarded", "for=198.51.100.7, For=203.0.113.9;by=10.0.0.1")], Some("203.0.113.9")),
            ("::1", Forwarded, &[("forwarded", "for=_hidden")], None),
            // the other header is whatever a client likes: it neither names nor hides anybody
            ("::1", XForwardedFor, &[("forwarded", "for=198.51.100.7"), ("x-forwarded-for", "203.0.113.9")], Some("203.0.113.9")),
            ("::1", Forwarded, &[("forwarded", "for=203.0.113.9"), ("x-forwarded-for", "198.51.100.7")], Some("203.0.113.9")),
            ("::1", XForwardedFor, &[("forwarded", "for=198.51.100.7")], Some("::1")),
        ];
        for (peer, header, fields, expected) in rows {
            let mut headers = HeaderMap::new();
            for (name, value) in *fields {
                headers.append(HeaderName::from_static(name), value.parse().expect("valid"));
            }
            let visitor = Visitor::of(&headers, Some(peer.parse().expect("valid")), &Proxies { trusted: trusted.clone(), header: *header });
            assert_eq!(visitor.ip, expected.map(|ip| ip.parse().expect("valid")), "{peer} {header} {fields:?}");
        }
    }
}
