//! html as a person sees it: what is hidden is left out, what is drawn in blocks stands in lines, links and pictures are
//! marked. No layout, no scripts.

/// Stands where a link ends.
pub(super) const LINK: char = '\u{E000}';
/// Stands where a picture is.
pub(super) const PICTURE: char = '\u{E001}';

/// Characters of hidden text that may be seen.
const LONGEST_PREVIEW: usize = 160;

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    /// Visible text; blocks end with a line end.
    pub(super) text: String,
    /// Hidden text at the very start: mail programs show it in the list of mails.
    pub(super) preview: String,
    /// Targets of links.
    pub(super) targets: Vec<String>,
}

const BLOCKS: &[&str] = &[
    "p",
    "div",
    "td",
    "tr",
    "table",
    "br",
    "li",
    "ul",
    "ol",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "center",
    "section",
    "article",
    "header",
    "footer",
    "blockquote",
    "pre",
    "th",
    "tbody",
    "dd",
    "dt",
    "body",
    "button",
    "form",
    "main",
    "aside",
    "figure",
    "option",
];
const VOID: &[&str] = &["br", "img", "hr", "meta", "link", "input", "col", "area", "base", "wbr", "source", "embed"];
const SILENT: &[&str] = &["style", "script", "head", "title", "noscript", "template", "svg", "object"];

/// Reads html.
pub(super) fn see(html: &str) -> Seen {
    let mut seen = Seen { text: String::with_capacity(html.len() / 2), ..Seen::default() };
    let bytes = html.as_bytes();
    let mut hidden: Option<(String, usize)> = None; // the element that hides, and how many of its name are open
    let mut at = 0;
    while at < bytes.len() {
        let next = memchr::memchr(b'<', &bytes[at..]).map_or(bytes.len(), |found| at + found);
        put(&mut seen, &html[at..next], hidden.is_some());
        if next == bytes.len() {
            break;
        }
        if html[next..].starts_with("<!--") {
            at = comment_end(html, next);
            continue;
        }
        let Some((tag, end)) = Tag::read(html, next) else {
            put(&mut seen, "<", hidden.is_some());
            at = next + 1;
            continue;
        };
        at = end;
        step(&mut seen, &mut hidden, &tag);
        if !tag.closes && (tag.name == "script" || tag.name == "style" || tag.name == "title") {
            // nothing in these is markup
            at = find_close(html, at, &tag.name);
            hidden = None.or(hidden.filter(|(name, _)| *name != tag.name));
        }
    }
    seen
}

fn step(seen: &mut Seen, hidden: &mut Option<(String, usize)>, tag: &Tag<'_>) {
    if let Some((name, open)) = hidden {
        if *name == tag.name && !tag.empty {
            *open = if tag.closes { *open - 1 } else { *open + 1 };
            if *open == 0 {
                *hidden = None;
            }
        }
        return;
    }
    if BLOCKS.contains(&tag.name.as_str()) && !seen.text.ends_with('\n') {
        seen.text.push('\n');
    }
    if tag.closes {
        if tag.name == "a" {
            seen.text.push(LINK);
        }
        return;
    }
    let is_void = tag.empty || VOID.contains(&tag.name.as_str());
    if !is_void && (SILENT.contains(&tag.name.as_str()) || tag.hides()) {
        *hidden = Some((tag.name.clone(), 1));
        return;
    }
    match tag.name.as_str() {
        "a" | "area" => seen.targets.extend(tag.value("href").map(unescape)),
        "form" => seen.targets.extend(tag.value("action").map(unescape)),
        "img" | "input" => {
            let drawn = !tag.hides() && !tag.is_dot();
            let words = tag.value(if tag.name == "img" { "alt" } else { "value" }).map(unescape);
            if drawn && tag.name == "img" {
                seen.text.push(PICTURE);
            }
            if let Some(words) = words.filter(|words| drawn && !words.trim().is_empty()) {
                seen.text.push(' ');
                seen.text.push_str(&words);
                seen.text.push('\n');
            }
        }
        _ => {}
    }
}

/// Text, with character references read and white space as it is drawn.
fn put(seen: &mut Seen, text: &str, is_hidden: bool) {
    let is_first = seen.text.trim().is_empty() && seen.preview.is_empty();
    if is_hidden && !is_first {
        return;
    }
    let into = if is_hidden { &mut seen.preview } else { &mut seen.text };
    let mut whole = unescape(text);
    if is_hidden {
        // no list of mails shows more
        whole = whole.trim_start().chars().take(LONGEST_PREVIEW).collect();
    }
    for character in whole.chars() {
        let blank = character.is_whitespace() && character != '\u{a0}';
        if !blank {
            into.push(character);
        } else if !into.ends_with([' ', '\n']) {
            into.push(' ');
        }
    }
}

fn comment_end(html: &str, at: usize) -> usize {
    html[at + 4..].find("-->").map_or(html.len(), |found| at + 4 + found + 3)
}

fn find_close(html: &str, at: usize, name: &str) -> usize {
    let bytes = html.as_bytes();
    memchr::memmem::find_iter(&bytes[at..], b"</")
        .map(|found| at + found)
        .find(|found| {
            bytes[found + 2..].len() >= name.len() && bytes[found + 2..found + 2 + name.len()].eq_ignore_ascii_case(name.as_bytes())
        })
        .unwrap_or(bytes.len())
}

struct Tag<'a> {
    name: String,
    closes: bool,
    empty: bool,
    rest: &'a str,
}

