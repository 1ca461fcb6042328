//! The correction of an address on the word of another system of the company, and the answer to whose address was corrected
//! (GDPR Art. 12(3), 16). What becomes of what is the store's table; operators go through the office.

use jiff::Timestamp;
use minijinja::context;

use super::erasure::{line, told_by};
use super::{Desk, PersonError};
use crate::consent::{Language, Source};
use crate::mail::Address;
use crate::store::{Deed, EvidenceFate, NewRectification, Rectification};

impl Desk {
    /// Corrects the address that `controller` has of the person of the first address.
    pub async fn rectify(
        &self,
        address: &Address,
        new: Address,
        controller: &str,
        token: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<Rectification, PersonError> {
        let subject = self.known(address, controller).await?;
        let store = &self.inner.store;
        let rectification = NewRectification {
            subject,
            controller: controller.to_owned(),
            key: store.keyring().lookup_key(&new),
            address: new,
            source: Source::System,
            at: now,
            evidence: told_by(token, why),
            line: Some(line(Deed::Rectified, subject, controller, token, why, now)),
        };
        store.rectify(rectification).await?.ok_or(PersonError::Unknown)
    }

    /// What the person is answered, paragraph by paragraph: what was corrected, what does not move along, and how to sign up anew.
    pub fn rectification_answer(
        &self,
        done: &Rectification,
        controller: &str,
        language: Language,
    ) -> Result<Vec<String>, minijinja::Error> {
        let name = self.inner.catalogue.controller(controller).map_or(controller, |known| &known.name);
        let forms = self.inner.catalogue.forms.iter().filter(|form| form.controller == controller);
        let pages: Vec<String> = forms.map(|form| form.url.clone().unwrap_or_else(|| self.inner.public_url.form(&form.name))).collect();
        let values = context! { company => name, pages => pages.join(", ") };
        let mut keys = match done {
            Rectification::Spelling => vec!["spelling"],
            Rectification::Mailbox { contact_gone, evidence, noes } => {
                let contact = if *contact_gone { "contact_gone" } else { "contact_kept" };
                let anew = if pages.is_empty() { "consent_stays" } else { "consent_anew" };
                let mut keys = vec!["mailbox", contact, anew];
                keys.extend((*noes > 0).then_some("noes"));
                keys.extend((*evidence == EvidenceFate::KeptAsProof).then_some("evidence"));
                keys
            }
        };
        keys.push("complaint");
        keys.iter().map(|key| self.inner.words.text(None, language, &format!("admin.rectification.{key}"), &values)).collect()
    }
}
