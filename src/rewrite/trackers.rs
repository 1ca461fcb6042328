//! What is known of tools that measure people (L-TRK-02): which images and links of theirs do, and where the address behind a
//! link can be read. Judges addresses; finding and changing them in mails is the part's business.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use ::base64::Engine as _;
use ::base64::alphabet;
use ::base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use serde::Deserialize;

use super::pattern::Pattern;
use super::placeholder::find_own;

/// The built-in ones.
static BUILT_IN: LazyLock<Result<File, String>> =
    LazyLock::new(|| toml::from_str(include_str!("trackers.toml")).map_err(|error| error.to_string()));

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    parameters: Parameters,
    tool: Vec<Tracker>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    names: Vec<String>,
}

/// One tool: what it is known by, and by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tracker {
    /// The tool.
    pub name: String,
    /// Where that is known from.
    pub source: String,
    /// When somebody last looked.
    pub reviewed: String,
    /// Images that tell that a mail was opened.
    #[serde(default)]
    pub pixels: Vec<String>,
    /// Links that tell who followed them.
    #[serde(default)]
    pub redirects: Vec<Redirect>,
    /// Links that are there for the person, and stay.
    #[serde(default)]
    pub unsubscribe: Vec<String>,
}

/// Links of one shape.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// The pattern.
    pub url: String,
    /// Where the address behind it can be read.
    #[serde(default)]
    pub target: Option<Target>,
}

/// Where in a link the address behind it stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// In that parameter of the query.
    #[serde(default)]
    query: Option<String>,
    /// In that part of the path, from 1; from -1 backwards.
    #[serde(default)]
    segment: Option<i8>,
    /// In base64.
    #[serde(default)]
    base64: bool,
    /// In JSON, at "url".
    #[serde(default)]
    json: bool,
}

/// All that is known, ready to be asked.
#[derive(Debug, Clone)]
pub struct Trackers {
    /// Finds the cores of all patterns in one pass; most addresses have none.
    cores: AhoCorasick,
    patterns: Vec<(Pattern, Shape)>,
    parameters: HashSet<String>,
    /// What the gateway's own unsubscribe links begin with, behind their scheme.
    own: Option<String>,
}

/// What an address is that a pattern fits.
#[derive(Debug, Clone)]
enum Shape {
    Pixel,
    Redirect(Option<Target>),
    Unsubscribe,
}

/// What a link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// Nothing that measures.
    Plain,
    /// There for the person to leave, or to read the mail elsewhere.
    Unsubscribe,
    /// It measures; the address behind it, if it can be read.
    Tracked(Option<String>),
    /// It goes where it says, and says who follows it: the same without that.
    Named(String),
}

/// The URL-safe alphabet; padding as it comes.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// Longer ones are no addresses of people's tools.
const LONGEST: usize = 4_096;

impl Trackers {
    /// The built-in ones, and the operator's before them.
    pub fn new(own: &[Tracker]) -> Result<Self, String> {
        let File { parameters, tool } = BUILT_IN.as_ref().map_err(Clone::clone)?;
        let mut patterns = Vec::new();
        for tracker in own.iter().chain(tool) {
            let read = |text: &String| Pattern::parse(text).map_err(|fault| format!("{}: {fault}", tracker.name));
            for text in &tracker.pixels {
                patterns.push((read(text)?, Shape::Pixel));
            }
            for text in &tracker.unsubscribe {
                patterns.push((read(text)?, Shape::Unsubscribe));
            }
            for Redirect { url, target } in &tracker.redirects {
                if let Some(target) = target
                    && target.query.is_some() == target.segment.is_some()
                {
                    return Err(format!("{}: {url:?}: a target is in a query or in a segment", tracker.name));
                }
                patterns.push((read(url)?, Shape::Redirect(target.clone())));
            }
        }
        let parameters = parameters.names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let dfa = Some(AhoCorasickKind::DFA); // small, and twice as fast
        let cores = AhoCorasick::builder().ascii_case_insensitive(true).kind(dfa).build(patterns.iter().map(|(pattern, _)| pattern.core()));
        Ok(Self { cores: cores.map_err(|error| error.to_string())?, patterns, parameters, own: None })
    }

    /// Knows the gateway's own unsubscribe links, too: by what they all begin with, `https://…/u/`.
    #[must_use]
    pub fn with_own(self, links: &str) -> Self {
        Self { own: bare(links).map(str::to_owned), ..self }
    }

    /// Those of our own unsubscribe links in a text (M-51): each is somebody's.
    pub(super) fn own_links(&self, text: &[u8]) -> Vec<Range<usize>> {
        self.own.as_deref().map(|own| find_own(text, own)).unwrap_or_default()
    }

