//! The `[residency]` table: what the operator declares of places and processors.

use serde::{Deserialize, Serialize};

use crate::consent::Country;

/// `[residency]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResidencySettings {
    /// Where ledger, keys and backups may be.
    pub storage: StorageRule,
    /// What follows when a processor is controlled from a third country.
    pub foreign_control: ForeignControl,
    /// The places.
    #[serde(rename = "place")]
    pub places: Vec<Place>,
    /// Who processes on the controllers' behalf.
    #[serde(rename = "processor")]
    pub processors: Vec<Processor>,
}

/// Where data at rest may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageRule {
    /// Where data needs no transfer basis: in the EEA, under the GDPR. Stricter than the law (S1-02).
    #[default]
    Home,
    /// Wherever the law allows it.
    Lawful,
}

/// Whether control from a third country (a parent there) speaks against a processor in the EEA (S2-03).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForeignControl {
    /// It is on record.
    #[default]
    Record,
    /// It is refused, unless an adequacy decision covers that country.
    Refuse,
}

/// What is at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceKind {
    /// `data_dir`: the ledger and the spool.
    Data,
    /// The keys, if they are not in `data_dir`.
    Keys,
    /// A copy of the ledger.
    Backup,
    /// A copy of the keys.
    KeyBackup,
    /// An outbound MTA.
    Outbound,
    /// A database server: the ledger and the spool; with a host of its own, the subjects' keys.
    Database,
}

impl PlaceKind {
    /// The word in the configuration and in the documents' keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Keys => "keys",
            Self::Backup => "backup",
            Self::KeyBackup => "key-backup",
            Self::Outbound => "outbound",
            Self::Database => "database",
        }
    }

    /// True where data rests.
    pub fn is_storage(self) -> bool {
        self != Self::Outbound
    }
}

/// On what ground data may go to a third country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// No transfer: the place is within the EEA.
    Eu,
    /// A decision says that the country protects data well enough (GDPR Art. 45).
    Adequacy,
    /// Standard contractual clauses (GDPR Art. 46(2)(c)); never alone (CJEU C-311/18).
    Scc,
    /// None.
    None,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// What is there.
    pub what: PlaceKind,
    /// Of `outbound` and `database`: the `host` that is meant.
    #[serde(default)]
    pub host: Option<String>,
    /// The country where it is.
    pub country: Country,
    /// Town, data centre, anything that helps to find it.
    #[serde(default)]
    pub site: Option<String>,
    /// Key of the processor who runs it; without one, the controller itself does.
    #[serde(default)]
    pub processor: Option<String>,
    /// On what ground data goes there.
    #[serde(default)]
    pub basis: Option<Basis>,
    /// Of `adequacy`: the decision by its number, e.g. `(EU) 2023/1795`.
    #[serde(default)]
    pub decision: Option<String>,
    /// Of a decision with a condition: how, when and by whom it was checked that the processor meets it.
    #[serde(default)]
    pub checked: Option<String>,
    /// Of `scc`: the assessment of the transfer's risk, by its reference (CJEU C-311/18).
    #[serde(default)]
    pub assessment: Option<String>,
    /// Of `scc`: what protects data beyond the clauses, e.g. encryption whose keys stay in the EEA.
    #[serde(default)]
    pub measures: Vec<String>,
}

/// Who processes data on behalf of the controllers (GDPR Art. 28).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processor {
    /// Unique key; places name it.
    pub key: String,
    /// The company.
    pub name: String,
    /// Its address or another way to reach it.
    pub contact: String,
    /// What it does, with which data.
    pub purpose: String,
    /// The contract by its reference (GDPR Art. 28(3)).
    pub contract: String,
    /// The country of whoever controls it: its own, or a parent's (S2-03).
    pub controlled_from: Country,
    /// Certificates, e.g. `ISO/IEC 27001:2022, until 2028-03` (S2-04).
    #[serde(default)]
    pub certificates: Vec<String>,
}
