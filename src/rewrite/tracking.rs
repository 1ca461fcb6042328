//! What measures people in one part (L-TRK-01, L-TRK-02): the pixels and links, and what stands in their place for who has not agreed to
//! being measured. Content images and links that are there for the person stay.

use std::ops::Range;

use super::html::{Tag, resolved, tags};
use super::trackers::{Link, Trackers, bare};

/// What is found in one part.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Measured {
    /// What to put in place of what: nothing of an image, another address of a link.
    pub(super) changes: Vec<(Range<usize>, String)>,
    /// Links that measure, and where they lead cannot be told.
    pub(super) blind: usize,
}

/// In HTML.
pub(super) fn in_html(html: &[u8], trackers: &Trackers) -> Measured {
    let mut found = Measured::default();
    for tag in tags(html) {
        let is_image = tag.is(html, "img");
        if is_image && is_pixel(&tag, html, trackers) {
            found.changes.push((tag.range, String::new()));
            continue;
        }
        for attribute in tag.attributes(html) {
            let name = &html[attribute.name];
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            let is_link = is("href");
            if !is_link && !["src", "background", "poster"].iter().any(|known| is(known)) {
                continue;
            }
            let value = attribute.value;
            let url = resolved(html[value.clone()].trim_ascii());
            let Ok(url) = std::str::from_utf8(&url) else { continue };
            if bare(url).is_none() {
                continue;
            }
            if is_link {
                found.link(value, url, trackers, escaped);
            } else if !is_image && trackers.is_pixel(url) {
                found.changes.push((value, String::new()));
            } else if let Some(bare) = trackers.without_names(url) {
                found.changes.push((value, escaped(&bare)));
            }
        }
    }
    in_styles(html, trackers, &mut found);
    found
}

/// In plain text.
pub(super) fn in_text(text: &[u8], trackers: &Trackers) -> Measured {
    let mut found = Measured::default();
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&text[from..], b"://").map(|at| at + from) {
        let start = ["https", "http"].iter().find_map(|scheme| {
            let start = at.checked_sub(scheme.len())?;
            text[start..at].eq_ignore_ascii_case(scheme.as_bytes()).then_some(start)
        });
        let length = text[at..].iter().take_while(|byte| byte.is_ascii_graphic() && !b"<>\"".contains(byte)).count();
        let address = text[at..at + length].trim_ascii_end();
        // what ends a sentence is none of the address; a bracket is where one was opened before it
        let close = |byte: &u8| b".,;:!?)]'*_".contains(byte);
        let end = at + address.iter().rposition(|byte| !close(byte)).map_or(0, |last| last + 1);
        if let Some(start) = start
            && let Ok(url) = std::str::from_utf8(&text[start..end.max(at)])
        {
            found.link(start..end.max(at), url, trackers, str::to_owned);
        }
        from = at + length.max(3);
    }
    found
}

impl Measured {
    fn link(&mut self, range: Range<usize>, url: &str, trackers: &Trackers, written: fn(&str) -> String) {
        match trackers.link(url) {
            Link::Tracked(Some(target)) | Link::Named(target) => self.changes.push((range, written(&target))),
            Link::Tracked(None) => self.blind += 1,
            Link::Plain | Link::Unsubscribe => {}
        }
    }
}

/// As the value of an attribute.
fn escaped(url: &str) -> String {
    url.replace('&', "&amp;")
}

/// A known one; or one from the web that nobody is to see, unless it is the same for everybody.
fn is_pixel(tag: &Tag, html: &[u8], trackers: &Trackers) -> bool {
    let Some(source) = tag.value(html, "src") else { return false };
    let source = resolved(source.trim_ascii());
    let Ok(url) = std::str::from_utf8(&source) else { return false };
    let Some(address) = bare(url) else { return false };
    if trackers.is_pixel(url) {
        return true;
    }
    let style = style(tag, html);
    let size = |name: &str| side(tag.value(html, name)).or_else(|| side(declared(&style, name)));
    let (width, height) = (size("width"), size("height"));
    let tiny = matches!((width, height), (Some(0..=1), Some(0..=1)));
    let hidden = hides(&style);
    // an image that only some screens show has a size
    let unseen = hidden && !matches!((width, height), (Some(2..), _) | (_, Some(2..)));
    (tiny || unseen) && !is_of_everybody(address)
}

