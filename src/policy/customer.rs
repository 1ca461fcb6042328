//! The exemption for existing customers (UWG §7(3), Directive 2002/58/EC Art. 13(2)): which relation it may rest on, or what
//! is missing.

use jiff::Timestamp;

use super::profile::CustomerRule;
use super::similarity::{SimilarTopics, is_similar};
use crate::consent::{Reason, Relation, Topic};

/// What an exemption is asked for.
#[derive(Clone, Copy)]
pub(super) struct Offer<'a> {
    pub(super) controller: &'a str,
    pub(super) topic: &'a Topic,
    pub(super) mapping: &'a [SimilarTopics],
    /// The recipient is on the ECG list, or the list cannot be asked.
    pub(super) listed: bool,
    pub(super) now: Timestamp,
}

type Condition<'a> = &'a dyn Fn(&Relation) -> bool;

/// The event the exemption rests on; or why there is none, and the event that came nearest. `None` for who is no customer.
pub(super) fn exemption(rule: &CustomerRule, relations: impl Iterator<Item = Relation>, offer: Offer<'_>) -> Option<(Reason, u64)> {
    let counts = |relation: &Relation| rule.triggers.contains_key(&relation.trigger) && (relation.own_address || !rule.own_address);
    let customer: Vec<Relation> = relations.filter(counts).collect();
    // Each condition is asked of what the ones before left, so that the answer names the one that is nearest to be met.
    let similar = |relation: &Relation| is_similar(rule.similarity, offer.mapping, offer.controller, &relation.product, offer.topic);
    let told = |relation: &Relation| relation.notice || !rule.notice;
    let in_time = |relation: &Relation| rule.triggers[&relation.trigger].holds(relation.occurred, offer.now);
    let conditions: [(Reason, Condition<'_>); 3] =
        [(Reason::NotSimilar, &similar), (Reason::NoOptOutNotice, &told), (Reason::CustomerWindowOver, &in_time)];
    let mut left: Vec<&Relation> = customer.iter().collect();
    for (reason, holds) in conditions {
        let nearest = latest(&left)?;
        left.retain(|relation| holds(relation));
        if left.is_empty() {
            return Some((reason, nearest));
        }
    }
    let nearest = latest(&left)?;
    Some(if rule.ecg_list && offer.listed { (Reason::OnOptOutList, nearest) } else { (Reason::ExistingCustomer, nearest) })
}

fn latest(relations: &[&Relation]) -> Option<u64> {
    relations.iter().max_by_key(|relation| (relation.occurred, relation.seq)).map(|relation| relation.seq)
}
