//! The one question: may this mail go to this person now? A pure function; it reads no clock and no
//! database, and changes nothing.

use jiff::{SignedDuration, Timestamp};

use crate::consent::{Catalogue, ProfileName, Reason, Standing, Topic, Verdict};
use crate::mail::{Class, Classification, Dispute, Stream, StreamMode};
use crate::policy::{Case, Policy};

/// All that the answer depends on.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where the mail came from.
    pub stream: &'a Stream,
    /// What it is.
    pub classification: &'a Classification,
    /// True when every From and Sender address is one the stream may use (M-02).
    pub from_allowed: bool,
    /// The recipient's standing; `None` for an unknown one.
    pub standing: Option<&'a Standing>,
    /// The recipient is on the ECG list, or the list cannot be asked (J-04).
    pub listed: bool,
    /// The configured controllers and topics.
    pub catalogue: &'a Catalogue,
    /// The rules in force.
    pub policy: &'a Policy,
    /// When the answer is given: windows end at decision time, without any job (S0-05).
    pub now: Timestamp,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Verdict and reason in one.
    pub reason: Reason,
    /// `seq` of the ledger event the reason rests on (L-PRV-01).
    pub event: Option<u64>,
    /// The topic decided on, for marketing that names a valid one.
    pub topic: Option<Topic>,
    /// The policy profile that had the last word; `None` where none was asked.
    pub profile: Option<ProfileName>,
    /// For [`Reason::Shadow`]: what would have been said.
    pub shadowed: Option<Reason>,
}

/// How exactly it is known when somebody was last written to: a consent may count as idle that much early, never late.
const CONTACT_STEP: SignedDuration = SignedDuration::from_hours(30 * 24);

/// True when the standing should know of this contact: it reaches the person as advertising, and they were last `active` more
/// than a month ago. One write in a month is enough to know whether a consent lies unused (L-CON-06).
pub fn is_contact(reason: Reason, active: Option<Timestamp>, now: Timestamp) -> bool {
    // What left without a basis, because the stream is only watched, keeps no consent from lapsing.
    let is_advertising = reason.verdict() == Verdict::Pass && !(reason.needs_no_consent() || reason == Reason::Shadow);
    is_advertising && active.is_none_or(|active| now.duration_since(active) > CONTACT_STEP)
}

/// Answers the question.
pub fn decide(question: Question<'_>) -> Finding {
    let topic = question.classification.topic.as_deref().and_then(|name| Topic::parse(name).ok());
    let (reason, event, profile) = reason(question, topic.as_ref());
    // A watched stream lets pass what merely lacks a basis; a no stays a no (`Policy::judge` says it before what was asked for since).
    let watched = question.stream.mode == StreamMode::Shadow && reason.merely_lacks_basis();
    let (reason, shadowed) = if watched { (Reason::Shadow, Some(reason)) } else { (reason, None) };
    Finding { reason, event, topic, profile, shadowed }
}

