//! The decision log, one decision, the export and the overview, as operators of each role meet them.

use consentry::consent::{Decision, DecisionId, Language, LookupKey, Reason, SubjectId, TextVersion, Topic};
use consentry::mail::{Class, Classification, Outcome, Step, Trust};
use consentry::office::Role;
use jiff::{SignedDuration, Timestamp};

use super::super::World;
use super::{Browser, encoded};
use crate::templates::unbalanced;

const HOSTILE: &str = "\"><script>alert(1)</script>'&=";

/// A decision `ago`, of a subject of its own.
fn decision(n: u8, ago: SignedDuration) -> Decision {
    let at = Timestamp::from_millisecond((Timestamp::now() - ago).as_millisecond()).expect("a time");
    Decision {
        id: DecisionId::new(at, [n; 10]),
        at,
        stream: "shop".into(),
        controller: "acme".into(),
        recipient: LookupKey([n; 32]),
        subject: SubjectId([n; 16]),
        classification: Classification {
            class: Class::Marketing,
            topic: Some("news".into()),
            campaign: Some(format!("campaign-{n}")),
            steps: vec![Step { trust: Trust::List, says: Class::Marketing, why: "header List-Unsubscribe".into() }],
        },
        topic: Some(Topic::parse("news").expect("valid")),
        reason: Reason::NoConsent,
        folded_from: 0,
        event: None,
        profile: None,
        shadowed: None,
        rules: None,
        footer: None,
        is_contact: false,
        message: None,
        copy: None,
        size: 4_096,
    }
}

impl World {
    fn record(&self, decision: Decision) -> DecisionId {
        let id = decision.id;
        self.runtime.block_on(async { self.store.record(decision, None).await }).expect("recorded");
        id
    }

    /// Each in its minute, the later ones longer ago.
    fn record_some(&self, number: u8) -> Vec<DecisionId> {
        (0..number).map(|n| self.record(decision(n, SignedDuration::from_mins(i64::from(n))))).collect()
    }
}

/// The refs of the rows, in their order.
fn refs(html: &str) -> Vec<String> {
    html.split("<tr id=\"d-").skip(1).map(|rest| rest[..32].to_owned()).collect()
}

/// The target of the link with that `rel`.
fn link(html: &str, rel: &str) -> Option<String> {
    let (before, _) = html.split_once(&format!("rel=\"{rel}\" href=\""))?;
    let rest = &html[before.len() + rel.len() + 13..];
    Some(rest.split('"').next()?.replace("&amp;", "&"))
}

#[test]
fn the_log_is_read_page_by_page_and_by_each_filter() {
    // S0-17
    let world = World::new();
    world.add_operator(Role::Viewer);
    let ids = world.record_some(120);
    let mut odd = decision(200, SignedDuration::from_mins(2));
    (odd.reason, odd.classification.class, odd.topic) = (Reason::Transactional, Class::Transactional, None);
    (odd.stream, odd.classification.topic) = ("billing".into(), None);
    let odd = world.record(odd);
    let viewer = Browser::of(&world, "viewer");

    let mut found = Vec::new();
    let mut next = Some("/admin/decisions".to_owned());
    let mut pages = 0;
    while let Some(path) = next {
        let page = viewer.get(&path);
        assert_eq!(page.status, 200);
        assert_eq!(unbalanced(&page.body), None, "{}", page.body);
        found.extend(refs(&page.body));
        next = link(&page.body, "next");
        pages += 1;
    }
    let mut expected: Vec<_> = ids.iter().chain([&odd]).map(ToString::to_string).collect();
    expected.sort_by(|a, b| b.cmp(a));
    assert_eq!((found, pages), (expected, 3));

    let minute = |ago: i64| (Timestamp::now() - SignedDuration::from_mins(ago)).strftime("%Y-%m-%dT%H:%M").to_string();
    for (query, number) in [
        ("verdict=pass".to_owned(), 1),
        ("verdict=block&stream=billing".into(), 0),
        ("reason=transactional".into(), 1),
        ("class=transactional&verdict=&reason=".into(), 1),
        ("stream=billing".into(), 1),
        ("campaign=campaign-7".into(), 1),
        ("topic=news&campaign=campaign-119".into(), 1),
        (format!("from={}", minute(-5)), 0),
        (format!("to={}", minute(3000)), 0),
        (format!("from={}&to={}&stream=billing", minute(60), minute(-1)), 1),
    ] {
        let page = viewer.get(&format!("/admin/decisions?{query}"));
        assert_eq!((page.status, refs(&page.body).len()), (200, number), "{query}");
        assert_eq!(page.body.contains("id=\"no-rows\""), number == 0);
    }
    for (query, field) in
        [("verdict=maybe", "Verdict"), ("from=yesterday", "From"), ("before=1", "Page"), ("verdict=pass&reason=withdrawn", "Reason")]
    {
        let page = viewer.get(&format!("/admin/decisions?{query}"));
        assert_eq!(page.status, 422, "{query}");
        assert!(page.body.contains(&format!("cannot be used: {field}")), "{}", page.body);
    }
}

