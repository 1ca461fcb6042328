//! Fills a ledger for benchmarks: every address of a CSV (`email,status`) goes through a double
//! opt-in by the store's own doors; `withdrawn` ones withdraw afterwards. Evidence is synthetic.
//!
//! `cargo run --release --example bench_ledger -- CSV DATA_DIR CONTROLLER TOPIC`

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use consentry::consent::{ConfirmationEvidence, Language, RequestEvidence, Source, Topic, WithdrawalEvidence};
use consentry::mail::{Address, Outcome, ReversePath};
use consentry::store::{NewOptIn, NewWithdrawal, Store};
use jiff::Timestamp;
use tokio::task::JoinSet;

/// Sign-ups under way at once: the store commits concurrent work together where it can.
const AT_ONCE: usize = 64;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, csv, data_dir, controller, topic] = arguments.as_slice() else {
        bail!("usage: bench_ledger CSV DATA_DIR CONTROLLER TOPIC");
    };
    let text = std::fs::read_to_string(csv).with_context(|| csv.clone())?;
    let store = Store::open(Path::new(data_dir)).await?;
    let (controller, topic) = (Arc::new(controller.clone()), Topic::parse(topic)?);
    let mut running = JoinSet::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let (email, status) = line.split_once(',').with_context(|| format!("{csv}:{}: email,status", number + 1))?;
        let address = Address::parse(email)?;
        let withdrawn = status == "withdrawn";
        if running.len() >= AT_ONCE {
            running.join_next().await.context("a task")???;
        }
        running.spawn(subject(store.clone(), address, withdrawn, Arc::clone(&controller), topic.clone(), number as u64));
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    // Nothing of this is ever sent: the spool is emptied as an outbound MTA's answers would.
    loop {
        let due = store.due_mails(Timestamp::now(), 256).await?;
        for mail in &due {
            store.mail_done(mail.id, Timestamp::now(), &Outcome::Accept { text: "2.0.0 synthetic".into() }).await?;
        }
        if due.is_empty() {
            break;
        }
    }
    store.close().await;
    Ok(())
}

async fn subject(store: Store, address: Address, withdrawn: bool, controller: Arc<String>, topic: Topic, number: u64) -> Result<()> {
    let now = Timestamp::now();
    let key = store.keyring().lookup_key(&address);
    let token = store.keyring().secret_key(&number.to_be_bytes());
    let evidence = RequestEvidence {
        address: address.as_str().to_owned(),
        form_url: "https://brand.example/newsletter".into(),
        referrer: None,
        consent_text: "synthetic, for benchmarks".into(),
        text_version: "synthetic".into(),
        checkbox: Some(true),
        language: Language::EN,
        ip: None,
        user_agent: None,
        reported_by: "benchmark".into(),
        message_id: format!("<{number}@bench.example>"),
        mail: "Subject: synthetic\r\n\r\n".into(),
    };
    let sign_up = NewOptIn {
        key,
        address,
        controller: (*controller).clone(),
        topics: vec![topic.clone()],
        token,
        at: now,
        evidence,
        reverse_path: ReversePath::Null,
    };
    store.request(sign_up).await?;
    let evidence =
        ConfirmationEvidence { ip: None, user_agent: None, method: "POST".into(), token_id: String::new(), page_version: String::new() };
    store.confirm(&token, now, evidence).await?;
    if withdrawn {
        let (subject, _) = store.standing(key).await?.context("just confirmed")?;
        let evidence = WithdrawalEvidence { ip: None, user_agent: None, decision: None };
        let topics = vec![topic];
        store
            .withdraw(NewWithdrawal { subject, controller: (*controller).clone(), topics, source: Source::Api, at: now, evidence })
            .await?;
    }
    Ok(())
}
