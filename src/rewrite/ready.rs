//! One part that a reader sees, read once for all recipients: where the footer goes, where placeholders stand, what measures. For
//! each recipient it answers the splices of their copy, in the part's own encoding and charset (U-46).

use std::borrow::Cow;
use std::ops::Range;

use super::base64::Decoded;
use super::charset::{Charset, references};
use super::drawn::Drawn;
use super::entity::Encoding;
use super::structure::{Kind, Part};
use super::trackers::Trackers;
use super::{Marketing, RewriteError, Splice, footer, html, placeholder, quoted_printable, tracking};

/// RFC 5322 s.2.1.1, without CRLF.
const LONGEST_LINE: usize = 998;

/// A part, read.
#[derive(Debug)]
pub(super) struct Ready {
    part: Part,
    /// Of a part in base64.
    base64: Option<Decoded>,
    /// In order, and none within another.
    sites: Vec<Site>,
    /// What a reader sees of it, where a placeholder spares the footer: it may lack what a footer says.
    seen: Option<String>,
    /// Links that measure, and where they lead cannot be told.
    pub(super) blind: usize,
    /// The language it says it is in.
    pub(super) language: Option<String>,
}

/// A place where the copy differs from the message.
#[derive(Debug)]
struct Site {
    /// Among the octets of the decoded text.
    octets: Range<usize>,
    /// Among the bytes of the encoded body.
    raw: Range<usize>,
    with: With,
}

/// What stands there in the copy.
#[derive(Debug)]
enum With {
    Link,
    /// Words with the link.
    Sentence,
    /// The footer, behind an empty line or what else is missing before it.
    Footer(String),
    /// What does not measure; only for who has not agreed to being measured.
    Unmeasured(String),
}

impl Ready {
    /// Reads a part; `body` is its encoded body.
    pub(super) fn new(part: Part, body: &[u8], trackers: &Trackers) -> Result<Self, RewriteError> {
        let base64 = if part.encoding == Encoding::Base64 { Some(Decoded::new(body)?) } else { None };
        let mut part = part;
        if let (Charset::Utf16 { big_endian }, Some(decoded)) = (part.charset, &base64) {
            // RFC 2781 s.3.3, s.4.3: the byte order mark leads, big-endian without one
            part.charset = Charset::Utf16 { big_endian: footer::byte_order(&decoded.octets).unwrap_or(big_endian) };
        }
        let text = match (&base64, part.encoding) {
            (Some(decoded), _) => Cow::Borrowed(&decoded.octets[..]),
            (None, Encoding::QuotedPrintable) => Cow::Owned(quoted_printable::decode(body)),
            (None, _) => Cow::Borrowed(body),
        };
        let text = part.charset.shadow(text);
        if part.kind == Kind::Text && footer::is_pgp(&text) {
            return Err(RewriteError::Sealed);
        }
        let mut ready = Self { base64: None, sites: Vec::new(), seen: None, blind: 0, language: None, part };
        let drawn = (ready.part.kind == Kind::Html).then(|| Drawn::read(&text));
        ready.find(&text, drawn.as_ref(), trackers);
        ready.place_footer(&text, drawn.as_ref(), body);
        ready.settle(&text, body);
        ready.base64 = base64;
        Ok(ready)
    }

    /// Placeholders and what measures.
    fn find(&mut self, text: &[u8], drawn: Option<&Drawn>, trackers: &Trackers) {
        let mut placeholders = placeholder::find(text);
        // one in a comment, a style or the like is seen by nobody, unless Outlook reads it
        let hidden = |at: usize| drawn.and_then(|drawn| drawn.hides(at));
        placeholders.retain(|found| hidden(found.range.start).is_none_or(|start| text[start..].starts_with(b"<!--[if")));
        let own = trackers.own_links(text);
        if placeholders
            .iter()
            .map(|found| &found.range)
            .chain(&own)
            .any(|range| hidden(range.start).is_none() && self.is_way_out(text, range))
        {
            let shown = String::from_utf8_lossy(text);
            self.seen = Some(if self.part.kind == Kind::Html { html::visible(&shown) } else { html::squeezed(&shown) });
        }
        let measured = match self.part.kind {
            Kind::Text => tracking::in_text(text, trackers),
            Kind::Html => {
                self.language = html::tags(text).take(4).find(|tag| tag.is(text, "html")).and_then(|tag| {
                    let language = tag.value(text, "lang")?;
                    Some(String::from_utf8_lossy(language).into_owned())
                });
                tracking::in_html(text, trackers)
            }
        };
        self.blind = measured.blind;
        let with = |sentence| if sentence { With::Sentence } else { With::Link };
        let links = placeholders.into_iter().map(|found| (found.range, with(found.sentence)));
        let own = own.into_iter().map(|range| (range, With::Link));
        let unmeasured = measured.changes.into_iter().map(|(range, new)| {
            let leads_to_us = !trackers.own_links(new.as_bytes()).is_empty();
            (range, if leads_to_us { With::Link } else { With::Unmeasured(new) })
        });
        let mut found: Vec<(Range<usize>, With)> = links.chain(own).chain(unmeasured).collect();
        found.sort_by_key(|(range, _)| (range.start, range.end));
        for (octets, with) in found {
            match self.sites.last() {
                Some(last) if last.octets.end > octets.start => {
                    // a link of ours counts for more than what it stands in
                    if matches!((&last.with, &with), (With::Unmeasured(_), With::Link | With::Sentence)) {
                        self.sites.pop();
                        self.sites.push(Site { octets, raw: 0..0, with });
                    }
                }
                _ => self.sites.push(Site { octets, raw: 0..0, with }),
            }
        }
    }

