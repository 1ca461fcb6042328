//! Takes addresses out of what an MTA said: its words are kept for good, and erasing a person must not have to reach them
//! (I7, I8). Knows what looks like an address, and not whose it is.

use std::borrow::Cow;

/// Stands where an address stood.
const GONE: &str = "(address)";

/// The text without anything that looks like an address: whatever is written around an `@`, or around `=40`, `%40` and the like,
/// as other encodings have it.
pub fn redact(text: &str) -> Cow<'_, str> {
    if first_at(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, width)) = first_at(rest) {
        let begin = local_begin(&rest[..at]);
        let after = &rest[at + width..];
        kept.push_str(&rest[..begin]);
        kept.push_str(GONE);
        rest = &after[domain_length(after)..];
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

/// Where the first sign of an address is, and how long it is.
fn first_at(text: &str) -> Option<(usize, usize)> {
    let signs = ["@", "=40", "%40", "&#64;", "\u{ff20}"];
    signs.iter().filter_map(|sign| text.find(sign).map(|at| (at, sign.len()))).min()
}

/// Where the local-part that ends here begins; a quoted one with its quotes (RFC 5321 s.4.1.2).
fn local_begin(before: &str) -> usize {
    if let Some(open) = before.strip_suffix('"').and_then(|inner| inner.rfind('"')) {
        return open;
    }
    before.char_indices().rev().take_while(|(_, c)| is_inside(*c)).last().map_or(before.len(), |(begin, _)| begin)
}

/// How long the domain that begins here is; an address literal with its brackets.
fn domain_length(after: &str) -> usize {
    if after.starts_with('[')
        && let Some(end) = after.find(']')
    {
        return end + 1;
    }
    after.find(|c: char| !is_inside(c)).unwrap_or(after.len())
}

fn is_inside(c: char) -> bool {
    !(c.is_whitespace() || c.is_control() || "<>()[]\",;:".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_looks_like_an_address_is_left() {
        // L-DSR-02, I8
        for (said, kept) in [
            ("2.0.0 Ok: queued as 4X1", "2.0.0 Ok: queued as 4X1"),
            ("5.1.1 <olivia@example.org>: unknown", "5.1.1 <(address)>: unknown"),
            ("queued for olivia.carter+news@example.org, thanks", "queued for (address), thanks"),
            ("\"olivia carter\"@example.org unknown", "(address) unknown"),
            ("a@x.example b@x.example", "(address) (address)"),
            ("<a@[192.0.2.1]> no", "<(address)> no"),
            ("see https://mx.example/why?to=olivia%40example.org", "see https:(address)"),
            ("=?utf-8?q?olivia=40example.org?=", "(address)"),
            ("bounces+olivia=example.org@acme.example", "(address)"),
            ("ölivia@exämple.org ging nicht", "(address) ging nicht"),
            ("@", "(address)"),
            ("a@b@c", "(address)"),
        ] {
            assert_eq!(redact(said), kept, "{said}");
        }
    }
}
