//! The keys of the installation: rotated beside the running gateway, told without being shown, missed when they are lost.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::newsletter;
use crate::client::Client;
use crate::postgres::Server;
use crate::sink::Sink;
use crate::world::{World, consentry, link};

const FROM: &str = "newsletter@acme.example";
const OLIVIA: &str = "olivia@people.example";
const FORM: &str = "application/x-www-form-urlencoded";

/// So many mails pass before a gateway that was told of a key signs with it, at most.
const MAILS_AT_MOST: u32 = 500;

/// The number of the key that signed a link: the second octet of its token.
fn key_of(link: &str) -> u8 {
    let (_, token) = link.rsplit_once("/u/").unwrap();
    URL_SAFE_NO_PAD.decode(&token[..4]).unwrap()[1]
}

#[test]
fn a_gateway_amid_mail_signs_with_each_new_key_and_takes_the_links_of_all() {
    // U-14
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    let config = world.dir.path().join("consentry.toml").display().to_string();
    world.sign_up(OLIVIA);
    assert_eq!(world.confirm(&link(&sink.wait_for(1)[0].message, "/c/")).status, 200);
    let mut client = Client::login(world.smtp, "news");
    let mut sent = 0;
    let links = [1, 2, 3, 4].map(|key| {
        if key > 1 {
            consentry(&["keys", "rotate", "token", "--config", &config, "--signs-from", "2021-11-01T00:00:00Z"], "");
            world.hang_up();
        }
        let signed = (0..MAILS_AT_MOST).find_map(|_| {
            sent += 1;
            let (code, text) = client.send(FROM, OLIVIA, &newsletter(OLIVIA, sent));
            assert_eq!(code, 250, "mail {sent} while key {key} comes: {text}");
            let link = link(&sink.wait_for(sent as usize + 1)[sent as usize].message, "/u/");
            (key_of(&link) == key).then_some(link)
        });
        signed.unwrap_or_else(|| panic!("no link of key {key}"))
    });
    let list = consentry(&["keys", "list", "--config", &config], "");
    assert!(list.contains("token 1: made with the installation, verifies") && list.contains("signs; links in sent mail"), "{list}");
    let file = std::fs::read_to_string(world.data_dir().join("keys")).unwrap();
    let mut secrets = file.lines().skip(1).map(|line| line.split(' ').nth(1).unwrap());
    assert!(secrets.all(|secret| secret.len() == 44 && !list.contains(secret)), "a key is never shown");
    world.crash_and_restart();
    for link in &links {
        assert_eq!(world.ask("GET", link, "", "text/plain").status, 200);
    }
    assert_eq!(world.ask("POST", &links[0], "List-Unsubscribe=One-Click", FORM).status, 200);
    let (code, text) = Client::login(world.smtp, "news").send(FROM, OLIVIA, &newsletter(OLIVIA, sent + 1));
    assert!(code == 550 && text.contains("withdrawn"), "{code} {text}");
}

#[test]
fn a_gateway_that_was_told_nothing_takes_the_links_of_another_ones_newer_key() {
    // U-14
    let place = tempfile::tempdir().unwrap();
    let database = Server::shared().database(place.path());
    let sink = Sink::start();
    let one = World::start_with(sink.address(), |setup| setup.database = Some(database.url.clone()));
    let two = World::beside(&one, sink.address(), &database.url);
    one.sign_up(OLIVIA);
    assert_eq!(one.confirm(&link(&sink.wait_for(1)[0].message, "/c/")).status, 200);
    let config = one.dir.path().join("consentry.toml").display().to_string();
    consentry(&["keys", "rotate", "token", "--config", &config, "--signs-from", "2021-11-01T00:00:00Z"], "");
    std::fs::copy(one.data_dir().join("keys"), two.data_dir().join("keys")).unwrap();
    one.hang_up();
    let mut client = Client::login(one.smtp, "news");
    let newer = (1..=MAILS_AT_MOST).find_map(|n| {
        assert_eq!(client.send(FROM, OLIVIA, &newsletter(OLIVIA, n)).0, 250);
        let link = link(&sink.wait_for(n as usize + 1)[n as usize].message, "/u/");
        (key_of(&link) == 2).then_some(link)
    });
    assert_eq!(two.ask("POST", &newer.unwrap(), "List-Unsubscribe=One-Click", FORM).status, 200);
    let (code, text) = client.send(FROM, OLIVIA, &newsletter(OLIVIA, MAILS_AT_MOST + 1));
    assert!(code == 550 && text.contains("withdrawn"), "{code} {text}");
}

#[test]
fn a_lost_or_cut_key_file_is_a_refusal_with_the_mend_and_never_a_new_key() {
    // E-10
    let sink = Sink::start();
    let mut world = World::start(sink.address());
    let config = world.dir.path().join("consentry.toml").display().to_string();
    consentry(&["keys", "rotate", "token", "--config", &config], "");
    world.crash();
    let keys = world.data_dir().join("keys");
    let whole = std::fs::read(&keys).unwrap();
    std::fs::write(&keys, &whole[..whole.len() - 30]).unwrap();
    let told = world.refused_start();
    assert!(told.contains("line 7") && told.contains("key backup"), "{told}");
    std::fs::remove_file(&keys).unwrap();
    let told = world.refused_start();
    assert!(told.contains("missing") && told.contains("key backup"), "{told}");
    assert!(!keys.exists());
}

#[test]
fn a_crash_leaves_no_core_dump_with_the_keys() {
    // however it was started, not by systemd alone
    let sink = Sink::start();
    let world = World::start(sink.address());
    let limits = world.limits();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>(), ["0", "0", "bytes"]);
}
