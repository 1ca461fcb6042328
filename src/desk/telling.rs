//! What an event must be like that another system tells: read field by field, so that every fault is told at once, with
//! its place and its mend. No fault repeats a value: it may be personal. What is done with it is `tell`'s business.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::sign_up::FieldProblem;
use crate::compose::squeezed;
use crate::consent::{Catalogue, Channel, Country, EventKind, Fact, Topic, Trigger};
use crate::mail::Address;
use crate::store::{Stop, Told};

/// All fields that an event may have.
pub const FIELDS: [&str; 13] = [
    "kind",
    "email",
    "controller",
    "topics",
    "channel",
    "occurred",
    "trigger",
    "own_address",
    "notice",
    "country",
    "reason",
    "actor",
    "id",
];

/// How far ahead the teller's clock may be.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// Most topics of one event.
const TOPICS_LIMIT: usize = 50;
/// Most characters of a notice. What is longer is a privacy policy, and nobody was told anything by that (L-SOFT-05).
const NOTICE_LIMIT: usize = 2_000;
/// Most characters of what staff write about it.
const REASON_LIMIT: usize = 500;
/// Most characters of a name or an id.
const NAME_LIMIT: usize = 200;

/// An event that passed all checks.
pub(super) struct Telling {
    pub(super) address: Address,
    pub(super) controller: String,
    pub(super) told: Told,
    pub(super) fact: Fact,
    pub(super) notice: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) id: Option<String>,
}

/// Reads an event of that kind.
pub(super) fn read(
    kind: EventKind,
    given: &Map<String, Value>,
    catalogue: &Catalogue,
    now: Timestamp,
) -> Result<Telling, Vec<FieldProblem>> {
    let mut fields = Fields { given, problems: Vec::new() };
    fields.refuse_unknown();
    let email = fields.text("email").unwrap_or_default().trim();
    let address = Address::parse(email).map_err(|error| {
        fields.complain("email", error.to_string(), "give one address, e.g. olivia@example.org, without a name around it");
    });
    let controller = fields.text("controller").unwrap_or_default().to_owned();
    if catalogue.controller(&controller).is_none() {
        let keys: Vec<&str> = catalogue.controllers.iter().map(|controller| controller.key.as_str()).collect();
        fields.complain("controller", "is not a configured controller", &format!("give one of: {}", keys.join(", ")));
    }
    let channel = fields.channel(kind);
    let topics = fields.topics(kind, channel, &controller, catalogue);
    let fact = Fact {
        occurred: fields.occurred(kind, now),
        trigger: fields.trigger(kind),
        own_address: fields.own_address(kind),
        country: fields.country(),
        ..Fact::default()
    };
    let notice = fields.notice(kind, email);
    let reason = fields.short("reason", REASON_LIMIT);
    let actor = fields.short("actor", NAME_LIMIT);
    let id = fields.short("id", NAME_LIMIT);
    match (address, told(kind, channel, topics)) {
        (Ok(address), Some(told)) if fields.problems.is_empty() => {
            Ok(Telling { address, controller, told, fact, notice, reason, actor, id })
        }
        _ => Err(fields.problems),
    }
}

/// `None` for what nobody tells: it never comes here.
fn told(kind: EventKind, channel: Channel, topics: Vec<Topic>) -> Option<Told> {
    Some(match (kind, channel) {
        // To object to being measured is to withdraw it, whatever consent there was (L-TRK-05).
        (EventKind::Withdrawn | EventKind::Objected, Channel::Tracking) => Told::Stop(Stop::Tracking),
        (EventKind::Withdrawn, Channel::Email) => Told::Stop(Stop::Topics(topics)),
        (EventKind::Objected, Channel::Email) => Told::Stop(Stop::Advertising),
        (EventKind::Withdrawn, channel) => Told::Stop(Stop::Elsewhere { channel, topics }),
        (EventKind::Objected, channel) => Told::Stop(Stop::Elsewhere { channel, topics: vec![] }),
        (EventKind::Complaint, _) => Told::Stop(Stop::Complaint),
        (EventKind::Disputed, _) => Told::Stop(Stop::Dispute),
        (EventKind::Purchase, _) => Told::Purchase(topics),
        (EventKind::NoticeShown, _) => Told::NoticeShown(topics),
        (EventKind::Bounce, _) => Told::Bounce,
        (EventKind::Restricted, _) => Told::Restricted,
        (EventKind::Unrestricted, _) => Told::Unrestricted,
        (EventKind::ExpiredIdle, _) => Told::ExpiredIdle(topics),
        (EventKind::Imported, channel) => Told::Imported(channel, topics),
        _ => return None,
    })
}

