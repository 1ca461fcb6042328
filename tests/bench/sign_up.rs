//! A double opt-in through the store's own doors, for ledgers to measure on. Evidence is synthetic.

use anyhow::{Context, Result};
use consentry::consent::{ChoiceEvidence, ConfirmationEvidence, Language, OptInId, PressGrade, RequestEvidence, Source, Topic};
use consentry::mail::{Address, Outcome, ReversePath};
use consentry::store::{NewOptIn, NewWithdrawal, Stop, Store};
use jiff::Timestamp;

/// A person who signs up and confirms.
pub(crate) struct SignUp {
    /// Who.
    pub(crate) address: Address,
    /// Whether they withdraw at once.
    pub(crate) withdrawn: bool,
    /// For whom.
    pub(crate) controller: String,
    /// For what.
    pub(crate) topic: Topic,
    /// No two have the same.
    pub(crate) number: u64,
    /// When.
    pub(crate) at: Timestamp,
}

impl SignUp {
    /// Writes it down.
    pub(crate) async fn record(self, store: Store) -> Result<()> {
        let Self { address, withdrawn, controller, topic, number, at } = self;
        let key = store.keyring().lookup_key(&address);
        let token = store.keyring().secret_key(&number.to_be_bytes());
        let evidence = RequestEvidence {
            address: address.as_str().to_owned(),
            form_url: "https://brand.example/newsletter".into(),
            referrer: None,
            consent_text: "synthetic, for benchmarks".into(),
            text_version: String::new(),
            form: None,
            tracking_text: None,
            checkbox: Some(true),
            language: Language::EN,
            ip: None,
            user_agent: None,
            reported_by: "benchmark".into(),
            message_id: format!("<{number}@bench.example>"),
            mail: "Subject: synthetic\r\n\r\n".into(),
        };
        let sign_up = NewOptIn {
            id: OptInId(consentry::entropy::random()),
            key,
            address,
            controller: controller.clone(),
            topics: vec![topic.clone()],
            tracking: false,
            source: Source::Api,
            token,
            at,
            evidence,
            reverse_path: ReversePath::Null,
        };
        store.request(sign_up).await?;
        let evidence = ConfirmationEvidence {
            ip: None,
            user_agent: None,
            method: "POST".into(),
            token_id: String::new(),
            page_version: String::new(),
            page: "synthetic".into(),
            grade: PressGrade::Unclear,
            dwell_ms: 0,
        };
        store.confirm(&token, at, evidence).await?;
        if withdrawn {
            let (subject, _) = store.standing(key).await?.context("just confirmed")?;
            let (stop, evidence) = (Stop::Topics(vec![topic]), ChoiceEvidence::default());
            store.withdraw(NewWithdrawal { subject, controller, stop, source: Source::Api, at, evidence }).await?;
        }
        Ok(())
    }
}

/// Nothing of this is ever sent: the letter box is emptied as an outbound MTA's answers would.
pub(crate) async fn empty_letter_box(store: &Store) -> Result<()> {
    loop {
        let due = store.due_letters(Timestamp::now(), 256).await?;
        for mail in &due {
            store.letter_done(mail.id, Timestamp::now(), &Outcome::Accept { text: "2.0.0 synthetic".into() }).await?;
        }
        if due.is_empty() {
            return Ok(());
        }
    }
}
