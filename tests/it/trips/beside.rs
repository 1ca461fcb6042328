//! Load that lasts: with an operator's commands beside it, and for a long time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::crash::consents;
use crate::environment::{long_or, seed, tell};
use crate::fake_mta::{Act, FakeMta, Script, Stage};
use crate::load::Load;
use crate::load::account::{FarEnd, Sums};
use crate::load::mail::Dice;
use crate::world::World;

#[test]
fn commands_beside_the_loaded_gateway_disturb_no_client_and_lose_nothing() {
    let seed = seed();
    tell(&format!("commands beside: seed {seed}"));
    let mut dice = Dice::new(seed);
    let runtime = Runtime::new().unwrap();
    let mta = runtime.block_on(FakeMta::start(Script::new()));
    let world = World::start(mta.address());
    consents(&runtime, &mta, &world);
    // A part of the mail has to wait, so that both write to the spool.
    let script = (0..200)
        .fold(Script::new(), |script, _| script.on_nth(Stage::Rcpt, 1 + dice.below(1000) as usize, Act::Say("450 4.2.0 greylisted")));
    mta.set(script);
    let load = Load::start(world.smtp, 20, dice.below(u64::MAX));
    let ended = AtomicBool::new(false);
    let commands = std::thread::scope(|scope| {
        let operators: Vec<_> = (0..2)
            .map(|operator| {
                let (world, ended) = (&world, &ended);
                scope.spawn(move || {
                    let mut commands = 0;
                    while !ended.load(Ordering::Relaxed) {
                        let list = world.spool("list", &[]);
                        match list.lines().find_map(|line| line.split_once('\t')) {
                            // One of them judges single copies; each comes back by the release.
                            Some((id, _)) if operator == 0 && !id.is_empty() => {
                                // It may be delivered meanwhile.
                                for command in
                                    [&["show", id][..], &["hold", id, "--reason", "a look"], &["release", id, "--reason", "done"]]
                                {
                                    let told = world.try_spool(command[0], &command[1..]).unwrap_or_else(|told| told);
                                    assert!(!told.contains("locked"), "{command:?}: {told}");
                                }
                                commands += 3;
                            }
                            _ => drop(world.spool("retry", &["--all"])),
                        }
                        commands += 2;
                    }
                    commands
                })
            })
            .collect();
        load.wait_for_answers(long_or(600, 20_000));
        ended.store(true, Ordering::Relaxed);
        operators.into_iter().map(|operator| operator.join().unwrap()).sum::<u32>()
    });
    let account = load.end();
    mta.set(Script::new());
    world.empty_spool();
    let Sums { mails, refused, copies, repeats, .. } = account.settle(&mta.copies());
    assert!(account.put_off.is_empty(), "{:?}", account.put_off);
    assert_eq!((repeats, account.unanswered), (0, 0));
    let busy = world.log().lines().filter(|line| line.contains("locked") || line.contains("busy")).map(str::to_owned).collect::<Vec<_>>();
    assert!(busy.is_empty(), "{busy:?}");
    tell(&format!(
        "commands beside: {commands} commands, {mails} mails, {refused} refused, {copies} copies owed and arrived, {repeats} repeats, nobody put off"
    ));
}

/// Minutes of the soak.
const SOAK: Duration = Duration::from_secs(10 * 60);

/// Mails of a second, about a tenth of what two cores can do in a debug build.
const PACE: u64 = 40;

#[test]
fn a_long_paced_load_with_faults_loses_nothing_and_its_memory_stays() {
    if !long_or(false, true) {
        tell("soak: only with --long");
        return;
    }
    let seed = seed();
    tell(&format!("soak: seed {seed}"));
    let mut dice = Dice::new(seed);
    let runtime = Runtime::new().unwrap();
    let mta = runtime.block_on(FakeMta::start(Script::new()));
    let world = World::start(mta.address());
    consents(&runtime, &mta, &world);
    let load = Load::start_paced(world.smtp, 10, dice.below(u64::MAX), Duration::from_millis(10 * 1000 / PACE));
    load.wait_for_answers(500);
    let (begin, first) = (Instant::now(), world.resident_kib());
    let mut most = first;
    while begin.elapsed() < SOAK {
        // One mail in a hundred meets a fault.
        let faults = [Act::Say("451 4.3.0 later"), Act::Drop, Act::Garbage, Act::Hang];
        let script = (0..10).fold(Script::new(), |script, _| {
            let stage = dice.pick(&[Stage::Mail, Stage::Rcpt, Stage::Dot]);
            script.on_nth(stage, 1 + dice.below(1000) as usize, dice.pick(&faults))
        });
        mta.set(script);
        load.wait_for_answers(500);
        mta.release();
        world.spool("retry", &["--all"]);
        most = most.max(world.resident_kib());
    }
    let account = load.end();
    mta.set(Script::new());
    mta.release();
    world.empty_spool();
    let last = world.resident_kib();
    let Sums { mails, copies, repeats, .. } = account.settle(&mta.copies());
    tell(&format!(
        "soak: {mails} mails, {copies} copies owed and arrived, {repeats} repeats; resident {first} KiB, at most {most}, at the end {last}"
    ));
    assert_eq!(repeats, 0);
    // Generous: caches fill, a leak of a few octets a mail would not be seen, one of a mail a mail is.
    assert!(last < 2 * first + 32 * 1024, "{first} KiB became {last}");
}
