//! Where data may be: what the law of the seat does not allow is refused at load, with the place and the mend.

use consentry::config::Config;

use crate::environment::repository;

const ESP: &str = "[[residency.processor]]\nkey = \"esp\"\nname = \"ESP Inc\"\ncontact = \"privacy@esp.example\"\npurpose = \"sends\"\n\
                   contract = \"DPA 7\"\ncontrolled_from = \"US\"\ncertificates = [\"ISO/IEC 27001\"]\n";
const DPF: &str = "basis = \"adequacy\"\ndecision = \"(EU) 2023/1795\"\n";
const SCC: &str = "basis = \"scc\"\nassessment = \"TIA 3\"\nmeasures = [\"fields are encrypted\"]\n";

fn example() -> String {
    std::fs::read_to_string(repository().join("deploy/consentry.toml")).unwrap()
}

fn hop(country: &str, rest: &str) -> String {
    format!("[[residency.place]]\nwhat = \"outbound\"\nhost = \"mx.example.net\"\ncountry = \"{country}\"\n{rest}")
}

fn stored(what: &str, country: &str, rest: &str) -> String {
    format!("{}[[residency.place]]\nwhat = \"{what}\"\ncountry = \"{country}\"\n{rest}", hop("DE", ""))
}

#[test]
fn what_the_law_on_transfers_does_not_allow_is_refused_at_load() {
    // S1-02, S1-03, S1-04, S2-01, S2-02, S2-03, S2-05, L-TOM-05
    let rows: Vec<(String, Option<&str>)> = vec![
        (String::new(), Some("nobody says in which country outbound \"mx.example.net\" is")),
        (hop("DE", ""), None),
        (hop("FR", "basis = \"eu\"\n"), None),
        (hop("NO", ""), None),
        (hop("US", ""), Some("place \"outbound\" \"mx.example.net\": US is a third country and no basis is given")),
        (hop("US", "basis = \"eu\"\n"), Some("US is a third country and no basis is given")),
        (hop("IN", "basis = \"none\"\n"), Some("IN is a third country and no basis is given")),
        (hop("US", "basis = \"adequacy\"\n"), Some("decision must name \"(EU) 2023/1795\"")),
        (hop("US", DPF), Some("has a condition: only organisations on the Data Privacy Framework List; write how and when")),
        (hop("US", &format!("{DPF}checked = \"2026-11-01, Mia\"\n")), None),
        (hop("CH", "basis = \"adequacy\"\ndecision = \"2000/518/EC\"\n"), None),
        (hop("IN", "basis = \"adequacy\"\ndecision = \"2000/518/EC\"\n"), Some("no adequacy decision for IN is known (as of 2026-")),
        (hop("IN", "basis = \"scc\"\n"), Some("basis = \"scc\" is a contract: write with which processor")),
        (hop("IN", "basis = \"scc\"\nprocessor = \"esp\"\n") + ESP, Some("clauses alone are not enough (CJEU C-311/18)")),
        (hop("IN", "basis = \"scc\"\nprocessor = \"esp\"\nassessment = \"TIA 3\"\nmeasures = [\" \"]\n") + ESP, Some("clauses alone")),
        (hop("IN", &format!("{SCC}processor = \"esp\"\n")) + ESP, None),
        (hop("IN", &format!("{SCC}processor = \"nobody\"\n")), Some("processor = \"nobody\" is no [[residency.processor]] key")),
        (hop("DE", "processor = \"esp\"\n") + &ESP.replace("DPA 7", " "), Some("processor \"esp\": contract is empty")),
        (hop("DE", "processor = \"esp\"\n") + ESP, None),
        (
            format!("[residency]\nforeign_control = \"refuse\"\n{}{ESP}", hop("DE", "processor = \"esp\"\n")),
            Some("processor \"esp\": is controlled from US, which foreign_control = \"refuse\" does not allow"),
        ),
        (hop("DE", DPF), Some("DE needs no transfer basis")),
        (hop("DE", "").replace("mx.example.net", "mx2.example.net"), Some("host = \"mx2.example.net\" is no outbound MTA")),
        (stored("data", "DE", "host = \"x\"\n"), Some("host is for what = \"outbound\" and \"database\"")),
        (
            stored("data", "US", &format!("{DPF}checked = \"Mia\"\n")),
            Some("place \"data\": US is a third country, where nothing is stored"),
        ),
        (stored("backup", "US", ""), Some("place \"backup\": US is a third country, where nothing is stored")),
        (stored("keys", "CH", ""), Some("place \"keys\": CH is a third country, where nothing is stored")),
        (
            format!("[residency]\nstorage = \"lawful\"\n{}", stored("backup", "US", "")),
            Some("place \"backup\": US is a third country and no basis"),
        ),
        (
            format!("[residency]\nstorage = \"lawful\"\n{}", stored("backup", "CH", "basis = \"adequacy\"\ndecision = \"2000/518/EC\"\n")),
            None,
        ),
        (format!("{}{ESP}{ESP}", hop("DE", "")), Some("two processors have key = \"esp\"")),
    ];
    for (more, expected) in rows {
        // the example has an empty [residency] table of its own
        let text = if more.starts_with("[residency]") { more.clone() } else { format!("[residency]\n{more}") };
        let config = example().replace("host = \"127.0.0.1\"", "host = \"mx.example.net\"").replace("\n[residency] ", "\n# [residency] ");
        let faults = Config::parse(&format!("{config}\n{text}")).unwrap_or_else(|error| panic!("{more}: {error}")).faults();
        match expected {
            Some(expected) => assert!(faults.iter().any(|fault| fault.contains(expected)), "{expected} in {faults:?}"),
            None => assert_eq!(faults, Vec::<String>::new(), "{more}"),
        }
    }
}

