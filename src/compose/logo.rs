//! A controller's logo: what may be shown as one. Serving it is left to `http`.

use std::sync::Arc;

/// A picture that is what its name says.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    /// Media type.
    pub media_type: &'static str,
    /// Ending of its name.
    pub extension: &'static str,
    /// The file.
    pub octets: Arc<[u8]>,
}

impl Logo {
    /// Most octets, so that a page with its logo stays small on a phone.
    pub const SIZE_LIMIT: usize = 32 * 1024;

    /// Checks the file of that name. A browser shows an SVG in an `<img>` without scripts and without anything from
    /// elsewhere; whoever opens it by itself gets it under the pages' own policy. One with such things in it is refused
    /// all the same: it would not look as its maker meant it.
    pub fn new(name: &str, octets: Vec<u8>) -> Result<Self, &'static str> {
        if octets.len() > Self::SIZE_LIMIT {
            return Err("is bigger than 32 KiB");
        }
        let (media_type, extension) = match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("png") if octets.starts_with(b"\x89PNG\r\n\x1a\n") => ("image/png", "png"),
            Some("png") => return Err("is no PNG picture"),
            Some("svg") => {
                let text = std::str::from_utf8(&octets).map_err(|_| "is no SVG picture in UTF-8")?;
                check_svg(&text.to_ascii_lowercase())?;
                ("image/svg+xml", "svg")
            }
            _ => return Err("must be named .svg or .png"),
        };
        Ok(Self { media_type, extension, octets: octets.into() })
    }
}

/// `text` in lower case.
fn check_svg(text: &str) -> Result<(), &'static str> {
    let outside = |mark: &str| text.match_indices(mark).any(|(at, _)| !text[at + mark.len()..].trim_start().starts_with(['#', '"', '\'']));
    let handler = text.split(|c: char| c.is_ascii_whitespace() || "\"'/".contains(c)).any(|word| {
        word.strip_prefix("on")
            .and_then(|rest| rest.split_once('='))
            .is_some_and(|(event, _)| event.bytes().all(|b| b.is_ascii_alphabetic()))
    });
    let quoted = ["href=\"", "href='"].iter().any(|mark| text.match_indices(mark).any(|(at, _)| !text[at + mark.len()..].starts_with('#')));
    match () {
        () if !text.contains("<svg") => Err("is no SVG picture"),
        () if text.contains("<!doctype") || text.contains("<!entity") => Err("has a document type; save it as plain SVG"),
        () if text.contains("<script") || text.contains("<foreignobject") || handler => Err("holds a script; save it as plain SVG"),
        () if quoted || text.contains("@import") || outside("url(") => Err("takes something from elsewhere; save it as plain SVG"),
        () => Ok(()),
    }
}

impl std::fmt::Debug for Logo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logo({}, {} octets)", self.media_type, self.octets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_what_its_name_says_and_inert() {
        let svg = |inner: &str| format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\">{inner}</svg>").into_bytes();
        for (name, octets, fault) in [
            ("logo.svg", svg("<path d=\"M0 0h9v9z\" fill=\"url(#g)\"/><use href=\"#a\"/>"), None),
            ("logo.png", b"\x89PNG\r\n\x1a\nrest".to_vec(), None),
            ("logo.png", b"GIF89a".to_vec(), Some("is no PNG")),
            ("logo.gif", b"GIF89a".to_vec(), Some("must be named")),
            ("logo", svg(""), Some("must be named")),
            ("logo.svg", b"<html>".to_vec(), Some("is no SVG")),
            ("logo.svg", vec![0xff], Some("in UTF-8")),
            ("logo.svg", svg("<script>alert(1)</script>"), Some("script")),
            ("logo.svg", svg("<ScRipt/>"), Some("script")),
            ("logo.svg", svg("<g onclick=\"alert(1)\"/>"), Some("script")),
            ("logo.svg", svg("<g id=\"x\"onload='alert(1)'/>"), Some("script")),
            ("logo.svg", svg("<foreignObject/>"), Some("script")),
            ("logo.svg", svg("<image href=\"https://x.example/pixel\"/>"), Some("elsewhere")),
            ("logo.svg", svg("<a xlink:href='javascript:alert(1)'/>"), Some("elsewhere")),
            ("logo.svg", svg("<style>@import 'x'</style>"), Some("elsewhere")),
            ("logo.svg", svg("<rect fill=\"url(https://x.example/)\"/>"), Some("elsewhere")),
            ("logo.svg", b"<!DOCTYPE svg [<!ENTITY x \"y\">]><svg/>".to_vec(), Some("document type")),
            ("logo.svg", svg(&" ".repeat(40_000)), Some("bigger")),
        ] {
            let made = Logo::new(name, octets.clone());
            match fault {
                None => assert_eq!(made.expect(name).octets[..], octets[..]),
                Some(fault) => assert!(made.as_ref().is_err_and(|told| told.contains(fault)), "{fault} in {made:?}"),
            }
        }
    }
}
