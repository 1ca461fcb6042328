//! The search box: from an SMTP reply, a bare ref or an address to the page that tells more. An address comes by POST only,
//! so that none ever stands in a URL (I8).

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use minijinja::context;

use super::super::extract::Query;
use super::{Admin, Inside, Posted, see_other};
use crate::consent::DecisionId;
use crate::mail::Address;

pub(super) fn router() -> Router<Admin> {
    Router::new().route("/search", get(by_link).post(by_form))
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

async fn by_link(inside: Inside, Query(asked): Query<Asked>) -> Response {
    match reference(&asked.q) {
        Some(id) => decision(&inside, id),
        None => nothing_found(&inside, if asked.q.trim().is_empty() { "empty" } else { "no_ref" }),
    }
}

async fn by_form(inside: Inside, form: Posted) -> Response {
    let asked = form.value("q").trim();
    if let Some(id) = reference(asked) {
        return decision(&inside, id);
    }
    let Ok(address) = Address::parse(asked) else {
        return nothing_found(&inside, if asked.is_empty() { "empty" } else { "not_understood" });
    };
    match inside.admin().office.find_subject(&inside.operator, &address, Timestamp::now()).await {
        Ok(Some(subject)) => see_other(&inside.path(&format!("/admin/subjects/{subject}"))).into_response(),
        Ok(None) => nothing_found(&inside, "unknown_address"),
        Err(error) => inside.refused(&error),
    }
}

fn decision(inside: &Inside, id: DecisionId) -> Response {
    see_other(&inside.path(&format!("/admin/decisions/{id}"))).into_response()
}

fn nothing_found(inside: &Inside, why: &str) -> Response {
    inside.page_with(StatusCode::NOT_FOUND, "search.html", context! { why })
}

/// The ref in a reply line, in whatever a log wrapped around it; or nothing but a ref.
fn reference(text: &str) -> Option<DecisionId> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric());
    let mut refs = words.filter_map(DecisionId::parse);
    let first = refs.next()?;
    let named = text.split("ref=").skip(1).find_map(|rest| DecisionId::parse(rest.get(..32)?));
    Some(named.unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_is_found_in_whatever_stands_around_it() {
        let id = "0193f0c2a1b27d3e4f5061728394a5b6";
        for text in [
            id.to_owned(),
            format!("  {}\n", id.to_uppercase()),
            format!("550 5.7.1 consent: withdrawn ref={id}"),
            format!(
                "<olivia@example.org>: host mail.acme.example[192.0.2.1] said: 550 5.7.1 consent: no_consent ref={id} (in reply to end of DATA)"
            ),
            format!("ref={id}."),
            format!("queue 00000000000000000000000000000000 ref={id}"),
        ] {
            assert_eq!(reference(&text).map(|id| id.to_string()).as_deref(), Some(id), "{text}");
        }
        for text in ["", "ref=", "ref=0193", "olivia@example.org", &format!("{id}0"), &id[1..], "ref=ä"] {
            assert_eq!(reference(text), None, "{text}");
        }
    }
}
