//! The configuration file: the example is good, and every fault is told with its place and the mend.

use std::process::{Command, Output};

use consentry::config::Config;

use crate::environment::repository;

#[test]
fn the_example_configuration_is_good() {
    let text = std::fs::read_to_string(repository().join("deploy/consentry.toml")).unwrap();
    assert_eq!(Config::parse(&text).unwrap().faults(), Vec::<String>::new());
}

#[test]
fn every_fault_is_told_with_its_place_and_the_mend() {
    let good = std::fs::read_to_string(repository().join("deploy/consentry.toml")).unwrap();
    for (from, to, expected) in [
        ("https://consent.example.com", "http://consent.example.com", "public_url = \"http://consent.example.com\": must be https://"),
        ("[\"0.0.0.0:587\", \"[::]:587\"]", "[]", "listen: neither smtp nor smtps"),
        ("tls = {", "# tls = {", "streams with a username need TLS off the loopback; write listen.tls"),
        (
            "[smtp]",
            "[[listener]]\naddress = \"10.0.0.5:25\"\nprotocol = \"lmtp\"\n[smtp]", // M-57
            "listener \"10.0.0.5:25\": LMTP must not use port 25",
        ),
        ("[smtp]", "[[listener]]\naddress = \"10.0.0.5:26\"\nstream = \"nothing\"\n[smtp]", "stream = \"nothing\" is no [[stream]] name"),
        ("[smtp]", "[[listener]]\naddress = \"10.0.0.5:26\"\nstream = \"shop\"\n[smtp]", "stream needs networks off the loopback"),
        (
            "[smtp]",
            "[[listener]]\naddress = \"127.0.0.1:26\"\nstream = \"shop\"\nproxy_from = [\"127.0.0.0/8\"]\n[smtp]",
            "stream needs networks off the loopback and behind a proxy",
        ),
        ("[smtp]", "[[listener]]\naddress = \"10.0.0.5:26\"\nstream = \"shop\"\nnetworks = [\"::/0\"]\n[smtp]", "networks must not hold"),
        ("[smtp]", "[[listener]]\naddress = \"10.0.0.5:26\"\nnetworks = [\"10.0.0.0/8\"]\n[smtp]", "networks without stream"),
        ("[smtp]", "[[listener]]\naddress = \"10.0.0.5:26\"\nproxy_from = [\"0.0.0.0/0\"]\n[smtp]", "proxy_from must not hold"),
        ("networks = [\"10.1.2.0/24\"]", "networks = [\"10.1.2.0/24\"]\nmessages_per_minute = 0", "messages_per_minute and"),
        ("[smtp]", "[[listener]]\naddress = \"10.0.0.5:26\"\nmode = 0o600\n[smtp]", "mode is for unix sockets"),
        ("[smtp]", "[[listener]]\naddress = \"unix:/a\"\nmode = 0o1777\n[smtp]", "mode must be like 0o660"),
        ("[smtp]", "[[listener]]\naddress = \"unix:/a\"\ntls = \"starttls\"\n[smtp]", "a unix socket has no TLS"),
        (
            "[smtp]",
            "[[listener]]\naddress = \"10.0.0.5:26\"\ntls = \"off\"\n[smtp]",
            "streams with a username need TLS off the loopback; leave tls = \"off\" out",
        ),
        ("[smtp]", "[[listener]]\naddress = \"[::]:587\"\n[smtp]", "two listeners have address = \"[::]:587\""),
        ("tls = {", "smtps = [\"0.0.0.0:465\"] # tls = {", "listen: smtps needs tls"),
        ("hostname = \"gateway.example.com\"", "hostname = \"a b\"", "smtp: hostname must be"),
        ("imprint = \"Example GmbH,", "imprint = \"\" # \"", "controller \"example\": imprint is empty"),
        ("privacy_url = \"https://", "privacy_url = \"", "controller \"example\": privacy_url must be"),
        ("from = \"newsletter@example.com\"", "from = \"newsletter\"", "controller \"example\": from: address needs"),
        (
            "accent = \"#0b5566\"",
            "accent = \"#ffcc00\"",
            "controller \"example\": brand accent = \"#ffcc00\": its contrast with #ffffff is 1.51:1",
        ),
        ("radius = 14", "radius = 200", "controller \"example\": brand radius = 200: must be 0 to 32"),
        ("key = \"example\"", "key = \"text\"", "controller \"text\": key is the name of a directory"),
        ("list_id = \"newsletter.example.com\"", "list_id = \"a b\"", "topic \"newsletter\": list_id must be like"),
        ("list_id = \"newsletter.example.com\"", "list_id = \"brief.müller.example\"", "topic \"newsletter\": list_id must be like"),
        ("data_dir = \"", "data_dir = \"\" # \"", "data_dir is empty"),
        ("port = 10025", "port = 10025\nusername = \"gate\"", "outbound: username without password_file"),
        (
            "port = 10025",
            "port = 10025\n[[outbound.hop]]\nhost = \"mx\"",
            "outbound: host, port beside [[outbound.hop]]: write it into a hop",
        ),
        ("port = 10025", "port = 10025\nreserved_for_transactional = 50", "outbound: reserved_for_transactional = 50: must be less than"),
        ("[smtp]", "[smtp]\ncommand_timeout_seconds = 0", "smtp: command_timeout_seconds,"),
        ("name = \"newsletter.events\"", "name = \"newsletter\"", "two [[topic]] have name = \"newsletter\""),
        (
            "topic = \"newsletter\"\nfrom_domains = [\"news",
            "topic = \"nothing\"\nfrom_domains = [\"news",
            "topic = \"nothing\" is no [[topic]] name",
        ),
        ("from_domains = [\"news.example.com\"]", "from_domains = []", "stream \"campaigns\": from_domains is empty"),
        ("from_domains = [\"news.example.com\"]", "from_domains = [\"a b\"]", "\"a b\" is neither example.com nor *.example.com"),
        ("username = \"campaigns\"\n", "", "password_hash without username"),
        ("username = \"crm\"", "username = \"campaigns\"", "two [[stream]] have username = \"campaigns\""),
        ("\"$argon2id$", "\"$plain$", "password_hash is no argon2 hash; make one by `consentry user hash-password`"),
        ("networks = [\"10.1.2.0/24\"]", "networks = [\"0.0.0.0/0\"]", "networks must not hold the whole internet"),
        ("networks = [\"10.1.2.0/24\"]", "networks = []", "stream \"shop\": needs username and password_hash, or networks"),
        (
            "username = \"crm\"",
            "username = \"crm\"\nnetworks = [\"10.0.0.0/8\"]",
            "stream \"crm\": networks: 10.0.0.0/8 is, in part, stream \"shop\"'s too",
        ),
        ("[smtp]", "[[listener]]\naddress = \"127.0.0.1:26\"\ninbound = {}\n[smtp]", "inbound, but no [[controller]] has a mailbox"),
        ("[smtp]", "[[listener]]\naddress = \"10.0.0.5:26\"\ninbound = {}\n[smtp]", "inbound needs networks off the loopback"),
        (
            "[smtp]",
            "[[listener]]\naddress = \"127.0.0.1:26\"\nstream = \"shop\"\ninbound = {}\n[smtp]",
            "inbound takes no mail to be sent; leave stream out",
        ),
        (
            "[controller.brand] ",
            "[controller.headers]\ncomplaints = \"a@x.example\"\nbounces = \"A@x.example\"\n[[listener]]\naddress = \"127.0.0.1:26\"\ninbound = {}\n[controller.brand] ",
            "stands twice in [[controller]]",
        ),
        ("domain = \"example.com\"", "domain = \"*.example.com\"", "dkim domain = \"*.example.com\""),
    ] {
        assert!(good.contains(from), "the example has {from}");
        let faults = Config::parse(&good.replacen(from, to, 1)).expect(expected).faults();
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{expected} in {faults:?}");
    }
}