/// Nobody is to see it.
pub(super) fn is_hidden(tag: &Tag, html: &[u8]) -> bool {
    hides(&style(tag, html)) || tag.value(html, "hidden").is_some()
}

/// The style of a tag, in lower case and without white space.
fn style(tag: &Tag, html: &[u8]) -> Vec<u8> {
    let style = tag.value(html, "style").unwrap_or_default().to_ascii_lowercase();
    style.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

fn hides(style: &[u8]) -> bool {
    [&b"display:none"[..], b"visibility:hidden", b"opacity:0;", b"max-height:0"]
        .iter()
        .any(|mark| memchr::memmem::find(style, mark).is_some())
}

/// A side in pixels.
fn side(value: Option<&[u8]>) -> Option<u32> {
    let digits: Vec<u8> = value?.trim_ascii().iter().copied().take_while(u8::is_ascii_digit).collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

/// The value of a property in a style without white space.
fn declared<'a>(style: &'a [u8], name: &str) -> Option<&'a [u8]> {
    style.split(|byte| *byte == b';').find_map(|rule| rule.strip_prefix(name.as_bytes())?.strip_prefix(b":"))
}

/// A file for spacing has a name, and no number in its path that could be somebody's.
fn is_of_everybody(address: &str) -> bool {
    let file = address.rsplit('/').next().unwrap_or_default();
    let stem = [".gif", ".png", ".jpg", ".jpeg"].iter().find_map(|end| file.to_ascii_lowercase().strip_suffix(end).map(str::len));
    let is_name = |part: &str| part.len() < 24 && part.bytes().filter(u8::is_ascii_digit).count() < 7;
    stem.is_some_and(|stem| stem > 0 && file[..stem].bytes().all(|byte| byte.is_ascii_alphabetic() || b"-_".contains(&byte)))
        && !address.contains('?')
        && address.split('/').skip(1).all(is_name)
}

