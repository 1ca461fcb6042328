//! Whether the inbound MTA vouches for a mail: its Authentication-Results (RFC 8601). Checks no signature itself: that needs
//! the DNS, and the inbound MTA has done it.

use mail_parser::Message;

/// True when a field of `authserv_id` says that the mail is From whom it says: DMARC passed, or a DKIM signature of the From
/// domain, or of a domain above it, did. The inbound MTA must take off fields with its own name that others wrote (RFC 8601 s.5).
pub(super) fn is_authentic(mail: &Message<'_>, authserv_id: &str) -> bool {
    let from = mail.from().and_then(|from| from.first()).and_then(|from| from.address());
    let Some((_, domain)) = from.and_then(|from| from.rsplit_once('@')) else { return false };
    let fields = mail.headers_raw().filter(|(name, _)| name.eq_ignore_ascii_case("Authentication-Results"));
    fields.map(|(_, value)| without_comments(value)).any(|value| vouches(&value, authserv_id, &domain.to_ascii_lowercase()))
}

fn vouches(value: &str, authserv_id: &str, domain: &str) -> bool {
    let mut parts = value.split(';');
    // "authserv-id", perhaps with a version behind it
    if !parts.next().and_then(|own| own.split_whitespace().next()).is_some_and(|own| own.eq_ignore_ascii_case(authserv_id)) {
        return false;
    }
    parts.any(|result| {
        let mut words = result.split_whitespace().map(str::to_ascii_lowercase);
        match words.next().as_deref() {
            Some("dmarc=pass") => true,
            Some("dkim=pass") => words.any(|word| {
                let signer =
                    word.strip_prefix("header.d=").or_else(|| word.strip_prefix("header.i=").map(|id| id.rsplit('@').next().unwrap_or(id)));
                signer.is_some_and(|signer| is_at_or_above(signer.trim_matches('"'), domain))
            }),
            _ => false,
        }
    })
}

/// A name of one label is nobody's.
fn is_at_or_above(signer: &str, domain: &str) -> bool {
    signer.contains('.') && (signer == domain || domain.strip_suffix(signer).is_some_and(|below| below.ends_with('.')))
}

/// Comments are nested parentheses (RFC 5322 s.3.2.2).
fn without_comments(value: &str) -> String {
    let mut depth = 0usize;
    let mut text = String::with_capacity(value.len());
    for char in value.chars() {
        match char {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => text.push(char),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    #[test]
    fn only_the_inbound_mtas_own_word_counts_and_only_for_the_from_domain() {
        // U-34, RFC 8601 s.2.2
        for (results, expected) in [
            ("mx.acme.example; dkim=pass header.d=isp.example", true),
            ("MX.acme.example 1; dkim=pass (good) header.d=isp.example header.s=x", true),
            ("mx.acme.example; spf=pass smtp.mailfrom=isp.example; dmarc=pass header.from=isp.example", true),
            ("mx.acme.example;\r\n dkim=fail header.d=isp.example;\r\n dkim=pass header.i=@fbl.isp.example", true),
            ("mx.acme.example; dkim=pass header.d=other.example", false),
            ("mx.acme.example; dkim=pass header.d=example", false),
            ("mx.acme.example; dkim=pass header.d=sp.example", false),
            ("mx.acme.example; dkim=fail header.d=isp.example", false),
            ("mx.acme.example; (dkim=pass header.d=isp.example)", false),
            ("mx.acme.example; spf=pass smtp.mailfrom=isp.example", false),
            ("mx.evil.example; dmarc=pass", false),
            ("dmarc=pass", false),
        ] {
            let mail = format!("Authentication-Results: {results}\r\nFrom: <abuse@fbl.isp.example>\r\nSubject: x\r\n\r\n");
            let mail = MessageParser::default().parse(mail.as_bytes()).expect("a mail");
            assert_eq!(is_authentic(&mail, "mx.acme.example"), expected, "{results}");
        }
    }
}
