//! What the report of a sign-up must be like: complete, and with a text that consent can rest on (GDPR Art. 4(11), 7(2)). What
//! is done with it is `sign_up`'s business.

use std::borrow::Cow;
use std::net::IpAddr;

use super::sign_up::{FieldProblem, SignUp};
use crate::compose::squeezed;
use crate::consent::{Catalogue, Controller, Topic, TopicEntry};
use crate::mail::Address;

/// Longest consent text, octets.
const CONSENT_TEXT_LIMIT: usize = 16 * 1024;
/// Longest URL, octets; a longer one is no evidence but an attack.
const URL_LIMIT: usize = 2048;
/// Most topics in one sign-up.
const TOPICS_LIMIT: usize = 50;

/// How texts say that consent can be withdrawn, in the languages of most forms.
const WITHDRAWAL: [&str; 12] = [
    "withdraw",
    "revoke",
    "unsubscribe",
    "opt out",
    "widerruf",
    "widerrufen",
    "abmeld",
    "abbestell",
    "rétract",
    "désabonn",
    "revocar",
    "revoc",
];

/// A sign-up that passed all checks.
pub(super) struct Checked<'a> {
    pub(super) address: Address,
    pub(super) controller: &'a Controller,
    pub(super) topics: Vec<&'a TopicEntry>,
    pub(super) ip: Option<IpAddr>,
}

/// Every problem at once: whoever connects a form shall not have to find them one by one.
pub(super) fn check<'a>(sign_up: &SignUp, catalogue: &'a Catalogue) -> Result<Checked<'a>, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut complain = |field: &'static str, problem: String, mend: &str| {
        problems.push(FieldProblem { field: Cow::Borrowed(field), problem, mend: mend.to_owned() });
    };

    let address = Address::parse(sign_up.email.trim());
    if let Err(error) = &address {
        complain("email", error.to_string(), "give one address, e.g. olivia@example.org, without a name around it");
    }
    let controller = catalogue.controller(&sign_up.controller);
    if controller.is_none() {
        let keys: Vec<&str> = catalogue.controllers.iter().map(|controller| controller.key.as_str()).collect();
        complain("controller", "is not a configured controller".into(), &format!("give one of: {}", keys.join(", ")));
    }
    let topics = if controller.is_some() { check_topics(sign_up, catalogue, &mut complain) } else { vec![] };
    if !is_web_url(&sign_up.form_url) {
        complain(
            "form_url",
            "is no absolute http or https URL".into(),
            "give the URL of the page that held the form, e.g. https://example.com/newsletter",
        );
    }
    if sign_up.referrer.as_ref().is_some_and(|referrer| referrer.len() > URL_LIMIT || referrer.contains(char::is_control)) {
        complain(
            "referrer",
            format!("is longer than {URL_LIMIT} characters or has control characters"),
            "give the URL as the browser sent it, or leave it out",
        );
    }
    // A form's own texts have been checked when the gateway started, by the words of their language.
    if sign_up.form.is_none() {
        check_text("consent_text", &sign_up.consent_text, sign_up, controller, &mut complain);
        check_channel(&sign_up.consent_text, &mut complain);
        if let Some(text) = &sign_up.tracking_text {
            check_text("tracking_text", text, sign_up, controller, &mut complain);
        }
        if sign_up.tracking {
            complain("tracking", "names no text".into(), "give the text next to the second box in tracking_text");
        }
    }
    if sign_up.prechecked {
        // S1-13, CJEU C-673/17: a box that was ticked beforehand declares nothing
        complain("prechecked", "a box that is ticked beforehand is no consent".into(), "show the box unticked and let the person tick it");
    }
    if sign_up.checkbox == Some(false) {
        complain(
            "checkbox",
            "the person did not tick the box".into(),
            "report only sign-ups with a ticked box; leave it out where the form has none",
        );
    }
    let ip = sign_up.ip.as_ref().map(|ip| ip.trim().parse::<IpAddr>()).transpose();
    if ip.is_err() {
        complain("ip", "is no IP address".into(), "give the visitor's IPv4 or IPv6 address without a port, or leave it out");
    }
    match (address, controller, ip) {
        (Ok(address), Some(controller), Ok(ip)) if problems.is_empty() => Ok(Checked { address, controller, topics, ip }),
        _ => Err(problems),
    }
}

