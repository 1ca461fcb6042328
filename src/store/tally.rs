//! What a commit of decisions adds to the tables that the log is searched by: grouped here, so that a commit costs a few
//! rows and not a few for each decision. Committing is `decision`'s business, reading `search`'s and `volume`'s.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use sqlx::SqliteConnection;

use super::StoreError;
use super::column::count;
use super::volume::hour;
use crate::consent::DecisionId;

/// Stands for the topic and campaign of what came when the day's names were used up: any.
pub(super) const ANY: &str = "\u{1}";

/// Pairs of topic and campaign that a day has room for. Senders name them: without a bound, a tool with a campaign for
/// every message would have a combination for every decision.
const NAMES: usize = 1024;

/// Decisions per run of `decision_of_subject`: few enough that a run's pages are written again and again before the
/// next checkpoint, many enough that a look-up at ten million decisions has some thousand runs to ask.
const RUN: u64 = 2048;

/// What the log can be searched for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Mix {
    pub(super) stream: String,
    pub(super) controller: String,
    pub(super) class: &'static str,
    pub(super) topic: String,
    pub(super) campaign: String,
    pub(super) reason: &'static str,
}

/// A combination in one hour.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    hour: i64,
    mix: Mix,
}

/// What the next commit counts, and what bounds it.
#[derive(Default)]
pub(super) struct Tally {
    /// How many, and in which minutes.
    places: HashMap<Place, (u64, u64)>,
    /// The minutes of the newest hour that are on disk: most commits have no others.
    written: HashMap<Place, u64>,
    hour: i64,
    /// The pairs of topic and campaign of the newest day.
    names: HashSet<(String, String)>,
    day: i64,
}

impl Tally {
    /// Counts one decision.
    pub(super) fn add(&mut self, id: DecisionId, mut mix: Mix) {
        let ms = id_ms(id);
        let hour = hour(ms);
        if hour > self.hour {
            self.hour = hour;
            self.written.clear();
        }
        if hour / 24 > self.day {
            self.day = hour / 24;
            self.names.clear();
        }
        let names = (mix.topic, mix.campaign);
        let is_known = self.names.contains(&names);
        let has_room = is_known || self.names.len() < NAMES;
        if !is_known && has_room {
            self.names.insert(names.clone());
        }
        (mix.topic, mix.campaign) = if has_room { names } else { (ANY.into(), ANY.into()) };
        let (number, minutes) = self.places.entry(Place { hour, mix }).or_default();
        *number += 1;
        *minutes |= 1 << (ms / 60_000 % 60);
    }

    /// Rows of combinations and their minutes, as far as they are not on disk.
    pub(super) fn minutes(&self) -> impl Iterator<Item = impl Serialize> {
        let news = |(place, (_, minutes)): (&Place, &(u64, u64))| minutes & !self.written.get(place).copied().unwrap_or(0) != 0;
        self.places.iter().filter(move |row| news(*row)).map(|(Place { hour, mix }, (_, minutes))| {
            (hour, minutes, &mix.stream, &mix.controller, mix.class, &mix.topic, &mix.campaign, mix.reason)
        })
    }

    /// Rows of how many there are in an hour.
    pub(super) fn volume(&self) -> impl Iterator<Item = impl Serialize> {
        let mut volume = HashMap::new();
        for (Place { hour, mix }, (number, _)) in &self.places {
            *volume.entry((hour, &mix.stream, &mix.controller, mix.class, mix.reason)).or_insert(0) += number;
        }
        volume.into_iter()
    }

    /// Forgets what was counted; it was committed, or it was not.
    pub(super) fn end(&mut self, committed: bool) {
        for (place, (_, minutes)) in self.places.drain() {
            if committed && place.hour == self.hour {
                *self.written.entry(place).or_default() |= minutes;
            }
        }
    }
}

