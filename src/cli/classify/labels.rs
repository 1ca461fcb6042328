//! What people said that disputed mails were, as a set to measure the model by: figures and grounds, no words of a mail and nobody's name.

use std::path::Path;

use serde_json::{Value, json};

use super::evaluate::{HEAD, Matrix};
use crate::config::Config;
use crate::mail::{Class, Trust};
use crate::store::{Label, Store};

/// Prints the labels, and on the other channel how often the model was right.
pub(super) async fn run(config: &Path) -> anyhow::Result<()> {
    let config = Config::load(config)?;
    let store = Store::open_beside_on(&config.data_dir, config.database.as_ref()).await?;
    let labels = store.labels().await?;
    store.close().await;
    let mut matrix = Matrix::default();
    for label in &labels {
        let disputed = label.steps.iter().any(|step| step.trust.is_disputable() && step.says == Class::Marketing);
        matrix.count(label.class, disputed);
        println!("{}", line(label)?);
    }
    eprintln!("{} labels, by what was found in the mails\n{:34} {HEAD}\n{:34} {}", labels.len(), "", "all", matrix.line());
    Ok(())
}

fn line(label: &Label) -> anyhow::Result<Value> {
    let Label { decision, at, stream, class, steps, figures } = label;
    let figures: Value = figures.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default();
    // what was said afterwards explains nothing
    let steps: Vec<Value> = steps
        .iter()
        .filter(|step| step.trust != Trust::Person)
        .map(|step| json!({ "trust": step.trust.as_str(), "says": step.says.as_str(), "why": step.why }))
        .collect();
    Ok(json!({
        "decision": decision.to_string(),
        "at": at.to_string(),
        "stream": stream,
        "label": class.as_str(),
        "steps": steps,
        "figures": figures,
    }))
}