/// What is given, and what is wrong with it.
struct Fields<'a> {
    given: &'a Map<String, Value>,
    problems: Vec<FieldProblem>,
}

impl<'a> Fields<'a> {
    /// Of a field that has a fault already, the first says enough.
    fn complain(&mut self, field: impl Into<Cow<'static, str>>, problem: impl Into<String>, mend: &str) {
        let field = field.into();
        if !self.problems.iter().any(|told| told.field == field) {
            self.problems.push(FieldProblem { field, problem: problem.into(), mend: mend.to_owned() });
        }
    }

    fn refuse_unknown(&mut self) {
        for name in self.given.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
            self.complain(name.clone(), "is no field of an event", &format!("leave it out; there are: {}", FIELDS.join(", ")));
        }
    }

    /// `null` says nothing, as a field that is missing.
    fn value(&self, name: &str) -> Option<&'a Value> {
        self.given.get(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &'static str) -> Option<&'a str> {
        match self.value(name)? {
            Value::String(text) => Some(text),
            _ => {
                self.complain(name, "is no text", "give it as a JSON string");
                None
            }
        }
    }

    fn short(&mut self, name: &'static str, limit: usize) -> Option<String> {
        let text = self.text(name)?.trim();
        if text.is_empty() || text.chars().count() > limit || text.contains(char::is_control) {
            self.complain(name, "is empty, too long, or has control characters", &format!("give 1 to {limit} characters, or leave it out"));
        }
        Some(text.to_owned())
    }

    fn channel(&mut self, kind: EventKind) -> Channel {
        let Some(word) = self.text("channel") else { return Channel::Email };
        match Channel::parse(word) {
            Some(Channel::Email) => Channel::Email,
            Some(channel) if matches!(kind, EventKind::Withdrawn | EventKind::Objected | EventKind::Imported) => channel,
            Some(_) => {
                self.complain("channel", "is not told with this kind", "leave it out: it concerns e-mail");
                Channel::Email
            }
            None => {
                let words = Channel::ALL.map(Channel::as_str).join(", ");
                self.complain("channel", "is no channel", &format!("give one of: {words}"));
                Channel::Email
            }
        }
    }

    fn topics(&mut self, kind: EventKind, channel: Channel, controller: &str, catalogue: &Catalogue) -> Vec<Topic> {
        let configured: Vec<&Topic> =
            catalogue.topics.iter().filter(|entry| entry.controller == controller).map(|entry| &entry.name).collect();
        let names = || configured.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(", ");
        let given = match self.value("topics") {
            None => &[][..],
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.complain("topics", "is no list", "give a list of names, e.g. [\"newsletter\"]");
                return vec![];
            }
        };
        if given.len() > TOPICS_LIMIT {
            self.complain("topics", format!("names more than {TOPICS_LIMIT}"), "tell them in several events");
            return vec![];
        }
        let mut topics: Vec<Topic> = Vec::new();
        for (n, value) in given.iter().enumerate() {
            match value.as_str().map(Topic::parse) {
                Some(Ok(topic)) if topics.contains(&topic) => {}
                // A no to a name that no mail goes by would be taken and stop nothing.
                Some(Ok(topic))
                    if is_about_mail(kind, channel) && !configured.iter().any(|own| own.covers(&topic) || topic.covers(own)) =>
                {
                    self.complain(format!("topics[{n}]"), "is no topic of this controller", &format!("it has: {}", names()));
                }
                Some(Ok(topic)) => topics.push(topic),
                Some(Err(error)) => self.complain(format!("topics[{n}]"), "is no topic name", &error.to_string()),
                None => self.complain(format!("topics[{n}]"), "is no text", "give names, e.g. [\"newsletter\"]"),
            }
        }
        if given.is_empty() && needs_topics(kind, channel) {
            let mend = match kind {
                EventKind::Purchase => "name the products, as dotted names of their ranges, e.g. [\"fashion.shoes\"]".to_owned(),
                _ => format!("name what it is about; this controller has: {}", names()),
            };
            self.complain("topics", "names nothing", &mend);
        }
        topics
    }

    /// When it happened. A purchase must say it: its time is what the exemption's window is counted from.
    fn occurred(&mut self, kind: EventKind, now: Timestamp) -> Option<Timestamp> {
        let mend = "give the time as in RFC 3339, e.g. 2026-01-31T12:00:00Z";
        let Some(text) = self.text("occurred") else {
            if kind == EventKind::Purchase && self.value("occurred").is_none() {
                self.complain("occurred", "is missing", mend);
            }
            return Some(now);
        };
        match text.trim().parse::<Timestamp>() {
            Ok(at) if at.duration_since(now) > SKEW => {
                self.complain("occurred", "is in the future", "tell what has happened; set the clock of the system that tells it");
                None
            }
            Ok(at) => Some(at),
            Err(_) => {
                self.complain("occurred", "is no time with an offset", mend);
                None
            }
        }
    }

    fn trigger(&mut self, kind: EventKind) -> Option<Trigger> {
        let words = || format!("give one of: {}", Trigger::ALL.map(Trigger::as_str).join(", "));
        let word = self.text("trigger");
        if kind != EventKind::Purchase {
            if word.is_some() {
                self.complain("trigger", "is not told with this kind", "leave it out, or tell a purchase");
            }
            return None;
        }
        let trigger = word.and_then(|word| Trigger::ALL.into_iter().find(|trigger| trigger.as_str() == word));
        if trigger.is_none() {
            self.complain("trigger", "does not say how they became a customer", &words());
        }
        trigger
    }

    fn own_address(&mut self, kind: EventKind) -> bool {
        match self.value("own_address") {
            None => false,
            Some(Value::Bool(own)) if !own || kind == EventKind::Purchase => *own,
            Some(Value::Bool(_)) => {
                self.complain("own_address", "is not told with this kind", "leave it out, or tell a purchase");
                false
            }
            Some(_) => {
                self.complain("own_address", "is neither true nor false", "give true where the customer gave the address in that dealing");
                false
            }
        }
    }

    fn country(&mut self) -> Option<Country> {
        let country = Country::parse(self.text("country")?);
        if let Err(error) = &country {
            self.complain("country", error.to_string(), "give the country that the person lives in, or leave it out");
        }
        country.ok()
    }

    fn notice(&mut self, kind: EventKind, email: &str) -> Option<String> {
        let Some(text) = self.text("notice") else {
            if kind == EventKind::NoticeShown && self.value("notice").is_none() {
                self.complain("notice", "is missing", "give the text that was shown where the address was collected");
            }
            return None;
        };
        let email = squeezed(email);
        if !matches!(kind, EventKind::Purchase | EventKind::NoticeShown) {
            self.complain("notice", "is not told with this kind", "tell it with the purchase, or as optout_notice_shown");
        } else if text.trim().is_empty() {
            self.complain("notice", "is empty", "give the text that was shown, or leave it out");
        } else if text.chars().count() > NOTICE_LIMIT {
            self.complain(
                "notice",
                format!("is longer than {NOTICE_LIMIT} characters: a notice within a privacy policy is none (L-SOFT-05)"),
                "give only the sentences shown at the form that say that advertising can be objected to",
            );
        } else if email.contains('@') && squeezed(text).contains(&email) {
            self.complain("notice", "holds the person's address", "give the text as the form shows it to everyone");
        }
        Some(text.to_owned())
    }
}

/// What must name a topic that mail goes by: otherwise it would be taken and change nothing.
fn is_about_mail(kind: EventKind, channel: Channel) -> bool {
    channel == Channel::Email && matches!(kind, EventKind::Withdrawn | EventKind::ExpiredIdle)
}

fn needs_topics(kind: EventKind, channel: Channel) -> bool {
    channel != Channel::Tracking
        && matches!(kind, EventKind::Purchase | EventKind::Withdrawn | EventKind::ExpiredIdle | EventKind::Imported)
}
