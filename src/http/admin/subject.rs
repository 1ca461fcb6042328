//! A person: what happened to their consent and what follows, masked; for some roles the address and the evidence in full.
//! What puts a line into the audit log comes by POST: reading a page changes nothing (I6).

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use minijinja::{Value, context};

use super::super::extract::{Path, Query};
use super::{Admin, Inside, Posted, evidence, see_other, time};
use crate::consent::{Channel, Controller, Event, SubjectId, Teller, Topic, TopicStanding, Trigger};
use crate::office::{Action, DecisionRow, Person, Stop};

pub(super) fn router() -> Router<Admin> {
    Router::new()
        .route("/subjects", get(search))
        .route("/subjects/{id}", get(show))
        .route("/subjects/{id}/address", post(reveal))
        .route("/subjects/{id}/withdrawal", post(withdraw))
        .route("/subjects/{id}/evidence", post(evidence::show))
}

async fn search(inside: Inside) -> Response {
    match inside.admin().office.authorise(&inside.operator, Action::FindSubject) {
        Ok(()) => inside.page("subjects.html", context! {}),
        Err(error) => inside.refused(&error),
    }
}

/// What was done just before, to be told once.
#[derive(serde::Deserialize)]
struct Done {
    done: Option<String>,
}

async fn show(inside: Inside, Path(id): Path<String>, Query(done): Query<Done>) -> Response {
    let done = done.done.filter(|word| matches!(word.as_str(), "withdrawn" | "repeated" | "restricted_now" | "unrestricted_now"));
    page(&inside, &id, context! { done }).await
}

async fn reveal(inside: Inside, Path(id): Path<String>, form: Posted) -> Response {
    let Some(subject) = SubjectId::parse(&id) else { return nobody(&inside) };
    match inside.admin().office.reveal_address(&inside.operator, subject, form.value("reason"), Timestamp::now()).await {
        Ok(address) => page(&inside, &id, context! { revealed => address.map(|address| address.as_str().to_owned()), asked => true }).await,
        Err(error) => inside.refused(&error),
    }
}

/// On behalf of the person: a topic, all topics of a company, measuring, or an objection. There is no way to grant (I5).
async fn withdraw(inside: Inside, Path(id): Path<String>, form: Posted) -> Response {
    let Some(subject) = SubjectId::parse(&id) else { return nobody(&inside) };
    let office = &inside.admin().office;
    let person = match office.person(&inside.operator, subject).await {
        Ok(Some(person)) => person,
        Ok(None) => return nobody(&inside),
        Err(error) => return inside.refused(&error),
    };
    let controller = form.value("controller");
    let stop = match form.value("stop").split_once(' ') {
        None if form.value("stop") == "advertising" => Stop::Advertising,
        None if form.value("stop") == "tracking" => Stop::Tracking,
        None if form.value("stop") == "topics" => Stop::Topics(topics(&inside, &person, controller)),
        Some(("topic", name)) => match Topic::parse(name) {
            Ok(topic) => Stop::Topics(vec![topic]),
            Err(_) => return nobody(&inside),
        },
        _ => return nobody(&inside),
    };
    if !controllers(&inside, &person).iter().any(|key| key == controller) {
        return nobody(&inside);
    }
    match office.withdraw(&inside.operator, subject, controller, stop, form.value("reason"), Timestamp::now()).await {
        Ok(answer) => {
            let done = if answer == crate::office::WithdrawAnswer::Repeated { "repeated" } else { "withdrawn" };
            see_other(&inside.path(&format!("/admin/subjects/{subject}?done={done}"))).into_response()
        }
        Err(error) => inside.refused(&error),
    }
}

pub(super) fn nobody(inside: &Inside) -> Response {
    inside.page_with(StatusCode::NOT_FOUND, "nothing_here.html", context! {})
}