    /// A person can follow it: it stands in the text, or in a link that is drawn.
    fn is_way_out(&self, text: &[u8], range: &Range<usize>) -> bool {
        if self.part.kind == Kind::Text {
            return true;
        }
        let tag = memchr::memrchr_iter(b'<', &text[..range.start]).take(4).find_map(|at| {
            let tag = html::tags(&text[at..]).next().filter(|tag| tag.range.start == 0 && at + tag.range.end > range.start)?;
            Some((at, tag))
        });
        let Some((at, tag)) = tag else { return true };
        let own = &text[at..];
        let mut attributes = tag.attributes(own);
        let is_link = attributes.any(|attribute| {
            own[attribute.name.clone()].eq_ignore_ascii_case(b"href")
                && (at + attribute.value.start..=at + attribute.value.end).contains(&range.start)
        });
        (tag.is(own, "a") || tag.is(own, "area")) && is_link && !tracking::is_hidden(&tag, own)
    }

    fn place_footer(&mut self, text: &[u8], drawn: Option<&Drawn>, body: &[u8]) {
        let index = drawn.map_or(text.len(), |drawn| drawn.last_place(text.len()));
        let soft = self.part.encoding == Encoding::QuotedPrintable && self.part.kind == Kind::Text && quoted_printable::ends_soft(body);
        let before = if soft { &b"="[..] } else { &text[..index] };
        // the first line end that we add would end the soft break and no line
        let open = if soft && !body.ends_with(b"\n") { "\r\n" } else { "" };
        let gap = format!("{open}{}", footer::gap(self.part.kind, before));
        let at = self.sites.partition_point(|site| site.octets.start < index);
        // never within another site: what measures and reaches across the end cannot be taken out
        let mut at = at;
        if at > 0 && self.sites[at - 1].octets.end > index {
            at -= 1;
            self.sites.remove(at);
            self.blind += 1;
        }
        self.sites.insert(at, Site { octets: index..index, raw: 0..0, with: With::Footer(gap) });
    }

    /// Where the sites stand in the encoded body.
    fn settle(&mut self, text: &[u8], body: &[u8]) {
        match self.part.encoding {
            Encoding::Identity => self.sites.iter_mut().for_each(|site| site.raw = site.octets.clone()),
            Encoding::QuotedPrintable => {
                let last = |site: &Site| site.octets.end.max(site.octets.start + 1) - 1;
                let starts = quoted_printable::offsets(body, self.sites.iter().map(|site| site.octets.start));
                let lasts = quoted_printable::offsets(body, self.sites.iter().map(last));
                for ((site, start), last) in self.sites.iter_mut().zip(starts).zip(lasts) {
                    let end = if site.octets.is_empty() { start } else { last + quoted_printable::width(body, last) };
                    site.raw = start..end;
                    if self.part.kind == Kind::Text && site.octets.start == text.len() {
                        site.raw = body.len()..body.len(); // behind a soft break, too
                    } else if let With::Footer(gap) = &mut site.with
                        && body[..start].ends_with(b"\n")
                    {
                        gap.clear();
                    }
                }
            }
            Encoding::Base64 => {}
        }
    }

    /// Where the encoded body stands in the message.
    pub(super) fn body(&self) -> Range<usize> {
        self.part.body.clone()
    }

