//! The placeholders for an unsubscribe link that people already have in their mails (PEERS.md section 4.2), found wherever an
//! editor let them stand: with other white space, URL-encoded, behind an `http://` that it put before them. And links that the
//! gateway itself put into a mail before.

use std::ops::Range;

/// Opening, name and closing. White space may stand between them.
const PLACEHOLDERS: [(&str, &str, &str); 12] = [
    ("{{", "consentry_unsubscribe_url", "}}"),
    ("{{", "amazonSESUnsubscribeUrl", "}}"),
    ("{{{", "pm:unsubscribe", "}}}"),
    ("[", "unsubscribe", "]"), // SendGrid
    ("%", "unsubscribe_url", "%"),
    ("%", "tag_unsubscribe_url", "%"),          // Mailgun
    ("%", "mailing_list_unsubscribe_url", "%"), // Mailgun
    ("{", "unsubscribe_url", "}"),              // Mautic
    ("{{", "unsubscribe_url", "}}"),
    ("{", "unsubscribe_text", "}"), // Mautic: a sentence with the link
    ("{{", "UnsubscribeURL", "}}"), // listmonk
    ("{{", "posta_unsubscribe_url", "}}"),
];

/// What all names have.
const COMMON: &str = "nsubscribe";

/// How far around it a placeholder reaches, URL-encoded.
const REACH: usize = 96;

/// One placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placeholder {
    pub(super) range: Range<usize>,
    /// It stands for a sentence with the link rather than for the link.
    pub(super) sentence: bool,
}

/// All placeholders of a text, in order.
pub(super) fn find(text: &[u8]) -> Vec<Placeholder> {
    let mut found: Vec<Placeholder> = Vec::new();
    for at in memchr::memmem::find_iter(text, COMMON) {
        let free = found.last().map_or(0, |last| last.range.end);
        let start = at.saturating_sub(REACH).max(free);
        let window = &text[start..text.len().min(at + REACH)];
        if at < start {
            continue;
        }
        if let Some((range, sentence)) = placeholder(window, at - start) {
            found.push(Placeholder { range: range.start + start..range.end + start, sentence });
        }
    }
    found
}

/// The shortest run of the URL-safe alphabet that is taken for the token of a link.
const SHORTEST_TOKEN: usize = 40;

/// The gateway's own unsubscribe links: what came through it before, or was copied from such a mail, has those of somebody else.
/// `own` is what they begin with behind their scheme.
pub(super) fn find_own(text: &[u8], own: &str) -> Vec<Range<usize>> {
    let link = |at: usize| {
        let token = at + own.len();
        let length = text[token..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte)).count();
        let scheme = ["https://", "http://"].iter().find(|scheme| text[..at].ends_with(scheme.as_bytes()))?;
        (length >= SHORTEST_TOKEN).then_some(at - scheme.len()..token + length)
    };
    memchr::memmem::find_iter(text, own).filter_map(link).collect()
}

/// One decoded octet and where it stands.
type Unit = (u8, Range<usize>);

fn placeholder(window: &[u8], common: usize) -> Option<(Range<usize>, bool)> {
    let units = units(window);
    let common = units.iter().position(|(_, range)| range.start == common)?;
    // the longer ones of those that fit come first
    let fitting = PLACEHOLDERS.iter().filter_map(|(open, name, close)| {
        let first = common.checked_sub(name.find(COMMON)?)?;
        let begin = before(&units, blank_before(&units, stands(&units, first, name)?.start), open)?;
        let end = stands(&units, blank_behind(&units, first + name.len()), close)?.end;
        Some((begin..end, *name == "unsubscribe_text", *open == "["))
    });
    let (found, sentence, bracket) = fitting.max_by_key(|(found, ..)| found.len())?;
    // `[unsubscribe](…)` is the label of a link, not its target
    if bracket && units.get(found.end).is_some_and(|(octet, _)| *octet == b'(') {
        return None;
    }
    let scheme = ["https://", "http://"].iter().find_map(|scheme| before(&units, found.start, scheme));
    let begin = scheme.unwrap_or(found.start);
    Some((units[begin].1.start..units[found.end - 1].1.end, sentence))
}

