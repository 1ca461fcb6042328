//! The gateway's own words: the texts of its pages, its own mails, the footer of marketing mails.
//! Pure: addresses, times, links and the operator's files are arguments, nothing is sent here (only the relay sends).

mod access;
mod cell;
mod confirmation;
mod document;
mod embedded;
mod footer;
mod form;
mod letter;
mod link;
mod lint;
mod logo;
mod mails;
mod overrides;
mod report;
mod template;
mod words;

pub use access::AccessRequest;
pub use cell::harmless;
pub use confirmation::ConfirmationRequest;
pub use document::Document;
pub use footer::{Filled, Footers};
pub use form::{FormWords, Forms, squeezed};
pub use letter::{Composer, Letter};
pub use link::PublicUrl;
pub use logo::Logo;
pub use overrides::{Kind, Override, Overrides};
pub use report::{Action, Fate, Report};
pub use template::environment;
pub use words::Words;

/// Why a mail or a footer cannot be composed. The texts hold configuration, never personal data.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// `public_url` is not usable.
    #[error("public_url: {0}")]
    PublicUrl(&'static str),
    /// `from` of a controller is not usable.
    #[error("controller {controller}: \"from\" is no address that mail can be sent from")]
    From {
        /// Key of the controller.
        controller: String,
    },
    /// A mail of the gateway's own would break L-DOI-02.
    #[error("controller {controller}: the mail {file} {fault}")]
    Lint {
        /// Key of the controller.
        controller: String,
        /// The template.
        file: String,
        /// What is wrong with it.
        fault: String,
    },
    /// `privacy_url` of a controller is not usable.
    #[error("controller {controller}: \"privacy_url\" must begin with https:// or http://")]
    Privacy {
        /// Key of the controller.
        controller: String,
    },
    /// A topic names a controller that is not configured.
    #[error("topic {topic}: its controller is not configured")]
    Topic {
        /// Name of the topic.
        topic: String,
    },
    /// Files of the operator's, or the embedded ones, are not usable; each fault names file and mend.
    #[error("templates: {}", .0.join("\n  "))]
    Templates(Vec<String>),
    /// A template asks for something it is not given.
    #[error("template: {0:#}")]
    Template(#[from] minijinja::Error),
    /// The mail library refused a field.
    #[error("mail: {0}")]
    Mail(#[from] lettre::error::Error),
}
