//! Where personal data is, who holds it there, and on what ground it may be there (GDPR Art. 28, 44 ff.): declared places and
//! processors, held against what the law of the controllers' seats allows. Pure; nothing here looks where a server really is.

mod check;
mod place;
mod regime;

pub use check::Residency;
pub use place::{Basis, ForeignControl, Place, PlaceKind, Processor, ResidencySettings, StorageRule};
pub use regime::{Adequacy, Regime, Standing};
