//! What the operator's pages are tried with before they serve: each with all that it may get at run time, and with nothing
//! that it does not get.

use std::sync::LazyLock;

use jiff::Timestamp;

use super::content::{AccessView, CHOSEN, Content, FormView, SignUpView, StandingView, WhyView};
use super::page::Page;
use crate::compose::FormWords;
use crate::consent::Controller;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// What `page` may speak of, from a little to a lot.
pub(super) fn samples(page: Page, controller: Option<&Controller>) -> Vec<Content<'_>> {
    let name = controller.map_or("controller", |controller| &controller.name);
    match page {
        Page::Confirm => both(|much| Content { stamp: stamp(), again: much, ..of_sign_up(name, much) }),
        Page::Confirmed | Page::Declined | Page::Expired | Page::Voided => both(|much| of_sign_up(name, much)),
        Page::Subscribe => both(|much| Content { stamp: stamp(), again: much, form: Some(form(much, much)), ..of_form(name, much) }),
        Page::Embed | Page::CheckMailbox => both(|much| of_form(name, much)),
        Page::Unsubscribe => both(|much| unsubscribe(name, much)),
        Page::Chosen => CHOSEN.iter().flat_map(|word| both(|much| chosen(name, word, much))).collect(),
        Page::Access => [0, 1, 5].map(|topics| access(name, topics)).into(),
        Page::AccessExpired => vec![Content { controller: name, ..Content::default() }],
        Page::ConfirmUnknown
        | Page::TooMany
        | Page::UnsubscribeUnknown
        | Page::AccessUnknown
        | Page::Invalid
        | Page::NotFound
        | Page::Unavailable => vec![Content::default()],
    }
}

fn both<'a>(of: impl Fn(bool) -> Content<'a>) -> Vec<Content<'a>> {
    vec![of(false), of(true)]
}

fn stamp() -> String {
    "c3RhbXA".into()
}

fn of_sign_up(controller: &str, much: bool) -> Content<'_> {
    Content {
        controller,
        privacy_url: if much { "https://privacy.example/" } else { "" },
        topics: if much { vec!["one topic", "another topic"] } else { vec!["topic"] },
        at: Some(NOW),
        valid_days: 7,
        tracking: much,
        ..Content::default()
    }
}

fn of_form(controller: &str, much: bool) -> Content<'_> {
    Content { controller, privacy_url: "https://privacy.example/", form: Some(form(much, false)), ..Content::default() }
}

fn form(much: bool, filled: bool) -> FormView<'static> {
    FormView {
        name: "form",
        words: if much { &A_LOT } else { &A_LITTLE },
        url: "https://consent.example/subscribe/form".into(),
        texts_version: "00".into(),
        email: if filled { "person@people.example".into() } else { String::new() },
        consent: filled,
        tracking: filled,
        email_fault: filled,
        consent_fault: filled,
    }
}

fn unsubscribe(controller: &str, much: bool) -> Content<'_> {
    Content {
        controller,
        topics: vec!["topic"],
        stamp: stamp(),
        again: much,
        address: if much { "p…@p….example".into() } else { String::new() },
        until: much.then_some(NOW),
        as_customer: much,
        consent_text: much.then(|| "A text.".into()),
        ..Content::default()
    }
}

/// Much: by the link in a mail, which is about one topic. Little: from the page of one's own data, where a choice may be about none.
fn chosen<'a>(controller: &'a str, word: &'a str, much: bool) -> Content<'a> {
    Content {
        controller,
        topics: if much || word == "topic" { vec!["topic"] } else { vec![] },
        stamp: stamp(),
        until: ["paused", "asked"].contains(&word).then_some(NOW),
        chosen: word,
        as_customer: much && word == "objection",
        consent_text: much.then(|| "A text.".into()),
        ..Content::default()
    }
}

fn access(controller: &str, topics: usize) -> Content<'_> {
    let (known, much) = (topics > 0, topics > 1);
    let standing = |state, at| StandingView { name: "topic".into(), title: "A topic".into(), state, at };
    let states = ["given", "requested", "withdrawn", "objected"].map(|state| standing(state, Some(NOW)));
    let all = states.into_iter().chain([standing("none", None)]);
    Content {
        controller,
        stamp: stamp(),
        again: much,
        access: Some(AccessView {
            data: "/consent/p/x/data".into(),
            address: if known { "person@people.example".into() } else { String::new() },
            why: known.then(|| WhyView {
                at: NOW,
                topic: "A topic".into(),
                reason: if much { "doi_consent" } else { "transactional" },
                articles: "An article",
                sign_up: much.then(|| SignUpView {
                    requested_at: NOW,
                    form_url: "https://form.example/".into(),
                    consent_text: "A text.".into(),
                    confirmed_at: NOW,
                }),
            }),
            topics: all.take(topics).collect(),
            tracking: if much { standing("given", Some(NOW)) } else { standing("none", None) },
            tracking_text: Some("A text.".to_owned()),
            objected: much.then_some(NOW),
            paused_until: much.then_some(NOW),
        }),
        ..Content::default()
    }
}

static A_LITTLE: FormWords = FormWords { title: String::new(), intro: String::new(), consent: String::new(), tracking: None };
static A_LOT: LazyLock<FormWords> = LazyLock::new(|| FormWords {
    title: "A title".into(),
    intro: "An introduction.".into(),
    consent: "A text.".into(),
    tracking: Some("Another text.".into()),
});
