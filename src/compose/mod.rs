//! The gateway's own words in mail: the confirmation mail and the footer of marketing mails.
//! Pure: addresses, times and links are arguments, nothing is sent here (only the relay sends).

mod access;
mod confirmation;
mod footer;
mod link;
mod template;

pub use access::AccessRequest;
pub use confirmation::{Composer, ConfirmationRequest, lint_confirmation};
pub use footer::Footers;
pub use link::PublicUrl;

use minijinja::Environment;

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
    /// The confirmation mail of a controller would break L-DOI-02.
    #[error("controller {controller}: the confirmation mail {fault}")]
    Lint {
        /// Key of the controller.
        controller: String,
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
    /// A template asks for something it is not given.
    #[error("template: {0}")]
    Template(#[from] minijinja::Error),
    /// The mail library refused a field.
    #[error("mail: {0}")]
    Mail(#[from] lettre::error::Error),
}

/// The mail templates, embedded.
fn templates() -> Result<Environment<'static>, minijinja::Error> {
    let mut env = template::environment()?;
    env.add_template("confirm.de.txt", include_str!("../../templates/mail/confirm.de.txt"))?;
    env.add_template("confirm.en.txt", include_str!("../../templates/mail/confirm.en.txt"))?;
    env.add_template("access.de.txt", include_str!("../../templates/mail/access.de.txt"))?;
    env.add_template("access.en.txt", include_str!("../../templates/mail/access.en.txt"))?;
    env.add_template("footer.de.txt", include_str!("../../templates/mail/footer.de.txt"))?;
    env.add_template("footer.en.txt", include_str!("../../templates/mail/footer.en.txt"))?;
    env.add_template("footer.de.html", include_str!("../../templates/mail/footer.de.html"))?;
    env.add_template("footer.en.html", include_str!("../../templates/mail/footer.en.html"))?;
    Ok(env)
}