#[test]
fn the_newest_come_as_rows_and_from_nowhere_else() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    let first = world.record(decision(1, SignedDuration::from_secs(30)));
    let viewer = Browser::of(&world, "viewer");
    let page = viewer.get("/admin/decisions?stream=shop").body;
    let (_, rest) = page.split_once("data-rows=\"").expect("is live");
    let path = rest.split('"').next().expect("ends").replace("&amp;", "&");
    assert_eq!(path, format!("/admin/decisions/rows?stream=shop&after={first}"));
    let mut other = decision(2, SignedDuration::ZERO);
    other.stream = "crm".into();
    world.record(other);
    let second = world.record(decision(3, SignedDuration::from_secs(1)));
    // made before, and committed after the newest that the page has
    let late = world.record(decision(4, SignedDuration::from_secs(35)));
    let rows = viewer.get(&path);
    assert_eq!(rows.status, 200);
    assert!(!rows.body.contains("<html") && rows.body.contains("<td"), "{}", rows.body);
    assert_eq!(refs(&rows.body), [second, first, late].map(|id| id.to_string()));
    assert_eq!(viewer.get("/admin/decisions/rows?after=x").status, 422);
    assert_eq!(viewer.get("/admin/decisions/rows?verdict=x&after=00000000000000000000000000000000").status, 422);
    for ended in ["/admin/decisions?to=2026-01-01", &format!("/admin/decisions?before={second}")] {
        assert!(!viewer.get(ended).body.contains("data-rows"), "{ended}");
    }
    assert_eq!(Browser::new(&world).get(&path).status, 303, "no session, no rows");
}

#[test]
fn a_decision_is_told_in_sentences_in_both_languages() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    world.add_operator(Role::Operator);
    world.subscribed_with_decision();
    let subject = world.subject().expect("known");
    let path = format!("/admin/decisions/{}", DecisionId([7; 16]));
    world.runtime.block_on(async {
        let now = Timestamp::now();
        world.store.settle(DecisionId([7; 16]), now, &Outcome::Accept { text: "2.0.0 queued for olivia@example.org".into() });
    });
    let operator = Browser::of(&world, "operator");
    let settled =
        || world.runtime.block_on(world.store.decision(DecisionId([7; 16]))).expect("read").is_some_and(|row| row.outcome.is_some());
    while !settled() {
        std::thread::yield_now();
    }
    let page = operator.get(&path);
    assert_eq!(page.status, 200);
    for part in [
        Reason::DoiConsent.sentence(Language::EN),
        Reason::DoiConsent.remedy(Language::EN),
        "GDPR Art. 6(1)(a), Art. 7",
        "A marketing mail about <code>news</code>.",
        "The stream&#39;s configuration says marketing:",
        "Consent to this topic was given, confirmed at ",
        "Events up to no. 2",
        "<strong>Signed up</strong></span>\n<span class=\"quiet\">#1 · acme · news, offers · reported by a website</span>",
        "class=\"decisive\"",
        "handed over (250)",
        &format!("/admin/subjects/{subject}"),
        &format!("/admin/decisions?subject={subject}"),
    ] {
        let part = part.replace("&#39;", "'");
        assert!(page.body.replace("&#39;", "'").contains(&part), "{part}: {}", page.body);
    }
    assert!(!page.body.contains("olivia@"), "no address, not even in the MTA's words");
    let german = Browser { language: "de", ..Browser::of(&world, "operator") }.get(&path).body;
    for part in [
        Reason::DoiConsent.sentence(Language::DE),
        Reason::DoiConsent.remedy(Language::DE),
        "§ 7 Abs. 2 Nr. 2 UWG; Art. 6 Abs. 1 lit. a, Art. 7 DSGVO",
        "entscheidend",
    ] {
        assert!(german.contains(part), "{part}: {german}");
    }
    assert!(!german.contains("GDPR"), "the law has its German name: {german}");
    let viewer = Browser::of(&world, "viewer").get(&path).body;
    assert!(viewer.contains("is not shown to your role") && !viewer.contains(&subject.to_string()), "{viewer}");
    let own = operator.get(&format!("/admin/decisions?subject={subject}"));
    assert_eq!(refs(&own.body), [DecisionId([7; 16]).to_string()]);
    assert_eq!(Browser::of(&world, "viewer").get(&format!("/admin/decisions?subject={subject}")).status, 403);
    for path in ["/admin/decisions/x", "/admin/decisions/00000000000000000000000000000000"] {
        assert_eq!(operator.get(path).status, 404, "{path}");
    }
}

