//! What pages get at run time: a little and a lot, and that hostile.

use std::sync::LazyLock;

use consentry::compose::FormWords;
use consentry::consent::{Brand, Controller, Language};
use consentry::http::{AccessView, CHOSEN, Content, FormView, Page, SignUpView, StandingView, WhyView};
use jiff::Timestamp;

pub(crate) fn controller() -> Controller {
    Controller {
        key: "acme".into(),
        name: "Müller & <Söhne> GmbH".into(),
        imprint: "Hauptstraße 1\n12345 Musterstadt\nHRB 1 \"x\"".into(),
        country: None,
        privacy_url: "https://acme.example/privacy".into(),
        language: Language::DE,
        from: "news@acme.example".into(),
        brand: Brand::default(),
        headers: Default::default(),
    }
}

/// What the page gets at run time: a little and a lot, and that hostile.
pub(super) fn samples(page: Page) -> Vec<Content<'static>> {
    let both = |of: &dyn Fn(bool) -> Content<'static>| vec![of(false), of(true)];
    match page {
        Page::Confirm => both(&|much| Content { stamp: "c3RhbXA".into(), again: !much, ..of_sign_up(much) }),
        Page::Confirmed | Page::Declined | Page::Expired | Page::Voided => both(&of_sign_up),
        Page::Subscribe => both(&|much| Content { stamp: "c3RhbXA".into(), again: !much, form: Some(form(much)), ..of_form() }),
        Page::Embed | Page::CheckMailbox => vec![of_form()],
        Page::Unsubscribe => both(&unsubscribe),
        Page::Chosen => {
            let of = |chosen| Content { chosen, until: ["paused", "asked"].contains(&chosen).then(at), ..unsubscribe(true) };
            let proven = |chosen| Content { topics: vec![], consent_text: None, ..of(chosen) };
            CHOSEN.map(of).into_iter().chain(CHOSEN.into_iter().filter(|chosen| *chosen != "topic").map(proven)).collect()
        }
        Page::Access => both(&|much| Content { stamp: "c3RhbXA".into(), again: !much, access: Some(access(much)), ..of_company() }),
        Page::AccessExpired => vec![of_company()],
        _ => vec![Content::default()],
    }
}

fn of_company() -> Content<'static> {
    Content { controller: "Müller & <Söhne> GmbH", ..Content::default() }
}

fn of_sign_up(much: bool) -> Content<'static> {
    let topics = ["Wochenbrief", "<b>Angebote</b> & \"mehr\"", "ديك"];
    Content {
        privacy_url: if much { "https://acme.example/privacy" } else { "" },
        topics: topics[..if much { 3 } else { 1 }].to_vec(),
        at: Some(at()),
        valid_days: 7,
        tracking: much,
        ..of_company()
    }
}

fn of_form() -> Content<'static> {
    let fresh = FormView { email: String::new(), email_fault: false, consent_fault: false, ..form(true) };
    Content { privacy_url: "https://acme.example/privacy", form: Some(fresh), ..of_company() }
}

fn form(much: bool) -> FormView<'static> {
    FormView {
        name: "form",
        words: if much { &HOSTILE_WORDS } else { &PLAIN_WORDS },
        url: "https://consent.acme.example/subscribe/form".into(),
        texts_version: "00".into(),
        email: if much { "\"><b>@people.example".into() } else { String::new() },
        consent: false,
        tracking: false,
        email_fault: much,
        consent_fault: much,
    }
}

fn unsubscribe(much: bool) -> Content<'static> {
    Content {
        topics: vec![if much { HOSTILE } else { "Wochenbrief" }],
        stamp: "c3RhbXA".into(),
        again: !much,
        address: if much { "o…@e….org".into() } else { String::new() },
        until: much.then(at),
        consent_text: much.then(|| HOSTILE.into()),
        ..of_company()
    }
}

fn access(much: bool) -> AccessView {
    let states = [("given", Some(at())), ("requested", Some(at())), ("withdrawn", Some(at())), ("objected", Some(at())), ("none", None)];
    let topics = states.map(|(state, at)| StandingView { name: "news".into(), title: HOSTILE.into(), state, at });
    AccessView {
        data: "/consent/p/x/data".into(),
        address: if much { "<b>@people.example".into() } else { String::new() },
        why: much.then(|| WhyView {
            at: at(),
            topic: HOSTILE.into(),
            reason: "doi_consent",
            articles: "An article",
            sign_up: Some(SignUpView { requested_at: at(), form_url: HOSTILE.into(), consent_text: HOSTILE.into(), confirmed_at: at() }),
        }),
        topics: if much { topics.into() } else { vec![] },
        tracking: StandingView { name: String::new(), title: String::new(), state: if much { "given" } else { "none" }, at: much.then(at) },
        tracking_text: much.then(|| HOSTILE.into()),
        objected: much.then(at),
        paused_until: much.then(at),
    }
}

pub(super) const HOSTILE: &str = "<b>\"'&</b><script>alert(1)</script>";
static PLAIN_WORDS: LazyLock<FormWords> = LazyLock::new(|| FormWords { title: "Newsletter".into(), ..FormWords::default() });
static HOSTILE_WORDS: LazyLock<FormWords> =
    LazyLock::new(|| FormWords { title: HOSTILE.into(), intro: HOSTILE.into(), consent: HOSTILE.into(), tracking: Some(HOSTILE.into()) });

pub(super) fn at() -> Timestamp {
    "2026-11-23T09:05:00Z".parse().expect("valid")
}