impl<'a> Tag<'a> {
    /// The tag at `<`, and where it ends.
    fn read(html: &'a str, at: usize) -> Option<(Self, usize)> {
        let bytes = html.as_bytes();
        let mut from = at + 1;
        let closes = bytes.get(from) == Some(&b'/');
        from += usize::from(closes);
        if !bytes.get(from).is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'!' || *byte == b'?') {
            return None;
        }
        // a > in quotes does not end the tag
        let (mut end, mut quote) = (from, None);
        while end < bytes.len() {
            match (quote, bytes[end]) {
                (None, b'>') => break,
                (None, mark @ (b'"' | b'\'')) => quote = Some(mark),
                (Some(mark), byte) if mark == byte => quote = None,
                _ => {}
            }
            end += 1;
        }
        let inside = &html[from..end];
        let length = inside.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(inside.len());
        let tag = Self { name: inside[..length].to_ascii_lowercase(), closes, empty: inside.ends_with('/'), rest: &inside[length..] };
        Some((tag, (end + 1).min(bytes.len())))
    }

    /// The value of an attribute.
    fn value(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.rest;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            if rest.is_empty() {
                return None;
            }
            let length = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len()).max(1);
            let length = if rest.is_char_boundary(length) { length } else { return None };
            let own = &rest[..length];
            rest = rest[length..].trim_start();
            let Some(after) = rest.strip_prefix('=') else { continue };
            let after = after.trim_start();
            let (value, left) = match after.chars().next() {
                Some(mark @ ('"' | '\'')) => after[1..].split_once(mark).unwrap_or((&after[1..], "")),
                _ => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
            };
            if own.eq_ignore_ascii_case(name) {
                return Some(value);
            }
            rest = left;
        }
    }

    /// True when a person does not see what is in it.
    fn hides(&self) -> bool {
        if self.rest.len() < 6 {
            return false;
        }
        let bare_hidden = self.rest.split(|c: char| c.is_whitespace() || c == '/').any(|word| word.eq_ignore_ascii_case("hidden"));
        let Some(style) = self.value("style") else { return bare_hidden };
        let style: String = style.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect();
        let value = |name: &str| {
            style
                .split(';')
                .filter_map(|line| line.split_once(':'))
                .find(|(own, _)| *own == name)
                .map(|(_, value)| value.trim_end_matches("!important"))
        };
        let is_nothing = |name: &str| {
            value(name).is_some_and(|value| {
                let digits: String = value.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
                digits.parse::<f32>().is_ok_and(|size| size < if name == "font-size" { 2.5 } else { 0.05 })
            })
        };
        let same_colour = value("color")
            .zip(value("background-color").or(value("background")))
            .is_some_and(|(own, behind)| colour(own) == colour(behind));
        bare_hidden
            || value("display") == Some("none")
            || value("visibility") == Some("hidden")
            || value("mso-hide") == Some("all")
            || is_nothing("font-size")
            || is_nothing("opacity")
            || (is_nothing("max-height") && value("overflow").is_some())
            || same_colour
            || value("color") == Some("transparent")
            || value("text-indent").is_some_and(|by| by.starts_with("-9"))
            || value("left").is_some_and(|by| by.starts_with("-9"))
    }

    /// A picture of a pixel or two counts, and shows nothing.
    fn is_dot(&self) -> bool {
        ["width", "height"].iter().any(|side| self.value(side).is_some_and(|size| matches!(size, "0" | "1" | "2" | "1px" | "0px")))
    }
}

/// One spelling of a colour: three digits are six.
fn colour(text: &str) -> String {
    match text {
        "white" => "#ffffff".to_owned(),
        "black" => "#000000".to_owned(),
        short if short.len() == 4 && short.starts_with('#') => {
            short.chars().flat_map(|c| if c == '#' { vec![c] } else { vec![c, c] }).collect()
        }
        other => other.to_owned(),
    }
}

/// Reads character references.
pub(super) fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let length = tail.bytes().take(10).position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'#')).unwrap_or(tail.len().min(10));
        let name = tail.get(..length).unwrap_or_default();
        match reference(name) {
            Some(character) => {
                plain.push(character);
                rest = tail[length..].strip_prefix(';').unwrap_or(&tail[length..]);
            }
            None => {
                plain.push('&');
                rest = tail;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn reference(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    const NAMES: &[(&str, char)] = &[
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("nbsp", ' '),
        ("auml", 'ä'),
        ("ouml", 'ö'),
        ("uuml", 'ü'),
        ("Auml", 'Ä'),
        ("Ouml", 'Ö'),
        ("Uuml", 'Ü'),
        ("szlig", 'ß'),
        ("euro", '€'),
        ("pound", '£'),
        ("ndash", '–'),
        ("mdash", '—'),
        ("hellip", '…'),
        ("rsquo", '’'),
        ("lsquo", '‘'),
        ("ldquo", '“'),
        ("rdquo", '”'),
        ("bdquo", '„'),
        ("copy", '©'),
        ("reg", '®'),
        ("zwnj", '\u{200c}'),
        ("zwj", '\u{200d}'),
        ("shy", '\u{ad}'),
        ("eacute", 'é'),
        ("egrave", 'è'),
        ("raquo", '»'),
        ("laquo", '«'),
        ("rarr", '→'),
        ("bull", '•'),
        ("middot", '·'),
        ("percnt", '%'),
        ("dollar", '$'),
        ("excl", '!'),
    ];
    NAMES.iter().find(|(own, _)| *own == name).map(|(_, character)| *character)
}
