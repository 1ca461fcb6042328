//! The gateway dies at random moments under load, and goes on: nothing that was taken is lost, nothing leaves that may not,
//! and only what was in flight comes twice (DESIGN.md section 1, I1, I2, M-08).

use tokio::runtime::Runtime;

use super::newsletter;
use crate::client::Client;
use crate::environment::{long_or, seed, tell};
use crate::fake_mta::{Act, FakeMta, Script, Stage};
use crate::load::Load;
use crate::load::account::{Account, FarEnd, Sums, spooled};
use crate::load::mail::{Dice, WITH};
use crate::world::{World, link};

const FROM: &str = "newsletter@acme.example";
const CONNECTIONS: u64 = 20;

/// The people who want it say so.
pub(super) fn consents(runtime: &Runtime, mta: &FakeMta, world: &World) {
    for (number, who) in (1..).zip(WITH) {
        world.sign_up(who);
        let mail = runtime.block_on(mta.wait_received(number)).pop().unwrap();
        assert_eq!(world.confirm(&link(&mail.message, "/c/")).status, 200);
    }
}

/// An outbound MTA with moods: for some hundred mails it defers, hangs, or drops the line here and there.
pub(super) fn moody(dice: &mut Dice) -> Script {
    let moods = [
        (Stage::Mail, Act::Say("451 4.3.5 later")),
        (Stage::Mail, Act::Drop),
        (Stage::Rcpt, Act::Say("450 4.2.0 greylisted")),
        (Stage::Data, Act::Say("451 4.3.0 later")),
        (Stage::Body, Act::Drop),
        (Stage::Dot, Act::Say("451 4.3.0 disk full")),
        (Stage::Dot, Act::Drop),
        (Stage::Dot, Act::Hang),
        (Stage::Dot, Act::Garbage),
        (Stage::Kept, Act::Drop),
    ];
    (0..60).fold(Script::new(), |script, _| {
        let (stage, act) = dice.pick(&moods);
        script.on_nth(stage, 1 + dice.below(400) as usize, act)
    })
}

/// Somebody who consents under load, and may leave again, just before a kill.
struct Leaver {
    who: String,
    left: bool,
}

impl Leaver {
    /// All that they did was answered when this returns.
    fn come(round: u32, runtime: &Runtime, mta: &FakeMta, world: &World, leaves: bool) -> Self {
        let who = format!("leaver.{round}@people.example");
        world.sign_up(&who);
        let asked = runtime.block_on(mta.wait_to(&who, 1));
        assert_eq!(world.confirm(&link(&asked.message, "/c/")).status, 200);
        if leaves {
            assert_eq!(Client::login(world.smtp, "news").send(FROM, &who, &newsletter(&who, 1)).0, 250);
            let unsubscribe = link(&runtime.block_on(mta.wait_to(&who, 2)).message, "/u/");
            let pressed = world.ask("POST", &unsubscribe, "List-Unsubscribe=One-Click", "application/x-www-form-urlencoded");
            assert_eq!(pressed.status, 200);
        }
        Self { who, left: leaves }
    }

    /// I3, over the kill.
    fn is_remembered(&self, world: &World) {
        let (code, text) = Client::login(world.smtp, "news").send(FROM, &self.who, &newsletter(&self.who, 2));
        let as_told = if self.left { code == 550 && text.contains("consent: withdrawn ref=") } else { code == 250 };
        assert!(as_told, "{} left: {}, and hears {code} {text}", self.who, self.left);
    }
}

/// A gateway under load, with an outbound MTA behind it.
struct Siege {
    seed: u64,
    dice: Dice,
    runtime: Runtime,
    mta: FakeMta,
    world: World,
    load: Load,
}

impl Siege {
    fn begin(name: &str) -> Self {
        let seed = seed();
        tell(&format!("{name}: seed {seed}"));
        let mut dice = Dice::new(seed);
        let runtime = Runtime::new().unwrap();
        let mta = runtime.block_on(FakeMta::start(Script::new()));
        let world = World::start(mta.address());
        consents(&runtime, &mta, &world);
        let load = Load::start(world.smtp, CONNECTIONS, dice.below(u64::MAX));
        Self { seed, dice, runtime, mta, world, load }
    }