fn check(config: &str) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("consentry.toml");
    std::fs::write(&file, config).unwrap();
    Command::new(env!("CARGO_BIN_EXE_consentry")).args(["check", "--config", &file.display().to_string()]).output().unwrap()
}

#[test]
fn who_may_speak_as_a_stream_is_part_of_the_rules() {
    // S0-26: the campaign tool on the shop's login would send its campaigns as receipts; a new password is nobody's business
    let good = include_str!("../../deploy/consentry.toml");
    let rules = |text: &str| Config::parse(text).expect("parses").rules();
    let other = good.replacen("username = \"crm\"", "username = \"other\"", 1);
    let looser = rules(&other).is_within(&rules(good)).expect_err("is looser");
    assert_eq!(looser, ["stream crm: takes mail of login other besides"]);
    let wider = good.replacen("10.1.2.0/24", "10.1.0.0/16", 1);
    assert!(rules(&wider).is_within(&rules(good)).is_err());
    let renewed = good.replace("zxCkcvtbGTAo1Seyd1w7VZU1NbhQo7a0XFFGr4", "AxCkcvtbGTAo1Seyd1w7VZU1NbhQo7a0XFFGr4");
    assert!(renewed != good && rules(&renewed).id() == rules(good).id());
}

#[test]
fn check_ends_with_ex_config_and_the_line_at_fault() {
    let good = std::fs::read_to_string(repository().join("deploy/consentry.toml")).unwrap();
    for (config, expected) in [
        (format!("colour = \"blue\"\n{good}"), "line 1, column 1"),
        (
            good.replace("[smtp]", "[[listener]]\naddress = \"unix:run/x\"\n[smtp]"),
            "is no address: write \"127.0.0.1:2525\" or \"unix:/run/",
        ),
        (good.replace("[smtp]", "[[listener]]\naddress = \"[::1]:26\"\ncolour = 1\n[smtp]"), "unknown field `colour`"),
        (good.replace("port = 10025", "port = \"ten\""), "port = \"ten\""),
        (good.replace("class = \"marketing\"", "class = \"newsletter\""), "expected one of `marketing`, `transactional`, `declared`"),
        (good.replace("list_id = \"newsletter", "list = \"newsletter"), "unknown field `list`"),
        (good.replace("https://consent.", "http://consent."), "must be https://"),
    ] {
        let output = check(&config);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{told}");
        assert!(told.contains(expected) && told.contains("consentry.toml"), "{expected} in {told}");
    }
}

