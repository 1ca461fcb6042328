//! The tags of HTML as mail programs read it: where they stand, and their attributes. Never fails, whatever the HTML is; builds no
//! tree. Comments are not skipped, because Outlook reads what stands in conditional ones.

use std::borrow::Cow;
use std::ops::Range;

/// A start tag, or an end tag.
#[derive(Debug, Clone)]
pub(super) struct Tag {
    /// From `<` to behind `>`.
    pub(super) range: Range<usize>,
    /// The name; of an end tag with its slash.
    pub(super) name: Range<usize>,
    /// False where a quote never ends: browsers take all that follows for the value.
    pub(super) is_closed: bool,
    /// What stands between name and `>`.
    inside: Range<usize>,
}

/// One attribute: the offsets of name and value, without quotes.
#[derive(Debug, Clone)]
pub(super) struct Attribute {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
}

/// All tags, in order.
pub(super) fn tags(html: &[u8]) -> impl Iterator<Item = Tag> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let start = from + memchr::memchr(b'<', html.get(from..)?)?;
            from = start + 1;
            let slash = usize::from(html.get(from) == Some(&b'/'));
            if !html.get(from + slash).is_some_and(u8::is_ascii_alphabetic) {
                continue;
            }
            let word = from + slash;
            let length = html[word..].iter().position(|byte| b" \t\r\n\x0c/>".contains(byte)).unwrap_or(html.len() - word);
            let name = from..word + length;
            let (end, is_closed) = end_of_tag(html, name.end)?;
            from = end + 1;
            return Some(Tag { range: start..end + 1, inside: name.end..end, name, is_closed });
        }
    })
}

/// Where the `>` of a tag stands: one in a quoted value is none. With it whether every quote ends; where one does not, the first `>`.
fn end_of_tag(html: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let first = memchr::memchr(b'>', &html[at..])? + at;
    loop {
        let next = at + memchr::memchr3(b'>', b'"', b'\'', &html[at..])?;
        match html[next] {
            b'>' => return Some((next, true)),
            // a quote opens a value only behind `=`
            quote if html[..next].trim_ascii_end().ends_with(b"=") => match memchr::memchr(quote, &html[next + 1..]) {
                Some(length) => at = next + length + 2,
                None => return Some((first, false)),
            },
            _ => at = next + 1,
        }
    }
}

impl Tag {
    /// True for the start tag of that name, in lower case.
    pub(super) fn is(&self, html: &[u8], name: &str) -> bool {
        html[self.name.clone()].eq_ignore_ascii_case(name.as_bytes())
    }

    /// Its attributes, in order.
    pub(super) fn attributes(&self, html: &[u8]) -> impl Iterator<Item = Attribute> {
        let mut at = self.inside.start;
        let end = self.inside.end;
        let skip = move |mut at: usize, what: &[u8]| {
            while at < end && what.contains(&html[at]) {
                at += 1;
            }
            at
        };
        let until = move |at: usize, what: &[u8]| html[at..end].iter().position(|byte| what.contains(byte)).map_or(end, |n| at + n);
        std::iter::from_fn(move || {
            at = skip(at, b" \t\r\n/");
            let name = at..until(at, b"= \t\r\n/");
            if name.is_empty() && at >= end {
                return None;
            }
            let equals = skip(name.end, b" \t\r\n");
            if html[..end].get(equals) != Some(&b'=') {
                at = name.end.max(at + 1);
                return Some(Attribute { value: name.end..name.end, name });
            }
            let start = skip(equals + 1, b" \t\r\n");
            let value = match html[..end].get(start) {
                Some(quote @ (b'"' | b'\'')) => start + 1..until(start + 1, &[*quote]),
                _ => start..until(start, b" \t\r\n"),
            };
            at = (value.end + 1).min(end);
            Some(Attribute { name, value })
        })
    }

    /// The value of an attribute, by its name in lower case.
    pub(super) fn value<'a>(&self, html: &'a [u8], name: &str) -> Option<&'a [u8]> {
        let mut attributes = self.attributes(html);
        attributes.find(|attribute| html[attribute.name.clone()].eq_ignore_ascii_case(name.as_bytes())).map(|found| &html[found.value])
    }
}

