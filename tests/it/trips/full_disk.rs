//! The disk fills up while mail flows, and has room again: clients keep what cannot be kept here, nothing that was taken is
//! lost, and what was delivered meanwhile is not delivered again (I2, I4, M-54).

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::runtime::Runtime;

use super::crash::consents;
use super::receipt;
use crate::client::Client;
use crate::environment::{seed, tell};
use crate::fake_mta::{Act, FakeMta, Script, Stage};
use crate::load::Load;
use crate::load::account::{FarEnd, Sums};
use crate::load::mail::{Dice, WITH};
use crate::world::World;

const CONNECTIONS: u64 = 20;

/// A small disk of its own for the data directory; unmounted when dropped.
struct SmallDisk {
    place: PathBuf,
}

impl SmallDisk {
    /// `None` where nobody may mount.
    fn mount(place: &Path) -> Option<Self> {
        std::fs::create_dir(place).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=24m,mode=0700", "consentry-test"]).arg(place);
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then(|| Self { place: place.to_owned() })
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = File::options().append(true).create(true).open(self.place.join("filler")).unwrap();
        // In small pieces at the end, so that not a page is left.
        for piece in [1024 * 1024, 4096, 512] {
            while file.write_all(&vec![b'x'; piece]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.place.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the gateway may have its files open yet.
        Command::new("umount").arg("-l").arg(&self.place).status().ok();
    }
}

/// A world on a small disk; `None`, and said so, where nobody may mount.
fn start() -> Option<(Runtime, FakeMta, SmallDisk, World)> {
    let runtime = Runtime::new().unwrap();
    let mta = runtime.block_on(FakeMta::start(Script::new()));
    let probe = tempfile::tempdir().unwrap();
    if SmallDisk::mount(&probe.path().join("probe")).is_none() {
        tell("full disk: SKIPPED, mounting a small disk is not permitted here");
        return None;
    }
    let mut disk = None;
    let world = World::start_with(mta.address(), |setup| disk = SmallDisk::mount(&setup.dir.join("data")));
    consents(&runtime, &mta, &world);
    Some((runtime, mta, disk.unwrap(), world))
}

#[test]
fn a_full_disk_under_load_puts_clients_off_and_loses_and_repeats_nothing() {
    for (what, script) in [
        ("a healthy outbound MTA", Script::new()),
        // All of it has to go through the spool.
        ("an outbound MTA that defers", Script::new().on(Stage::Rcpt, Act::Say("450 4.2.0 greylisted"))),
    ] {
        let seed = seed();
        tell(&format!("full disk: seed {seed}"));
        let Some((_runtime, mta, disk, world)) = start() else { return };
        mta.set(script);
        let load = Load::start(world.smtp, CONNECTIONS, Dice::new(seed).below(u64::MAX));
        for _ in 0..3 {
            load.wait_for_answers(60);
            disk.fill();
            load.wait_for_deferrals(200);
            disk.make_room();
        }
        load.wait_for_answers(60);
        let account = load.end();
        mta.set(Script::new());
        world.empty_spool();
        let Sums { mails, refused, copies, in_flight, repeats } = account.settle(&mta.copies());
        assert_eq!((in_flight, repeats), (0, 0), "it never ended");
        // What cannot be kept gets the outbound MTA's own words.
        let words: Vec<&String> = account.put_off.keys().collect();
        assert!(words.iter().all(|words| words.starts_with("45")), "{words:?}");
        tell(&format!(
            "full disk: {what}: {mails} mails, {refused} refused, {copies} copies owed and arrived, {repeats} repeats, put off: {:?}",
            account.put_off
        ));
    }
}

#[test]
fn what_is_delivered_while_the_disk_is_full_is_not_delivered_again() {
    let Some((runtime, mta, disk, world)) = start() else { return };
    let before = mta.received().len();
    let mut client = Client::login(world.smtp, "shop");
    // Under way from the spool, and directly: the outbound MTA has all of them, and holds back its word.
    mta.set(Script::new().on(Stage::Dot, Act::Hang));
    let several = client.send_to("shop@acme.example", &WITH, &receipt("all@people.example", 1));
    assert_eq!(several.1.0, 250);
    assert_eq!(client.send("shop@acme.example", WITH[0], &receipt(WITH[0], 2)).0, 250);
    let copies = WITH.len() + 1;
    runtime.block_on(mta.wait_reached(Stage::Dot, copies));
    disk.fill();
    mta.release();
    runtime.block_on(mta.wait_received(before + copies));
    // The settlement of each cannot be written now.
    let full = (0..20_000).any(|_| world.log().contains("the spool cannot be written"));
    assert!(full, "the spool was written to a full disk");
    let (code, text) = Client::login(world.smtp, "shop").send("shop@acme.example", WITH[1], &receipt(WITH[1], 3));
    assert_eq!(code, 451, "{text}");
    mta.set(Script::new());
    disk.make_room();
    world.empty_spool();
    assert_eq!(mta.received().len(), before + copies, "each once");
    // The outcomes are on record, and the client's own re-send is delivered once.
    assert_eq!(Client::login(world.smtp, "shop").send("shop@acme.example", WITH[1], &receipt(WITH[1], 3)).0, 250);
    runtime.block_on(mta.wait_received(before + copies + 1));
    let settled = |world: &World| {
        let decisions = world.decisions();
        decisions.iter().filter(|decision| decision["outcome"]["outcome"] == "accepted").count()
    };
    assert!((0..20_000).any(|_| settled(&world) == copies + 1), "{:?}", world.decisions());
}

#[test]
fn on_a_full_disk_it_ends_and_says_why_it_does_not_start_and_loses_nothing() {
    let Some((runtime, mta, disk, mut world)) = start() else { return };
    let before = mta.received().len();
    let send = |world: &World, to: &str, number: u32| Client::login(world.smtp, "shop").send("shop@acme.example", to, &receipt(to, number));
    for (round, killed) in (1..).zip([true, false]) {
        // In the spool with its last word outstanding: what the late word says cannot be written.
        mta.set(Script::new().on(Stage::Dot, Act::Hang));
        assert_eq!(send(&world, WITH[0], 10 * round).0, 250);
        disk.fill();
        if killed {
            world.crash();
            // Its files are there, and it needs no more to put clients off.
            world.restart();
            assert_eq!(send(&world, WITH[1], 10 * round + 1).0, 451);
            disk.make_room();
        } else {
            assert!(world.stop(), "SIGTERM ends it with success");
            // Its files are there or not, as far as they could be written home; of an end with room nothing is left beside them.
            mta.set(Script::new().on(Stage::Rcpt, Act::Say("450 4.2.0 greylisted")));
            disk.make_room();
            world.restart();
            assert!(world.stop());
            disk.fill();
            let refused = world.refused_start();
            assert!(refused.contains("the disk with the data directory is full: make room there"), "{refused}");
            disk.make_room();
            world.restart();
        }
        mta.set(Script::new());
        mta.release();
        assert_eq!(send(&world, WITH[1], 10 * round + 1).0, 250, "killed: {killed}");
        world.empty_spool();
    }
    let arrived = runtime.block_on(mta.wait_received(before + 4)).split_off(before);
    let times = |number: u32| {
        let subject = format!("Subject: Rechnung {number}\r\n");
        arrived.iter().filter(|mail| String::from_utf8_lossy(&mail.message).contains(&subject)).count()
    };
    // What had no last word at the end may come again; what was put off came once.
    assert!([10, 20].iter().all(|number| (1..=2).contains(&times(*number))), "{arrived:?}");
    assert_eq!([11, 21].map(times), [1, 1]);
}