#[test]
fn check_says_what_a_good_configuration_means_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("dkim.pem").display().to_string();
    crate::world::consentry(&["keys", "dkim-generate", "--domain", "example.com", "--selector", "s", "--out", &key], "");
    let good = std::fs::read_to_string(repository().join("deploy/consentry.toml")).unwrap();
    let (certificate, certificate_key) = crate::smtp_server::certificate();
    let good = good
        .replace("/etc/consentry/dkim-example.com.pem", &key)
        .replace("/etc/consentry/smtp.crt", &certificate.display().to_string())
        .replace("/etc/consentry/smtp.key", &certificate_key.display().to_string());
    let lmtp = "[[listener]]\naddress = \"10.0.0.5:2400\"\nprotocol = \"lmtp\"\nstream = \"shop\"\nnetworks = [\"10.1.0.0/16\"]\n[smtp]";
    let output = check(&good.replace("[smtp]", lmtp));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        "smtp        [::]:587, STARTTLS\n",
        "lmtp        10.0.0.5:2400, STARTTLS, stream shop for 10.1.0.0/16\n",
        "stream      campaigns of example",
        "login crm",
        "consentry2026._domainkey.example.com",
        "outbound    127.0.0.1:10025, TLS off",
    ] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    assert!(!told.contains("argon2"), "{told}");
    // J-02
    let old = "\n[profile.at]\nsource = \"counsel\"\nauthor = \"Mia\"\nreviewed = \"2020-01-01\"\n";
    let warned = String::from_utf8(check(&format!("{good}{old}")).stdout).unwrap();
    let warning = "warning     policy profile at was last checked against the law on 2020-01-01";
    assert!(warned.contains(warning) && !told.contains(warning), "{warned}");
    // what `serve` would refuse, `check` refuses
    for (from, to, expected) in [
        (certificate.display().to_string(), "/nowhere/smtp.crt".to_owned(), "listen.tls: cannot read /nowhere/smtp.crt"),
        (key, "/nowhere/dkim.pem".to_owned(), "key_file /nowhere/dkim.pem"),
        ("https://consent.example.com".to_owned(), "https://consent.example.com,x".to_owned(), "public_url: must be a host"),
        (
            "# [form.text.de]".to_owned(),
            "[form.text.de]\nconsent = \"Ja\" #".to_owned(),
            "form \"newsletter\", de: the consent text does not name",
        ),
    ] {
        let output = check(&good.replace(&from, &to));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && told.contains(expected), "{expected} in {told}");
    }
}

