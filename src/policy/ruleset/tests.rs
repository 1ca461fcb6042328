//! Rules: one id for one set of them, and what counts as tightening.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::consent::{Event, EventKind, Fact, Reason, Source, Standing, Trigger, Verdict};
use crate::policy::{Case, PolicySettings};

fn topic(text: &str) -> Topic {
    Topic::parse(text).expect(text)
}

/// Rules from lines such as a configuration has, in the order given.
fn rules(change: impl FnOnce(&mut Parts)) -> Rules {
    let mut parts = Parts {
        settings: PolicySettings::default(),
        profiles: String::new(),
        similar: vec![similar("acme", &["fashion"]), similar("acme", &["coffee.beans", "coffee.machines"])],
        seats: vec![("acme", Some("DE")), ("globex", None)],
        topics: vec![("news", "acme"), ("fashion.bags", "acme"), ("globex", "globex")],
        streams: vec![
            ("news", stream("acme", StreamClass::Marketing, Some("news"), &["acme.example", "*.acme.example"])),
            ("mixed", stream("acme", StreamClass::Declared, Some("news"), &["acme.example"])),
            ("shop", stream("acme", StreamClass::Transactional, None, &["acme.example"])),
        ],
        ecg_max_age: None,
        classes: ClassRules { model: 1, rules: vec![raises("a", None)] },
    };
    change(&mut parts);
    let changes = toml::from_str(&parts.profiles).expect("profiles");
    let seats = parts.seats.into_iter().map(|(key, seat)| (key.to_owned(), seat.map(|code| code.parse_country())));
    let policy = Policy::new(&parts.settings, changes, parts.similar, seats.collect());
    let topics = parts.topics.into_iter().map(|(name, controller)| (topic(name), controller.to_owned()));
    let streams = parts.streams.into_iter().map(|(name, stream)| (name.to_owned(), stream));
    Rules::new(policy, Window::of_ecg_list(parts.ecg_max_age), topics, streams, parts.classes)
}

