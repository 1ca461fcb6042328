//! The overview: what was decided lately, as totals and charts; each chart also in numbers.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use minijinja::{Value, context};

use super::super::extract::{Path, Query};
use super::chart::{self, Drawing, Look};
use super::figures::{self, Kind, Label, Range, Series, percent};
use super::{Admin, Inside};
use crate::office::{Figures, OfficeError, Step};

pub(super) fn router() -> Router<Admin> {
    Router::new().route("/", get(show)).route("/charts/{name}", get(image))
}

/// What is looked at, and how.
#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    range: String,
    #[serde(default)]
    theme: String,
    #[serde(default)]
    size: String,
}

async fn show(inside: Inside, Query(asked): Query<Asked>) -> Response {
    let (range, now) = (Range::parse(&asked.range), Timestamp::now());
    let figures = match figures(&inside, range, now).await {
        Ok(figures) => figures,
        Err(error) => return inside.refused(&error),
    };
    let pressing = match inside.admin().office.pressing(&inside.operator, now).await {
        Ok(pressing) => pressing,
        Err(error) => return inside.refused(&error),
    };
    let held = match inside.admin().office.held(&inside.operator).await {
        Ok((_, held)) => held,
        Err(error) => return inside.refused(&error),
    };
    let totals = figures::totals(&figures);
    let decided = totals.pass + totals.block + totals.defer;
    let number = |number| inside.number(number);
    let share = |part, whole| percent(part, whole).map(|percent| percent.to_string());
    inside.page(
        "overview.html",
        context! {
            pressing => context! { overdue => pressing.overdue, soon => pressing.soon },
            range => range.as_str(),
            ranges => Range::ALL.map(Range::as_str),
            decided => number(decided),
            pass => number(totals.pass), pass_share => share(totals.pass, decided),
            block => number(totals.block), block_share => share(totals.block, decided),
            defer => number(totals.defer),
            held => number(held),
            disputed => number(totals.disputed),
            requested => number(totals.requested),
            completion => share(totals.answered, totals.requested),
            withdrawn => number(totals.withdrawn),
            charts => Kind::ALL.map(|kind| view(&inside, kind, &figures, &range.begins(now), range)),
            wide => chart::WIDE,
            narrow => chart::NARROW,
        },
    )
}

async fn image(inside: Inside, Path(name): Path<String>, Query(asked): Query<Asked>) -> Response {
    let Some(kind) = name.strip_suffix(".svg").and_then(Kind::parse) else { return super::nothing_here(inside).await };
    let (range, now) = (Range::parse(&asked.range), Timestamp::now());
    let figures = match figures(&inside, range, now).await {
        Ok(figures) => figures,
        Err(error) => return inside.refused(&error),
    };
    let steps = range.begins(now);
    let drawing = Drawing {
        series: figures::series(kind, &figures, &steps)
            .into_iter()
            .map(|series| (name_of(&inside, &series.label), series.colour, series.values))
            .collect(),
        steps: steps.iter().map(|step| step_name(&inside, range.step(), *step)).collect(),
        stacked: kind.is_stacked(),
        percent: kind == Kind::Completion,
    };
    match chart::svg(drawing, Look { dark: asked.theme == "dark", narrow: asked.size == "narrow" }) {
        Ok(svg) => ([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response(),
        Err(error) => {
            tracing::error!(%error, chart = kind.as_str(), "chart not drawn");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn figures(inside: &Inside, range: Range, now: Timestamp) -> Result<Figures, OfficeError> {
    let begin = range.begins(now).first().copied().unwrap_or(now);
    inside.admin().office.figures(&inside.operator, begin, range.end(now), range.step()).await
}

/// A chart as the page shows it: the image's path, what it tells in words, and the same in numbers.
fn view(inside: &Inside, kind: Kind, figures: &Figures, steps: &[Timestamp], range: Range) -> Value {
    let series = figures::series(kind, figures, steps);
    let value = |value: Option<u64>| match value {
        None => "–".into(),
        Some(value) if kind == Kind::Completion => format!("{value} %"),
        Some(value) => inside.number(value),
    };
    let row = |(n, step): (usize, &Timestamp)| {
        let values: Vec<String> = series.iter().map(|series| value(series.values[n])).collect();
        context! { step => step_name(inside, range.step(), *step), values }
    };
    let sum = |series: &Series| series.values.iter().flatten().sum();
    let sums: Vec<String> =
        series.iter().map(|series| format!("{}: {}", name_of(inside, &series.label), inside.number(sum(series)))).collect();
    context! {
        name => kind.as_str(),
        src => inside.path(&format!("/admin/charts/{}.svg?range={}", kind.as_str(), range.as_str())),
        series => series.iter().map(|series| context! { name => name_of(inside, &series.label), colour => series.colour % chart::COLOURS }).collect::<Vec<_>>(),
        sums => (kind != Kind::Completion).then(|| sums.join("; ")),
        rows => steps.iter().enumerate().map(row).collect::<Vec<_>>(),
    }
}

fn name_of(inside: &Inside, label: &Label) -> String {
    match label {
        Label::Texts(keys) => keys.iter().map(|key| inside.text(key)).collect::<Vec<_>>().join(", "),
        Label::Name(name) => name.clone(),
    }
}

fn step_name(inside: &Inside, step: Step, at: Timestamp) -> String {
    let key = match step {
        Step::Hour => "admin.chart.hour",
        Step::SixHours => "admin.chart.six_hours",
        Step::Day => "admin.chart.day",
    };
    inside.moment(key, at)
}