    /// Names of the built-in tools.
    pub fn built_in() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().flat_map(|file| file.tool.iter().map(|tool| tool.name.as_str()))
    }

    /// True for an image that tells that the mail was opened.
    pub(super) fn is_pixel(&self, url: &str) -> bool {
        bare(url).is_some_and(|address| self.shapes(address).iter().any(|shape| matches!(shape, Shape::Pixel)))
    }

    /// What it is, in the order in which the patterns stand.
    fn shapes(&self, address: &str) -> Vec<&Shape> {
        let mut numbers: Vec<usize> = self.cores.find_overlapping_iter(address).map(|found| found.pattern().as_usize()).collect();
        if numbers.is_empty() {
            return Vec::new();
        }
        numbers.sort_unstable();
        numbers.dedup();
        let lower = address.to_ascii_lowercase();
        let fitting = numbers.into_iter().map(|number| &self.patterns[number]).filter(|(pattern, _)| pattern.fits(lower.as_bytes()));
        fitting.map(|(_, shape)| shape).collect()
    }

    /// What a link is.
    pub(super) fn link(&self, url: &str) -> Link {
        let Some(address) = bare(url) else { return Link::Plain };
        let shapes = self.shapes(address);
        if shapes.iter().any(|shape| matches!(shape, Shape::Unsubscribe)) {
            return Link::Unsubscribe;
        }
        let mut found = false;
        for shape in shapes {
            let Shape::Redirect(target) = shape else { continue };
            found = true;
            if let Some(target) = target.as_ref().and_then(|target| target.read(url)) {
                return Link::Tracked(Some(self.without_names(&target).unwrap_or(target)));
            }
        }
        match self.without_names(url) {
            _ if found => Link::Tracked(None),
            Some(bare) => Link::Named(bare),
            None => Link::Plain,
        }
    }

    /// The URL without parameters that name the person; `None` where it has none.
    pub(super) fn without_names(&self, url: &str) -> Option<String> {
        let (rest, fragment) = url.split_once('#').map_or((url, None), |(rest, fragment)| (rest, Some(fragment)));
        let (place, query) = rest.split_once('?')?;
        let names = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            self.parameters.contains(name)
                || name.bytes().any(|byte| byte.is_ascii_uppercase()) && self.parameters.contains(&name.to_ascii_lowercase())
        };
        let kept: Vec<&str> = query.split('&').filter(|pair| !names(pair)).collect();
        if kept.len() == query.split('&').count() {
            return None;
        }
        let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
        Some(format!("{place}{query}{}", fragment.map(|fragment| format!("#{fragment}")).unwrap_or_default()))
    }
}

impl Target {
    fn read(&self, url: &str) -> Option<String> {
        let address = bare(url)?;
        let address = address.split('#').next().unwrap_or_default();
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let raw = match (&self.query, self.segment) {
            (Some(name), _) => {
                query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| key == name).map(|(_, value)| value))?
            }
            (None, Some(number)) => {
                let segments: Vec<&str> = path.split('/').skip(1).collect();
                let count = isize::try_from(segments.len()).ok()?;
                let index = isize::from(number);
                *segments.get(usize::try_from(if index > 0 { index - 1 } else { count + index }).ok()?)?
            }
            (None, None) => return None,
        };
        let mut text = percent_decoded(raw)?;
        if self.base64 {
            text = String::from_utf8(LENIENT.decode(text.replace('+', "-").replace('/', "_")).ok()?).ok()?;
        }
        if self.json {
            text = url_in_json(&serde_json::from_str(&text).ok()?, 0)?;
        }
        if bare(&text).is_none() && self.segment.is_some() && !self.base64 && !text.contains("://") {
            text.insert_str(0, "https://");
        }
        is_address(&text).then_some(text)
    }
}

/// The first "url" in it, also in JSON that is quoted in JSON.
fn url_in_json(value: &serde_json::Value, depth: u8) -> Option<String> {
    if depth > 4 {
        return None;
    }
    match value {
        serde_json::Value::Object(map) => match map.get("url").and_then(serde_json::Value::as_str) {
            Some(url) => Some(url.to_owned()),
            None => map.values().find_map(|value| url_in_json(value, depth + 1)),
        },
        serde_json::Value::String(text) => url_in_json(&serde_json::from_str(text).ok()?, depth + 1),
        _ => None,
    }
}