#[test]
fn the_law_is_that_of_the_seat_and_all_faults_are_told_at_once() {
    // S2-01, J-01
    let config = |country: &str, more: &str| {
        let text = example().replace("country = \"DE\"  ", &format!("country = \"{country}\"  ")).replace("\n[residency] ", "\n# ");
        Config::parse(&format!("{}\n{more}", text.replace("host = \"127.0.0.1\"", "host = \"mx.example.net\""))).unwrap().faults()
    };
    let british = hop("GB", "");
    for (seat, refused) in [("DE", true), ("AT", true), ("FR", true), ("CH", true), ("GB", false), ("US", false)] {
        assert_eq!(!config(seat, &british).is_empty(), refused, "{seat}: {:?}", config(seat, &british));
    }
    let several = format!("{}{}", hop("IN", ""), "[[residency.place]]\nwhat = \"backup\"\ncountry = \"US\"\n");
    assert_eq!(config("DE", &several).len(), 2);
}

#[test]
fn what_is_not_said_is_on_this_machine_in_the_country_of_the_seat() {
    // S1-02, S1-03
    let config = Config::parse(&example()).unwrap();
    let places = config.residency().places();
    let told: Vec<_> = places.iter().map(|place| (place.what.as_str(), place.country.as_str(), place.processor.is_none())).collect();
    assert_eq!(told, [("data", "DE", true), ("keys", "DE", true), ("outbound", "DE", true)]);
    let gaps = config.residency().gaps();
    assert!(
        matches!(gaps[..], [ledger, keys] if ledger.contains("what = \"backup\"") && keys.contains("what = \"key-backup\"")),
        "{gaps:?}"
    );
}

/// With a database on that machine.
fn with_database(url: &str, more: &str) -> Vec<String> {
    let text = example().replace("\n[residency] ", "\n# [residency] ");
    Config::parse(&format!("{text}\n[database]\nurl = {url:?}\n{more}")).unwrap().faults()
}

#[test]
fn a_database_elsewhere_needs_its_country_and_a_checked_certificate() {
    // S1-02, S1-03, S2-01, S2-06
    let place = |country: &str, host: &str| format!("[[residency.place]]\nwhat = \"database\"\nhost = {host:?}\ncountry = \"{country}\"\n");
    let far = "postgres://c@db.example.net/ledger?sslmode=verify-full";
    let rows = [
        ("postgres://c@localhost/ledger", String::new(), None),
        ("postgres://c@127.0.0.1:5433/ledger", String::new(), None),
        ("postgres://c@x/ledger?host=/run/postgresql", String::new(), None),
        (
            far,
            String::new(),
            Some("nobody says in which country database \"db.example.net\" is; write [[residency.place]] what = \"database\""),
        ),
        (far, place("DE", "db.example.net"), None),
        (far, place("US", "db.example.net"), Some("US is a third country, where nothing is stored (S1-02)")),
        (far, place("DE", "other.example.net"), Some("host = \"other.example.net\" is no host of [database]")),
        (far, hop("DE", "").replace("mx.example.net", "db.example.net"), Some("is no outbound MTA")),
        (
            "postgres://c@db.example.net/ledger",
            place("DE", "db.example.net"),
            Some("its certificate must be checked; write ?sslmode=verify-full"),
        ),
        ("mysql://c@localhost/ledger", String::new(), Some("url is no URL of a database; write postgres://")),
        (
            far,
            format!("keys_url = \"postgres://c@keys.example.net/k?sslmode=verify-full\"\n{}", place("DE", "db.example.net")),
            Some("database \"keys.example.net\" is"),
        ),
    ];
    for (url, more, expected) in rows {
        let faults = with_database(url, &more);
        match expected {
            Some(expected) => assert!(faults.iter().any(|fault| fault.contains(expected)), "{expected} in {faults:?}"),
            None => assert_eq!(faults, Vec::<String>::new(), "{url} {more}"),
        }
    }
}
