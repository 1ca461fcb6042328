//! Everything about one person with one controller, for access and portability (GDPR Art. 15, 20; L-DSR-01): one JSON document,
//! made piece by piece, so that a long history costs no memory. Who may have it is asked before.
//!
//! `format` names the version of the document; fields are added within a version, never changed. The last field is
//! `decisions`, the newest first.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Access, Desk, StoreError, request_value};
use crate::consent::{DecisionId, Event, EventKind, Language, Reason, Standing, SubjectId, Topic, TopicStanding};
use crate::store::{DecisionFilter, DecisionRow};

/// Name and version of the document.
pub const FORMAT: &str = "consentry-access/1";

/// Decisions read in one go.
const GO: u32 = 500;

/// A document under way. Holds personal data, hence no `Debug`.
pub struct Dossier {
    desk: Desk,
    subject: SubjectId,
    controller: String,
    next: Next,
    first: bool,
}

enum Next {
    Head(Box<Value>),
    Decisions(Option<DecisionId>),
    End,
}

impl Desk {
    /// What is on record about a person with that controller; `None` for an unknown person.
    pub async fn dossier(&self, subject: SubjectId, controller: &str, now: Timestamp) -> Result<Option<Dossier>, StoreError> {
        let Some(head) = self.head(subject, controller, now).await? else { return Ok(None) };
        let next = Next::Head(Box::new(head));
        Ok(Some(Dossier { desk: self.clone(), subject, controller: controller.to_owned(), next, first: true }))
    }

    /// What is on record about the person whose mailbox is proven.
    pub async fn own_dossier(&self, access: &Access, now: Timestamp) -> Result<Option<Dossier>, StoreError> {
        let (subject, controller) = access.whose();
        self.dossier(subject, controller, now).await
    }

    async fn head(&self, subject: SubjectId, controller: &str, now: Timestamp) -> Result<Option<Value>, StoreError> {
        let store = &self.inner.store;
        let Some(shelf) = store.shelf(subject, controller).await? else { return Ok(None) };
        let events = store.events(subject).await?;
        let standing = Standing::fold(&events);
        let erased = events
            .iter()
            .rev()
            .find(|event| matches!(event.kind, EventKind::Erased | EventKind::Rectified) && event.controller == controller);
        // What was kept for claims alone is for the role `legal` (Art. 17(3)(e), L-PRV-03): whoever has the mailbox today may be
        // somebody else than who had it then.
        let sealed_up_to = erased.map_or(0, |event| event.seq);
        let own = events.iter().filter(|event| event.controller == controller);
        let known = self.inner.catalogue.controller(controller);
        let topics = standing.topics(controller).map(|(name, state)| self.standing_value(name, state));
        let suppressions = shelf.suppressions.iter().map(|row| json!({ "topic": row.topic, "reason": row.reason, "since": row.at }));
        let opt_ins = shelf.opt_ins.iter().map(|row| {
            json!({ "topics": row.topics.split(' ').collect::<Vec<_>>(), "requested_at": row.requested_at, "language": row.language, "stage": row.stage })
        });
        Ok(Some(json!({
            "format": FORMAT,
            "made": now,
            "controller": {
                "key": controller,
                "name": known.map_or(controller, |known| &known.name),
                "imprint": known.map(|known| &known.imprint),
                "privacy_url": known.map(|known| &known.privacy_url),
            },
            "person": {
                "subject": subject.to_string(),
                "address": store.address(subject).await?.map(|address| address.as_str().to_owned()),
                "country": standing.country(controller),
                "last_advertising_about": shelf.contacted,
            },
            "events": own.map(|event| self.event_value(event, event.seq > sealed_up_to)).collect::<Vec<_>>(),
            "opt_ins": opt_ins.collect::<Vec<_>>(),
            "standing": {
                "topics": topics.collect::<Vec<_>>(),
                "tracking": state_value(standing.tracking(controller)),
                "objected_since": standing.objection(controller).map(|mark| mark.at),
                "restricted_since": standing.restricted(controller).map(|mark| mark.at),
                "paused_until": standing.pause(controller, now).map(|pause| pause.until),
            },
            "suppressions": suppressions.collect::<Vec<_>>(),
            "requests": store.requests_of(subject, controller).await?.iter().map(request_value).collect::<Vec<_>>(),
            "recipients": &*self.outbound,
            "storage_periods": PERIODS.map(pair),
            "rights": RIGHTS.map(pair),
        })))
    }