/// An absolute http address that may stand in an attribute: nothing that a mail program would run, nothing that ends a value.
fn is_address(url: &str) -> bool {
    let host = bare(url).map(|address| address.split(['/', '?', '#']).next().unwrap_or_default());
    host.is_some_and(|host| host.contains('.') && !host.starts_with('.'))
        && url.len() <= LONGEST
        && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>`\\".contains(&byte))
}

/// The address without its scheme, for one of the web.
pub(super) fn bare(url: &str) -> Option<&str> {
    if url.len() > LONGEST {
        return None;
    }
    ["https://", "http://", "//"]
        .iter()
        .find_map(|scheme| url.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme)).map(|_| &url[scheme.len()..]))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = |digit: u8| char::from(digit).to_digit(16);
        match (first, behind) {
            (b'%', [high, low, tail @ ..]) if let (Some(high), Some(low)) = (hex(*high), hex(*low)) => {
                out.push(u8::try_from(high << 4 | low).ok()?);
                rest = tail;
            }
            _ => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Trackers {
        Trackers::new(&[]).expect("the built-in ones")
    }

    #[test]
    fn targets_are_read_where_the_tool_wrote_them() {
        // L-TRK-02
        let mandrill = ::base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(r#"{"s":"x","v":1,"p":"{\"u\":1,\"v\":1,\"url\":\"https:\\/\\/shop.example\\/a?b=1\",\"id\":\"2\"}"}"#);
        for (url, expected) in [
            (format!("https://mandrillapp.com/track/click/1/shop.example?p={mandrill}"), Some("https://shop.example/a?b=1")),
            ("https://mandrillapp.com/track/click/1/shop.example?p=broken".into(), None),
            ("http://x1.mjt.lu/lnk/AA-b/1/cc_d/aHR0cHM6Ly9zaG9wLmV4YW1wbGUvYQ".into(), Some("https://shop.example/a")),
            ("https://click.pstmrk.it/3s/shop.example%2Fa%3Fb%3D1/x/y/z".into(), Some("https://shop.example/a?b=1")),
            ("https://a.r.eu-west-1.awstrack.me/L0/https:%2F%2Fshop.example%2Fa/1/0102/x=1".into(), Some("https://shop.example/a")),
            // the target's own names of people go, too
            ("https://click.pstmrk.it/3s/shop.example%2Fa%3Fmc_eid%3D1%26b%3D2/x/y/z".into(), Some("https://shop.example/a?b=2")),
            // nothing that a mail program would run, or that would end an attribute
            ("http://x1.mjt.lu/lnk/AA-b/1/cc_d/amF2YXNjcmlwdDphbGVydCgxKQ".into(), None),
            ("https://a.r.eu-west-1.awstrack.me/L0/https:%2F%2Fshop.example%2F%22%3E%3Cb%3E/1".into(), None),
            ("https://shop.us1.list-manage.com/track/click?u=1&id=2&e=3".into(), None),
        ] {
            assert_eq!(known().link(&url), Link::Tracked(expected.map(str::to_owned)), "{url}");
        }
    }

    #[test]
    fn links_for_the_person_stay_and_names_are_taken_off_others() {
        for (url, expected) in [
            ("https://shop.us1.list-manage.com/unsubscribe?u=1", Link::Unsubscribe),
            ("https://m.example/email/unsubscribe/5b2c", Link::Unsubscribe),
            ("https://shop.example/a?utm_source=x&mc_eid=1#top", Link::Named("https://shop.example/a?utm_source=x#top".into())),
            ("https://shop.example/a?mc_eid=1", Link::Named("https://shop.example/a".into())),
            ("https://shop.example/a?utm_source=x", Link::Plain),
            ("https://www.facebook.com/sharer?u=https://shop.example", Link::Plain),
            ("mailto:a@shop.example", Link::Plain),
            ("#top", Link::Plain),
        ] {
            assert_eq!(known().link(url), expected, "{url}");
        }
    }

    #[test]
    fn an_operators_own_tracking_domain_is_known() {
        let own = Tracker {
            name: "ours".into(),
            redirects: vec![Redirect {
                url: "go.shop.example/*".into(),
                target: Some(Target { query: Some("to".into()), segment: None, base64: false, json: false }),
            }],
            pixels: vec!["go.shop.example/open*".into()],
            ..Tracker::default()
        };
        let trackers = Trackers::new(std::slice::from_ref(&own)).expect("good");
        assert_eq!(
            trackers.link("https://go.shop.example/c?to=https%3A%2F%2Fshop.example"),
            Link::Tracked(Some("https://shop.example".into()))
        );
        assert!(trackers.is_pixel("https://go.shop.example/open?x=1"));
        let wrong = Tracker { pixels: vec!["*".into()], ..own };
        assert!(Trackers::new(&[wrong]).is_err_and(|fault| fault.starts_with("ours: ")));
    }
}
