//! Changing a rule: simulated on recorded decisions, approved by a second person, then in force.

use std::process::Command;

use jiff::Timestamp;

use super::{newsletter, receipt};
use crate::authenticator::code;
use crate::client::Client;
use crate::peers::run_with_input;
use crate::sink::Sink;
use crate::visitor::Visitor;
use crate::world::{World, consentry, link};

const FROM: &str = "newsletter@acme.example";
const SHOP: &str = "shop@acme.example";
const OLIVIA: &str = "olivia@people.example";
const PASSWORD: &str = "correct horse battery";

/// sysexits(3)
const EX_CONFIG: i32 = 78;

/// Only watched.
const WATCHED: (&str, &str) =
    ("name = \"news\"\ncontroller = \"acme\"\nclass", "name = \"news\"\nmode = \"shadow\"\ncontroller = \"acme\"\nclass");
/// No word of a sender counts any more.
const ALL_MARKETING: (&str, &str) = ("class = \"declared\"", "class = \"marketing\"");

/// Runs it; exit code, standard output and standard error.
fn run(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_consentry"));
    let output = run_with_input(command.args(arguments), input.as_bytes(), false);
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The world's own configuration, and another one beside it that is changed so.
fn changed(world: &World, (old, new): (&str, &str)) -> (String, String) {
    let file = world.dir.path().join("consentry.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(old), "{old}");
    let other = world.dir.path().join("new.toml");
    std::fs::write(&other, text.replace(old, new)).unwrap();
    (file.display().to_string(), other.display().to_string())
}

/// Makes the changed configuration the world's own.
fn take(world: &World) {
    std::fs::copy(world.dir.path().join("new.toml"), world.dir.path().join("consentry.toml")).unwrap();
}

fn add_operators(config: &str) {
    for (name, role) in [("mia", "compliance"), ("ida", "legal"), ("vic", "operator")] {
        consentry(&["user", "add-operator", "--config", config, "--name", name, "--role", role], PASSWORD);
    }
}

fn send(world: &World, stream: &str, from: &str, to: &str, message: &[u8]) -> u16 {
    Client::login(world.smtp, stream).send(from, to, message).0
}

/// With more headers.
fn with(headers: &str, message: &[u8]) -> Vec<u8> {
    [headers.as_bytes(), message].concat()
}

/// Runs a simulation, of somebody who proposes the rules or of nobody; standard output, and the lines of the CSV file without the
/// headings.
fn simulate(world: &World, config: &str, by: &[&str]) -> (String, Vec<String>) {
    let csv = world.dir.path().join("report.csv").display().to_string();
    let told = consentry(&[&["simulate", "--config", config, "--since", "30d", "--csv", &csv], by].concat(), PASSWORD);
    let lines = std::fs::read_to_string(csv).unwrap().lines().skip(1).map(str::to_owned).collect();
    (told, lines)
}

fn id(told: &str) -> String {
    told.lines().find_map(|line| line.strip_prefix("rules ")).unwrap_or_else(|| panic!("no id in {told}")).to_owned()
}

#[test]
fn a_changed_rule_serves_only_after_a_simulation_and_a_second_person() {
    // S0-26, S0-27, S0-28, J-03
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    let (config, new) = changed(&world, WATCHED);
    add_operators(&config);
    assert_eq!(send(&world, "news", FROM, OLIVIA, &newsletter(OLIVIA, 1)), 550);
    let check = |config: &str| consentry(&["check", "--config", config], "");
    assert!(check(&config).contains(", in force since "), "{}", check(&config));
    assert!(check(&new).contains("NOT approved"), "{}", check(&new));
    assert!(world.stop());

    let (code, _, told) = run(&["serve", "--config", &new], "");
    assert_eq!(code, EX_CONFIG, "{told}");
    for words in ["consentry simulate --config", "consentry rules approve ", "stream news: is only watched"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let rules = told.split("rules approve ").nth(1).unwrap().split(' ').next().unwrap().to_owned();

    let approve = |name: &str, password: &str, reason: &str| {
        run(&["rules", "approve", &rules, "--config", &new, "--as", name, "--reason", reason], password)
    };
    let refused = |name: &str, password: &str, reason: &str, why: &str| {
        let (code, _, told) = approve(name, password, reason);
        assert!(code != 0 && told.contains(why), "{name}, {why}: {told}");
    };
    refused("ida", PASSWORD, "weighed", "there is no simulation");
    assert_eq!(id(&simulate(&world, &new, &[]).0), rules);
    refused("ida", PASSWORD, "weighed", "there is no simulation");
    let (told, _) = simulate(&world, &new, &["--as", "Mia"]);
    assert_eq!(id(&told), rules);
    refused("mia", PASSWORD, "weighed", "a second person must approve");
    refused("ida", "wrong", "weighed", "name, password or code is wrong");
    refused("vic", PASSWORD, "weighed", "not for your role");
    refused("ida", PASSWORD, " ", "give a reason");
    assert_eq!(run(&["serve", "--config", &new], "").0, EX_CONFIG, "what was refused approves nothing");

    let (code, told, _) = approve("ida", PASSWORD, "watched for a month, the risk is borne by sales");
    assert!(code == 0 && told.contains("ida (legal) approved"), "{told}");
    assert!(check(&new).contains("approved: in force from the next start"), "{}", check(&new));
    let list = consentry(&["rules", "list", "--config", &config], "");
    assert!(list.contains("in force") && list.contains("by ida (legal)") && list.contains("1 newly passed"), "{list}");
    let shown = consentry(&["rules", "show", &rules[..12], "--config", &config], "");
    assert!(shown.contains("the risk is borne by sales") && shown.contains("\"mode\": \"shadow\""), "{shown}");

    std::fs::rename(&config, world.dir.path().join("old.toml")).unwrap();
    take(&world);
    world.restart();
    assert!(world.log().contains("rule_activated"), "{}", world.log());
    assert_eq!(send(&world, "news", FROM, OLIVIA, &newsletter(OLIVIA, 2)), 250, "watched");
    assert!(world.stop());

    // the way back is a change, too: what was approved to follow other rules does not count any more
    std::fs::rename(world.dir.path().join("old.toml"), &config).unwrap();
    let (code, _, told) = run(&["serve", "--config", &config], "");
    assert!(code == EX_CONFIG && told.contains("consentry rules tighten"), "{told}");
    consentry(&["rules", "tighten", "--config", &config, "--reason", "complaints"], "");
    world.restart();
    assert_eq!(send(&world, "news", FROM, OLIVIA, &newsletter(OLIVIA, 3)), 550);
    assert!(world.stop());
    take(&world);
    assert!(world.refused_start().contains("nobody approved them"), "an approval is good for one change");
}

#[test]
fn whoever_has_a_second_factor_proves_it_when_approving_and_failures_lock() {
    // S0-28
    let sink = Sink::start();
    let world =
        World::start_with(sink.address(), |setup| setup.config = setup.config.replace("totp = \"optional\"", "totp = \"required\""));
    let (config, new) = changed(&world, WATCHED);
    add_operators(&config);
    let later = || Timestamp::now() + jiff::SignedDuration::from_secs(30); // the step that the enrolment used is used up
    let secret = enrol(&world, "mia");
    let rules = id(&simulate(&world, &new, &["--as", "mia", "--code", &code(&secret, later())]).0);
    let approve = |name: &str, password: &str, more: &[&str]| {
        let (code, _, told) =
            run(&[&["rules", "approve", &rules, "--config", &config, "--as", name, "--reason", "weighed"], more].concat(), password);
        if code == 0 { String::new() } else { told }
    };
    assert!(approve("ida", PASSWORD, &[]).contains("no second factor yet"));
    let secret = enrol(&world, "ida");
    assert!(approve("ida", PASSWORD, &[]).contains("give the code"));
    assert!(approve("ida", PASSWORD, &["--code", "000000"]).contains("wrong"));
    assert_eq!(approve("ida", PASSWORD, &["--code", &code(&secret, later())]), "");
    for _ in 0..5 {
        assert!(approve("mia", "wrong password", &[]).contains("wrong"));
    }
    assert!(approve("mia", PASSWORD, &[]).contains("the account is locked"), "S0-28: as at a login");
}

/// Sets up a second factor at /admin; its secret.
fn enrol(world: &World, name: &str) -> String {
    let mut visitor = Visitor::login(world, name, PASSWORD);
    let page = visitor.get("/admin/second-factor").1;
    let secret = page.split("class=\"key\">").nth(1).unwrap_or_else(|| panic!("{page}")).split('<').next().unwrap().to_owned();
    let now = code(&secret, Timestamp::now());
    visitor.send("/admin/second-factor", "/admin/second-factor", &[("code", &now), ("back", "")]);
    secret
}

#[test]
fn haste_may_tighten_and_nothing_else() {
    // S0-26, J-03
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    changed(&world, ALL_MARKETING);
    let declared = with("Consentry-Class: transactional\r\n", &receipt(OLIVIA, 1));
    assert_eq!(send(&world, "mixed", SHOP, OLIVIA, &declared), 250);
    assert!(world.stop());
    let new = world.dir.path().join("new.toml").display().to_string();
    let told = run(&["serve", "--config", &new], "").2;
    assert!(told.contains("They only tighten what is in force"), "{told}");
    take(&world);
    consentry(&["rules", "tighten", "--config", &new, "--reason", "a campaign was declared transactional"], "");
    world.restart();
    let declared = with("Consentry-Class: transactional\r\n", &receipt(OLIVIA, 2));
    assert_eq!(send(&world, "mixed", SHOP, OLIVIA, &declared), 550);
    assert!(world.stop());

    let (_, looser) = changed(&world, WATCHED);
    let (code, _, told) = run(&["rules", "tighten", "--config", &looser, "--reason", "in a hurry"], "");
    assert!(code == EX_CONFIG && told.contains("stream news: is only watched"), "{told}");
    let (_, looser) = changed(&world, ("from_domains = [\"acme.example\"]", "from_domains = [\"acme.example\", \"b.example\"]"));
    let (code, _, told) = run(&["rules", "tighten", "--config", &looser, "--reason", "in a hurry"], "");
    assert!(code == EX_CONFIG && told.contains("stream shop: from_domains has b.example more"), "{told}");
}

#[test]
fn a_simulation_says_what_would_have_become_of_each_mail() {
    // S0-27, S0-29, L-AD-07
    let sink = Sink::start();
    let world = World::start(sink.address());
    world.sign_up(OLIVIA);
    world.confirm(&link(&sink.wait_for(1)[0].message, "/c/"));
    let declared = |to: &str, n: u32| with("Consentry-Class: transactional\r\nConsentry-Campaign: spring\r\n", &receipt(to, n));
    for n in 1..=3 {
        let stranger = format!("stranger{n}@people.example");
        assert_eq!(send(&world, "mixed", SHOP, &stranger, &declared(&stranger, n)), 250);
    }
    assert_eq!(send(&world, "mixed", SHOP, OLIVIA, &declared(OLIVIA, 4)), 250);
    assert_eq!(send(&world, "shop", SHOP, OLIVIA, &receipt(OLIVIA, 5)), 250);
    assert_eq!(send(&world, "news", FROM, OLIVIA, &newsletter(OLIVIA, 6)), 250);
    for n in 7..=8 {
        assert_eq!(send(&world, "news", FROM, "nobody@people.example", &newsletter("nobody@people.example", n)), 550);
    }
    let events = with("Consentry-Topic: news.events\r\n", &newsletter(OLIVIA, 9));
    assert_eq!(send(&world, "news", FROM, OLIVIA, &events), 250);
    let foreign = String::from_utf8(newsletter(OLIVIA, 10)).unwrap().replace("newsletter@acme.example", "x@evil.example");
    assert_eq!(send(&world, "news", FROM, OLIVIA, foreign.as_bytes()), 550);

    let lines = |change: (&str, &str)| {
        let (_, new) = changed(&world, change);
        let (told, lines) = simulate(&world, &new, &[]);
        assert!(told.contains("10 decisions from "), "{told}");
        assert_eq!(told.lines().filter(|line| line.contains("decisions a second")).count(), 1, "{told}");
        (told, lines)
    };
    let same = [
        "mixed,spring,news,transactional,transactional,unchanged,4",
        "news,,news,doi_consent,doi_consent,unchanged,1",
        "news,,news,from_not_allowed,from_not_allowed,unchanged,1",
        "news,,news,no_consent,no_consent,unchanged,2",
        "news,,news.events,doi_consent,doi_consent,unchanged,1",
        "shop,,,transactional,transactional,unchanged,1",
    ];
    let (told, nothing) = lines(("[[stream]]", "[[stream]] # none"));
    assert_eq!(nothing, same, "{told}");

    // passes before, blocked after: strangers; not Olivia, whose standing then is folded anew
    let (told, stricter) = lines(ALL_MARKETING);
    assert!(told.contains("3 newly blocked, 0 newly passed, 7 unchanged"), "{told}");
    assert_eq!(
        stricter[..2],
        ["mixed,spring,news,transactional,doi_consent,unchanged,1", "mixed,spring,news,transactional,no_consent,newly_blocked,3"]
    );
    assert_eq!(stricter[2..], same[1..], "S0-29: other streams are untouched");

    // blocked before, passes after
    let (told, watched) = lines(WATCHED);
    assert!(told.contains("0 newly blocked, 2 newly passed, 8 unchanged"), "{told}");
    assert!(watched.contains(&"news,,news,no_consent,shadow,newly_passed,2".to_owned()), "{watched:?}");

    // a rule of one topic leaves another alone
    let topic = "[[topic]]\nname = \"news.events\"\ncontroller = \"acme\"";
    let (_, moved) = lines((topic, "[[topic]]\nname = \"news.events\"\ncontroller = \"globex\""));
    assert!(moved.contains(&"news,,news.events,doi_consent,other_controller,newly_blocked,1".to_owned()), "{moved:?}");
    assert_eq!(moved.iter().filter(|line| same.contains(&line.as_str())).count(), 5, "S0-29: {moved:?}");

    // what the record does not tell is not made up
    let (told, domains) = lines(("from_domains = [\"acme.example\"]", "from_domains = [\"other.example\"]"));
    assert!(domains.contains(&"news,,news,from_not_allowed,not_known,not_known,1".to_owned()), "{domains:?}");
    assert!(told.contains("stream news loses from_domains"), "{told}");
    let (_, gone) = lines(("name = \"shop\"", "name = \"store\""));
    assert!(gone.contains(&"shop,,,transactional,stream_gone,stream_gone,1".to_owned()), "{gone:?}");
}

#[test]
fn the_report_is_one_page_that_needs_nothing_else_and_runs_nothing() {
    // S0-27
    let sink = Sink::start();
    let world = World::start(sink.address());
    let evil = with("Consentry-Campaign: <script>alert(1)</script>\r\n", &newsletter(OLIVIA, 1));
    send(&world, "news", FROM, OLIVIA, &evil);
    let (_, new) = changed(&world, WATCHED);
    let html = world.dir.path().join("report.html").display().to_string();
    for (language, title) in [("de", "Simulation von Regeln"), ("en", "Simulation of rules")] {
        consentry(&["simulate", "--config", &new, "--since", "1d", "--html", &html, "--lang", language], "");
        let page = std::fs::read_to_string(&html).unwrap();
        assert!(page.contains(&format!("<html lang=\"{language}\">")) && page.contains(&format!("<h1>{title}</h1>")), "{page}");
        assert!(page.contains("default-src 'none'") && page.contains("&lt;script&gt;alert(1)"), "{page}");
        for word in ["<script", "src=", "href=", "url(", "@import"] {
            assert!(!page.contains(word), "{word}");
        }
    }
    for (since, mend) in [("0s", "how far back"), ("tomorrow", "30d"), ("-3d", "how far back")] {
        let (code, _, told) = run(&["simulate", "--config", &new, &format!("--since={since}")], "");
        assert!(code != 0 && told.contains(mend), "{since}: {told}");
    }
}
