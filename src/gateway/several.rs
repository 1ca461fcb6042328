//! A message to several recipients: content is per recipient (M-61), and one answer cannot carry what an outbound MTA says
//! of each. So all that passes goes into the spool, in one commit with the report on what does not.

use std::collections::HashMap;

use jiff::Timestamp;

use super::incoming::Incoming;
use super::keep::new_copy;
use super::twins::{Boarding, Flight};
use super::weigh::Weighed;
use super::{Gateway, copy, replies};
use crate::compose::{Action, Fate};
use crate::consent::{CopyKey, Decision, DecisionId, Language, Verdict};
use crate::entropy::random;
use crate::mail::{Address, AnswerProfile, Classification, Outcome, Recipient};
use crate::smtp::Answers;
use crate::store::{CopyState, NewCopy, SpoolId, StoreError};
use crate::wire::Reply;

/// Each recipient once, and for each that was named which of them it is: To and Cc of tools overlap, and nobody gets a mail
/// twice for that. Of the same address's wishes for reports the first count.
pub(super) fn distinct(named: Vec<Recipient>) -> (Vec<Recipient>, Vec<usize>) {
    let mut seen: HashMap<Address, usize> = HashMap::new();
    let mut recipients = Vec::with_capacity(named.len());
    let copies = named.into_iter().map(|recipient| {
        *seen.entry(recipient.address.clone()).or_insert_with(|| {
            recipients.push(recipient);
            recipients.len() - 1
        })
    });
    let copies = copies.collect();
    (recipients, copies)
}

/// What was found out about one recipient.
enum Found {
    /// It was taken before.
    Taken(DecisionId),
    Decided(Box<Weighed>, Flight),
}

impl Gateway {
    pub(super) async fn several(
        &self,
        incoming: Incoming,
        recipients: Vec<Recipient>,
        keys: &[Option<CopyKey>],
        classification: Classification,
        answers: Answers,
    ) -> Vec<Reply> {
        let number = if answers == Answers::Each { recipients.len() } else { 1 };
        let now = Timestamp::now();
        let mut boarded = Vec::with_capacity(recipients.len());
        for key in keys {
            match self.twins.board(*key, now) {
                Boarding::Flying => return vec![replies::twin(); number],
                boarding => boarded.push(boarding),
            }
        }
        let found = match self.found(&incoming, &recipients, keys, boarded, classification).await {
            Ok(found) => found,
            Err(error) => return vec![replies::ledger_unavailable(&error); number], // I4
        };
        // A mail that cannot be rewritten is refused now, while its client still listens.
        let passed = found.iter().filter_map(|found| match found {
            Found::Decided(weighed, _) if weighed.decision.reason.verdict() == Verdict::Pass => Some(weighed),
            _ => None,
        });
        // of those who pass, one who has not agreed to being measured has the least that may stay
        if let Some(weighed) = passed.min_by_key(|weighed| weighed.may_measure)
            && let Err(error) = self.spliced(weighed, &incoming)
        {
            let refused = copy::refused(&error.into());
            self.nobody_got_it(&found, &refused);
            return vec![replies::not_copied(&weighed.decision, &refused); number];
        }
        let profile = incoming.stream.answer;
        match self.keep_what_passes(incoming, &recipients, &found, answers).await {
            Ok(()) => answer(found, answers, profile),
            Err(error) => {
                self.nobody_got_it(&found, &Outcome::Defer { code: 451, text: "4.3.0 not kept".into() });
                vec![replies::spool_unavailable(&error); number]
            }
        }
    }

    /// What may pass, or is held, and went nowhere: the client heard so.
    fn nobody_got_it(&self, found: &[Found], outcome: &Outcome) {
        for found in found {
            if let Found::Decided(weighed, _) = found
                && let decision = &weighed.decision
                && matches!(decision.reason.verdict(), Verdict::Pass | Verdict::Hold)
            {
                self.store.settle(decision.id, Timestamp::now(), outcome);
            }
        }
    }