struct Parts {
    settings: PolicySettings,
    profiles: String,
    similar: Vec<SimilarTopics>,
    seats: Vec<(&'static str, Option<&'static str>)>,
    topics: Vec<(&'static str, &'static str)>,
    streams: Vec<(&'static str, StreamRules)>,
    ecg_max_age: Option<Window>,
    classes: ClassRules,
}

fn raises(name: &str, named: Option<&str>) -> ClassRule {
    ClassRule { name: name.into(), when: format!("stream == '{name}'"), raises: true, topic: named.map(topic) }
}

trait ParseCountry {
    fn parse_country(&self) -> crate::consent::Country;
}

impl ParseCountry for str {
    fn parse_country(&self) -> crate::consent::Country {
        crate::consent::Country::parse(self).expect(self)
    }
}

fn similar(controller: &str, topics: &[&str]) -> SimilarTopics {
    let topics = topics.iter().map(|text| topic(text)).collect();
    SimilarTopics { controller: controller.into(), topics, author: "Mia".into(), reviewed: jiff::civil::Date::constant(2026, 11, 1) }
}

fn stream(controller: &str, class: StreamClass, own: Option<&str>, domains: &[&str]) -> StreamRules {
    let from_domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
    let sources = ["login tool".into(), "network 10.1.0.0/16".into()].into();
    StreamRules {
        controller: controller.into(),
        class,
        topic: own.map(topic),
        mode: StreamMode::Enforce,
        disputed: Dispute::Enforce,
        bulk: Default::default(),
        from_domains,
        sources,
    }
}

/// A change of a profile, with who stands for it.
fn profile(name: &str, change: &str) -> String {
    format!("[{name}]\nsource = 'counsel'\nauthor = 'Mia'\nreviewed = '2026-11-01'\n{change}")
}

#[test]
fn the_same_rules_have_one_id_in_whatever_order_they_are_written() {
    // J-03
    let id = rules(|_| {}).id();
    let backwards = rules(|parts| {
        parts.similar.reverse();
        parts.similar[0].topics.reverse();
        parts.seats.reverse();
        parts.topics.reverse();
        parts.streams.reverse();
        parts.settings.default = Some(ProfileName::De);
        parts.settings.ecg_list = Some("elsewhere".into());
    });
    assert_eq!(backwards.id(), id);
    assert_eq!(Rules::parse(&backwards.text()), Some(rules(|_| {})), "and reads back");
    assert!(Rules::is_text_of(&backwards.text(), id) && !Rules::is_text_of("{}", id));
    assert_eq!(Rules::parse("{}"), None);
}

type Edit = fn(&mut Parts);

/// What is changed, and a word of what must be called looser; none where it only tightens.
const TABLE: &[(&str, Edit, Option<&str>)] = &[
    ("a stream less", |parts| drop(parts.streams.remove(0)), None),
    ("a stream more", |parts| parts.streams.push(("new", stream("acme", StreamClass::Marketing, None, &[]))), Some("stream new: is new")),
    ("a topic less", |parts| parts.topics.truncate(2), None),
    ("a topic more", |parts| parts.topics.push(("sale", "acme")), Some("topic sale: is new")),
    ("a topic changes hands", |parts| parts.topics[0].1 = "globex", Some("topic news: belongs to globex instead of acme")),
    ("a stream changes hands", |parts| parts.streams[0].1.controller = "globex".into(), Some("sends for globex")),
    ("declared becomes marketing", |parts| parts.streams[1].1.class = StreamClass::Marketing, None),
    ("transactional becomes declared", |parts| parts.streams[2].1.class = StreamClass::Declared, None),
    ("marketing becomes declared", |parts| parts.streams[0].1.class = StreamClass::Declared, Some("count as transactional")),
    ("declared becomes transactional", |parts| parts.streams[1].1.class = StreamClass::Transactional, Some("count as transactional")),
    ("a default topic less", |parts| parts.streams[0].1.topic = None, None),
    ("another default topic", |parts| parts.streams[0].1.topic = Some(topic("fashion.bags")), Some("its topic is fashion.bags")),
    ("only watched", |parts| parts.streams[0].1.mode = StreamMode::Shadow, Some("is only watched")),
    ("a dispute passes", |parts| parts.streams[1].1.disputed = Dispute::Pass, Some("what its content disputes may pass")),
    ("a rule that raises more", |parts| parts.classes.rules.push(raises("b", None)), None),
    ("a rule less", |parts| parts.classes.rules.clear(), Some("rules: one that was there is gone")),
    ("a rule that names a topic", |parts| parts.classes.rules.push(raises("b", Some("news"))), Some("names a topic")),
    ("another model", |parts| parts.classes.model = 2, Some("may find less")),
    ("a domain less", |parts| drop(parts.streams[0].1.from_domains.pop_first()), None),
    ("a domain more", |parts| parts.streams[2].1.from_domains.extend(["b.example".into()]), Some("from_domains has b.example more")),
    ("a network less", |parts| drop(parts.streams[2].1.sources.pop_last()), None),
    (
        "the campaign tool's login",
        |parts| parts.streams[2].1.sources.extend(["login campaigns".into()]),
        Some("stream shop: takes mail of login campaigns besides"),
    ),
    ("a shorter window", |parts| parts.profiles = profile("de", "consent_idle = 'P6M'"), None),
    ("a longer window", |parts| parts.profiles = profile("de", "consent_idle = 'unlimited'"), Some("profile de: is looser")),
    ("a new review date", |parts| parts.profiles = profile("de", ""), None),
    ("no condition of a notice", |parts| parts.profiles = profile("de", "[de.customer]\nnotice = false"), Some("profile de: is looser")),
    ("silence is enough", |parts| parts.profiles = profile("eu", "regime = 'opt-out'"), Some("profile eu: is looser")),
    (
        "a looser default",
        |parts| parts.settings.default = Some(ProfileName::UsCanspam),
        Some("policy: default us-canspam is looser than de"),
    ),
    ("a looser seat", |parts| parts.seats[0].1 = Some("US"), Some("controller acme: its seat brings us-canspam instead of de")),
    ("a seat of the same law", |parts| parts.seats[1].1 = Some("DE"), None),
    ("a narrower similarity", |parts| parts.similar[0] = similar("acme", &["fashion.bags", "fashion.shoes"]), None),
    ("a similarity less", |parts| drop(parts.similar.pop()), None),
    ("a wider similarity", |parts| parts.similar[0] = similar("acme", &["fashion", "home"]), Some("similar of acme")),
    ("a similarity of another", |parts| parts.similar.push(similar("globex", &["fashion"])), Some("similar of globex")),
    ("an older list", |parts| parts.ecg_max_age = Some(Window::days(31)), Some("ecg_max_age is longer")),
    ("a newer list", |parts| parts.ecg_max_age = Some(Window::days(7)), None),
];

#[test]
fn what_only_tightens_is_told_from_what_loosens_by_name() {
    let old = rules(|_| {});
    for (what, edit, expected) in TABLE {
        let new = rules(edit);
        let said = new.is_within(&old).err().unwrap_or_default();
        assert_ne!(new.id(), old.id(), "{what}");
        match expected {
            None => assert!(said.is_empty(), "{what}: {said:?}"),
            Some(expected) => assert!(said.len() == 1 && said[0].contains(expected), "{what}: {said:?}"),
        }
    }
    assert_eq!(old.is_within(&old), Ok(()));
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let edits = proptest::collection::vec(0..TABLE.len(), 0..4);
    edits.prop_map(|edits| {
        rules(|parts| {
            for n in edits {
                // two that take the same thing away do not go together
                if parts.streams.len() == 3 && parts.topics.len() == 3 && parts.similar.len() == 2 {
                    TABLE[n].1(parts);
                }
            }
        })
    })
}

/// Profiles changed at random in all that decides, with seats and a default: about every fourth pair only tightens.
fn any_policy() -> impl Strategy<Value = Rules> {
    const WINDOWS: [&str; 6] = ["P1M", "P30D", "P8M", "P244D", "P24M", "unlimited"];
    const TRIGGERS: [&str; 4] = ["sale", "service", "inquiry", "free_account"];
    const SEATS: [Option<&str>; 5] = [None, Some("DE"), Some("AT"), Some("FR"), Some("US")];
    let change = (
        0..ProfileName::ALL.len(),
        proptest::option::weighted(0.3, 0..WINDOWS.len()),
        proptest::option::weighted(0.4, proptest::collection::vec((0..TRIGGERS.len(), 0..WINDOWS.len()), 0..3)),
        proptest::array::uniform3(proptest::option::weighted(0.2, any::<bool>())),
        proptest::option::weighted(0.2, 0..3usize),
        proptest::bool::weighted(0.1),
    );
    let policy = (proptest::collection::vec(change, 0..3), 0..SEATS.len(), proptest::option::weighted(0.3, 0..ProfileName::ALL.len()));
    policy.prop_map(|(changes, seat, default)| {
        rules(|parts| {
            parts.seats[0].1 = SEATS[seat];
            parts.settings.default = default.map(|n| ProfileName::ALL[n]);
            let mut done = Vec::new();
            for (name, idle, triggers, [own_address, notice, ecg_list], similarity, opt_out) in changes {
                let name = ProfileName::ALL[name].as_str();
                if done.contains(&name) {
                    continue;
                }
                done.push(name);
                let mut fields = String::new();
                fields.extend(opt_out.then_some("regime = 'opt-out'\n"));
                fields.extend(idle.map(|n| format!("consent_idle = '{}'\n", WINDOWS[n])));
                fields.push_str(&format!("[{name}.customer]\n"));
                if let Some(triggers) = triggers {
                    let each: std::collections::BTreeMap<_, _> = triggers.into_iter().map(|(t, n)| (TRIGGERS[t], WINDOWS[n])).collect();
                    let each: Vec<String> = each.iter().map(|(trigger, window)| format!("{trigger} = '{window}'")).collect();
                    fields.push_str(&format!("triggers = {{ {} }}\n", each.join(", ")));
                }
                for (field, flag) in [("own_address", own_address), ("notice", notice), ("ecg_list", ecg_list)] {
                    fields.extend(flag.map(|flag| format!("{field} = {flag}\n")));
                }
                fields.extend(similarity.map(|n| format!("similarity = '{}'\n", ["strict", "taxonomy", "any"][n])));
                parts.profiles.push_str(&profile(name, &fields));
                parts.profiles.push('\n');
            }
        })
    })
}

fn any_history() -> impl Strategy<Value = Vec<Event>> {
    let countries = ["DE", "AT", "CH", "FR", "GB", "US", "CA"];
    let country = proptest::option::weighted(0.3, 0..countries.len());
    let one = (0..EventKind::ALL.len(), 0..Trigger::ALL.len(), any::<[bool; 2]>(), 0..1_500i64, 0..8u64, country);
    proptest::collection::vec(one, 0..8).prop_map(move |lines| {
        type Line = (usize, usize, [bool; 2], i64, u64, Option<usize>);
        let event = |((kind, trigger, [own_address, told], days, answers, country), seq): (Line, u64)| {
            let at = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * days);
            let fact = Fact {
                occurred: Some(at),
                trigger: Some(Trigger::ALL[trigger]),
                own_address,
                notice: told.then(|| "00".repeat(32)),
                country: country.map(|n| countries[n].parse_country()),
                ..Fact::default()
            };
            let bare = Event::new(EventKind::ALL[kind], "acme", vec![topic("fashion.bags")], Source::System, at);
            Event { seq, answers: (answers < seq).then_some(answers), fact: Some(fact), until: Some(at), ..bare }
        };
        lines.into_iter().zip(1..).map(event).collect()
    })
}

