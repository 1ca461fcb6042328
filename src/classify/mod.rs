//! What a message is: transactional or marketing, about which topic, of which campaign. Pure.
//!
//! The order of trust is credential, declaration, list headers, marks of tools (DESIGN.md section 1).
//! Only the credential can lower a message to transactional, or allow its sender to declare it so;
//! everything else can only raise it to marketing (L-AD-06, S2-07). Unknown is marketing.
//! Content is not looked at here yet.

mod marks;

use crate::mail::{Class, Classification, Message, Step, Stream, StreamClass, Trust};

/// Classifies a message of a stream, with all that was found, in order of trust.
pub fn classify(stream: &Stream, message: &Message) -> Classification {
    let found = marks::find(message);
    let (class, steps) = judge(stream.class, found.steps);
    Classification { class, topic: found.topic.or_else(|| stream.topic.clone()), campaign: found.campaign, steps }
}

/// What a message would be whose recorded steps are these, had its stream that class. The headers themselves are not kept,
/// what they said is (L-AD-07).
pub fn classify_again(class: StreamClass, steps: &[Step]) -> (Class, Vec<Step>) {
    let of_message = |step: &&Step| !matches!(step.trust, Trust::Credential | Trust::Default);
    judge(class, steps.iter().filter(of_message).cloned().collect())
}

/// The class, from the stream's and what the message says; and the steps to it.
fn judge(class: StreamClass, mut steps: Vec<Step>) -> (Class, Vec<Step>) {
    steps.insert(0, credential(class));
    if steps.len() == 1 && class == StreamClass::Declared {
        steps.push(Step { trust: Trust::Default, says: Class::Marketing, why: "nothing declares it".into() });
    }
    // An explicit word of an untrusted sender for transactional is no evidence for it.
    let lowering_allowed = class != StreamClass::Marketing;
    let raised = steps.iter().skip(1).any(|step| step.says == Class::Marketing);
    let lowered = match class {
        StreamClass::Transactional => true,
        StreamClass::Declared => steps.iter().any(|step| step.trust == Trust::Declared && step.says == Class::Transactional),
        StreamClass::Marketing => false,
    };
    (if lowering_allowed && lowered && !raised { Class::Transactional } else { Class::Marketing }, steps)
}

fn credential(class: StreamClass) -> Step {
    let (says, why) = match class {
        StreamClass::Marketing => (Class::Marketing, "stream is bound to marketing"),
        StreamClass::Transactional => (Class::Transactional, "stream is bound to transactional"),
        StreamClass::Declared => (Class::Marketing, "stream declares each message"),
    };
    Step { trust: Trust::Credential, says, why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{AnswerProfile, StreamMode};

    fn classify_as(class: StreamClass, headers: &str) -> Classification {
        let stream = Stream {
            name: "s".into(),
            controller: "acme".into(),
            class,
            topic: Some("news".into()),
            from_domains: Vec::new(),
            answer: AnswerProfile::Reject,
            mode: StreamMode::Enforce,
        };
        let raw = format!("From: a@acme.example\r\n{headers}\r\nbody\r\n");
        classify(&stream, &Message::parse(raw.into_bytes(), false).expect(headers))
    }

    #[test]
    fn only_the_credential_lowers_and_anything_raises() {
        use Class::{Marketing as M, Transactional as T};
        use StreamClass::{Declared, Marketing, Transactional};
        for (stream, headers, expected) in [
            (Marketing, "", M),
            (Marketing, "Consentry-Class: transactional\r\n", M), // S2-07
            (Transactional, "", T),
            (Transactional, "X-Skip-Consent: 1\r\n", T),
            (Transactional, "Consentry-Class: marketing\r\n", M),
            (Transactional, "Consentry-Class: Transactional\r\n", T),
            (Transactional, "Consentry-Class: transactional\r\nList-Unsubscribe: <https://x.example/>\r\n", M),
            (Transactional, "List-Id: <x.example>\r\n", M),
            (Transactional, "Precedence: bulk\r\n", M),
            (Transactional, "Precedence: Bulk (newsletter)\r\n", M),
            (Transactional, "Precedence: first-class\r\n", T),
            (Transactional, "X-Listmonk-Campaign: 6f5b\r\n", M),
            (Transactional, "X-PM-Message-Stream: broadcast\r\n", M),
            (Transactional, "X-PM-Message-Stream: outbound\r\n", T),
            (Declared, "", M), // L-AD-06
            (Declared, "Consentry-Class: transactional\r\n", T),
            (Declared, "Consentry-Class: transactional\r\nConsentry-Class: marketing\r\n", M),
            (Declared, "Consentry-Class: transactional\r\nX-Mailjet-Campaign: spring\r\n", M),
            (Declared, "Consentry-Class: receipt\r\n", M),
            (Declared, "X-PM-Message-Stream: outbound\r\n", T),
            (Declared, "X-MSYS-API: {\"options\":{\"transactional\":true}}\r\n", T),
            (Declared, "X-MSYS-API: {\"campaign_id\":\"spring\"}\r\n", M),
            (Declared, "X-MSYS-API: {broken\r\n", M),
            (Declared, "X-SMTPAPI: {\"asm_group_id\": 4}\r\n", M),
        ] {
            let recorded = classify_as(stream, headers);
            assert_eq!(recorded.class, expected, "{stream:?} {headers:?}");
            // what the record says is enough to classify anew, under each class of the stream
            for other in [Marketing, Transactional, Declared] {
                let anew = classify_as(other, headers);
                assert_eq!(classify_again(other, &recorded.steps), (anew.class, anew.steps), "{stream:?} {other:?} {headers:?}");
            }
        }
    }

    #[test]
    fn every_result_says_why() {
        for class in [StreamClass::Marketing, StreamClass::Transactional, StreamClass::Declared] {
            let steps = classify_as(class, "List-Id: <secret@person.example>\r\n").steps;
            assert_eq!(steps[0].trust, Trust::Credential);
            assert_eq!(steps[1].why, "header List-Id");
        }
        assert_eq!(classify_as(StreamClass::Declared, "").steps[1].trust, Trust::Default);
    }

    #[test]
    fn topic_and_campaign_come_from_the_message_or_the_stream() {
        for (headers, topic, campaign) in [
            ("", "news", None),
            ("Consentry-Topic: shop.offers\r\nConsentry-Campaign: Spring 26\r\n", "shop.offers", Some("Spring 26")),
            ("X-SES-LIST-MANAGEMENT-OPTIONS: acme; topic=shop.offers\r\n", "shop.offers", None),
            ("X-Mailjet-Campaign: spring\r\n", "news", Some("spring")),
            ("X-MSYS-API: {\"campaign_id\":\"spring\"}\r\n", "news", Some("spring")),
            // a value with an address in it is not kept (I8)
            ("X-Mailgun-Tag: for olivia@x.example\r\n", "news", None),
            ("Consentry-Topic: olivia@x.example\r\n", "?", None),
            ("Consentry-Topic:\r\n", "?", None),
        ] {
            let result = classify_as(StreamClass::Marketing, headers);
            assert_eq!((result.topic.as_deref(), result.campaign.as_deref()), (Some(topic), campaign), "{headers}");
        }
    }
}
