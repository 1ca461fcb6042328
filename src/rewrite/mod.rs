//! The copy for one recipient: list headers and the footer with the unsubscribe link, spliced into
//! the bytes as received. What is not ours stays byte-identical (I10). Does not decide whether a
//! copy may leave, and does not sign it.

mod base64;
mod charset;
mod drawn;
mod entity;
mod fields;
mod footer;
mod headers;
mod html;
mod identity;
mod pattern;
mod placeholder;
mod quoted_printable;
mod reading;
mod ready;
mod settings;
mod structure;
mod trackers;
mod tracking;

use std::borrow::Cow;
use std::ops::Range;

pub use fields::Fields;
pub use identity::Concealed;
pub use reading::Reading;
pub use settings::{Concealing, RewriteSettings, TrackedLinks};
pub use trackers::{Redirect, Target, Tracker, Trackers};

use crate::mail::Message;

/// Octets that the gateway adds to a copy at most, in all that is usual: trace and list fields, two signatures, and the footer
/// in a few alternatives (M-10).
pub const ROOM: usize = 64 * 1024;

/// What one recipient's copy gets.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// What goes on top, with its CRLFs: the complete `Received: …` field (RFC 5321 s.4.4, M-50), and fields that the client
    /// left out.
    pub on_top: &'a [u8],
    /// Fields for all copies of a controller.
    pub fields: Fields<'a>,
    /// Control fields of tools that stay, because the outbound MTA knows them.
    pub kept: &'a [String],
    /// What marketing gets besides; `None` for all other mail (U-20).
    pub marketing: Option<Marketing<'a>>,
}

/// What a marketing copy gets, ready to be placed.
#[derive(Clone, Copy)]
pub struct Marketing<'a> {
    /// The one-click URL of this recipient and topic (U-02, U-06).
    pub unsubscribe_url: &'a str,
    /// The same by mail, as `mailto:…`, for programs that know no other (U-18).
    pub mailto: Option<&'a str>,
    /// Name of the list as people know it (U-31); any characters.
    pub list_id_phrase: &'a str,
    /// The list's identifier, `label.domain` (RFC 2919 s.3).
    pub list_id: &'a str,
    /// The footer for text/plain, with the link.
    pub footer_text: &'a str,
    /// The footer for text/html, with the link: a snippet such as `<div>…</div>`.
    pub footer_html: &'a str,
    /// The footer without a link, for a text whose placeholder has it.
    pub notice_text: &'a str,
    /// The same for text/html.
    pub notice_html: &'a str,
    /// A text with a placeholder gets no notice if it says all of this by itself.
    pub must_say: &'a [String],
    /// What a link is called, for placeholders of a sentence.
    pub unsubscribe_words: &'a str,
    /// The person agreed to being measured (L-TRK-01).
    pub may_measure: bool,
    /// What measures although it must not, and cannot be taken out, is refused.
    pub refuse_blind: bool,
    /// A subject that conceals what the mail is, is refused.
    pub refuse_concealed: bool,
    /// What is known of tools that measure.
    pub trackers: &'a Trackers,
}

impl std::fmt::Debug for Marketing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Marketing(***)") // the URL carries a token (I8)
    }
}

/// Why no copy can be made. The texts are safe for SMTP replies: they repeat no content. All but
/// [`RewriteError::Setting`] are about the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// Signed: the body must not be changed, and a link must be in it (U-45).
    #[error(
        "signed marketing mail cannot be given an unsubscribe link: write the one of its List-Unsubscribe into each text, or do not sign"
    )]
    Sealed,
    /// Encrypted: nobody can see whether a link is in it (U-45).
    #[error("encrypted marketing mail cannot be given an unsubscribe link: do not encrypt it")]
    Encrypted,
    /// A line that holds a placeholder has no room for the link (RFC 5322 s.2.1.1).
    #[error("a line with a placeholder has no room for the unsubscribe link: break the line")]
    NoRoom,
    /// It measures somebody who has not agreed, in a way that cannot be taken out (L-TRK-02).
    #[error("tracking: links measure a person who has not agreed to it, turn click tracking off in the tool")]
    Tracked,
    /// Whoever sees it in a list of mails takes it for something else (L-ID-01).
    #[error("advertising must look like it: {}, write another", Concealed::Reply.as_str())]
    Concealed,
    /// Nothing that a reader sees as text, so no place for the link.
    #[error("marketing mail needs a text part that can carry the unsubscribe link")]
    NoTextPart,
    /// A text part is not what its transfer encoding says.
    #[error("a text part is not valid in its Content-Transfer-Encoding")]
    Undecodable,
    /// More MIME parts, or deeper nested, than the gateway follows.
    #[error("too many MIME parts")]
    TooManyParts,
    /// A value of the plan cannot stand in a header field: the configuration is wrong.
    #[error("{0} cannot stand in a header field")]
    Setting(&'static str),
}

