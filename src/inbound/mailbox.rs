//! Which addresses take mail here, whose they are, and what for.

use crate::consent::{Catalogue, OptInId};
use crate::mail::Address;

/// What is sent to a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// `headers.unsubscribe_mailbox`: people want to be left alone.
    Unsubscribe,
    /// `headers.complaints`: reports of mailbox providers (RFC 5965).
    Complaints,
    /// `headers.bounces`: reports on mails of the gateway itself (RFC 3464).
    Bounces,
}

/// A mailbox, as an envelope names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    pub(super) purpose: Purpose,
    /// Key of the controller.
    pub(super) controller: String,
    /// The opt-in whose mail had this return path.
    pub(super) opt_in: Option<OptInId>,
}

/// All of them; a few per controller, searched linearly.
pub(super) struct Mailboxes(Vec<(String, Mailbox)>);

impl Mailboxes {
    pub(super) fn of(catalogue: &Catalogue) -> Self {
        let mut all = Vec::new();
        for controller in &catalogue.controllers {
            let headers = &controller.headers;
            for (purpose, address) in [
                (Purpose::Unsubscribe, &headers.unsubscribe_mailbox),
                (Purpose::Complaints, &headers.complaints),
                (Purpose::Bounces, &headers.bounces),
            ] {
                // Config::check has parsed them
                if let Some(address) = address.as_deref().and_then(|address| Address::parse(address).ok()) {
                    all.push((address.canonical(), Mailbox { purpose, controller: controller.key.clone(), opt_in: None }));
                }
            }
        }
        Self(all)
    }

    /// The mailbox of that address, whatever its case; one for bounces has the opt-in behind a `+`.
    pub(super) fn find(&self, address: &Address) -> Option<Mailbox> {
        let canonical = address.canonical();
        if let Some((_, mailbox)) = self.0.iter().find(|(own, _)| *own == canonical) {
            return Some(mailbox.clone());
        }
        let (local, domain) = canonical.rsplit_once('@')?;
        let (local, id) = local.rsplit_once('+')?;
        let own = format!("{local}@{domain}");
        let (_, mailbox) = self.0.iter().find(|(address, mailbox)| *address == own && mailbox.purpose == Purpose::Bounces)?;
        let mut opt_in = [0; 16];
        hex::decode_to_slice(id, &mut opt_in).ok()?;
        Some(Mailbox { opt_in: Some(OptInId(opt_in)), ..mailbox.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_found_in_any_case_and_a_return_path_names_its_opt_in() {
        let boxes = Mailboxes(
            [("leave@x.example", Purpose::Unsubscribe), ("back@x.example", Purpose::Bounces)]
                .map(|(address, purpose)| (address.to_owned(), Mailbox { purpose, controller: "acme".to_owned(), opt_in: None }))
                .to_vec(),
        );
        let id = "000102030405060708090a0b0c0d0e0f";
        for (address, found) in [
            ("Leave@X.example", Some((Purpose::Unsubscribe, false))),
            ("back@x.example", Some((Purpose::Bounces, false))),
            (&format!("back+{id}@x.example"), Some((Purpose::Bounces, true))),
            (&format!("BACK+{}@x.example", id.to_uppercase()), Some((Purpose::Bounces, true))),
            (&format!("leave+{id}@x.example"), None),
            ("back+0001@x.example", None),
            ("back+x@x.example", None),
            ("leave@y.example", None),
            ("other@x.example", None),
        ] {
            let mailbox = boxes.find(&Address::parse(address).expect("valid"));
            assert_eq!(mailbox.map(|mailbox| (mailbox.purpose, mailbox.opt_in.is_some())), found, "{address}");
        }
    }
}
