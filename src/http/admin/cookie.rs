//! The cookies of the admin pages: how they are named, read and set. What is in them is the business of `office`.

use axum::http::{HeaderMap, HeaderValue, header};

/// The session's token.
pub(super) const SESSION: &str = "consentry";
/// Random, for the forms of those who have no session.
pub(super) const VISIT: &str = "consentry-visit";
/// The language chosen.
pub(super) const LANGUAGE: &str = "consentry-language";

/// Longer than any of ours.
const LIMIT: usize = 64;

/// The value of a cookie of ours.
pub(super) fn read(headers: &HeaderMap, name: &str, https: bool) -> Option<String> {
    let name = full_name(name, https);
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(own, _)| *own == name).map(|(_, value)| value);
    values.next().filter(|value| !value.is_empty() && value.len() <= LIMIT).map(str::to_owned)
}

/// Gone when the browser closes, for our pages only, out of reach of scripts and of other sites' links and forms. Outside the
/// demo it is bound to https and to this very host (RFC 6265bis s.4.1.3.2).
pub(super) fn set(name: &str, value: &str, https: bool) -> HeaderValue {
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}", full_name(name, https));
    HeaderValue::from_str(&text).expect("names and values are base64url")
}

/// Takes it out of the browser.
pub(super) fn clear(name: &str, https: bool) -> HeaderValue {
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0{secure}", full_name(name, https));
    HeaderValue::from_str(&text).expect("names are ASCII")
}

fn full_name(name: &str, https: bool) -> String {
    if https { format!("__Host-{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; consentry-visit=v;consentry=plain"));
        headers.append(header::COOKIE, HeaderValue::from_static("__Host-consentry=sealed; consentry=second"));
        for (name, https, expected) in [
            (SESSION, false, Some("plain")),
            (SESSION, true, Some("sealed")),
            (VISIT, false, Some("v")),
            (VISIT, true, None),
            (LANGUAGE, false, None),
        ] {
            assert_eq!(read(&headers, name, https).as_deref(), expected, "{name} {https}");
        }
        headers.insert(header::COOKIE, HeaderValue::from_str(&format!("consentry={}", "x".repeat(65))).expect("valid"));
        assert_eq!(read(&headers, SESSION, false), None);
    }
}
