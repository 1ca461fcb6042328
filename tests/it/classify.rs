//! `consentry classify` as an operator uses it: files, folders, rules that are tried, and figures on labelled mails.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{Connection, SqliteConnection};

use crate::client::Client;
use crate::environment::repository;
use crate::sink::Sink;
use crate::world::World;

const RECEIPT: &str =
    "From: Shop <a@example.com>\nSubject: Your order 483920\n\nThank you for your order. Your parcel was handed to the carrier today.\n";
const ADVERT: &str = "From: Shop <a@example.com>\nSubject: Your order 483920\n\nThank you for your order. Your parcel was handed to the carrier today.\n\nSave 25% on your next purchase with code SPRING25! Offer valid until Sunday, shop now: https://shop.example/sale\n";

/// Exit code, what it said, and what it complained of.
fn classify(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_consentry")).arg("classify").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn folder(mails: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in mails {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().to_owned();
    (folder, path)
}

fn named(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn every_step_to_the_class_is_shown_and_the_words_that_advertise() {
    let (_guard, path) = folder(&[("1.eml", RECEIPT), ("2.eml", ADVERT), ("3.eml", "no mail\n"), ("4.txt", ADVERT)]);
    let (code, told, _) = classify(&[named(&path)]);
    let blocks: Vec<&str> = told.trim().split("\n\n").collect();
    assert_eq!((code, blocks.len()), (0, 3), "the .eml files of a folder, in their order: {told}");
    assert!(blocks[0].contains("1.eml: transactional\n") && blocks[0].contains("nothing advertises"), "{told}");
    assert!(blocks[1].contains("2.eml: transactional, disputed\n"), "{told}");
    assert!(blocks[1].contains("credential transactional stream is bound to transactional"), "{told}");
    assert!(
        blocks[1].contains("content    marketing     content: unit") && blocks[1].contains("reads      ") && blocks[1].contains("save #%"),
        "{told}"
    );
    assert!(blocks[2].contains("3.eml: refused: header line 1 is not a field"), "{told}");

    let (_, told, _) = classify(&["--class", "declared", named(&path.join("4.txt"))]);
    assert!(told.contains("4.txt: marketing\n") && told.contains("nothing declares it"), "{told}");
}

#[test]
fn rules_and_streams_of_a_configuration_are_tried_before_they_serve() {
    let (_guard, path) = folder(&[("1.eml", RECEIPT), ("2.eml", ADVERT)]);
    let example = std::fs::read_to_string(repository().join("deploy/consentry.toml")).unwrap();
    let rule = "\n[[rule]]\nname = \"parcels\"\nwhen = \"subject.contains('order') && stream == 'shop'\"\nclass = \"marketing\"\ncampaign = \"c1\"\n";
    let written = |name: &str, text: String| {
        let file = path.join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let (receipt, advert) = (path.join("1.eml"), path.join("2.eml"));
    let with_rule = written("rule.toml", format!("{example}{rule}"));
    let (code, told, _) = classify(&["--rules", named(&with_rule), "--stream", "shop", named(&receipt)]);
    assert_eq!(code, 0);
    assert!(told.contains("1.eml: marketing, campaign c1\n") && told.contains("rule       marketing     rule parcels"), "{told}");
    // the stream says what a dispute comes to
    let shop = "networks = [\"10.1.2.0/24\"]";
    for (more, expected) in
        [("", "transactional, disputed"), ("\ndisputed = \"pass\"", "transactional, disputed"), ("\ndisputed = \"enforce\"", "marketing")]
    {
        let config = written("stream.toml", example.replacen(shop, &format!("{shop}{more}"), 1));
        let (_, told, _) = classify(&["--rules", named(&config), "--stream", "shop", named(&advert)]);
        assert!(told.contains(&format!("2.eml: {expected}\n")), "{more}: {told}");
    }
    let broken = written("broken.toml", format!("{example}{}", rule.replace("subject.contains('order')", "subjekt == ''")));
    for (arguments, fault) in [
        (vec!["--rules", named(&with_rule), "--stream", "nobody", named(&receipt)], "there is no stream nobody"),
        (vec!["--rules", named(&broken), named(&receipt)], "there is no subjekt: known are stream"),
        (vec![named(&broken.with_extension("nothing"))], "cannot be read"),
        (vec![], "required"),
    ] {
        let (code, told, complaint) = classify(&arguments);
        assert!(code != 0 && told.is_empty() && complaint.contains(fault), "{arguments:?}: {code} {complaint}");
    }
}

#[test]
fn what_is_disputed_leaves_as_shipped_and_the_record_and_the_log_tell_why() {
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    let mail = ADVERT.replace("a@example.com", "shop@acme.example").replace('\n', "\r\n");
    let (code, text) = Client::login(world.smtp, "shop").send("shop@acme.example", "olivia@people.example", mail.as_bytes());
    assert_eq!((code, sink.wait_for(1).len()), (250, 1), "{text}");
    assert!(world.stop());
    let told = world.log().lines().any(|line| line.contains("WARN") && line.contains("class_disputed"));
    assert!(told, "{}", world.log());
    let url = format!("sqlite://{}", world.data_dir().join("ledger.sqlite").display());
    let (class, steps): (String, String) = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut ledger = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query_as("SELECT class, steps FROM decision").fetch_one(&mut ledger).await.unwrap()
    });
    assert!(class == "transactional" && steps.contains("content: unit") && steps.contains("advertises"), "{class} {steps}");
}

#[test]
fn labelled_mails_give_figures_by_language_family_and_hard_case() {
    let listed = RECEIPT.replace("Subject:", "List-Id: <x.example>\nSubject:");
    let table = "file\tlabel\tlanguage\tvariant\tfamily\thard\n1.eml\ttransactional\ten\tbare\tshop\t\n2.eml\tmarketing\ten\tbare\tshop\tmixed\n3.eml\tmarketing\ten\theaders\tshop\t\n2.eml\ttransactional\ten\tbare\tother\tambiguous\n";
    let (_guard, path) = folder(&[("1.eml", RECEIPT), ("2.eml", ADVERT), ("3.eml", &listed), ("labels.tsv", table)]);
    let (code, told, _) = classify(&["--evaluate", named(&path)]);
    assert!(code == 0 && told.contains("4 mails, 1 ambiguous left out, 0 refused"), "{told}");
    let (alone, whole) = told.split_once("with header fields and rules").unwrap();
    let counts = |part: &str, name: &str| -> Vec<u32> {
        let line = part.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {part}"));
        line[name.len()..].split_whitespace().take(4).map(|number| number.parse().unwrap()).collect()
    };
    for name in ["all bare", "language en bare", "family shop bare"] {
        assert_eq!(counts(alone, name), [1, 0, 0, 1], "found, missed, raised, passed");
    }
    assert_eq!(counts(alone, "hard mixed bare"), [1, 0, 0, 0]);
    assert_eq!((counts(alone, "all headers"), counts(whole, "all headers")), (vec![0, 1, 0, 0], vec![1, 0, 0, 0]));

    std::fs::write(path.join("labels.tsv"), "file\tlabel\n1.eml\tspam\n").unwrap();
    let (code, _, complaint) = classify(&["--evaluate", named(&path)]);
    assert!(code != 0 && complaint.contains("line 2: \"spam\" is no label: write marketing or transactional"), "{complaint}");
    std::fs::remove_file(path.join("labels.tsv")).unwrap();
    let (code, _, complaint) = classify(&["--evaluate", named(&path)]);
    assert!(code != 0 && complaint.contains("it says which file is what"), "{complaint}");
}