    /// What the copy for one recipient gets in this part.
    pub(super) fn splices<'s>(&'s self, body: &[u8], marketing: &Marketing<'_>, splices: &mut Vec<Splice<'s>>) -> Result<(), RewriteError> {
        let wanted = |site: &&Site| match &site.with {
            With::Unmeasured(_) => !marketing.may_measure,
            With::Footer(_) => self.footer(marketing).is_some(),
            With::Link | With::Sentence => true,
        };
        let wanted = self.sites.iter().filter(wanted);
        let from = self.part.body.start;
        let separator = self.part.separator.as_bytes();
        if let Some(decoded) = &self.base64 {
            let scale = if matches!(self.part.charset, Charset::Utf16 { .. }) { 2 } else { 1 };
            let changes: Vec<_> = wanted
                .map(|site| {
                    (site.octets.start * scale..site.octets.end * scale, self.part.charset.encode(&self.words(site, marketing), false))
                })
                .collect();
            if !changes.is_empty() {
                let splice = decoded.splice(body, &changes);
                let bytes = [separator, &splice.bytes].concat();
                splices.push(Splice { range: splice.range.start + from..splice.range.end + from, bytes: bytes.into() });
            }
            return Ok(());
        }
        let mut separator = Some(separator).filter(|separator| !separator.is_empty());
        for site in wanted {
            let bytes = match (self.part.encoding, &site.with) {
                (Encoding::QuotedPrintable, With::Footer(gap)) => {
                    let footer = self.part.charset.encode(&self.footer(marketing).unwrap_or_default(), false);
                    [gap.as_bytes(), &quoted_printable::encode(&footer)].concat()
                }
                (Encoding::QuotedPrintable, _) => self.in_quoted_line(site, body, self.words(site, marketing).as_bytes()),
                _ => self.in_line(site, body, &self.words(site, marketing))?,
            };
            let bytes = match separator.take() {
                Some(separator) => [separator, &bytes].concat(),
                None => bytes,
            };
            splices.push(Splice { range: site.raw.start + from..site.raw.end + from, bytes: bytes.into() });
        }
        Ok(())
    }

    /// The footer; without a link where a placeholder has it; none where the mail says by itself what a footer says.
    fn footer(&self, marketing: &Marketing<'_>) -> Option<String> {
        let (whole, notice) = match self.part.kind {
            Kind::Text => (marketing.footer_text, marketing.notice_text),
            Kind::Html => (marketing.footer_html, marketing.notice_html),
        };
        let words = match &self.seen {
            None => whole,
            Some(seen) if marketing.must_say.iter().all(|words| seen.contains(&html::squeezed(words))) => return None,
            Some(_) => notice,
        };
        let words = footer::crlf(words);
        Some(if self.part.kind == Kind::Html { references(&words) } else { words })
    }

    fn words(&self, site: &Site, marketing: &Marketing<'_>) -> String {
        let url = marketing.unsubscribe_url;
        match &site.with {
            With::Link => url.to_owned(),
            With::Sentence if self.part.kind == Kind::Html => references(&format!("<a href=\"{url}\">{}</a>", marketing.unsubscribe_words)),
            With::Sentence => format!("{}: {url}", marketing.unsubscribe_words),
            With::Footer(gap) => format!("{gap}{}", self.footer(marketing).unwrap_or_default()),
            With::Unmeasured(new) => new.clone(),
        }
    }

    fn in_quoted_line(&self, site: &Site, body: &[u8], words: &[u8]) -> Vec<u8> {
        let words = self.part.charset.encode(&String::from_utf8_lossy(words), false);
        let (column, rest) = line(body, &site.raw);
        let bytes = quoted_printable::in_line(column, &words, rest);
        // rule 3: white space that would now end the line is no longer there for readers
        let blank = matches!(body[..site.raw.start].last(), Some(b' ' | b'\t'));
        if bytes.is_empty() && blank && rest == 0 { b"=\r\n".to_vec() } else { bytes }
    }

    fn in_line(&self, site: &Site, body: &[u8], words: &str) -> Result<Vec<u8>, RewriteError> {
        // RFC 6152: nobody promised that 8-bit octets may follow
        let bytes = self.part.charset.encode(words, body.is_ascii());
        let (column, rest) = line(body, &site.raw);
        let first = memchr::memchr(b'\r', &bytes).unwrap_or(bytes.len() + rest);
        if !matches!(site.with, With::Footer(_)) && column + first > LONGEST_LINE && first > site.raw.len() + rest {
            return Err(RewriteError::NoRoom);
        }
        Ok(bytes)
    }
}

/// How much of its line stands before a range of the body, and how much behind it.
fn line(body: &[u8], range: &Range<usize>) -> (usize, usize) {
    let column = range.start - memchr::memrchr(b'\n', &body[..range.start]).map_or(0, |at| at + 1);
    let rest = memchr::memchr(b'\r', &body[range.end..]).unwrap_or(body.len() - range.end);
    (column, rest)
}
