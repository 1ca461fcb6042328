//! The rules that a decision follows: policy profiles, what counts as similar, which profiles apply to whom. Pure data and
//! pure judgement; the one decision is put together in `decide`.

mod customer;
mod ecg;
mod keeping;
mod profile;
mod rules;
mod ruleset;
mod similarity;
mod window;

pub use ecg::{Ecg, EcgError, EcgList};
pub use keeping::EvidenceRule;
pub use profile::{CustomerRule, Profile, ProfileChange, Regime, Similarity};
pub use rules::{Applied, Case, Policy, PolicySettings};
pub use ruleset::{ClassRule, ClassRules, RuleChange, Rules, RulesId, StreamRules};
pub use similarity::SimilarTopics;
pub use window::{Window, WindowError};