    fn standing_value(&self, name: &Topic, standing: TopicStanding) -> Value {
        let basis = match standing {
            TopicStanding::Given(_) => Some(Reason::DoiConsent),
            _ => None,
        };
        let mut value = state_value(standing);
        value["topic"] = name.as_str().into();
        value["title"] = self.title(name).into();
        value["legal_basis"] = json!(basis.and_then(|reason| {
            let basis = reason.basis()?.as_str();
            Some(json!({ "basis": basis, "articles": pair([Language::DE, Language::EN].map(|own| reason.articles(None, own).unwrap_or_default())) }))
        }));
        value
    }

    fn event_value(&self, event: &Event, open: bool) -> Value {
        let evidence = event.evidence.as_ref().filter(|_| open);
        json!({
            "seq": event.seq,
            "at": event.at,
            "kind": event.kind.as_str(),
            "channel": event.channel.as_str(),
            "topics": event.topics.iter().map(|topic| json!({ "topic": topic.as_str(), "title": self.title(topic) })).collect::<Vec<_>>(),
            "source": event.source.as_str(),
            "answers": event.answers,
            "until": event.until,
            "fact": event.fact,
            "evidence": evidence,
            // There, and kept restricted.
            "evidence_restricted": event.evidence.is_some() && !open,
        })
    }
}

impl Dossier {
    /// The next piece of the document; `None` after the last.
    pub async fn piece(&mut self) -> Result<Option<String>, StoreError> {
        match std::mem::replace(&mut self.next, Next::End) {
            Next::End => Ok(None),
            Next::Head(head) => {
                let text = serde_json::to_string_pretty(&head).map_err(|_| StoreError::Damaged("what is on record"))?;
                self.next = Next::Decisions(None);
                Ok(Some(format!("{},\n  \"decisions\": [", text.trim_end_matches("\n}"))))
            }
            Next::Decisions(before) => {
                let filter = DecisionFilter { subject: Some(self.subject), ..DecisionFilter::default() };
                let page = self.desk.inner.store.search_decisions(&filter, before, GO).await?;
                let mut text = String::new();
                for row in page.rows.iter().filter(|row| row.decision.controller == self.controller) {
                    text.push_str(if std::mem::take(&mut self.first) { "\n    " } else { ",\n    " });
                    text.push_str(&decision_value(row).to_string());
                }
                match page.next {
                    Some(next) => self.next = Next::Decisions(Some(next)),
                    None => text.push_str("\n  ]\n}\n"),
                }
                Ok(Some(text))
            }
        }
    }
}

fn state_value(standing: TopicStanding) -> Value {
    json!({ "state": standing.as_str(), "since": standing.mark().map(|mark| mark.at) })
}

fn pair<T: serde::Serialize>([german, english]: [T; 2]) -> Value {
    json!({ "de": german, "en": english })
}

