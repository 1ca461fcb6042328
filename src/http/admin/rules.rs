//! The rules: which are in force, what others would change, and the approval of a second person (S0-26, S0-27, S0-28). They are
//! proposed where their configuration is: at the command line.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use minijinja::value::Serde;
use minijinja::{Value, context};

use super::super::extract::{Path, Query};
use super::{Admin, Inside, Posted, see_other, time};
use crate::office::{Action, RulesError, RulesId, RulesOnRecord, RulesState, Simulation};

/// Rules listed; `consentry rules list` has them all.
const SHOWN: usize = 50;

pub(super) fn router() -> Router<Admin> {
    Router::new().route("/rules", get(list)).route("/rules/{id}", get(show)).route("/rules/{id}/approval", post(approve))
}

async fn list(inside: Inside) -> Response {
    match inside.admin().office.rules_on_record(&inside.operator).await {
        Ok(record) => {
            let rows: Vec<Value> = record.ids().into_iter().take(SHOWN).map(|rules| row(&record, rules)).collect();
            inside.page("rules.html", context! { rows })
        }
        Err(error) => inside.refused(&error),
    }
}

/// What was done just before, to be told once.
#[derive(serde::Deserialize)]
struct Done {
    done: Option<String>,
}

async fn show(inside: Inside, Path(id): Path<String>, Query(done): Query<Done>) -> Response {
    let record = match inside.admin().office.rules_on_record(&inside.operator).await {
        Ok(record) => record,
        Err(error) => return inside.refused(&error),
    };
    match RulesId::parse(&id).filter(|rules| record.state(*rules) != RulesState::Unknown) {
        Some(rules) => page(&inside, &record, rules, done.done.as_deref() == Some("approved"), StatusCode::OK, None),
        None => inside.page_with(StatusCode::NOT_FOUND, "nothing_here.html", context! {}),
    }
}

async fn approve(inside: Inside, Path(id): Path<String>, form: Posted) -> Response {
    let Some(rules) = RulesId::parse(&id) else {
        return inside.page_with(StatusCode::NOT_FOUND, "nothing_here.html", context! {});
    };
    let office = &inside.admin().office;
    let why = match office.approve_rules(&inside.operator, rules, form.value("reason"), Timestamp::now()).await {
        Ok(()) => return see_other(&inside.path(&format!("/admin/rules/{rules}?done=approved"))).into_response(),
        Err(RulesError::Office(error)) => return inside.refused(&error),
        Err(RulesError::SamePerson(_)) => "same_person",
        // others came into force since the page was made, or nobody ever proposed them
        Err(_) => "not_proposed",
    };
    match office.rules_on_record(&inside.operator).await {
        Ok(record) if record.state(rules) != RulesState::Unknown => page(&inside, &record, rules, false, StatusCode::CONFLICT, Some(why)),
        Ok(_) => inside.page_with(StatusCode::NOT_FOUND, "nothing_here.html", context! {}),
        Err(error) => inside.refused(&error),
    }
}

/// One line of the list: the newest figures, where there are any.
fn row(record: &RulesOnRecord, rules: RulesId) -> Value {
    let in_force = record.history.iter().find(|active| active.id == rules.0);
    let simulation = record.simulations.iter().find(|simulation| simulation.rules == rules.0);
    context! {
        id => rules.to_string(),
        state => record.state(rules).as_str(),
        since => in_force.map(|active| time(active.at)),
        simulated => simulation.map(|simulation| time(simulation.at)),
        ran_by => simulation.map(|simulation| simulation.ran_by_name.as_str()),
        number => simulation.map(|simulation| simulation.number),
        newly_blocked => simulation.map(|simulation| simulation.newly_blocked),
        newly_passed => simulation.map(|simulation| simulation.newly_passed),
    }
}

fn page(inside: &Inside, record: &RulesOnRecord, rules: RulesId, done: bool, status: StatusCode, refused: Option<&str>) -> Response {
    let state = record.state(rules);
    let simulation = record.simulations.iter().find(|simulation| simulation.rules == rules.0);
    let difference = if state == RulesState::InForce { None } else { record.difference(rules) };
    let is_open = matches!(state, RulesState::Proposed | RulesState::Approved);
    let is_own = record.proposer(rules) == Some(inside.operator.id);
    let may_approve = inside.admin().office.authorise(&inside.operator, Action::ApproveRules).is_ok();
    let history = record.history.iter().filter(|active| active.id == rules.0);
    let history = history.map(|active| context! { at => time(active.at), how => active.how.as_str() });
    let approvals = record.approvals.iter().filter(|approval| approval.rules == rules.0).map(|approval| {
        context! {
            at => time(approval.at),
            operator => approval.operator.as_str(),
            role => approval.role.as_str(),
            reason => approval.reason.as_str(),
            counts => approval.follows == record.seq(),
        }
    });
    let values = context! {
        id => rules.to_string(),
        state => state.as_str(),
        done,
        refused,
        history => history.collect::<Vec<_>>(),
        approvals => approvals.collect::<Vec<_>>(),
        simulation => simulation.map(figures),
        compared => difference.is_some(),
        changes => difference.as_ref().map(|(changes, _)| Serde(changes)),
        looser => difference.as_ref().map(|(_, looser)| Serde(looser)),
        can_approve => is_open && may_approve && !is_own,
        waits_for_others => is_open && may_approve && is_own,
    };
    inside.page_with(status, "rules_one.html", values)
}

/// The figures as kept; empty where another release kept them otherwise.
fn figures(simulation: &Simulation) -> Value {
    let summary: serde_json::Value = serde_json::from_str(&simulation.summary).unwrap_or_default();
    context! {
        at => time(simulation.at),
        ran_by => simulation.ran_by_name.as_str(),
        since => time(simulation.since),
        until => time(simulation.until),
        total => Serde(&summary["total"]),
        tables => ["stream", "topic", "campaign"].map(|name| context! { name, more => 0, rows => Serde(&summary[format!("{name}s")]) }),
        changes => Serde(&summary["changes"]),
        domains_lost => Serde(&summary["domains_lost"]),
    }
}