/// Images of styles: `url(…)`.
fn in_styles(html: &[u8], trackers: &Trackers, found: &mut Measured) {
    for at in memchr::memmem::find_iter(html, b"url(") {
        let start = at + 4;
        let Some(length) = memchr::memchr(b')', &html[start..]) else { continue };
        let value = html[start..start + length].trim_ascii();
        let quoted = [&b"&quot;"[..], b"&#39;", b"\"", b"'"].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        let value = quoted.unwrap_or(value).trim_ascii();
        let url = resolved(value);
        if let Ok(url) = std::str::from_utf8(&url)
            && bare(url).is_some()
            && trackers.is_pixel(url)
        {
            let from = value.as_ptr().addr() - html.as_ptr().addr();
            found.changes.push((from..from + value.len(), String::new()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str, found: Measured) -> (String, usize) {
        let mut out = text.to_owned();
        let mut changes = found.changes;
        changes.sort_by_key(|(range, _)| range.start);
        for (range, new) in changes.into_iter().rev() {
            out.replace_range(range, &new);
        }
        (out, found.blind)
    }

    fn known() -> Trackers {
        Trackers::new(&[]).expect("the built-in ones")
    }

    #[test]
    fn pixels_go_and_content_images_stay() {
        // L-TRK-02
        let gone = |tag: &str| changed(&format!("<p>a{tag}b"), in_html(format!("<p>a{tag}b").as_bytes(), &known())).0 == "<p>ab";
        for (tag, expected) in [
            ("<img src=\"https://x.example/o?id=1\" width=\"1\" height=\"1\">", true),
            ("<img width=0 height=0 src=https://x.example/1234567890.gif>", true),
            ("<IMG SRC='//x.example/o?1' STYLE='width: 1px; height: 1px'>", true),
            ("<img src=\"https://x.example/track?u=1\" style=\"display:none\">", true),
            ("<img src=\"https://x.example/o/abcdef0123456789abcdef01.png\" style=\"visibility: hidden\">", true),
            ("<img src=\"https://shop.us1.list-manage.com/track/open.php?u=1\">", true), // known, whatever its size
            // L-TRK-02: content images are kept
            ("<img src=\"https://x.example/banner.png?w=600\" width=\"600\">", false),
            ("<img src=\"https://x.example/banner.png\">", false),
            ("<img src=\"https://x.example/spacer.gif\" width=\"1\" height=\"1\">", false), // the same for everybody
            ("<img src=\"https://x.example/line.png\" width=\"1\" height=\"20\">", false),
            ("<img src=\"https://x.example/m.png?v=2\" width=\"320\" style=\"display:none\">", false), // for phones only
            ("<img src=\"cid:logo\" width=\"1\" height=\"1\">", false),
            ("<img src=\"data:image/gif;base64,AA\" width=\"1\" height=\"1\">", false),
            ("<img alt=\"x\" width=\"1\" height=\"1\">", false),
        ] {
            assert_eq!(gone(tag), expected, "{tag}");
        }
    }

    #[test]
    fn links_and_images_of_html_are_changed_where_they_stand() {
        // L-TRK-02
        const TARGET: &str = "https://click.pstmrk.it/3s/shop.example%2Fa%3Fb%3D1%26c%3D2/x/y/z";
        for (html, expected, blind) in [
            (format!("<a class=x href=\"{TARGET}\">"), "<a class=x href=\"https://shop.example/a?b=1&amp;c=2\">", 0),
            (format!("<v:roundrect href='{TARGET}'>"), "<v:roundrect href='https://shop.example/a?b=1&amp;c=2'>", 0),
            ("<a href=\"https://x.example/?a=1&amp;mc_eid=2&amp;b=3\">".into(), "<a href=\"https://x.example/?a=1&amp;b=3\">", 0),
            ("<img src=\"https://x.example/a.png?mc_eid=2&amp;w=3\">".into(), "<img src=\"https://x.example/a.png?w=3\">", 0),
            (
                "<a href=\"https://s.us1.list-manage.com/track/click?u=1\">".into(),
                "<a href=\"https://s.us1.list-manage.com/track/click?u=1\">",
                1,
            ),
            ("<td background=\"https://t.emltrk.com/x?d=1\">".into(), "<td background=\"\">", 0),
            ("<style>#t{background:url('https://t.emltrk.com/x?p')}</style>".into(), "<style>#t{background:url('')}</style>", 0),
            ("<p style=\"background:url(&quot;https://t.emltrk.com/x&quot;)\">".into(), "<p style=\"background:url(&quot;&quot;)\">", 0),
            ("<p style=\"background:url(https://x.example/a.png)\">".into(), "<p style=\"background:url(https://x.example/a.png)\">", 0),
        ] {
            let found = in_html(html.as_bytes(), &known());
            assert_eq!(changed(&html, found), (expected.to_owned(), blind));
        }
    }

    #[test]
    fn links_of_plain_text_end_where_their_sentence_ends() {
        const TARGET: &str = "https://click.pstmrk.it/3s/shop.example%2Fa/x/y/z";
        for (text, expected, blind) in [
            (format!("See {TARGET}."), "See https://shop.example/a.", 0),
            (format!("(<{TARGET}>)"), "(<https://shop.example/a>)", 0),
            (format!("[Shop]({TARGET}), more"), "[Shop](https://shop.example/a), more", 0),
            ("https://s.us1.list-manage.com/track/click?u=1\r\nx".into(), "https://s.us1.list-manage.com/track/click?u=1\r\nx", 1),
            ("://x http:// https://x.example/?mc_eid=1".into(), "://x http:// https://x.example/", 0),
        ] {
            let found = in_text(text.as_bytes(), &known());
            assert_eq!(changed(&text, found), (expected.to_owned(), blind));
        }
    }
}