/// A value with its character references resolved, as far as URLs have some.
pub(super) fn resolved(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'&', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'&', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let end = rest.iter().take(10).position(|byte| *byte == b';');
        match end.and_then(|end| Some((end, reference(&rest[1..end])?))) {
            Some((end, byte)) => {
                out.push(byte);
                rest = &rest[end + 1..];
            }
            None => {
                out.push(b'&');
                rest = &rest[1..];
            }
        }
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

fn reference(name: &[u8]) -> Option<u8> {
    Some(match name {
        b"amp" => b'&',
        b"quot" => b'"',
        b"lt" => b'<',
        b"gt" => b'>',
        [b'#', b'x' | b'X', digits @ ..] => u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok().filter(u8::is_ascii)?,
        [b'#', digits @ ..] => std::str::from_utf8(digits).ok()?.parse().ok().filter(u8::is_ascii)?,
        _ => return None,
    })
}

/// What a reader sees, nearly: without tags and styles, white space as single spaces, in lower case.
pub(super) fn visible(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 4);
    let (mut from, mut hidden) = (0, false);
    for tag in tags(html.as_bytes()) {
        if !hidden {
            out.push_str(&html[from..tag.range.start]);
        }
        from = tag.range.end;
        hidden = ["style", "script", "title"].iter().any(|name| tag.is(html.as_bytes(), name));
        out.push(' ');
    }
    out.push_str(&html[from..]);
    squeezed(&String::from_utf8_lossy(&resolved(out.as_bytes())))
}

/// White space as single spaces, in lower case.
pub(super) fn squeezed(text: &str) -> String {
    text.replace("&nbsp;", " ").split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(html: &str) -> Vec<(String, Vec<(String, String)>)> {
        let text = |range: Range<usize>| html[range].to_owned();
        let attributes =
            |tag: &Tag| tag.attributes(html.as_bytes()).map(|attribute| (text(attribute.name), text(attribute.value))).collect();
        tags(html.as_bytes()).map(|tag| (text(tag.name.clone()), attributes(&tag))).collect()
    }

    #[test]
    fn tags_and_attributes_are_read_in_every_way_they_are_written() {
        for (html, expected) in [
            ("<a href=\"x>y\">", vec![("a", vec![("href", "x>y")])]),
            ("<A HREF = 'x'><b>", vec![("A", vec![("HREF", "x")]), ("b", vec![])]),
            ("<img src=x width=1 height=1/>", vec![("img", vec![("src", "x"), ("width", "1"), ("height", "1/")])]),
            ("<img\r\n hidden src=\"x\" />", vec![("img", vec![("hidden", ""), ("src", "x")])]),
            ("a < b <p don't>x</p>", vec![("p", vec![("don't", "")]), ("/p", vec![])]),
            ("<a href=\"x>y<b>", vec![("a", vec![("href", "x")]), ("b", vec![])]),
            ("<!-- <img src=x> --><", vec![("img", vec![("src", "x")])]),
            ("<v:rect href=\"x\"><a", vec![("v:rect", vec![("href", "x")])]),
        ] {
            let expected: Vec<(String, Vec<(String, String)>)> = expected
                .into_iter()
                .map(|(name, attributes)| (name.into(), attributes.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
                .collect();
            assert_eq!(read(html), expected, "{html}");
        }
    }

    #[test]
    fn references_in_urls_are_resolved() {
        for (value, expected) in
            [("a&amp;b&#38;c&#x26;d", "a&b&c&d"), ("a&b;c&", "a&b;c&"), ("a&copy=1&lt;", "a&copy=1<"), ("a&#300;", "a&#300;")]
        {
            assert_eq!(String::from_utf8_lossy(&resolved(value.as_bytes())), expected);
        }
    }

    #[test]
    fn what_is_seen_is_the_text() {
        assert_eq!(visible("<style>a{b}</style><p>Acme  <b>GmbH</b>&amp;&nbsp;Co\r\n</p>"), "acme gmbh & co");
    }

    proptest! {
        #[test]
        fn no_html_makes_it_fall(pieces in proptest::collection::vec(prop_oneof![
            Just("<"), Just(">"), Just("a"), Just("\""), Just("'"), Just("="), Just(" "), Just("/"), Just("<a href="), Just("\r\n"), Just("&#x2"), Just("ü")
        ], 0..40)) {
            let html = pieces.concat();
            for (name, attributes) in read(&html) {
                prop_assert!(!name.is_empty() && attributes.len() <= html.len());
            }
            visible(&html);
        }
    }
}
