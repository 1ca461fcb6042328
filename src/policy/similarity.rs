//! Which offers serve the same need as what was bought: a mapping somebody stands for (UWG §7(3) no. 2; L-SOFT-03).

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::profile::Similarity;
use crate::consent::Topic;

/// Topics of one controller that serve the same typical need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimilarTopics {
    /// Key of the controller: only its own goods can be similar (L-SOFT-06).
    pub controller: String,
    /// The topics, each with all below it.
    pub topics: Vec<Topic>,
    /// Who judged it.
    pub author: String,
    /// When.
    pub reviewed: Date,
}

/// True when mail of `controller` about `offer` is about something similar to `product`.
pub(super) fn is_similar(similarity: Similarity, mapping: &[SimilarTopics], controller: &str, product: &Topic, offer: &Topic) -> bool {
    let covered = |entry: &SimilarTopics, topic: &Topic| entry.topics.iter().any(|own| own.covers(topic));
    match similarity {
        Similarity::Any => true,
        _ if product.covers(offer) => true,
        Similarity::Strict => false,
        Similarity::Taxonomy => {
            mapping.iter().any(|entry| entry.controller == controller && covered(entry, product) && covered(entry, offer))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_bought_is_similar_and_beyond_it_what_the_mapping_says() {
        let topic = |text: &str| Topic::parse(text).expect(text);
        let entry = |controller: &str, topics: &[&str]| SimilarTopics {
            controller: controller.into(),
            topics: topics.iter().map(|text| topic(text)).collect(),
            author: "Mia".into(),
            reviewed: Date::constant(2026, 11, 1),
        };
        let mapping =
            [entry("acme", &["fashion"]), entry("acme", &["coffee.beans", "coffee.machines"]), entry("globex", &["home", "fashion"])];
        use Similarity::{Any, Strict, Taxonomy};
        for (similarity, product, offer, expected) in [
            // S0-03
            (Strict, "fashion.bags", "fashion.bags", true),
            (Strict, "fashion.bags", "fashion.bags.summer", true),
            (Strict, "fashion.bags.summer", "fashion.bags", false),
            (Strict, "fashion.bags", "fashion.shoes", false),
            // S1-10: handbag -> shoes, not household appliances
            (Taxonomy, "fashion.bags", "fashion.shoes", true),
            (Taxonomy, "fashion.bags", "home.appliance", false),
            (Taxonomy, "coffee.beans", "coffee.machines.small", true),
            (Taxonomy, "coffee.beans", "coffee.tours", false),
            (Taxonomy, "home.lamps", "home.lamps", true),
            (Any, "fashion.bags", "home.appliance", true),
        ] {
            assert_eq!(
                is_similar(similarity, &mapping, "acme", &topic(product), &topic(offer)),
                expected,
                "{similarity:?} {product} {offer}"
            );
        }
    }
}