/// The run that the next decisions belong to.
#[derive(Clone, Copy, Default)]
pub(super) struct Run {
    pub(super) number: i64,
    pub(super) decisions: u64,
}

impl Run {
    /// The one that was begun last.
    pub(super) async fn last(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let (number, decisions): (Option<i64>, i64) =
            sqlx::query_as("SELECT max(run), count(*) FROM decision_of_subject WHERE run = (SELECT max(run) FROM decision_of_subject)")
                .fetch_one(connection)
                .await?;
        Ok(Self { number: number.unwrap_or(0), decisions: count(decisions)? })
    }

    /// Counts what was committed; a full run gives way to the next.
    pub(super) fn add(&mut self, decisions: usize) {
        self.decisions += decisions as u64;
        if self.decisions >= RUN {
            *self = Self { number: self.number + 1, decisions: 0 };
        }
    }
}

/// The time that an id begins with.
pub(super) fn id_ms(id: DecisionId) -> i64 {
    id.0[..6].iter().fold(0, |ms, byte| ms << 8 | i64::from(*byte))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn mix(campaign: usize) -> Mix {
        Mix {
            stream: "shop".into(),
            controller: "acme".into(),
            class: "marketing",
            topic: "news".into(),
            campaign: campaign.to_string(),
            reason: "no_consent",
        }
    }

    fn id(at: &str) -> DecisionId {
        DecisionId::new(at.parse::<Timestamp>().expect(at), [0; 10])
    }

    #[test]
    fn a_tool_with_a_campaign_for_every_message_fills_a_day_and_no_more() {
        let mut tally = Tally::default();
        for n in 0..NAMES + 500 {
            tally.add(id("2026-03-01T09:59:59.999Z"), mix(n));
        }
        tally.add(id("2026-03-01T09:00:00Z"), mix(7));
        assert_eq!(tally.places.len(), NAMES + 1);
        let of = |tally: &Tally, campaign: &str| {
            let place = tally.places.iter().find(|(place, _)| place.mix.campaign == campaign);
            place.map(|(place, counts)| (place.hour, *counts))
        };
        let hour = 492_321;
        assert_eq!(of(&tally, "7"), Some((hour, (2, 1 | 1 << 59))));
        assert_eq!(of(&tally, ANY), Some((hour, (500, 1 << 59))));
        assert_eq!((tally.minutes().count(), tally.volume().count()), (NAMES + 1, 1));
        tally.add(id("2026-03-02T00:00:00Z"), mix(NAMES));
        assert_eq!(of(&tally, &NAMES.to_string()), Some((hour + 15, (1, 1))), "the next day has room again");
    }

    #[test]
    fn a_minute_is_written_once_and_again_after_a_failed_commit() {
        let mut tally = Tally::default();
        let mut rows = |at: &str, committed: bool| {
            tally.add(id(at), mix(1));
            let rows = (tally.minutes().count(), tally.volume().count());
            tally.end(committed);
            rows
        };
        assert_eq!(rows("2026-03-01T09:00:00Z", false), (1, 1));
        assert_eq!(rows("2026-03-01T09:00:10Z", true), (1, 1));
        assert_eq!(rows("2026-03-01T09:00:20Z", true), (0, 1));
        assert_eq!(rows("2026-03-01T09:01:00Z", true), (1, 1));
        assert_eq!(rows("2026-03-01T08:01:00Z", true), (1, 1), "an earlier hour is not kept in mind");
        assert_eq!(rows("2026-03-01T08:01:00Z", true), (1, 1));
        assert_eq!(rows("2026-03-01T09:01:30Z", true), (0, 1));
    }

    #[test]
    fn a_run_is_raised_when_it_is_full() {
        let mut run = Run { number: 3, decisions: RUN - 2 };
        run.add(1);
        assert_eq!((run.number, run.decisions), (3, RUN - 1));
        run.add(256);
        assert_eq!((run.number, run.decisions), (4, 0));
    }
}