#[test]
fn the_footer_of_a_copy_is_shown_word_for_word_for_as_long_as_its_decision() {
    // R-03, L-AD-07, L-SOFT-02
    let world = World::new();
    world.add_operator(Role::Viewer);
    let words = "--- text/plain\nWiderspruch <kostet> nichts als die Basistarife.\n".to_owned();
    let version = TextVersion::of(&words);
    for _ in 0..2 {
        world.runtime.block_on(world.store.keep_texts([words.clone(), "another".to_owned()])).expect("kept");
    }
    let kept = |version| world.runtime.block_on(world.store.text(version)).expect("asked");
    assert_eq!((kept(version), kept(TextVersion([0; 8]))), (Some(words), None));
    let mut own = decision(1, SignedDuration::from_mins(1));
    (own.rules, own.footer) = (Some(TextVersion([0x5a; 8])), Some(version));
    let own = world.record(own);
    let other = world.record(decision(2, SignedDuration::from_mins(2)));
    let viewer = Browser::of(&world, "viewer");
    let page = viewer.get(&format!("/admin/decisions/{own}")).body;
    for expected in ["Widerspruch &lt;kostet&gt; nichts als die Basistarife.", "5a5a5a5a5a5a5a5a", &version.to_string()] {
        assert!(page.contains(expected), "{expected} in {page}");
    }
    assert_eq!(unbalanced(&page), None, "{page}");
    assert!(!viewer.get(&format!("/admin/decisions/{other}")).body.contains("text/plain"));
}

#[test]
fn every_reason_has_its_page() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    let viewer = Browser::of(&world, "viewer");
    let german = Browser { language: "de", ..Browser::of(&world, "viewer") };
    for (n, reason) in (0..).zip(Reason::ALL) {
        let id = world.record(Decision { reason, topic: None, ..decision(n, SignedDuration::from_mins(1)) });
        for (browser, language) in [(&viewer, Language::EN), (&german, Language::DE)] {
            let page = browser.get(&format!("/admin/decisions/{id}"));
            assert_eq!((page.status, unbalanced(&page.body)), (200, None), "{reason}: {}", page.body);
            let body = page.body.replace("&#39;", "'");
            let articles = reason.articles(None, language).unwrap_or_default();
            for part in [reason.sentence(language), reason.remedy(language), articles] {
                assert!(body.contains(part), "{part}: {body}");
            }
        }
    }
    let log = viewer.get("/admin/decisions").body;
    assert_eq!(refs(&log).len(), Reason::ALL.len());
    for kind in ["volume", "reasons", "streams", "opt_ins", "completion"] {
        assert_eq!(viewer.get(&format!("/admin/charts/{kind}.svg")).status, 200);
    }
}