#[test]
fn check_tries_the_operators_templates_and_names_the_file_at_fault() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("dkim.pem").display().to_string();
    crate::world::consentry(&["keys", "dkim-generate", "--domain", "example.com", "--selector", "s", "--out", &key], "");
    let (certificate, certificate_key) = crate::smtp_server::certificate();
    let good = std::fs::read_to_string(repository().join("deploy/consentry.toml"))
        .unwrap()
        .replace("/etc/consentry/dkim-example.com.pem", &key)
        .replace("/etc/consentry/smtp.crt", &certificate.display().to_string())
        .replace("/etc/consentry/smtp.key", &certificate_key.display().to_string());
    let templates = dir.path().join("templates");
    let good = format!("templates_dir = \"{}\"\n{good}", templates.display());
    let missing = check(&good);
    assert!(!missing.status.success() && String::from_utf8(missing.stderr).unwrap().contains("templates: No such file"));

    let write = |path: &str, text: &str| {
        std::fs::create_dir_all(templates.join(path).parent().unwrap()).unwrap();
        std::fs::write(templates.join(path), text).unwrap();
    };
    let built_in = |path: &str| std::fs::read_to_string(repository().join("templates").join(path)).unwrap();
    write(".git/HEAD", "hidden files are nobody's business");
    write("README.md", "neither is what explains");
    write("text/fr.toml", &built_in("text/en.toml").replace("Unsubscribe", "Se désabonner"));
    for name in ["access.{}.txt", "confirm.{}.txt", "footer.{}.txt", "footer.{}.html"] {
        write(&format!("mail/{}", name.replace("{}", "fr")), &built_in(&format!("mail/{}", name.replace("{}", "en"))));
    }
    write("example/text/de.toml", "[confirm]\ntitle = \"Unsere Frage\"");
    write("example/web/expired.html", "{% set title = t(\"expired.title\") %}<p>{{ t(\"expired.note\") }}</p>");
    let output = check(&good);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("controller  example (Example GmbH), speaks de en fr"), "{told}");

    let logo = dir.path().join("logo.svg");
    let branded = good.replace("# logo = \"/etc/consentry/logo.svg\"", &format!("logo = \"{}\"", logo.display()));
    for (svg, expected) in [
        (None, "logo.svg: No such file"),
        (Some("<svg onload=\"x()\"/>"), "controller \"example\": the logo holds a script"),
        (Some("<svg/>"), ""),
    ] {
        if let Some(svg) = svg {
            std::fs::write(&logo, svg).unwrap();
        }
        let output = check(&branded);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() == expected.is_empty() && told.contains(expected), "{expected} in {told}");
    }

    for (path, text, expected) in [
        ("example/mail/confirm.de.txt", "{% set subject = \"x\" %}Herzlich willkommen! {{ link }}", "confirm.de.txt holds the phrase"),
        ("mail/footer.fr.txt", "{{ controller.name }}", "mail/footer.fr.txt: lacks {{ link }}"),
        ("web/confirm.html", "{{ nothing }}", "web/confirm.html in de: undefined value"),
        ("text/de.toml", "[confirm]\ntitel = \"x\"", "text/de.toml: confirm.titel is no text of the pages"),
        ("other/text/de.toml", "", "other/: no [[controller]] has this key"),
        ("example/images/x.svg", "", "images: is neither text/, web/ or mail/"),
        ("notes.txt", "", "notes.txt: is neither text/, web/ or mail/"),
        ("web/expired.html", &"x".repeat(300 * 1024), "web/expired.html: is bigger than 256 KiB"),
    ] {
        let before = std::fs::read_to_string(templates.join(path)).ok();
        write(path, text);
        let output = check(&good);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(78) && told.contains(expected), "{expected} in {told}");
        match before {
            Some(before) => write(path, &before),
            None => std::fs::remove_file(templates.join(path)).unwrap(),
        }
        if path.starts_with("other") || path.contains("images") {
            std::fs::remove_dir_all(templates.join(path).parent().unwrap()).unwrap();
        }
        if path.starts_with("other") {
            std::fs::remove_dir(templates.join("other")).unwrap();
        }
    }
}
