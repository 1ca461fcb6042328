//! The headers that say something about class, topic or campaign, as data (PEERS.md section 4.1).
//! Values are read, but never kept in reasons: they may be personal (I8).

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::consent::Topic;
use crate::mail::{Class, Header, Message, Step, Trust};

/// What the headers of one message say.
#[derive(Default)]
pub(super) struct Found {
    pub(super) steps: Vec<Step>,
    pub(super) topic: Option<String>,
    pub(super) campaign: Option<String>,
}

/// What one header may tell.
#[derive(Clone, Copy)]
enum Tells {
    /// Its presence says marketing.
    Marketing,
    /// Its presence says marketing, its value names the campaign.
    MarketingCampaign,
    /// Its value names the campaign and says nothing about the class.
    Campaign,
    /// Its value names the topic.
    Topic,
    /// Nothing that matters here.
    Silent,
    /// Read by a function of its own.
    Reads(fn(&str) -> Told),
}

/// One line of the table.
struct Mark {
    name: &'static str,
    trust: Trust,
    tells: Tells,
}

/// The table by lower-case name, and apart from it the names that are only a beginning.
struct Marks {
    exact: HashMap<String, Mark>,
    beginnings: Vec<Mark>,
}

static MARKS: LazyLock<Marks> = LazyLock::new(|| {
    let lines = include_str!("marks.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (beginnings, exact) = lines.map(Mark::read).partition::<Vec<_>, _>(|mark| mark.name.ends_with('*'));
    Marks { exact: exact.into_iter().map(|mark| (mark.name.to_ascii_lowercase(), mark)).collect(), beginnings }
});

impl Mark {
    fn read(line: &'static str) -> Self {
        let mut words = line.split_whitespace();
        let mut word = || words.next().expect("the table has four columns");
        let (name, trust, tells) = (word(), Trust::parse(word()).expect("a trust"), Tells::named(word()));
        Self { name, trust, tells: tells.unwrap_or_else(|| panic!("nobody knows what {name} tells")) }
    }
}

impl Marks {
    fn of(&self, name: &str) -> Option<&Mark> {
        let begins = |mark: &&Mark| {
            name.get(..mark.name.len() - 1).is_some_and(|start| start.eq_ignore_ascii_case(&mark.name[..mark.name.len() - 1]))
        };
        self.exact.get(&name.to_ascii_lowercase()).or_else(|| self.beginnings.iter().find(begins))
    }
}

impl Tells {
    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "marketing" => Self::Marketing,
            "group" => Self::MarketingCampaign,
            "campaign" => Self::Campaign,
            "topic" => Self::Topic,
            "silent" => Self::Silent,
            "own-class" => Self::Reads(own_class),
            "postmark" => Self::Reads(postmark_stream),
            "sparkpost" => Self::Reads(sparkpost),
            "sendgrid" => Self::Reads(sendgrid),
            "ses-list" => Self::Reads(ses_list),
            "ses-tags" => Self::Reads(ses_tags),
            "precedence" => Self::Reads(precedence),
            "first-tag" => Self::Reads(first_tag),
            "feedback-id" => Self::Reads(feedback_id),
            "phplist" => Self::Reads(phplist),
            _ => return None,
        })
    }
}

/// What a value told.
#[derive(Default)]
struct Told {
    class: Option<Class>,
    topic: Option<String>,
    campaign: Option<String>,
}

/// Reads all marks of a message; the steps come in order of trust.
pub(super) fn find(message: &Message) -> Found {
    let mut found = Found::default();
    for header in message.headers() {
        let Some(Mark { name, trust, tells }) = MARKS.of(header.name) else { continue };
        let told = read(tells, &header);
        if let Some(says) = told.class {
            found.steps.push(Step { trust: *trust, says, why: format!("header {name}") });
        }
        found.topic = found.topic.or(told.topic.map(nameable));
        found.campaign = found.campaign.or(told.campaign.and_then(presentable));
    }
    found.steps.sort_by_key(|step| step.trust);
    found
}

