//! What a message is: transactional or marketing, about which topic, of which campaign. Pure.
//!
//! The order of trust is credential, declaration, list headers, marks of tools, rules of the operator, content, and how many get
//! the same text (DESIGN.md section 1). Only the credential can lower a message to transactional, or allow its sender to declare it so; everything else
//! can only raise it to marketing (L-AD-06, S2-07). Unknown is marketing. The content is read only where all the rest says
//! transactional: nothing that it says could change the others.

pub mod content;
mod crowds;
pub mod labels;
mod marks;
mod report;
mod rules;

pub use content::Sketch;
pub use crowds::{Crowd, Crowds, Seen};
pub use rules::{Condition, Raise, Rule};

use crate::mail::{Class, Classification, Dispute, Message, Step, Stream, StreamClass, Trust};

/// Classifies messages.
#[derive(Debug, Clone, Default)]
pub struct Classifier {
    rules: Vec<Rule>,
}

/// What else is known of the submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// `MAIL FROM:<>`.
    Null,
    /// Somebody gets reports about the mail.
    Named,
}

impl Classifier {
    /// With the operator's rules.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// Classifies a message of a stream by itself, with all that was found, in order of trust.
    pub fn classify(&self, stream: &Stream, path: Path, message: &Message) -> Classification {
        self.classify_among(stream, path, message, |_| None)
    }

    /// As [`Classifier::classify`]; `crowd` tells who else gets the same text. It is asked where the content is read.
    pub fn classify_among(
        &self,
        stream: &Stream,
        path: Path,
        message: &Message,
        crowd: impl FnOnce(&Sketch) -> Option<Crowd>,
    ) -> Classification {
        let mut found = marks::find(message);
        let ruled = rules::apply(&self.rules, stream, found.campaign.as_deref(), message);
        found.steps.extend(ruled.steps);
        let topic = ruled.topic.or(found.topic).or_else(|| stream.topic.clone());
        let campaign = ruled.campaign.or(found.campaign);
        let known = |class, steps| Classification { class, topic: topic.clone(), campaign: campaign.clone(), steps };
        // A report is nobody's advertising, and nobody's consent is asked for it; the mark of a list says that it is none (M-53).
        let raised = found.steps.iter().any(|step| step.says == Class::Marketing);
        if path == Path::Null
            && !raised
            && let Some(kind) = report::kind(message, |raw| !content::judge(raw).raises())
        {
            let step = Step { trust: Trust::Structure, says: Class::System, why: format!("report {kind}") };
            return known(Class::System, vec![credential(stream.class), step]);
        }
        let (class, steps) = judge(stream.class, stream.disputed, found.steps.clone());
        if class != Class::Transactional {
            return known(class, steps);
        }
        let judgement = content::judge(message.raw());
        found.steps.push(read_content(&judgement));
        found.steps.extend(crowd(&judgement.sketch).filter(|crowd| crowd.speaks(&judgement)).map(|crowd| Step {
            trust: Trust::Crowd,
            says: Class::Marketing,
            why: format!("crowd: the same text to {} people or more", crowd.threshold),
        }));
        let (class, steps) = judge(stream.class, stream.disputed, found.steps);
        known(class, steps)
    }
}

/// What somebody said who looked at the mail while it was held. It settles what was disputed, and nothing else.
pub fn ruled(mut known: Classification, class: Class) -> Classification {
    known.steps.push(Step { trust: Trust::Person, says: class, why: "looked at while it was held".into() });
    known.class = class;
    known
}

