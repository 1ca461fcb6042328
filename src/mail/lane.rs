//! Which mail waits behind which.

/// Who goes first where something is scarce: a connection, a place among the deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Mail that somebody waits for, and reports: never behind a campaign.
    Transactional,
    /// Marketing.
    Bulk,
}
