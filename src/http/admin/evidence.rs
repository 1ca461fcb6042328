//! The evidence of a person in full, as a court wants it (R-02, L-DOI-07): every declaration word for word, the mails, the
//! pages, the addresses of both steps. For the role `legal`; each look is on record. Prints well.

use axum::response::Response;
use jiff::Timestamp;
use minijinja::{Value, context};

use super::super::extract::Path;
use super::subject::{event_view, nobody};
use super::time;
use super::{Inside, Posted};
use crate::consent::{Evidence, SubjectId};

pub(super) async fn show(inside: Inside, Path(id): Path<String>, _form: Posted) -> Response {
    let Some(subject) = SubjectId::parse(&id) else { return nobody(&inside) };
    let now = Timestamp::now();
    match inside.admin().office.evidence(&inside.operator, subject, now).await {
        Ok(events) => {
            let pieces =
                events.iter().map(|event| context! { event => event_view(&inside, event), proof => event.evidence.as_ref().map(view) });
            inside.page("evidence.html", context! { id => subject.to_string(), at => time(now), pieces => pieces.collect::<Vec<_>>() })
        }
        Err(error) => inside.refused(&error),
    }
}

/// Names of texts with their values; what was not kept is left out.
type Facts = Vec<(&'static str, Option<String>)>;

/// Names of texts (`admin.proof.<name>`) with their values, in the order of reading; long ones apart.
fn view(evidence: &Evidence) -> Value {
    let (facts, texts): (Facts, Facts) = match evidence {
        Evidence::Request(asked) => {
            let form = asked.form.as_ref();
            (
                vec![
                    ("address", Some(asked.address.clone())),
                    ("form_url", Some(asked.form_url.clone())),
                    ("form", form.map(|form| form.name.clone())),
                    ("referrer", asked.referrer.clone()),
                    ("origin", form.and_then(|form| form.origin.clone())),
                    ("checkbox", asked.checkbox.map(|ticked| if ticked { "✓".into() } else { "–".into() })),
                    ("language", Some(asked.language.as_str().to_owned())),
                    ("ip", asked.ip.clone()),
                    ("user_agent", asked.user_agent.clone()),
                    ("dwell", form.and_then(|form| form.dwell_ms).map(seconds)),
                    ("reported_by", Some(asked.reported_by.clone())),
                    ("message_id", Some(asked.message_id.clone())),
                    ("text_version", Some(asked.text_version.clone())),
                    ("form_version", form.map(|form| form.version.clone())),
                ],
                vec![
                    ("consent_text", Some(asked.consent_text.clone())),
                    ("tracking_text", asked.tracking_text.clone()),
                    ("mail", Some(asked.mail.clone())),
                    ("form_page", form.map(|form| form.page.clone())),
                ],
            )
        }
        Evidence::Mail(mail) => (
            vec![("message_id", Some(mail.message_id.clone())), ("replied_at", Some(time(mail.at))), ("reply", Some(mail.reply.clone()))],
            vec![],
        ),
        Evidence::Confirmation(yes) => (
            vec![
                ("ip", yes.ip.clone()),
                ("user_agent", yes.user_agent.clone()),
                ("method", Some(yes.method.clone())),
                ("grade", Some(yes.grade.as_str().to_owned())),
                ("dwell", Some(seconds(yes.dwell_ms))),
                ("token_id", Some(yes.token_id.clone())),
                ("page_version", Some(yes.page_version.clone())),
            ],
            vec![("confirm_page", Some(yes.page.clone()))],
        ),
        Evidence::Choice(choice) => (
            vec![
                ("ip", choice.ip.clone()),
                ("user_agent", choice.user_agent.clone()),
                ("decision", choice.decision.clone()),
                ("grade", choice.agreed.as_ref().map(|agreed| agreed.grade.as_str().to_owned())),
                ("dwell", choice.agreed.as_ref().map(|agreed| seconds(agreed.dwell_ms))),
                ("staff", choice.staff.clone()),
                ("note", choice.note.clone()),
                ("reported_by", choice.told_by.clone()),
            ],
            vec![("tracking_text", choice.agreed.as_ref().map(|agreed| agreed.text.clone()))],
        ),
    };
    let said = |pairs: Facts| {
        let pairs = pairs.into_iter().filter_map(|(name, value)| Some(context! { name, value => value? }));
        pairs.collect::<Vec<_>>()
    };
    context! { facts => said(facts), texts => said(texts) }
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}