fn check_topics<'a>(
    sign_up: &SignUp,
    catalogue: &'a Catalogue,
    complain: &mut impl FnMut(&'static str, String, &str),
) -> Vec<&'a TopicEntry> {
    let theirs = |entry: &&TopicEntry| entry.controller == sign_up.controller;
    let names = || catalogue.topics.iter().filter(theirs).map(|entry| entry.name.as_str()).collect::<Vec<_>>().join(", ");
    let mut topics: Vec<&TopicEntry> = Vec::new();
    if sign_up.topics.is_empty() {
        complain("topics", "names no topic".into(), &format!("name what the person signed up for; this controller has: {}", names()));
    }
    if sign_up.topics.len() > TOPICS_LIMIT {
        complain("topics", format!("names more than {TOPICS_LIMIT} topics"), "name only what the person signed up for");
        return topics;
    }
    for (number, name) in sign_up.topics.iter().enumerate() {
        match Topic::parse(name).ok().and_then(|topic| catalogue.topic(&topic)).filter(theirs) {
            Some(entry) if topics.contains(&entry) => {}
            Some(entry) => topics.push(entry),
            None => complain(
                "topics",
                format!("number {} is no topic of this controller", number + 1),
                &format!("this controller has: {}", names()),
            ),
        }
    }
    topics
}