fn read(tells: &Tells, header: &Header<'_>) -> Told {
    match tells {
        Tells::Marketing => Told { class: Some(Class::Marketing), ..Told::default() },
        Tells::MarketingCampaign => Told { class: Some(Class::Marketing), campaign: Some(header.value()), ..Told::default() },
        Tells::Campaign => Told { campaign: Some(header.value()), ..Told::default() },
        Tells::Topic => Told { topic: Some(header.value()), ..Told::default() },
        Tells::Silent => Told::default(),
        Tells::Reads(function) => function(&header.value()),
    }
}

/// A campaign name is kept with the decision, so it must be short and no address (I8).
fn presentable(campaign: String) -> Option<String> {
    let fits = !campaign.is_empty() && campaign.len() <= 100 && !campaign.contains('@') && !campaign.contains(char::is_control);
    fits.then_some(campaign)
}

/// What is no topic name is unknown whatever it says, and may be an address: only that there was one is kept (I8).
fn nameable(topic: String) -> String {
    if Topic::parse(&topic).is_ok() { topic } else { "?".to_owned() }
}

/// A word that is not ours declares nothing that helps the sender: marketing.
fn own_class(value: &str) -> Told {
    let transactional = value.eq_ignore_ascii_case("transactional");
    Told { class: Some(if transactional { Class::Transactional } else { Class::Marketing }), ..Told::default() }
}

/// Postmark: the default stream is called `outbound`; any other may be a broadcast stream.
fn postmark_stream(value: &str) -> Told {
    let class = if value.eq_ignore_ascii_case("outbound") { Class::Transactional } else { Class::Marketing };
    Told { class: Some(class), ..Told::default() }
}

/// SparkPost: `options.transactional`, false where absent; `campaign_id`.
fn sparkpost(value: &str) -> Told {
    let json: Value = serde_json::from_str(value).unwrap_or_default();
    let transactional = json["options"]["transactional"].as_bool().unwrap_or(false);
    Told {
        class: Some(if transactional { Class::Transactional } else { Class::Marketing }),
        campaign: json["campaign_id"].as_str().map(str::to_owned),
        ..Told::default()
    }
}

/// SendGrid: an unsubscribe group, or its subscription footer, means subscription mail. Its bypass flags are claims, and ignored.
fn sendgrid(value: &str) -> Told {
    let json: Value = serde_json::from_str(value).unwrap_or_default();
    let has_footer = ["1", "true"].contains(&json["filters"]["subscriptiontrack"]["settings"]["enable"].to_string().trim_matches('"'));
    let class = (!json["asm_group_id"].is_null() || has_footer).then_some(Class::Marketing);
    let category = json["category"].as_str().or_else(|| json["category"][0].as_str());
    Told { class, campaign: category.map(str::to_owned), ..Told::default() }
}

/// SES: `contactListName; topic=name`.
fn ses_list(value: &str) -> Told {
    let topic = value.split(';').find_map(|part| part.trim().strip_prefix("topic=").map(|topic| topic.trim().to_owned()));
    Told { class: Some(Class::Marketing), topic, ..Told::default() }
}

/// SES: `k=v, k=v`; a tag called campaign names it.
fn ses_tags(value: &str) -> Told {
    let pairs = value.split(',').filter_map(|pair| pair.split_once('='));
    let campaign = pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| key.to_ascii_lowercase().contains("campaign"));
    Told { campaign: campaign.map(|(_, value)| value.to_owned()), ..Told::default() }
}

/// A list of tags by commas; the first names the campaign.
fn first_tag(value: &str) -> Told {
    Told { campaign: value.split(',').next().map(|tag| tag.trim().to_owned()), ..Told::default() }
}