/// The octets with %XX resolved.
fn units(window: &[u8]) -> Vec<Unit> {
    let mut units = Vec::with_capacity(window.len());
    let mut at = 0;
    while at < window.len() {
        let hex = |digit: Option<&u8>| digit.and_then(|digit| char::from(*digit).to_digit(16));
        let (octet, length) = match (window[at], hex(window.get(at + 1)), hex(window.get(at + 2))) {
            (b'%', Some(high), Some(low)) => (u8::try_from(high << 4 | low).unwrap_or(b'%'), 3),
            (octet, ..) => (octet, 1),
        };
        units.push((octet, at..at + length));
        at += length;
    }
    units
}

/// `text` at that place.
fn stands(units: &[Unit], at: usize, text: &str) -> Option<Range<usize>> {
    let end = at + text.len();
    let same = units.get(at..end)?.iter().zip(text.bytes()).all(|((octet, _), expected)| *octet == expected);
    same.then_some(at..end)
}

/// `text` right before that place: where it begins.
fn before(units: &[Unit], end: usize, text: &str) -> Option<usize> {
    stands(units, end.checked_sub(text.len())?, text).map(|found| found.start)
}

fn blank_before(units: &[Unit], mut at: usize) -> usize {
    while at > 0 && is_blank(units, at - 1) {
        at -= 1;
    }
    at
}

fn blank_behind(units: &[Unit], mut at: usize) -> usize {
    while at < units.len() && is_blank(units, at) {
        at += 1;
    }
    at
}

/// Also `+`, which is a space in queries.
fn is_blank(units: &[Unit], at: usize) -> bool {
    b" \t\r\n+".contains(&units[at].0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_found_however_it_is_written() {
        // PEERS.md section 4.2; `|` marks its ends
        for case in [
            "a |{{ consentry_unsubscribe_url }}| b",
            "|{{consentry_unsubscribe_url}}|",
            "href=\"|{{amazonSESUnsubscribeUrl}}|\"",
            "href=\"|http://{{amazonSESUnsubscribeUrl}}|\"",
            "href=\"|{{{ pm:unsubscribe }}}|\"",
            "|{{{pm:unsubscribe}}}|",
            "|[unsubscribe]|",
            "|%unsubscribe_url%|",
            "|%tag_unsubscribe_url%|",
            "|%mailing_list_unsubscribe_url%|",
            "|{unsubscribe_url}|",
            "|{unsubscribe_text}|",
            "|{{ UnsubscribeURL }}|",
            "|{{posta_unsubscribe_url}}|",
            // URL-encoded by an editor
            "href=\"|%7B%7B%20UnsubscribeURL%20%7D%7D|\"",
            "href=\"|https://%7B%7B+UnsubscribeURL+%7D%7D|\"",
            "href=\"|%7bunsubscribe_url%7d|\"",
            "href=\"|%25unsubscribe_url%25|\"",
            "href=\"|%5Bunsubscribe%5D|\"",
            "href=\"|%7B%7B%7B%20pm%3Aunsubscribe%20%7D%7D%7D|\"",
            // several
            "|{unsubscribe_url}| and |{unsubscribe_url}||%unsubscribe_url%|",
        ] {
            let marks: Vec<usize> = case.match_indices('|').enumerate().map(|(number, (at, _))| at - number).collect();
            let expected: Vec<Range<usize>> = marks.chunks(2).map(|pair| pair[0]..pair[1]).collect();
            let found: Vec<Range<usize>> = find(case.replace('|', "").as_bytes()).into_iter().map(|found| found.range).collect();
            assert_eq!(found, expected, "{case}");
        }
    }

    #[test]
    fn our_own_links_are_found_to_the_end_of_their_token() {
        // M-51
        let token = "Ab-_9".repeat(20);
        let text =
            format!("a <https://x.example/u/{token}>, http://x.example/u/{token}?utm=1 x.example/u/{token} https://x.example/u/short");
        let found: Vec<&str> = find_own(text.as_bytes(), "x.example/u/").into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, [format!("https://x.example/u/{token}"), format!("http://x.example/u/{token}")]);
    }

    #[test]
    fn other_words_are_no_placeholders() {
        for text in [
            "unsubscribe",
            "[Unsubscribe]",
            "[unsubscribe](https://x.example/leave)",
            "{{ OptinURL }}",
            "{ unsubscribe_url",
            "unsubscribe_url}",
            "https://x.example/unsubscribe?x=%unsubscribe",
            "{{unsubscribe_urls}}",
        ] {
            assert_eq!(find(text.as_bytes()), [], "{text}");
        }
    }
}
