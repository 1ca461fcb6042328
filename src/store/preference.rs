//! What a person may choose besides stopping: a rest, and being measured. No consent to advertising is given here (I5).

use jiff::{SignedDuration, Timestamp};

use super::ledger::Place;
use super::{Store, StoreError, begin};
use crate::consent::{Channel, ChoiceEvidence, Event, EventKind, Evidence, Source, Standing, SubjectId, TopicStanding};

/// Whose choice, and how it was made.
pub struct NewChoice {
    /// Whose.
    pub subject: SubjectId,
    /// Key of the controller it concerns.
    pub controller: String,
    /// Through which door it came.
    pub source: Source,
    /// When.
    pub at: Timestamp,
    /// The proof.
    pub evidence: ChoiceEvidence,
}

/// Ends of a pause that are so near to each other are the same wish.
const SAME_PAUSE: SignedDuration = SignedDuration::from_hours(24);

impl Store {
    /// Pauses all advertising of the controller until then; a later pause takes the place of an earlier one, unless both end on
    /// about the same day. False for an
    /// unknown subject.
    pub async fn pause(&self, choice: NewChoice, until: Timestamp) -> Result<bool, StoreError> {
        let event = Event { until: Some(until), ..choice.event(EventKind::Paused) };
        self.append_choice(choice, vec![event]).await
    }

    /// Ends a pause, if there is one. False for an unknown subject.
    pub async fn resume(&self, choice: NewChoice) -> Result<bool, StoreError> {
        let event = choice.event(EventKind::Resumed);
        self.append_choice(choice, vec![event]).await
    }

    /// Records that the person agrees to being measured. Only for a person who has proven to read the mailbox, and who
    /// was shown what it means: request and consent in one, from one hand (I5, L-TRK-06). False for an unknown subject.
    pub async fn agree_to_tracking(&self, choice: NewChoice) -> Result<bool, StoreError> {
        let of = |kind| Event { channel: Channel::Tracking, ..choice.event(kind) };
        let events = vec![of(EventKind::Requested), of(EventKind::Given)];
        self.append_choice(choice, events).await
    }

    async fn append_choice(&self, choice: NewChoice, events: Vec<Event>) -> Result<bool, StoreError> {
        let mut writer = self.inner.writer.lock().await;
        let mut tx = begin(&mut writer).await?;
        let Some(mut place) = Place::of_subject(&mut tx, choice.subject).await? else { return Ok(false) };
        if events.iter().all(|event| is_so_already(event, &place.standing)) {
            return Ok(true);
        }
        let keys = self.keys_of(&mut tx, &place).await?;
        for event in events {
            // The consent answers the request that was recorded just before it.
            let answers = (event.kind == EventKind::Given).then_some(place.standing.seq);
            place.append(&mut tx, &keys, Event { answers, ..event }).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

/// True for a choice that changes nothing: pressing a button again must not grow the ledger.
fn is_so_already(event: &Event, standing: &Standing) -> bool {
    let pause = standing.pause(&event.controller, event.at).map(|pause| pause.until);
    match event.kind {
        EventKind::Resumed => pause.is_none(),
        EventKind::Paused => match (pause, event.until) {
            (Some(is), Some(wanted)) => is.duration_since(wanted).abs() < SAME_PAUSE,
            _ => false,
        },
        _ => event.channel == Channel::Tracking && matches!(standing.tracking(&event.controller), TopicStanding::Given(_)),
    }
}

impl NewChoice {
    fn event(&self, kind: EventKind) -> Event {
        let evidence = Some(Evidence::Choice(self.evidence.clone()));
        Event { evidence, ..Event::new(kind, &self.controller, vec![], self.source, self.at) }
    }
}