/// Gmail: four fields by colons, the sender last; the first is the campaign. Receipts have it, too.
fn feedback_id(value: &str) -> Told {
    let campaign = value.split(':').next().filter(|_| value.matches(':').count() >= 1);
    Told { campaign: campaign.map(|name| name.trim().to_owned()), ..Told::default() }
}

/// phpList: `systemmessage` is one of its own notices, a number a campaign; of anything else nobody knows whose field it is.
fn phplist(value: &str) -> Told {
    let is_campaign = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    Told { class: is_campaign.then_some(Class::Marketing), campaign: is_campaign.then(|| value.to_owned()), ..Told::default() }
}

/// RFC 3834 s.3.1.8 names these words for mail to many.
fn precedence(value: &str) -> Told {
    // wherever they stand: the field was never specified, and there are comments, quotes and lists in it
    let mut words = value.split(|character: char| !character.is_ascii_alphabetic());
    let many = words.any(|word| ["bulk", "list", "junk"].iter().any(|many| word.eq_ignore_ascii_case(many)));
    Told { class: many.then_some(Class::Marketing), ..Told::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field as it comes, the class it asks for, the topic and the campaign it names.
    type Row = (&'static str, Option<Class>, Option<&'static str>, Option<&'static str>);
    const M: Option<Class> = Some(Class::Marketing);
    const T: Option<Class> = Some(Class::Transactional);
    const ROWS: &[Row] = &[
        ("Consentry-Class: transactional", T, None, None),
        ("Consentry-Class: receipt", M, None, None),
        ("Consentry-Topic: news", None, Some("news"), None),
        ("Consentry-Campaign: spring", None, None, Some("spring")),
        ("X-PM-Message-Stream: broadcast", M, None, None),
        ("X-PM-Message-Stream: outbound", T, None, None),
        ("X-SES-LIST-MANAGEMENT-OPTIONS: acme; topic=shop.offers", M, Some("shop.offers"), None),
        ("X-MSYS-API: {\"campaign_id\":\"spring\"}", M, None, Some("spring")),
        ("X-MSYS-API: {\"options\":{\"transactional\":true}}", T, None, None),
        ("X-SMTPAPI: {\"asm_group_id\":4,\"category\":[\"spring\"]}", M, None, Some("spring")),
        ("X-SMTPAPI: {\"filters\":{\"subscriptiontrack\":{\"settings\":{\"enable\":1}}}}", M, None, None),
        ("X-SMTPAPI: {\"filters\":{\"bypass_list_management\":{\"settings\":{\"enable\":1}}},\"category\":\"x\"}", None, None, Some("x")),
        ("List-Unsubscribe: <https://x.example/>", M, None, None),
        ("List-Unsubscribe-Post: List-Unsubscribe=One-Click", M, None, None),
        ("List-Id: <x.example>", M, None, None),
        ("List-Post: <mailto:a@x.example>", M, None, None),
        ("List-Owner: <mailto:a@x.example>", M, None, None),
        ("List-Subscribe: <mailto:a@x.example>", M, None, None),
        ("List-Help: <mailto:a@x.example>", None, None, None),
        ("Precedence: Bulk", M, None, None),
        ("Precedence: first-class", None, None, None),
        ("Auto-Submitted: auto-generated", None, None, None),
        ("X-Auto-Response-Suppress: All", None, None, None),
        ("Feedback-ID: spring:4711:newsletter:acme", None, None, Some("spring")),
        ("X-CSA-Complaints: csa-complaints@eco.de", M, None, None),
        ("CFBL-Address: fbl@x.example", None, None, None),
        ("X-PM-Tag: spring", None, None, Some("spring")),
        ("X-PM-Metadata-order: 4711", None, None, None),
        ("X-PM-KeepID: true", None, None, None),
        ("X-SES-CONFIGURATION-SET: default", None, None, None),
        ("X-SES-MESSAGE-TAGS: a=b, campaign=spring", None, None, Some("spring")),
        ("X-Mailgun-Tag: spring", None, None, Some("spring")),
        ("X-Mailgun-Campaign-Id: c4", M, None, Some("c4")),
        ("X-Mailgun-Variables: {}", None, None, None),
        ("X-Mailgun-Recipient-Variables: {}", M, None, None),
        ("X-Mailgun-Track-Clicks: yes", None, None, None),
        ("X-Mailgun-Drop-Message: yes", None, None, None),
        ("X-Mailgun-Dkim: yes", None, None, None),
        ("X-Mailgun-Require-TLS: true", None, None, None),
        ("X-Mailjet-Campaign: spring", M, None, Some("spring")),
        ("X-Mailjet-DeduplicateCampaign: 1", M, None, None),
        ("X-Mailjet-Prio: 3", None, None, None),
        ("X-MJ-CustomID: 4711", None, None, None),
        ("X-MJ-EventPayload: {}", None, None, None),
        ("X-Mailin-Tag: spring", None, None, Some("spring")),
        ("X-Mailin-custom: a:b", None, None, None),
        ("X-MC-Tags: spring,shoes", None, None, Some("spring")),
        ("X-MC-Metadata: {}", None, None, None),
        ("X-MC-Subaccount: a", None, None, None),
        ("X-Tag: spring", None, None, Some("spring")),
        ("X-Tags: spring, shoes", None, None, Some("spring")),
        ("X-Metadata-order: 4711", None, None, None),
        ("X-Metadata: {}", None, None, None),
        ("X-EMAIL-ID: 12", None, None, Some("12")),
        ("X-Listmonk-Campaign: 6f5b", M, None, Some("6f5b")),
        ("X-Listmonk-Subscriber: 6f5b", None, None, None),
        ("X-ListMember: a@x.example", M, None, None),
        ("X-MessageID: 47", M, None, Some("47")),
        ("X-MessageID: systemmessage", None, None, None),
        ("X-GreenArrow-MailClass: news", M, None, Some("news")),
        ("X-GreenArrow-InstanceID: 47", M, None, Some("47")),
        ("X-Postal-Tag: spring", None, None, Some("spring")),
        ("X-Tenant: acme", None, None, None),
        ("X-Campaign: spring", M, None, Some("spring")),
        ("X-Campaign-Id: 47", M, None, Some("47")),
        ("X-Mox-Extra-order: 4711", None, None, None),
        ("x-smtpeter-tag: a", None, None, None),
        ("X-Clab-SmartRelay-Id: a", None, None, None),
    ];

    fn found(field: &str) -> Found {
        let raw = format!("From: a@acme.example\r\n{field}\r\n\r\nbody\r\n");
        find(&Message::parse(raw.into_bytes(), false).expect(field))
    }

    #[test]
    fn every_mark_tells_what_the_table_says() {
        for (field, class, topic, campaign) in ROWS {
            let found = found(field);
            let says: Vec<Class> = found.steps.iter().map(|step| step.says).collect();
            assert_eq!(says, class.iter().copied().collect::<Vec<_>>(), "{field}");
            assert_eq!((found.topic.as_deref(), found.campaign.as_deref()), (*topic, *campaign), "{field}");
            for step in found.steps {
                let name = field.split(':').next().expect("a name");
                assert_eq!(step.why, format!("header {name}"), "and no value is kept (I8)");
            }
        }
    }

    #[test]
    fn every_mark_has_a_row() {
        let has_row = |mark: &Mark| {
            let name = mark.name.trim_end_matches('*').to_ascii_lowercase();
            ROWS.iter().any(|(field, ..)| field.to_ascii_lowercase().starts_with(&name))
        };
        let all = MARKS.exact.values().chain(&MARKS.beginnings);
        let untested: Vec<&str> = all.filter(|mark| !has_row(mark)).map(|mark| mark.name).collect();
        assert!(untested.is_empty() && MARKS.exact.len() > 50, "{untested:?}");
    }
}
