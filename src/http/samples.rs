//! What the operator's pages are tried with before they serve.

use jiff::Timestamp;

use super::content::{AccessView, Content, FormView, SignUpView, StandingView, WhyView};
use crate::compose::FormWords;
use crate::consent::Controller;

/// What the operator's pages are tried with before they serve: a little and a lot.
pub(super) fn samples(controller: Option<&Controller>) -> [Content<'_>; 2] {
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    let controller = controller.map_or("controller", |controller| &controller.name);
    let standing = |state, at| StandingView { name: "topic".into(), title: "A topic".into(), state, at };
    let access = |much: bool| AccessView {
        address: "person@people.example".into(),
        why: much.then(|| WhyView {
            at: NOW,
            topic: "A topic".into(),
            reason: "doi_consent",
            articles: "An article",
            sign_up: Some(SignUpView {
                requested_at: NOW,
                form_url: "https://form.example/".into(),
                consent_text: "A text.".into(),
                confirmed_at: NOW,
            }),
        }),
        topics: if much { vec![standing("given", Some(NOW)), standing("none", None)] } else { vec![] },
        tracking: if much { standing("given", Some(NOW)) } else { standing("none", None) },
        objected: much.then_some(NOW),
        paused_until: much.then_some(NOW),
    };
    let form = |much: bool| FormView {
        name: "form",
        words: if much { &A_LOT } else { &A_LITTLE },
        url: "https://consent.example/subscribe/form".into(),
        texts_version: "00".into(),
        email: if much { "person@people.example".into() } else { String::new() },
        consent: much,
        tracking: much,
        email_fault: much,
        consent_fault: much,
    };
    let of = |much: bool| Content {
        controller,
        privacy_url: if much { "https://privacy.example/" } else { "" },
        topics: if much { vec!["one topic", "another topic"] } else { vec!["topic"] },
        at: Some(NOW),
        valid_days: 7,
        tracking: much,
        stamp: "stamp".into(),
        again: much,
        address: if much { "p…@p….example".into() } else { String::new() },
        until: much.then_some(NOW),
        chosen: if much { "paused" } else { "topic" },
        consent_text: much.then(|| "A text.".into()),
        form: Some(form(much)),
        access: Some(access(much)),
    };
    [of(false), of(true)]
}

static A_LITTLE: FormWords = FormWords { title: String::new(), intro: String::new(), consent: String::new(), tracking: None };
static A_LOT: std::sync::LazyLock<FormWords> = std::sync::LazyLock::new(|| FormWords {
    title: "A title".into(),
    intro: "An introduction.".into(),
    consent: "A text.".into(),
    tracking: Some("Another text.".into()),
});