/// Makes the copy; not dot-stuffed. The caller signs it next (U-40). `reading` is of this message, and serves all its copies.
pub fn rewrite(message: &Message, reading: &Reading, plan: &Plan<'_>) -> Result<Vec<u8>, RewriteError> {
    structure::check_bounds(message)?;
    let mut splices = vec![Splice::insert(0, headers::on_top(plan)?)];
    headers::remove(message, plan, &mut splices);
    if let Some(marketing) = &plan.marketing {
        let read = reading.of(message, marketing.trackers)?;
        if read.blind > 0 && !marketing.may_measure && marketing.refuse_blind {
            return Err(RewriteError::Tracked);
        }
        if read.concealed == Some(Concealed::Reply) && marketing.refuse_concealed {
            return Err(RewriteError::Concealed);
        }
        for part in &read.parts {
            part.splices(&message.raw()[part.body()], marketing, &mut splices)?;
        }
    }
    Ok(apply(message.raw(), splices))
}

/// The unfolded value of the tool's own `List-Unsubscribe`, so that the tool can be told later (U-19).
pub fn tool_unsubscribe(message: &Message) -> Option<String> {
    message.value("List-Unsubscribe")
}

/// Replace these bytes of the message by those.
#[derive(Debug)]
struct Splice<'s> {
    range: Range<usize>,
    bytes: Cow<'s, [u8]>,
}

impl Splice<'_> {
    fn insert(at: usize, bytes: Vec<u8>) -> Self {
        Self { range: at..at, bytes: bytes.into() }
    }

    fn remove(range: Range<usize>) -> Self {
        Self { range, bytes: Cow::Borrowed(&[]) }
    }
}