/// Fails where something passes under the new rules that the old ones block.
fn compare(new: &Rules, old: &Rules, events: &[Event], days: i64, listed: bool) -> Result<(), TestCaseError> {
    let standing = Standing::fold(events);
    let now = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * days);
    for about in ["fashion.bags", "fashion.shoes", "coffee.beans"] {
        let about = topic(about);
        let said = |rules: &Rules| -> Reason {
            rules.policy.judge(Case { controller: "acme", topic: &about, standing: &standing, listed, now }).reason
        };
        let (new, old) = (said(new), said(old));
        prop_assert!(new.verdict() != Verdict::Pass || old.verdict() == Verdict::Pass, "{about}: {new}, and {old} before");
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_is_within_passes_nothing_that_the_old_block(
        new in any_rules(), old in any_rules(), events in any_history(), days in 0..2_000i64, listed in any::<bool>()
    ) {
        if new.is_within(&old).is_ok() {
            compare(&new, &old, &events, days, listed)?;
        }
    }

    #[test]
    fn profiles_that_are_within_pass_nothing_that_the_old_block(
        new in any_policy(), old in any_policy(), histories in proptest::collection::vec((any_history(), 0..2_000i64, any::<bool>()), 40)
    ) {
        if new.is_within(&old).is_ok() {
            for (events, days, listed) in &histories {
                compare(&new, &old, events, *days, *listed)?;
            }
        }
    }
}