async fn page(inside: &Inside, id: &str, more: Value) -> Response {
    let Some(subject) = SubjectId::parse(id) else { return nobody(inside) };
    let person = match inside.admin().office.person(&inside.operator, subject).await {
        Ok(Some(person)) => person,
        Ok(None) => return nobody(inside),
        Err(error) => return inside.refused(&error),
    };
    let now = Timestamp::now();
    let controllers = controllers(inside, &person);
    // What stands first wins.
    let values = context! { ..more, ..context! { done => (), asked => false, revealed => () } };
    inside.page(
        "subject.html",
        context! {
            id => subject.to_string(),
            masked => person.masked.as_deref(),
            controllers => controllers.iter().map(|key| controller(inside, &person, key, now)).collect::<Vec<_>>(),
            events => person.events.iter().rev().map(|event| event_view(inside, event)).collect::<Vec<_>>(),
            decisions => person.decisions.iter().map(decision_view).collect::<Vec<_>>(),
            ..values
        },
    )
}

/// The companies that this person has to do with: by an event, or by a mail that was decided about.
fn controllers(inside: &Inside, person: &Person) -> Vec<String> {
    let named = person.events.iter().map(|event| &event.controller);
    let mailed = person.decisions.iter().map(|row| &row.decision.controller);
    let mut keys: Vec<String> = named.chain(mailed).cloned().collect();
    keys.retain(|key| !key.is_empty());
    keys.sort_by_key(|key| inside.desk().catalogue().controllers.iter().position(|own| own.key == *key));
    keys.dedup();
    keys
}

fn topics(inside: &Inside, person: &Person, controller: &str) -> Vec<Topic> {
    inside.desk().catalogue().topics_of(controller, person.standing.topics(controller).map(|(topic, _)| topic))
}

fn controller(inside: &Inside, person: &Person, key: &str, now: Timestamp) -> Value {
    let known: Option<&Controller> = inside.desk().catalogue().controller(key);
    let rows = topics(inside, person, key).into_iter().map(|topic| {
        let (state, at) = state(person.standing.of(key, &topic));
        context! { name => topic.as_str(), title => title(inside, &topic), state, at }
    });
    let (tracking, tracking_at) = state(person.standing.tracking(key));
    context! {
        key,
        configured => known.is_some(),
        name => known.map_or(key, |controller| &controller.name),
        topics => rows.collect::<Vec<_>>(),
        tracking => context! { state => tracking, at => tracking_at },
        objected => person.standing.objection(key).map(|mark| time(mark.at)),
        restricted => person.standing.restricted(key).map(|mark| time(mark.at)),
        paused_until => person.standing.pause(key, now).map(|pause| time(pause.until)),
    }
}

fn state(standing: TopicStanding) -> (&'static str, Option<String>) {
    (standing.as_str(), standing.mark().map(|mark| time(mark.at)))
}

/// An event without its evidence.
pub(super) fn event_view(inside: &Inside, event: &Event) -> Value {
    let fact = event.fact.as_ref();
    context! {
        seq => event.seq,
        at => time(event.at),
        kind => event.kind.as_str(),
        is_tracking => event.channel == Channel::Tracking,
        controller => inside.desk().catalogue().controller(&event.controller).map_or(event.controller.as_str(), |known| &known.name),
        topics => event.topics.iter().map(|topic| title(inside, topic)).collect::<Vec<_>>(),
        source => event.source.as_str(),
        answers => event.answers,
        until => event.until.map(time),
        channel => event.channel.as_str(),
        teller => fact.and_then(|fact| fact.teller).map(Teller::as_str),
        trigger => fact.and_then(|fact| fact.trigger).map(Trigger::as_str),
        occurred => fact.and_then(|fact| fact.occurred).map(time),
    }
}

fn decision_view(row: &DecisionRow) -> Value {
    let decision = &row.decision;
    context! {
        id => decision.id.to_string(),
        at => time(decision.at),
        verdict => decision.reason.verdict().as_str(),
        reason => decision.reason.as_str(),
        class => decision.classification.class.as_str(),
        stream => decision.stream.as_str(),
        topic => decision.topic.as_ref().map(Topic::as_str),
        campaign => decision.classification.campaign.as_deref(),
    }
}

fn title(inside: &Inside, topic: &Topic) -> String {
    inside.desk().catalogue().topic(topic).map_or_else(|| topic.to_string(), |entry| entry.title.clone())
}