    /// Decides on all who were not served before; the decisions are durable when this returns (I1).
    async fn found(
        &self,
        incoming: &Incoming,
        recipients: &[Recipient],
        keys: &[Option<CopyKey>],
        boarded: Vec<Boarding>,
        classification: Classification,
    ) -> Result<Vec<Found>, StoreError> {
        let decide = |(recipient, key): (&'_ Recipient, &'_ Option<CopyKey>), boarding: Boarding| {
            let (recipient, key, classification) = (recipient.clone(), *key, classification.clone());
            async move {
                match boarding {
                    Boarding::Fresh(flight) => {
                        let weighed = self.decide(incoming, &recipient, key, classification).await?;
                        self.record(&weighed.decision, incoming).await?;
                        Ok(Found::Decided(Box::new(weighed), flight))
                    }
                    Boarding::Taken(decision) => Ok(Found::Taken(decision)),
                    Boarding::Flying => Err(StoreError::Closed), // turned away before
                }
            }
        };
        let asked = recipients.iter().zip(keys).zip(boarded).map(|(recipient, boarding)| decide(recipient, boarding));
        futures_util::future::try_join_all(asked).await
    }

    async fn keep_what_passes(
        &self,
        incoming: Incoming,
        recipients: &[Recipient],
        found: &[Found],
        answers: Answers,
    ) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let (mut copies, mut blocked): (Vec<NewCopy>, Vec<(&Recipient, &Decision)>) = (Vec::new(), Vec::new());
        for (recipient, found) in recipients.iter().zip(found) {
            match found {
                Found::Taken(_) => {}
                Found::Decided(weighed, _) if weighed.decision.reason.verdict() == Verdict::Pass => {
                    copies.push(new_copy(&weighed.decision, recipient.clone(), CopyState::Waiting, now));
                }
                Found::Decided(weighed, _) if weighed.decision.reason.verdict() == Verdict::Hold => {
                    copies.push(new_copy(&weighed.decision, recipient.clone(), CopyState::Held, self.hold_ends(now)));
                }
                Found::Decided(weighed, _) => blocked.push((recipient, &weighed.decision)),
            }
        }
        let served = copies.len() + found.iter().filter(|found| matches!(found, Found::Taken(_))).count();
        // M-55: who hears one answer for all, hears 250 and gets a report. Who hears each, or hears 550, needs none.
        let reported = answers == Answers::One && served > 0 && incoming.stream.answer != AnswerProfile::Accept;
        let diagnostics: Vec<String> = blocked.iter().map(|(_, decision)| replies::blocked_text(decision)).collect();
        let fates: Vec<Fate<'_>> = blocked
            .iter()
            .zip(&diagnostics)
            .map(|((recipient, decision), diagnostic)| Fate {
                recipient,
                action: Action::Failed,
                status: "5.7.1",
                diagnostic,
                why: decision.reason.sentence(Language::EN),
            })
            .collect();
        let report = if reported { self.report(&incoming.sender, incoming.message.raw(), now, &fates, now) } else { None };
        let message = (!copies.is_empty()).then(|| incoming.spooled(SpoolId::new(now, random()), copies, now));
        let all: Vec<_> = message.into_iter().chain(report).collect();
        if all.is_empty() { Ok(()) } else { self.put_all(all).await }
    }
}

fn answer(found: Vec<Found>, answers: Answers, profile: AnswerProfile) -> Vec<Reply> {
    let now = Timestamp::now();
    let each: Vec<Reply> = found
        .into_iter()
        .map(|found| match found {
            Found::Taken(decision) => replies::taken_before(decision),
            Found::Decided(weighed, flight) if matches!(weighed.decision.reason.verdict(), Verdict::Pass | Verdict::Hold) => {
                let reply = replies::kept(&weighed.decision);
                flight.land(weighed.decision.id, now);
                reply
            }
            Found::Decided(weighed, _) => replies::blocked(&weighed.decision, profile),
        })
        .collect();
    match answers {
        Answers::Each => each,
        // M-58: 550 only when nobody gets it
        Answers::One => each.into_iter().max_by_key(Reply::is_positive).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named_twice_is_one_recipient() {
        let named = |texts: &[&str]| texts.iter().map(|text| Recipient::new(Address::parse(text).expect(text))).collect();
        for (texts, recipients, copies) in [
            (&["a@x.example"][..], 1, &[0][..]),
            (&["a@x.example", "b@x.example", "a@x.example"], 2, &[0, 1, 0]),
            (&["a@x.example", "A@x.example"], 2, &[0, 1]), // whose mailbox is which is not ours to say (M-20)
        ] {
            let (found, which) = distinct(named(texts));
            assert_eq!((found.len(), &which[..]), (recipients, copies), "{texts:?}");
        }
    }
}