fn reason(question: Question<'_>, topic: Option<&Topic>) -> (Reason, Option<u64>, Option<ProfileName>) {
    if !question.from_allowed {
        return (Reason::FromNotAllowed, None, None);
    }
    if question.classification.class != Class::Marketing {
        let reason = match (question.classification.disputed_by(), question.stream.disputed, question.stream.mode) {
            (None, ..) => Reason::Transactional,
            // who only watches a stream keeps nothing back
            (Some(_), Dispute::Hold, StreamMode::Enforce) => Reason::Held,
            (Some(_), ..) => Reason::ClassDisputed,
        };
        return (reason, None, None);
    }
    let Some(entry) = topic.and_then(|topic| question.catalogue.topic(topic)) else {
        return (Reason::UnknownTopic, None, None);
    };
    // L-SOFT-06, L-CON-02: consent is to a controller, not to whoever names its topic
    if entry.controller != question.stream.controller {
        return (Reason::OtherController, None, None);
    }
    let nobody = Standing::default();
    let standing = question.standing.unwrap_or(&nobody);
    let case = Case { controller: &entry.controller, topic: &entry.name, standing, listed: question.listed, now: question.now };
    let applied = question.policy.judge(case);
    // L-OBJ-07: the suppression outlives the events it came from; as long as they are there, they say more: which, and when (L-PRV-01)
    match standing.suppressions.iter().find(|s| s.covers(&entry.controller, &entry.name)) {
        Some(suppression) if !applied.reason.is_a_no() => (suppression.reason, None, None),
        _ => (applied.reason, applied.event, Some(applied.profile)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{Event, EventKind, OptIn, Source, Suppression, TopicEntry};
    use crate::mail::{AnswerProfile, StreamClass};

    fn topic(name: &str) -> Topic {
        Topic::parse(name).expect("valid")
    }

    fn catalogue() -> Catalogue {
        let entry = |name: &str, controller: &str| TopicEntry {
            name: topic(name),
            controller: controller.into(),
            title: name.into(),
            list_id: format!("{name}.example"),
        };
        let topics = vec![entry("news", "acme"), entry("news.weekly", "acme"), entry("other", "globex")];
        Catalogue { topics, ..Catalogue::default() }
    }

    fn history(kinds: &[EventKind]) -> Standing {
        let events: Vec<Event> = kinds
            .iter()
            .zip(1..)
            .map(|(kind, seq)| Event {
                seq,
                answers: Some(seq - 1),
                until: Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(30 * 24)),
                ..Event::new(*kind, "acme", vec![topic("news")], Source::Api, Timestamp::UNIX_EPOCH)
            })
            .collect();
        Standing::fold(&events)
    }

    fn answer(class: Class, name: Option<&str>, standing: Option<&Standing>, from_allowed: bool, age: SignedDuration) -> Finding {
        let stream = Stream {
            name: "s".into(),
            controller: "acme".into(),
            class: StreamClass::Declared,
            topic: None,
            from_domains: Vec::new(),
            answer: AnswerProfile::Reject,
            mode: StreamMode::Enforce,
            disputed: Dispute::Enforce,
            bulk: Default::default(),
        };
        let classification = Classification { class, topic: name.map(str::to_owned), campaign: None, steps: Vec::new() };
        decide(Question {
            stream: &stream,
            classification: &classification,
            from_allowed,
            standing,
            listed: false,
            catalogue: &catalogue(),
            policy: &Policy::default(),
            now: Timestamp::UNIX_EPOCH + age,
        })
    }

    #[test]
    fn a_mail_without_a_basis_does_not_bring_a_lapsed_consent_back() {
        // L-CON-06
        let (old, now) = (Some(Timestamp::UNIX_EPOCH), Timestamp::UNIX_EPOCH + CONTACT_STEP * 30);
        for reason in Reason::ALL {
            let is_use = matches!(reason, Reason::DoiConsent | Reason::ExistingCustomer | Reason::OptOutRegime);
            assert_eq!(is_contact(reason, old, now), is_use, "{reason}");
        }
        assert!(!is_contact(Reason::DoiConsent, old, Timestamp::UNIX_EPOCH + CONTACT_STEP), "one a month is enough");
    }

    #[test]
    fn the_truth_table() {
        use Class::{Marketing, Transactional};
        use EventKind::{Given, Objected, Paused, Refused, Requested, Resumed, Withdrawn};
        let paused = history(&[Requested, Given, Paused]);
        let resumed = history(&[Requested, Given, Paused, Resumed]);
        let refused = history(&[Requested, Refused]);
        let given = history(&[Requested, Given]);
        let withdrawn = history(&[Requested, Given, Withdrawn]);
        let objected = history(&[Requested, Given, Objected]);
        let pending = history(&[Requested]);
        let unknown = history(&[]);
        let mut suppressed = given.clone();
        suppressed.suppressions.push(Suppression { controller: "acme".into(), topic: None, reason: Reason::Objected });
        let day = SignedDuration::from_hours(24);
        let late = OptIn::LIFETIME + SignedDuration::from_secs(1);
        for (class, topic, standing, from_allowed, age, expected) in [
            // S0-19: transactional mail needs no consent and survives every refusal
            (Transactional, None, None, true, day, (Reason::Transactional, None)),
            (Transactional, Some("news"), Some(&withdrawn), true, day, (Reason::Transactional, None)),
            (Transactional, Some("news"), Some(&objected), true, day, (Reason::Transactional, None)),
            // S0-01, S0-02, S3-07, S3-10, L-CON-01: no consent, no advertising
            (Marketing, Some("news"), None, true, day, (Reason::NoConsent, None)),
            (Marketing, Some("news"), Some(&unknown), true, day, (Reason::NoConsent, None)),
            // S1-07: single opt-in is not enough, and lapses
            (Marketing, Some("news"), Some(&pending), true, day, (Reason::OptInPending, Some(1))),
            (Marketing, Some("news"), Some(&pending), true, OptIn::LIFETIME, (Reason::OptInPending, Some(1))),
            (Marketing, Some("news"), Some(&pending), true, late, (Reason::NoConsent, None)),
            // S0-10, S4-01: the confirmed double opt-in passes, for the topic and below it
            (Marketing, Some("news"), Some(&given), true, late, (Reason::DoiConsent, Some(2))),
            (Marketing, Some("News.Weekly"), Some(&given), true, day, (Reason::DoiConsent, Some(2))),
            (Marketing, Some("news"), Some(&withdrawn), true, day, (Reason::Withdrawn, Some(3))),
            (Marketing, Some("news.weekly"), Some(&objected), true, day, (Reason::Objected, Some(3))),
            (Marketing, Some("news"), Some(&suppressed), true, day, (Reason::Objected, None)),
            // a pause blocks advertising, ends by the clock alone (S0-05) or by the person, and never helps
            (Marketing, Some("news"), Some(&paused), true, day * 30 - SignedDuration::from_secs(1), (Reason::Paused, Some(3))),
            (Marketing, Some("news"), Some(&paused), true, day * 30, (Reason::DoiConsent, Some(2))),
            (Marketing, Some("news"), Some(&resumed), true, day, (Reason::DoiConsent, Some(2))),
            (Transactional, None, Some(&paused), true, day, (Reason::Transactional, None)),
            // S1-17: no is as good as a withdrawal
            (Marketing, Some("news"), Some(&refused), true, day, (Reason::Withdrawn, Some(2))),
            // S3-06: the topic must be one that exists and is this company's
            (Marketing, None, Some(&given), true, day, (Reason::UnknownTopic, None)),
            (Marketing, Some("insurance"), Some(&given), true, day, (Reason::UnknownTopic, None)),
            (Marketing, Some("no topic!"), Some(&given), true, day, (Reason::UnknownTopic, None)),
            (Marketing, Some("other"), Some(&given), true, day, (Reason::OtherController, None)),
            // M-02
            (Marketing, Some("news"), Some(&given), false, day, (Reason::FromNotAllowed, None)),
            (Transactional, None, None, false, day, (Reason::FromNotAllowed, None)),
        ] {
            let finding = answer(class, topic, standing, from_allowed, age);
            assert_eq!((finding.reason, finding.event), expected, "{class} {topic:?} {age}");
        }
    }
}