    /// All is quiet again: what was taken, and what arrived.
    fn end(self) -> (Account, Sums) {
        let account = self.load.end();
        self.mta.set(Script::new());
        self.mta.release();
        self.world.empty_spool();
        let sums = account.settle(&self.mta.copies());
        (account, sums)
    }
}

#[test]
fn killed_under_load_it_loses_nothing_leaks_nothing_and_repeats_only_what_was_in_flight() {
    let rounds = long_or(4, 100);
    let mut siege = Siege::begin("crash rounds");
    let Siege { seed, dice, runtime, mta, world, load } = &mut siege;
    let seed = *seed;
    for round in 1..=rounds {
        // Every second round all goes well outside.
        mta.set(if round % 2 == 0 { moody(dice) } else { Script::new() });
        // What the moods before left in the spool is on its way out when the next kill comes.
        world.spool("retry", &["--all"]);
        load.wait_for_answers(20 + dice.below(200) as usize);
        let leaver = (round % 2 == 1).then(|| Leaver::come(round, runtime, mta, world, dice.one_in(2)));
        let (silent, job) = load.begin_and_fall_silent(u64::from(round), dice);
        world.crash();
        load.down();
        drop(silent);
        let waiting = runtime.block_on(spooled(&world.data_dir()));
        load.account(|account| account.waited(&waiting, round));
        mta.release();
        world.restart();
        load.up(world.smtp);
        load.send_again(&job);
        if let Some(leaver) = leaver {
            leaver.is_remembered(world);
        }
    }
    let (account, Sums { mails, refused, copies, in_flight, repeats }) = siege.end();
    tell(&format!(
        "crash rounds: seed {seed}: {rounds} kills, {CONNECTIONS} connections, {mails} mails, {refused} refused, {copies} copies owed and \
         arrived, {in_flight} in flight at kills, {repeats} repeats, put off: {:?}",
        account.put_off
    ));
    assert!(in_flight > 0, "a kill under load meets something");
}

#[test]
fn told_to_end_under_load_it_drains_and_repeats_only_what_had_no_last_word() {
    let rounds = long_or(3, 30);
    let mut siege = Siege::begin("SIGTERM rounds");
    let Siege { seed, dice, runtime, mta, world, load } = &mut siege;
    let seed = *seed;
    for round in 1..=rounds {
        mta.set(if round % 2 == 0 { moody(dice) } else { Script::new() });
        load.wait_for_answers(20 + dice.below(200) as usize);
        assert!(world.stop(), "SIGTERM ends it with success");
        load.down();
        // I2: what a client heard 250 for is at the far end, or waits.
        let waiting = runtime.block_on(spooled(&world.data_dir()));
        let arrived = mta.copies();
        let nowhere = load.account(|account| account.owed()).into_iter().find(|copy| !arrived.contains(copy) && !waiting.contains(copy));
        assert_eq!(nowhere, None, "round {round}");
        // With an outbound MTA in good health nothing is in doubt after an orderly end.
        let in_doubt = waiting.iter().find(|copy| round == 1 && arrived.contains(copy));
        assert_eq!(in_doubt, None, "delivered, and to be delivered again");
        // What it has and has not answered for is.
        load.account(|account| account.waited(&waiting, round));
        mta.release();
        world.restart();
        load.up(world.smtp);
    }
    let (account, Sums { mails, refused, copies, in_flight, repeats }) = siege.end();
    tell(&format!(
        "SIGTERM rounds: seed {seed}: {rounds} ends with success, {mails} mails, {refused} refused, {copies} copies owed and arrived, \
         {in_flight} waited at an end, {} mails without an answer, {repeats} repeats, put off: {:?}",
        account.unanswered, account.put_off
    ));
}