#[test]
fn hostile_names_are_shown_without_effect() {
    let world = World::new();
    world.add_operator(Role::Legal);
    let legal = Browser::of(&world, "legal");
    let mut hostile = decision(1, SignedDuration::from_mins(1));
    hostile.stream = HOSTILE.into();
    hostile.controller = HOSTILE.into();
    hostile.topic = None;
    hostile.classification.topic = Some(HOSTILE.into());
    hostile.classification.campaign = Some(HOSTILE.into());
    hostile.classification.steps[0].why = HOSTILE.into();
    let id = world.record(hostile);
    let query = encoded(&[("stream", HOSTILE), ("campaign", HOSTILE)]);
    for path in [
        "/admin".to_owned(),
        "/admin/decisions".into(),
        format!("/admin/decisions?{query}"),
        format!("/admin/decisions?verdict={}", encoded(&[("x", HOSTILE)])),
        format!("/admin/decisions/{id}"),
        "/admin/charts/streams.svg".into(),
    ] {
        let page = legal.get(&path);
        assert!(!page.body.contains("<script>alert") && !page.body.contains("\"><script"), "{path}: {}", page.body);
        if !path.contains("verdict=") {
            assert!(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{path} shows it: {}", page.body);
        }
        assert!(page.header("content-type") == Some("image/svg+xml") || unbalanced(&page.body).is_none(), "{path}");
    }
    assert_eq!(refs(&legal.get(&format!("/admin/decisions?{query}")).body), [id.to_string()]);
}

#[test]
fn an_export_holds_the_filters_rows_runs_nothing_and_is_on_record() {
    let world = World::new();
    for role in [Role::Operator, Role::Compliance] {
        world.add_operator(role);
    }
    let ids = world.record_some(60);
    let mut formula = decision(201, SignedDuration::from_mins(1));
    formula.classification.campaign = Some("=HYPERLINK(\"https://evil.example\",\"a, b\")\n+1".into());
    let formula = world.record(formula);
    let export = |role: &str, pairs: &[(&str, &str)]| Browser::of(&world, role).send("/admin", "/admin/decisions/export", pairs);
    assert_eq!(export("operator", &[]).status, 403);
    assert!(!world.audit_lines().contains(&"exported"));
    assert!(!Browser::of(&world, "operator").get("/admin/decisions").body.contains("/export"));

    let file = export("compliance", &[("verdict", "block"), ("stream", "shop")]);
    assert_eq!((file.status, file.header("content-type")), (200, Some("text/csv; charset=utf-8; header=present")));
    assert!(file.header("content-disposition").is_some_and(|name| name.starts_with("attachment; filename=\"decisions-")));
    let mut reader = csv::Reader::from_reader(file.body.as_bytes());
    assert_eq!(reader.headers().expect("has them").iter().next(), Some("ref"));
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("well-formed");
    assert_eq!(rows.len(), ids.len() + 1);
    let row = rows.iter().find(|row| row[0] == formula.to_string()).expect("is there");
    assert_eq!(&row[8], "'=HYPERLINK(\"https://evil.example\",\"a, b\")\n'+1");
    assert_eq!([&row[2], &row[3], &row[5]], ["block", "no_consent", "shop"]);
    let lines = world.runtime.block_on(world.store.audit_log(None, 10)).expect("read");
    let line = lines.iter().find(|line| line.line.deed.as_str() == "exported").expect("on record");
    assert_eq!(line.line.reason.as_deref(), Some("decisions: verdict=block, stream=shop"));

    let none = export("compliance", &[("stream", "none")]);
    assert_eq!(none.body.lines().count(), 1, "only the headings: {}", none.body);
    assert_eq!(export("compliance", &[("verdict", "x")]).status, 404);
    assert_eq!(Browser::of(&world, "compliance").get("/admin/decisions/export").status, 404, "a link exports nothing (I6)");
}

#[test]
fn the_overview_tells_the_same_in_tiles_charts_and_tables() {
    let world = World::new();
    world.add_operator(Role::Viewer);
    let viewer = Browser::of(&world, "viewer");
    let empty = viewer.get("/admin").body;
    assert!(empty.contains("Nothing in this time.") && !empty.contains("<details"), "{empty}");
    world.subscribed_with_decision(); // its id is of another time and counts there
    for n in 0..30 {
        world.record(decision(n, SignedDuration::from_mins(i64::from(n))));
    }
    for range in ["24h", "7d", "30d", "90d", "nonsense"] {
        let page = viewer.get(&format!("/admin?range={range}"));
        assert_eq!((page.status, unbalanced(&page.body)), (200, None), "{}", page.body);
        for part in [
            "<dt>Blocked</dt><dd>30 <small>100&nbsp;%</small>",
            "<dt>Sign-ups</dt><dd>1</dd>",
            "<dt>Sign-ups confirmed</dt><dd>100 %</dd>",
            "alt=\"Bar chart over time. Totals: marketing, blocked: 30.",
            "Totals: no consent: 30.",
        ] {
            assert!(page.body.contains(part), "{range} {part}: {}", page.body);
        }
        let images: Vec<_> =
            page.body.split("<img src=\"").skip(1).map(|rest| rest.split('"').next().expect("ends").replace("&amp;", "&")).collect();
        assert_eq!(images.len(), 5);
        for image in images.iter().flat_map(|image| [image.clone(), format!("{image}&theme=dark&size=narrow")]) {
            let svg = viewer.get(&image);
            assert_eq!((svg.status, svg.header("content-type")), (200, Some("image/svg+xml")), "{image}");
            assert!(svg.body.starts_with("<svg") && !svg.body.contains("style="), "{}", svg.body);
        }
    }
    let chart = viewer.get("/admin/charts/reasons.svg?range=24h").body;
    assert!(chart.contains("no consent"), "{chart}");
    assert_eq!(viewer.get("/admin/charts/nothing.svg").status, 404);
    assert_eq!(viewer.get("/admin/charts/volume").status, 404);
    let german = Browser { language: "de", ..Browser::of(&world, "viewer") }.get("/admin/charts/reasons.svg").body;
    assert!(german.contains("keine Einwilligung"), "{german}");
}
