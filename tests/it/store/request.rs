//! The register of requests by persons: entered, closed by what is done, kept without an address, gone in time.

use consentry::consent::{RequestDoor, RequestStep, Right, RightsRequest, StepFault};
use consentry::store::{Deed, Exercised, NewAuditLine, NewFact, NewRequest, NewStep, RequestFilter, Told};

use super::disk::assert_none_readable;
use super::erasure::erase;
use super::*;

const WHO: &str = "Olivia.Carter@mail.example.org";

fn new(subject: Option<SubjectId>, right: Right, at: Timestamp) -> NewRequest {
    let (controller, note) = ("acme".to_owned(), Some(format!("letter of {WHO}")));
    NewRequest { subject, controller, right, door: RequestDoor::Letter, received: at, at, by: Some("mia".into()), note }
}

fn line(at: Timestamp) -> NewAuditLine {
    NewAuditLine { at, operator: None, deed: Deed::RequestHandled, object: None, reason: None }
}

async fn step(store: &Store, request: &RightsRequest, step: RequestStep, at: Timestamp) -> Result<(), StepFault> {
    let taken = NewStep { request: request.id, step, at, by: "mia", note: "because of it" };
    store.step_request(taken, line(at)).await.expect("answers").expect("is known")
}

async fn of(store: &Store, subject: SubjectId) -> Vec<(Right, bool, usize)> {
    let requests = store.requests_of(subject, "acme").await.expect("reads");
    requests.iter().map(|request| (request.right, request.closed().is_some(), request.steps.len())).collect()
}

#[tokio::test]
async fn what_is_done_closes_what_was_asked_for_and_nothing_is_entered_twice() {
    // L-DSR-01, L-DSR-02, L-DSR-03, GDPR Art. 12(3)
    let (_dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    let subject = subject(&store, WHO).await;
    for right in [Right::Portability, Right::Restriction, Right::Objection] {
        store.open_request(new(Some(subject), right, start()), None).await.expect("enters");
    }
    let at = start() + hours(1);
    let done = Exercised {
        subject,
        controller: "acme",
        rights: &[Right::Access, Right::Portability],
        door: RequestDoor::Staff,
        at,
        by: Some("mia"),
        repeated: false,
    };
    store.exercise(done, line(at)).await.expect("enters");
    let fact = |told| NewFact {
        key: key(&store, WHO),
        controller: "acme".into(),
        told,
        fact: Default::default(),
        notice: None,
        source: Source::Staff,
        at,
        evidence: ChoiceEvidence { staff: Some("mia".into()), ..ChoiceEvidence::default() },
        once: None,
        line: None,
    };
    for told in [Told::Restricted, Told::Restricted, Told::Unrestricted] {
        store.tell(fact(told)).await.expect("tells");
    }
    for _ in 0..2 {
        withdraw(&store, subject, "", at).await;
    }
    withdraw(&store, subject, "news", at).await;
    // The one who asked for portability has the file; a withdrawal is no request of Art. 12.
    // All three came in the same millisecond: in which order they are read is nobody's business.
    let said = of(&store, subject).await;
    for right in [Right::Portability, Right::Restriction, Right::Objection] {
        assert!(said.contains(&(right, true, 2)), "{right:?} in {said:?}");
    }
    assert_eq!(said.len(), 3, "{said:?}");
    let done = Exercised {
        subject,
        controller: "acme",
        rights: &[Right::Access, Right::Portability],
        door: RequestDoor::Api,
        at,
        by: Some("crm"),
        repeated: false,
    };
    store.exercise(done, line(at)).await.expect("enters");
    let last = store.requests_of(subject, "acme").await.expect("reads").pop().expect("is there");
    assert_eq!(
        (last.right, last.door, last.closed().and_then(|taken| taken.by.as_deref())),
        (Right::Access, RequestDoor::Api, Some("crm"))
    );
    assert!(store.open_requests(&RequestFilter::default()).await.expect("reads").is_empty());
}

#[tokio::test]
async fn after_an_erasure_the_register_says_what_was_done_and_not_about_whom() {
    // L-DSR-02, GDPR Art. 5(2)
    let (dir, store) = new_store().await;
    request(&store, WHO, "news", 1, start()).await;
    let subject = subject(&store, WHO).await;
    let id = store.open_request(new(Some(subject), Right::Erasure, start()), None).await.expect("enters");
    let asked = store.request_of(id).await.expect("reads").expect("is known");
    assert_eq!(asked.steps[0].note.as_deref(), Some("letter of Olivia.Carter@mail.example.org"));
    assert_none_readable(dir.path());
    erase(&store, subject, "acme", start() + hours(1)).await;
    let done = store.request_of(id).await.expect("reads").expect("is known");
    assert_eq!((done.closed().map(|taken| taken.step), done.steps[0].note.as_deref()), (Some(RequestStep::Answered), None));
    assert_eq!(done.closed().and_then(|taken| taken.by.as_deref()), Some("mia"));
    // Signed up anew, with new keys: what the old ones sealed stays gone, and damages nothing.
    request(&store, WHO, "other", 2, start() + hours(99)).await;
    assert_eq!(store.request_of(id).await.expect("reads").expect("is known").steps[0].note, None);
}

#[tokio::test]
async fn a_term_moves_with_its_extension_and_steps_are_never_changed() {
    // L-DSR-01, GDPR Art. 12(3)
    let (dir, store) = new_store().await;
    let id = store.open_request(new(None, Right::Access, start()), None).await.expect("enters");
    let later = store.open_request(new(None, Right::Erasure, start() + hours(24)), None).await.expect("enters");
    let first = |requests: Vec<RightsRequest>| requests.first().map(|request| request.id);
    assert_eq!(first(store.open_requests(&RequestFilter::default()).await.expect("reads")), Some(id));
    let request = store.request_of(id).await.expect("reads").expect("is known");
    assert_eq!(
        request.steps[0].note.as_deref(),
        Some("letter of Olivia.Carter@mail.example.org"),
        "of nobody on record, sealed all the same"
    );
    assert_none_readable(dir.path());
    assert_eq!(step(&store, &request, RequestStep::Extended, start() + hours(48)).await, Ok(()));
    assert_eq!(step(&store, &request, RequestStep::Extended, start() + hours(49)).await, Err(StepFault::ExtendedBefore));
    assert_eq!(first(store.open_requests(&RequestFilter::default()).await.expect("reads")), Some(later), "the other one is due before");
    assert_refused(dir.path(), &["UPDATE request_step SET step = 'answered'", "DELETE FROM request_step", "DELETE FROM request"]).await;
    assert_eq!(step(&store, &request, RequestStep::Answered, start() + hours(50)).await, Ok(()));
    let pressing = store.pressing(start() + hours(24 * 365)).await.expect("counts");
    assert_eq!((pressing.overdue, pressing.soon), (1, 0));

    // Retention takes what is closed, and nothing that is open.
    assert_eq!(store.drop_requests(start() + hours(50)).await.expect("drops"), 0);
    assert_eq!(store.drop_requests(start() + hours(51)).await.expect("drops"), 1);
    assert!(store.request_of(id).await.expect("reads").is_none() && store.request_of(later).await.expect("reads").is_some());
    assert_eq!(count(dir.path(), "SELECT count(*) FROM request_step").await, 1);
}