/// L-CON-02, L-TRK-06, S1-08: a text that was agreed to names the controller and says that it can be withdrawn.
fn check_text(
    field: &'static str,
    text: &str,
    sign_up: &SignUp,
    controller: Option<&Controller>,
    complain: &mut impl FnMut(&'static str, String, &str),
) {
    if text.trim().is_empty() {
        complain(field, "is empty".into(), "give the whole text next to the box, as the person saw it");
        return;
    }
    if text.len() > CONSENT_TEXT_LIMIT {
        complain(field, "is longer than 16 KiB".into(), "give the text next to the box only, not the privacy policy");
    }
    let text = squeezed(text);
    // Kept once for all who saw it, in clear and beyond erasure: it is the form's text, not the person's.
    let email = squeezed(&sign_up.email);
    if email.contains('@') && text.contains(&email) {
        complain(field, "holds the person's address".into(), "give the text as the form shows it to everyone");
    }
    if let Some(controller) = controller
        && !text.contains(&squeezed(&controller.name))
    {
        let mend = format!("the text on the form must say who it is about: \"{}\"", controller.name);
        complain(field, "does not name the controller".into(), &mend);
    }
    // L-CON-03, GDPR Art. 7(3): told before it is given
    if !WITHDRAWAL.iter().any(|word| text.contains(word)) {
        complain(
            field,
            "does not say that it can be withdrawn".into(),
            "the text on the form must say so, e.g. \"I can withdraw my consent at any time\"",
        );
    }
}

/// L-CON-02: the text names the channel.
fn check_channel(text: &str, complain: &mut impl FnMut(&'static str, String, &str)) {
    let text = text.to_lowercase();
    let mut words = text.split(|c: char| !c.is_alphabetic());
    if !text.trim().is_empty() && !words.any(|word| ["mail", "mails", "mailing", "mailings"].iter().any(|ending| word.ends_with(ending))) {
        complain(
            "consent_text",
            "does not say that mail comes by e-mail".into(),
            "the text on the form must name the channel, e.g. \"by e-mail\"",
        );
    }
}

fn is_web_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text.len() <= URL_LIMIT
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
        && rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '['))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::{Brand, Language};

    fn catalogue() -> Catalogue {
        let controller = |key: &str, name: &str| Controller {
            key: key.into(),
            name: name.into(),
            imprint: "Hauptstraße 1".into(),
            country: None,
            privacy_url: "https://acme.example/privacy".into(),
            language: Language::DE,
            from: "news@acme.example".into(),
            brand: Brand::default(),
            headers: Default::default(),
        };
        let topic = |name: &str, controller: &str| TopicEntry {
            name: Topic::parse(name).expect(name),
            controller: controller.into(),
            title: name.into(),
            list_id: format!("{name}.acme.example"),
        };
        Catalogue {
            controllers: vec![controller("acme", "ACME GmbH"), controller("other", "Other Ltd")],
            topics: vec![topic("news", "acme"), topic("offers", "acme"), topic("foreign", "other")],
            forms: vec![],
        }
    }

    fn fine() -> SignUp {
        SignUp {
            email: " Grün@Example.org ".into(),
            controller: "acme".into(),
            topics: vec!["news".into(), "News".into()],
            form_url: "https://acme.example/newsletter".into(),
            consent_text: "Ja, die ACME\n GmbH darf mir Neuigkeiten per E-Mail senden. Widerruf jederzeit.".into(),
            checkbox: Some(true),
            ip: Some("2001:db8::1".into()),
            ..SignUp::default()
        }
    }

    #[test]
    fn a_complete_sign_up_is_taken() {
        let (sign_up, catalogue) = (fine(), catalogue());
        let Ok(checked) = check(&sign_up, &catalogue) else { panic!("refused") };
        assert_eq!((checked.address.as_str(), checked.topics.len()), ("Grün@Example.org", 1));
    }

    #[test]
    fn each_fault_names_its_field_and_its_mend() {
        // S0-24, S1-08, S1-13, S4-02, L-CON-02, L-CON-03, L-TRK-06
        type Row = (&'static str, &'static str, fn(&mut SignUp));
        let rows: &[Row] = &[
            ("email", "one address", |s| s.email = "olivia".into()),
            ("controller", "acme, other", |s| s.controller = "Acme Inc".into()),
            ("topics", "news, offers", |s| s.topics.clear()),
            ("topics", "news, offers", |s| s.topics = vec!["news".into(), "foreign".into()]),
            ("topics", "news, offers", |s| s.topics = vec!["a b".into()]),
            ("topics", "signed up for", |s| s.topics = vec!["news".into(); 51]),
            ("form_url", "https://", |s| s.form_url = "/newsletter".into()),
            ("form_url", "https://", |s| s.form_url = "javascript:alert(1)".into()),
            ("consent_text", "whole text", |s| s.consent_text = " ".into()),
            ("consent_text", "ACME GmbH", |s| s.consent_text = "Yes, send me e-mails.".into()),
            ("consent_text", "by e-mail", |s| s.consent_text = "Ja, ACME GmbH darf mir Angebote senden.".into()),
            ("consent_text", "text next to the box", |s| s.consent_text = format!("ACME GmbH e-mail {}", "x".repeat(CONSENT_TEXT_LIMIT))),
            ("consent_text", "to everyone", |s| s.consent_text = "Ja, ACME GmbH darf mir (grün@example.org) E-Mails senden.".into()),
            ("consent_text", "withdraw my consent", |s| s.consent_text = "Ja, ACME GmbH darf mir E-Mails senden.".into()),
            ("tracking", "tracking_text", |s| s.tracking = true),
            ("tracking_text", "whole text", |s| s.tracking_text = Some(" ".into())),
            ("tracking_text", "to everyone", |s| s.tracking_text = Some("ACME GmbH misst Grün@Example.org. Widerruf jederzeit.".into())),
            ("tracking_text", "ACME GmbH", |s| s.tracking_text = Some("Ich darf vermessen werden. Widerruf jederzeit.".into())),
            ("tracking_text", "withdraw my consent", |s| s.tracking_text = Some("ACME GmbH misst.".into())),
            ("prechecked", "unticked", |s| s.prechecked = true),
            ("checkbox", "ticked box", |s| s.checkbox = Some(false)),
            ("ip", "IPv4 or IPv6", |s| s.ip = Some("10.0.0.1:80".into())),
            ("referrer", "leave it out", |s| s.referrer = Some("\n".into())),
        ];
        for (field, mend, spoil) in rows {
            let (mut sign_up, catalogue) = (fine(), catalogue());
            spoil(&mut sign_up);
            let Err(problems) = check(&sign_up, &catalogue) else { panic!("{field}: taken") };
            assert!(problems.iter().any(|p| p.field == *field && p.mend.contains(mend)), "{field}: {problems:?}");
        }
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let Err(problems) = check(&SignUp { prechecked: true, ..SignUp::default() }, &catalogue()) else { panic!("taken") };
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_ref()).collect();
        assert_eq!(fields, ["email", "controller", "form_url", "consent_text", "prechecked"]);
    }

    #[test]
    fn the_channel_is_found_in_any_spelling() {
        for (text, named) in [
            ("per E-Mail", true),
            ("by email", true),
            ("Werbemails", true),
            ("E-Mail-Newsletter", true),
            ("per Mail.", true),
            ("aus Mailand", false),
            ("per Post", false),
        ] {
            let mut problems = 0;
            check_channel(text, &mut |_, _, _| problems += 1);
            assert_eq!(problems == 0, named, "{text}");
        }
    }
}