/// How long each kind of data is kept (GDPR Art. 15(1)(d)); the table of `crate::retention` for people.
const PERIODS: [[&str; 2]; 6] = [
    [
        "Adresse: bis zur Löschung; bei nicht bestätigter Anmeldung 30 Tage",
        "Address: until erasure; of a sign-up that was not confirmed, 30 days",
    ],
    [
        "Nachweise der Einwilligung: bis drei Jahre nach dem Ende des Jahres der letzten Nutzung oder des Widerrufs (Art. 17 Abs. 3 lit. e DSGVO, §§ 195, 199 BGB)",
        "Evidence of consent: until three years after the end of the year of the last use or of the withdrawal (GDPR Art. 17(3)(e); BGB §§195, 199)",
    ],
    [
        "Verlauf der Einwilligung und Entscheidungen über E-Mails: dauerhaft, unter einer zufälligen Kennung",
        "History of the consent and decisions about mails: for good, under a random identifier",
    ],
    [
        "Sperreintrag nach Widerruf oder Widerspruch: dauerhaft, als Schlüsselhash der Adresse",
        "Suppression after a withdrawal or objection: for good, as a keyed hash of the address",
    ],
    [
        "Ihre Anträge und was daraus wurde: bis drei Jahre nach dem Ende des Jahres der Erledigung (§§ 195, 199 BGB)",
        "Your requests and what became of them: until three years after the end of the year in which they were closed (BGB §§195, 199)",
    ],
    ["Links zu den eigenen Daten: 1 Tag", "Links to one's own data: 1 day"],
];

/// The rights of the person (GDPR Art. 15(1)(e), (f)).
const RIGHTS: [[&str; 2]; 6] = [
    ["Auskunft und Kopie (Art. 15 DSGVO), Übertragbarkeit (Art. 20 DSGVO)", "Access and copy (GDPR Art. 15), portability (GDPR Art. 20)"],
    ["Berichtigung (Art. 16 DSGVO)", "Rectification (GDPR Art. 16)"],
    ["Löschung (Art. 17 DSGVO)", "Erasure (GDPR Art. 17)"],
    ["Einschränkung der Verarbeitung (Art. 18 DSGVO)", "Restriction of processing (GDPR Art. 18)"],
    [
        "Widerruf der Einwilligung (Art. 7 Abs. 3 DSGVO) und Widerspruch gegen Werbung (Art. 21 Abs. 2 DSGVO), jederzeit",
        "Withdrawal of consent (GDPR Art. 7(3)) and objection to advertising (GDPR Art. 21(2)), at any time",
    ],
    ["Beschwerde bei einer Aufsichtsbehörde (Art. 77 DSGVO)", "Complaint to a supervisory authority (GDPR Art. 77)"],
];

/// A decision as tools and the person see it; the recipient's keyed hash stays inside.
pub fn decision_value(row: &DecisionRow) -> Value {
    let decision = &row.decision;
    let reason = decision.reason;
    let classification = &decision.classification;
    let steps: Vec<Value> = classification
        .steps
        .iter()
        .map(|step| json!({ "trust": step.trust.as_str(), "says": step.says.as_str(), "why": step.why }))
        .collect();
    json!({
        "ref": decision.id.to_string(),
        "at": decision.at,
        "stream": decision.stream,
        "controller": decision.controller,
        "subject": decision.subject.to_string(),
        "class": classification.class.as_str(),
        "topic": classification.topic,
        "campaign": classification.campaign,
        "steps": steps,
        "verdict": reason.verdict().as_str(),
        "reason": reason.as_str(),
        "sentence": { "de": reason.sentence(Language::DE), "en": reason.sentence(Language::EN) },
        "would_have_to_be": { "de": reason.remedy(Language::DE), "en": reason.remedy(Language::EN) },
        "legal_basis": reason.basis().map(|basis| json!({ "basis": basis.as_str(), "articles": reason.articles(decision.profile, Language::EN) })),
        "articles": { "de": reason.articles(decision.profile, Language::DE), "en": reason.articles(decision.profile, Language::EN) },
        "profile": decision.profile,
        "shadowed": decision.shadowed.map(|reason| reason.as_str()),
        "event": decision.event,
        "folded_from": decision.folded_from,
        "size": decision.size,
        "rules": decision.rules.map(|rules| rules.to_string()),
        "footer": decision.footer.map(|footer| footer.to_string()),
        "outcome": row.outcome.as_ref().map(|(at, word, code)| json!({ "at": at, "outcome": word, "code": code })),
    })
}