/// What the content says, in words that hold nothing of it (I8).
fn read_content(judgement: &content::Judgement) -> Step {
    let model = content::model_version();
    if judgement.score <= 0.0
        && let Some(blind) = judgement.blind
    {
        let why = format!("content: cannot be judged, {} (model {model:08x})", blind.as_str());
        return Step { trust: Trust::Content, says: Class::Marketing, why };
    }
    if judgement.score <= 0.0 {
        return Step { trust: Trust::Content, says: Class::Transactional, why: format!("content: nothing advertises (model {model:08x})") };
    }
    let reasons: Vec<&str> = judgement.reasons.iter().take(4).map(|reason| reason.name.as_str()).collect();
    let why = format!(
        "content: unit {} of {} advertises ({}; score {:.1}; model {model:08x})",
        judgement.window.0 + 1,
        judgement.units,
        reasons.join(", "),
        judgement.score
    );
    Step { trust: Trust::Content, says: Class::Marketing, why }
}

/// What a message would be whose recorded steps are these, had it come by that stream. The message itself is not kept, what was
/// found in it is (L-AD-07).
pub fn classify_again(class: StreamClass, disputed: Dispute, steps: &[Step]) -> (Class, Vec<Step>) {
    if let Some(step) = steps.iter().find(|step| step.trust == Trust::Structure) {
        return (Class::System, vec![credential(class), step.clone()]);
    }
    let of_message = |step: &&Step| !matches!(step.trust, Trust::Credential | Trust::Default);
    judge(class, disputed, steps.iter().filter(of_message).cloned().collect())
}

/// The class, from the stream's and what the message says; and the steps to it.
fn judge(class: StreamClass, disputed: Dispute, mut steps: Vec<Step>) -> (Class, Vec<Step>) {
    steps.insert(0, credential(class));
    let declared = steps.iter().any(|step| step.trust == Trust::Declared && step.says == Class::Transactional);
    let is_silent = steps.iter().skip(1).all(|step| step.trust.is_disputable());
    if is_silent && class == StreamClass::Declared {
        steps.insert(1, Step { trust: Trust::Default, says: Class::Marketing, why: "nothing declares it".into() });
    }
    let of_message = || steps.iter().skip(1).filter(|step| step.says == Class::Marketing);
    let says = |trust| of_message().any(|step| step.trust == trust);
    // What is no more than likely refuses no mail alone, unless the stream says so (class_disputed); two that agree do.
    let likely = says(Trust::Content) || says(Trust::Crowd);
    let agreed = says(Trust::Content) && says(Trust::Crowd);
    let released = steps.iter().any(|step| step.trust == Trust::Person && step.says == Class::Transactional);
    let disputes = !released && (agreed || (likely && disputed == Dispute::Enforce));
    let raised = disputes || of_message().any(|step| !step.trust.is_disputable());
    // An explicit word of an untrusted sender for transactional is no evidence for it.
    let lowered = match class {
        StreamClass::Transactional => true,
        StreamClass::Declared => declared,
        StreamClass::Marketing => false,
    };
    (if lowered && !raised { Class::Transactional } else { Class::Marketing }, steps)
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
pub(crate) mod tests {
    use super::*;
    use crate::mail::{AnswerProfile, StreamMode};

    pub(crate) fn stream(class: StreamClass) -> Stream {
        Stream {
            name: "s".into(),
            controller: "acme".into(),
            class,
            topic: Some("news".into()),
            from_domains: Vec::new(),
            answer: AnswerProfile::Reject,
            mode: StreamMode::Enforce,
            disputed: Dispute::default(),
            bulk: Default::default(),
        }
    }

    fn classify_as(class: StreamClass, headers: &str) -> Classification {
        let raw = format!("From: a@acme.example\r\n{headers}\r\nbody\r\n");
        Classifier::default().classify(&stream(class), Path::Named, &Message::parse(raw.into_bytes(), false).expect(headers))
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
                let (class, steps) = classify_again(other, Dispute::default(), &recorded.steps);
                assert_eq!((class, said(&steps)), (anew.class, said(&anew.steps)), "{stream:?} {other:?} {headers:?}");
            }
        }
    }

    /// What was said but for the content, which is not read where it decides nothing.
    fn said(steps: &[Step]) -> Vec<Step> {
        steps.iter().filter(|step| step.trust != Trust::Content).cloned().collect()
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