/// Copies `raw` once, with the splices. They do not overlap.
fn apply(raw: &[u8], mut splices: Vec<Splice<'_>>) -> Vec<u8> {
    splices.sort_by_key(|splice| (splice.range.start, splice.range.end));
    let added: usize = splices.iter().map(|splice| splice.bytes.len()).sum();
    let mut copy = Vec::with_capacity(raw.len() + added);
    let mut from = 0;
    for Splice { range, bytes } in splices {
        copy.extend_from_slice(&raw[from..range.start]);
        copy.extend_from_slice(&bytes);
        from = range.end;
    }
    copy.extend_from_slice(&raw[from..]);
    copy
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    static TRACKERS: std::sync::LazyLock<Trackers> = std::sync::LazyLock::new(|| Trackers::new(&[]).expect("the built-in ones"));

    fn marketing() -> Marketing<'static> {
        Marketing {
            unsubscribe_url: "https://x.example/u/1",
            mailto: None,
            list_id_phrase: "News",
            list_id: "a.b",
            footer_text: "Schluß: https://x.example/u/1",
            footer_html: "<a href=\"https://x.example/u/1\">Schluß</a>",
            notice_text: "Acme",
            notice_html: "<p>Acme</p>",
            must_say: &[],
            unsubscribe_words: "Abmelden",
            may_measure: false,
            refuse_blind: true,
            refuse_concealed: true,
            trackers: &TRACKERS,
        }
    }

    fn plan() -> Plan<'static> {
        Plan { on_top: b"Received: x\r\n", fields: Fields::default(), kept: &[], marketing: Some(marketing()) }
    }

    fn rewrite(message: &Message, plan: &Plan<'_>) -> Result<Vec<u8>, RewriteError> {
        super::rewrite(message, &Reading::default(), plan)
    }

    fn message(text: &str) -> Message {
        Message::parse(format!("From: a@x.example\r\n{text}").into_bytes(), true).expect("a message")
    }

    /// Whether all octets of `part` stand in `whole`, in that order.
    fn is_kept(part: &[u8], whole: &[u8]) -> bool {
        let mut rest = whole.iter();
        part.iter().all(|byte| rest.any(|other| other == byte))
    }

    #[test]
    fn control_fields_are_not_known_by_a_prefix_of_their_prefix() {
        let plan = Plan { on_top: b"", marketing: None, ..plan() };
        let copy =
            rewrite(&message("Consentry: x\r\nConsent: y\r\nX-Consentry-Class: z\r\nCONSENTRY-Class: w\r\n\r\n"), &plan).expect("a copy");
        assert_eq!(String::from_utf8_lossy(&copy), "From: a@x.example\r\nConsentry: x\r\nConsent: y\r\nX-Consentry-Class: z\r\n\r\n");
    }

    #[test]
    fn what_a_message_makes_us_do_is_bounded() {
        let nested: String = (0..40).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")).collect();
        // M-45: whatever the message is
        let plain = Plan { marketing: None, ..plan() };
        assert_eq!(rewrite(&message(&nested), &plain).err(), Some(RewriteError::TooManyParts));
        assert_eq!(rewrite(&message(&nested), &plan()).err(), Some(RewriteError::TooManyParts));
        let flat = format!("Content-Type: multipart/alternative; boundary=b\r\n\r\n{}", "--b\r\n\r\nx\r\n".repeat(2_000));
        assert_eq!(rewrite(&message(&flat), &plan()).err(), Some(RewriteError::TooManyParts));
    }

    #[test]
    fn a_placeholder_that_nobody_can_follow_spares_no_footer() {
        // S1-15
        for (html, spared) in [
            ("<p>{unsubscribe_url}</p>", true),
            ("<a href=\"{unsubscribe_url}\">x</a>", true),
            ("<map><area href={unsubscribe_url}></map>", true),
            ("<a style=\"display: none\" href=\"{unsubscribe_url}\">x</a>", false),
            ("<a hidden href=\"{unsubscribe_url}\">x</a>", false),
            ("<img src=x alt=\"{unsubscribe_url}\">", false),
            ("<link rel=x href=\"{unsubscribe_url}\">", false),
            ("<meta name=u content=\"{unsubscribe_url}\">", false),
            ("<style>/* {unsubscribe_url} */</style>", false),
        ] {
            let message = message(&format!("Content-Type: text/html\r\n\r\n{html}\r\n"));
            let copy = String::from_utf8(rewrite(&message, &plan()).expect("a copy")).expect("ASCII");
            assert_eq!(!copy.contains(">Schlu&#223;<"), spared, "{copy}");
        }
    }

    #[test]
    fn debug_hides_the_link() {
        assert!(!format!("{:?}", plan()).contains("/u/1"));
    }

    proptest! {
        #[test]
        fn bytes_that_are_not_ours_stay(
            kind in prop_oneof![Just("plain"), Just("html")],
            encoding in prop_oneof![Just("7bit"), Just("quoted-printable"), Just("x-own")],
            body in "([a-z ]{0,9}|\r\n|=\r\n|=3D|=|</body>|</BODY|</html>|<!--|-->|ü){0,30}",
        ) {
            let message = message(&format!("Content-Type: text/{kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}"));
            match rewrite(&message, &plan()) {
                Ok(copy) => {
                    prop_assert!(is_kept(message.raw(), &copy));
                    // and ours is all that came to it, in one piece at the top and one in the body
                    let copy = Message::parse(copy, true).expect("still a message");
                    let (before, after) = (&message.raw()[message.body_offset()..], &copy.raw()[copy.body_offset()..]);
                    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
                    let tail = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
                    prop_assert!(head + tail >= before.len());
                }
                Err(error) => prop_assert_eq!(error, RewriteError::NoTextPart),
            }
        }

        #[test]
        fn no_structure_makes_it_fall(
            pieces in proptest::collection::vec(prop_oneof![
                Just("--b\r\n"), Just("--b--\r\n"), Just("--b"), Just("--c\r\n"), Just("--c--"), Just("\r\n"), Just("Content-Type: text/html\r\n"),
                Just("Content-Type: text/plain; charset=utf-16\r\n"), Just("Content-Type: multipart/related; boundary=c; start=\"<i>\"\r\n"),
                Just("Content-Type: multipart/mixed; boundary=\"c\"\r\n"), Just("Content-Transfer-Encoding: base64\r\n"),
                Just("Content-Transfer-Encoding: quoted-printable\r\n"), Just("Content-Disposition: attachment\r\n"), Just("Content-ID: <i>\r\n"),
                Just("YWJj"), Just("=\r\n"), Just("</body>"), Just(" "), Just(":"),
            ], 0..24)
        ) {
            let message = message(&format!("Content-Type: multipart/alternative; boundary=b\r\n\r\n{}", pieces.concat()));
            if let Ok(copy) = rewrite(&message, &plan()) {
                prop_assert!(copy.len() > message.raw().len());
                prop_assert!(memchr::memmem::find(&copy, b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n").is_some());
            }
        }
    }
}
