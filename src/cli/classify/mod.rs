//! `consentry classify`: what mails in files are, and why; rules tried on them; how well it does on labelled ones. Reads files,
//! sends nothing, needs no data directory.

mod evaluate;
mod labels;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::classify::{Classifier, Path as ReversePath, content};
use crate::config::Config;
use crate::mail::{Class, Message, Stream, StreamClass, Trust};

/// What is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Mails (.eml), and folders of them.
    #[arg(required_unless_present_any = ["evaluate", "labels"])]
    files: Vec<PathBuf>,
    /// A configuration whose rules are tried.
    #[arg(long, value_name = "CONFIG")]
    rules: Option<PathBuf>,
    /// What the stream's credential says, where --stream names none.
    #[arg(long, default_value = "transactional", value_parser = ["transactional", "declared", "marketing"])]
    class: String,
    /// A stream of --rules.
    #[arg(long, requires = "rules")]
    stream: Option<String>,
    /// A folder with labels.tsv: how often the answer is right.
    #[arg(long, value_name = "DIR", conflicts_with = "files")]
    evaluate: Option<PathBuf>,
    /// A configuration: what people said that disputed mails of its ledger were, one JSON object a line, and how often the model agreed.
    #[arg(long, value_name = "CONFIG", conflicts_with_all = ["files", "evaluate"])]
    labels: Option<PathBuf>,
}

/// Runs the command.
pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(config) = &arguments.labels {
        return labels::run(config).await;
    }
    let config = arguments.rules.as_deref().map(Config::load).transpose()?;
    let classifier = Classifier::new(config.as_ref().map(|config| config.class_rules.clone()).unwrap_or_default());
    if let Some(folder) = &arguments.evaluate {
        return evaluate::run(&classifier, folder);
    }
    let stream = match (&arguments.stream, &config) {
        (Some(name), Some(config)) => {
            let binding = config.bindings().into_iter().find(|binding| binding.stream.name == *name);
            (*binding.with_context(|| format!("there is no stream {name} in that configuration"))?.stream).clone()
        }
        _ => plain_stream(match arguments.class.as_str() {
            "marketing" => StreamClass::Marketing,
            "declared" => StreamClass::Declared,
            _ => StreamClass::Transactional,
        }),
    };
    for file in mails(&arguments.files)? {
        let raw = read(&file)?;
        match Message::parse(raw, true) {
            Ok(message) => explain(&classifier, &stream, &file, &message),
            Err(error) => println!("{}: refused: {error}\n", file.display()),
        }
    }
    Ok(())
}

fn explain(classifier: &Classifier, stream: &Stream, file: &Path, message: &Message) {
    let is_null = message.value("Return-Path").is_some_and(|path| path == "<>");
    let path = if is_null { ReversePath::Null } else { ReversePath::Named };
    let known = classifier.classify(stream, path, message);
    let dispute = if known.disputed_by().is_some() { ", disputed" } else { "" };
    let named = |what: &str, value: &Option<String>| value.as_ref().map(|value| format!(", {what} {value}")).unwrap_or_default();
    println!("{}: {}{dispute}{}{}", file.display(), known.class, named("topic", &known.topic), named("campaign", &known.campaign));
    for step in &known.steps {
        println!("  {:10} {:13} {}", step.trust.as_str(), step.says.to_string(), step.why);
    }
    let judgement = content::judge(message.raw());
    let is_read = known.steps.iter().any(|step| step.trust == Trust::Content && step.says == Class::Marketing);
    if is_read && judgement.score > 0.0 {
        let features = content::extract(message.raw());
        println!("  reads      {}", features.phrase(judgement.window.0, judgement.window.1));
    }
    println!();
}

/// A stream that is nothing but its class.
fn plain_stream(class: StreamClass) -> Stream {
    Stream::named(class_name(class), class)
}

fn class_name(class: StreamClass) -> &'static str {
    match class {
        StreamClass::Marketing => "marketing",
        StreamClass::Transactional => "transactional",
        StreamClass::Declared => "declared",
    }
}

/// The files, and the .eml files of the folders.
fn mails(files: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for file in files {
        if !file.is_dir() {
            all.push(file.clone());
            continue;
        }
        let entries = std::fs::read_dir(file).with_context(|| format!("{} cannot be listed", file.display()))?;
        let mut found: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|own| own == "eml")).collect();
        found.sort();
        all.extend(found);
    }
    Ok(all)
}

/// A mail as it would come by SMTP: files often have bare LF.
fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let raw = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut lines = Vec::with_capacity(raw.len() + raw.len() / 32);
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let bare = line.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        lines.extend_from_slice(bare.unwrap_or(line));
        if bare.is_some() {
            lines.extend_from_slice(b"\r\n");
        }
    }
    Ok(lines)
}
