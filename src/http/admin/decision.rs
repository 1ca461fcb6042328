//! One decision, told in sentences: what was decided and why, what was known of the person at that moment, which article
//! it rests on, what would have to be true for such a mail to pass, and what became of it.

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use minijinja::{Value, context};

use super::super::extract::Path;
use super::{Admin, Inside, time};
use crate::consent::{Decision, DecisionId, Event, ProfileName, Standing, Topic};
use crate::mail::Class;
use crate::office::DecisionStory;

/// Events shown; a person with more has them on their own page.
const EVENTS: usize = 50;

pub(super) fn router() -> Router<Admin> {
    Router::new().route("/decisions/{id}", get(show))
}

async fn show(inside: Inside, Path(id): Path<String>) -> Response {
    let Some(id) = DecisionId::parse(&id) else { return super::nothing_here(inside).await };
    match inside.admin().office.decision(&inside.operator, id).await {
        Ok(Some(story)) => match inside.admin().office.label(&inside.operator, id).await {
            Ok(label) => inside.page("decision.html", context! { label => label.map(Class::as_str), ..view(&inside, &story) }),
            Err(error) => inside.refused(&error),
        },
        Ok(None) => super::nothing_here(inside).await,
        Err(error) => inside.refused(&error),
    }
}

fn view(inside: &Inside, DecisionStory { row, events, footer }: &DecisionStory) -> Value {
    let decision = &row.decision;
    let classification = &decision.classification;
    let reason = decision.reason;
    let step = |step: &crate::mail::Step| context! { trust => step.trust.as_str(), says => step.says.as_str(), why => step.why.as_str() };
    context! {
        id => decision.id.to_string(),
        at => time(decision.at),
        verdict => reason.verdict().as_str(),
        reason => reason.as_str(),
        sentence => reason.sentence(inside.language),
        remedy => reason.remedy(inside.language),
        articles => reason.articles(decision.profile, inside.language),
        profile => decision.profile.map(ProfileName::as_str),
        shadowed => decision.shadowed.map(|reason| reason.sentence(inside.language)),
        class => classification.class.as_str(),
        may_appeal => matches!(classification.class, Class::Transactional | Class::Marketing),
        steps => classification.steps.iter().map(step).collect::<Vec<_>>(),
        stream => decision.stream.as_str(),
        controller => decision.controller.as_str(),
        topic => decision.topic.as_ref().map(Topic::as_str),
        named_topic => classification.topic.as_deref(),
        campaign => classification.campaign.as_deref(),
        size => decision.size,
        rules => decision.rules.map(|rules| rules.to_string()),
        footer_version => decision.footer.map(|footer| footer.to_string()),
        footer => footer.as_deref(),
        subject => decision.subject.to_string(),
        folded_from => decision.folded_from,
        known => events.as_ref().map(|events| standing(decision, events)),
        more => events.as_ref().map_or(0, |events| events.len().saturating_sub(EVENTS)),
        events => events.as_ref().map(|events| events.iter().rev().take(EVENTS).map(|event| view_event(decision, event)).collect::<Vec<_>>()),
        outcome => row.outcome.as_ref().map(|(at, word, code)| context! { at => time(*at), word => word.as_str(), code => *code }),
    }
}

/// What the events say about this topic: a word, and since when.
fn standing(decision: &Decision, events: &[Event]) -> Value {
    let Some(topic) = &decision.topic else { return context! { word => "no_topic", at => () } };
    let standing = Standing::fold(events).of(&decision.controller, topic);
    context! { word => standing.as_str(), at => standing.mark().map(|mark| time(mark.at)) }
}

fn view_event(decision: &Decision, event: &Event) -> Value {
    context! {
        seq => event.seq,
        at => time(event.at),
        kind => event.kind.as_str(),
        controller => event.controller.as_str(),
        topics => event.topics.iter().map(|topic| topic.as_str().to_owned()).collect::<Vec<_>>(),
        source => event.source.as_str(),
        decisive => decision.event == Some(event.seq),
    }
}
