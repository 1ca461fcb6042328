//! The headers that say something about class, topic or campaign, as data (PEERS.md section 4.1).
//! Values are read, but never kept in reasons: they may be personal (I8).

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
enum Tells {
    /// Its presence says marketing.
    Marketing,
    /// Its presence says marketing, its value names the campaign.
    MarketingCampaign,
    /// Its value names the campaign and says nothing about the class.
    Campaign,
    /// Its value names the topic.
    Topic,
    /// Read by a function of its own.
    Reads(fn(&str) -> Told),
}

/// What a value told.
#[derive(Default)]
struct Told {
    class: Option<Class>,
    topic: Option<String>,
    campaign: Option<String>,
}

/// Header, whose word it is, what it tells. Sources: PEERS.md section 4.1.
const MARKS: &[(&str, Trust, Tells)] = &[
    // ours
    ("Consentry-Class", Trust::Declared, Tells::Reads(own_class)),
    ("Consentry-Topic", Trust::Declared, Tells::Topic),
    ("Consentry-Campaign", Trust::Declared, Tells::Campaign),
    // declarations that ESP users already send
    ("X-PM-Message-Stream", Trust::Declared, Tells::Reads(postmark_stream)),
    ("X-MSYS-API", Trust::Declared, Tells::Reads(sparkpost)),
    ("X-SMTPAPI", Trust::Declared, Tells::Reads(sendgrid)),
    ("X-SES-LIST-MANAGEMENT-OPTIONS", Trust::Declared, Tells::Reads(ses_list)),
    // standards
    ("List-Unsubscribe", Trust::List, Tells::Marketing),      // RFC 2369 s.3.2
    ("List-Unsubscribe-Post", Trust::List, Tells::Marketing), // RFC 8058
    ("List-Id", Trust::List, Tells::Marketing),               // RFC 2919
    ("List-Post", Trust::List, Tells::Marketing),
    ("Precedence", Trust::List, Tells::Reads(precedence)),
    // marks of tools
    ("X-Listmonk-Campaign", Trust::Tool, Tells::MarketingCampaign),
    ("X-Mailjet-Campaign", Trust::Tool, Tells::MarketingCampaign),
    ("X-GreenArrow-MailClass", Trust::Tool, Tells::MarketingCampaign),
    ("X-ListMember", Trust::Tool, Tells::Marketing), // phpList
    ("X-CSA-Complaints", Trust::Tool, Tells::Marketing),
    ("X-PM-Tag", Trust::Tool, Tells::Campaign),
    ("X-MC-Tags", Trust::Tool, Tells::Campaign),
    ("X-Mailgun-Tag", Trust::Tool, Tells::Campaign),
    ("X-Tag", Trust::Tool, Tells::Campaign), // Symfony Mailer
];

/// Reads all marks of a message; the steps come in order of trust.
pub(super) fn find(message: &Message) -> Found {
    let mut found = Found::default();
    for header in message.headers() {
        let Some((name, trust, tells)) = MARKS.iter().find(|(name, ..)| name.eq_ignore_ascii_case(header.name)) else {
            continue;
        };
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

/// SendGrid: an unsubscribe group means subscription mail. Its bypass flags are claims, and ignored.
fn sendgrid(value: &str) -> Told {
    let json: Value = serde_json::from_str(value).unwrap_or_default();
    Told { class: (!json["asm_group_id"].is_null()).then_some(Class::Marketing), ..Told::default() }
}

/// SES: `contactListName; topic=name`.
fn ses_list(value: &str) -> Told {
    let topic = value.split(';').find_map(|part| part.trim().strip_prefix("topic=").map(|topic| topic.trim().to_owned()));
    Told { class: Some(Class::Marketing), topic, ..Told::default() }
}

/// RFC 3834 s.3.1.8 names these words for mail to many.
fn precedence(value: &str) -> Told {
    // wherever they stand: the field was never specified, and there are comments, quotes and lists in it
    let mut words = value.split(|character: char| !character.is_ascii_alphabetic());
    let many = words.any(|word| ["bulk", "list", "junk"].iter().any(|many| word.eq_ignore_ascii_case(many)));
    Told { class: many.then_some(Class::Marketing), ..Told::default() }
}
