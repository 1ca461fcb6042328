//! What each role may do, method by method, and that it is on record.

use consentry::consent::{EventKind, Evidence, RequestDoor, RequestStep, Right, Source, SubjectId};
use consentry::mail::{Address, Class};
use consentry::office::{
    Action, ByHand, Deed, Object, OfficeError, Operator, OperatorId, Rectification, RequestError, Role, RuleAnswer, RulesError, Stop,
    TotpPolicy, WithdrawAnswer,
};
use consentry::policy::RulesId;
use consentry::store::{NewRequest, Simulation, Store};

use super::{World, start};
use crate::store::{confirm, decision, drop_trigger, octets, request, run};

const OLIVIA: &str = "olivia@example.org";

/// Confirmed for `news`.
async fn olivia(store: &Store) -> SubjectId {
    request(store, OLIVIA, "news", 1, start()).await;
    confirm(store, 1, start()).await;
    store.standing(store.keyring().lookup_key(&Address::parse(OLIVIA).unwrap())).await.unwrap().unwrap().0
}

/// Of rules that nobody heard of, in the name of somebody else.
fn simulation() -> Simulation {
    Simulation {
        rules: [2; 32],
        text: "{}".into(),
        follows: 0,
        since: start() - jiff::SignedDuration::from_hours(7 * 24),
        until: start(),
        number: 0,
        newly_passed: 0,
        newly_blocked: 0,
        summary: "{}".into(),
        ran_by: OperatorId([0; 16]),
        ran_by_name: "somebody else".into(),
        at: start(),
    }
}

/// Does it as `operator`; the deed that must be on record afterwards.
async fn act(world: &World, operator: &Operator, action: Action, subject: SubjectId) -> Result<Option<Deed>, OfficeError> {
    let (office, at) = (&world.office, start());
    match action {
        Action::Overview | Action::Decisions => office.authorise(operator, action).map(|()| None),
        Action::Held => office.held(operator).await.map(|(copies, number)| assert!(copies.is_empty() && number == 0)).map(|()| None),
        Action::RuleOnClass => {
            let n = 100 + operator.role as u16;
            world.store.record(decision(&world.store, OLIVIA, n), None).await?;
            let said = office.appeal(operator, decision(&world.store, OLIVIA, n).id, Class::Marketing, "an advert", at).await?;
            assert_eq!(said, RuleAnswer::Done);
            Ok(Some(Deed::ClassRuled))
        }
        Action::FindSubject => {
            assert_eq!(office.find_subject(operator, &Address::parse(OLIVIA).unwrap(), at).await?, Some(subject));
            Ok(Some(Deed::SubjectSearched))
        }
        Action::SubjectTimeline => {
            let events = office.person(operator, subject).await?.expect("known").events;
            assert!(events.len() >= 2 && events.iter().all(|event| event.evidence.is_none()), "masked");
            Ok(None)
        }
        Action::Withdraw => {
            office.withdraw(operator, subject, "acme", Stop::Advertising, "asked on the phone", at).await?;
            Ok(Some(Deed::Objected))
        }
        Action::ExportCsv => office.begin_export(operator, "blocked in March", at).await.map(|()| Some(Deed::Exported)),
        Action::RevealAddress => {
            let address = office.reveal_address(operator, subject, "asked for access", at).await?;
            assert_eq!(address.unwrap().as_str(), OLIVIA);
            Ok(Some(Deed::AddressRevealed))
        }
        Action::ReadAudit => office.audit_log(operator, None, 10).await.map(|_| None),
        Action::Rules => office.rules_on_record(operator).await.map(|record| assert!(record.history.is_empty())).map(|()| None),
        Action::SimulateRules => {
            let short = Simulation { since: at, ..simulation() };
            let refused = office.propose_rules(operator, short).await;
            assert!(matches!(refused, Err(RulesError::SpanTooShort | RulesError::Office(OfficeError::NotForRole))));
            done(office.propose_rules(operator, simulation()).await, Deed::RulesSimulated)
        }
        Action::ApproveRules => done(office.approve_rules(operator, RulesId([2; 32]), "weighed", at).await, Deed::RulesApproved),
        Action::AccessExport => {
            office.begin_access(operator, subject, "acme", "asked for it", at).await.map(|()| Some(Deed::AccessExported))
        }
        Action::Erase => {
            // Somebody else, since others look at Olivia after.
            request(&world.store, "erased@example.org", "news", 2, at).await;
            let other = world.store.standing(world.store.keyring().lookup_key(&Address::parse("erased@example.org").unwrap())).await;
            let other = other.unwrap().unwrap().0;
            let done = office.erase(operator, other, "acme", "asked for it", at).await?;
            assert!(done.is_some_and(|done| done.contact_gone));
            Ok(Some(Deed::PersonErased))
        }
        Action::Restrict => {
            let restricted = world.store.standing_of(subject).await?.expect("known").restricted("acme").is_none();
            assert!(office.restrict(operator, subject, "acme", restricted, "asked for it", at).await?);
            Ok(Some(Deed::Restricted))
        }
        Action::Rectify => {
            let done = office.rectify(operator, subject, "acme", Address::parse(OLIVIA).unwrap(), "asked for it", at).await?;
            assert_eq!(done, Some(Rectification::Spelling));
            Ok(Some(Deed::Rectified))
        }
        Action::Requests => {
            let (right, door) = (Right::Access, RequestDoor::Letter);
            let new = ByHand { address: None, controller: "acme", right, door, received: at, why: "file 7" };
            handled(office.enter_request(operator, new, at).await.map(|_| Deed::RequestEntered))
        }
        Action::HandleRequests => {
            let (right, door, controller) = (Right::Access, RequestDoor::Letter, "acme".to_owned());
            let new = NewRequest { subject: None, controller, right, door, received: at, at, by: None, note: None };
            let id = world.store.open_request(new, None).await.expect("enters");
            handled(office.step_request(operator, id, RequestStep::Answered, "nothing stored", at).await.map(|()| Deed::RequestHandled))
        }
        Action::Evidence => {
            let events = office.evidence(operator, subject, at).await?;
            assert!(events.iter().any(|event| event.evidence.is_some()));
            Ok(Some(Deed::EvidenceRead))
        }
    }
}

fn handled(result: Result<Deed, RequestError>) -> Result<Option<Deed>, OfficeError> {
    match result {
        Ok(deed) => Ok(Some(deed)),
        Err(RequestError::Office(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

fn done(result: Result<(), RulesError>, deed: Deed) -> Result<Option<Deed>, OfficeError> {
    match result {
        Ok(()) => Ok(Some(deed)),
        Err(RulesError::Office(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn each_role_does_what_the_table_says_and_nothing_else() {
    // L-TOM-02: the table once more, written down apart from the code.
    let may = |role, action| match action {
        Action::Overview | Action::Decisions | Action::Held => true,
        Action::FindSubject | Action::SubjectTimeline | Action::Withdraw | Action::Restrict | Action::Rules | Action::SimulateRules => {
            role >= Role::Operator
        }
        Action::ExportCsv | Action::RevealAddress | Action::ReadAudit | Action::Erase | Action::ApproveRules | Action::RuleOnClass => {
            role >= Role::Compliance
        }
        Action::Requests => role >= Role::Operator,
        Action::Rectify | Action::HandleRequests => role >= Role::Compliance,
        Action::Evidence | Action::AccessExport => role == Role::Legal,
    };
    let world = World::new(TotpPolicy::Optional).await;
    let subject = olivia(&world.store).await;
    for role in Role::ALL {
        let operator = world.add(role).await;
        for action in Action::ALL {
            let before = world.store.audit_log(None, 1_000).await.unwrap().len();
            let done = act(&world, &operator, action, subject).await;
            let log = world.store.audit_log(None, 1_000).await.unwrap();
            match done {
                Ok(deed) => {
                    assert!(may(role, action), "{role:?} did {action:?}");
                    assert_eq!(log.len() - before, usize::from(deed.is_some()), "{role:?} {action:?}");
                    let line = &log[0].line;
                    assert!(deed.is_none_or(|deed| line.deed == deed && line.operator == Some(operator.id)), "{role:?} {action:?}");
                }
                Err(OfficeError::NotForRole) => {
                    assert!(!may(role, action), "{role:?} could not {action:?}");
                    assert_eq!(log.len(), before, "what was refused left no line");
                }
                Err(error) => panic!("{role:?} {action:?}: {error}"),
            }
        }
    }
}

#[tokio::test]
async fn a_withdrawal_on_behalf_is_in_force_and_names_its_door_and_its_operator() {
    // S0-12
    let world = World::new(TotpPolicy::Optional).await;
    let subject = olivia(&world.store).await;
    let operator = world.add(Role::Operator).await;
    let stop = Stop::Topics(vec![consentry::consent::Topic::parse("news").unwrap()]);
    for blank in ["", "  \n", &"x".repeat(501)] {
        let answer = world.office.withdraw(&operator, subject, "acme", stop.clone(), blank, start()).await;
        assert!(matches!(answer, Err(OfficeError::Reason)), "{blank:?}");
    }
    assert_eq!(world.store.events(subject).await.unwrap().last().unwrap().kind, EventKind::Given, "without a reason nothing happens");

    let answer = world.office.withdraw(&operator, subject, "acme", stop, " wrote a letter ", start()).await.unwrap();
    assert_eq!(answer, WithdrawAnswer::Done);
    let event = world.store.events(subject).await.unwrap().pop().unwrap();
    assert_eq!((event.kind, event.source), (EventKind::Withdrawn, Source::Staff));
    let Some(Evidence::Choice(choice)) = event.evidence else { panic!("no evidence") };
    assert_eq!((choice.staff.as_deref(), choice.note.as_deref(), choice.ip), (Some("operator"), Some("wrote a letter"), None));
    let line = &world.store.audit_log(None, 1).await.unwrap()[0];
    assert_eq!((line.line.deed, line.line.object), (Deed::Withdrew, Some(Object::Subject(subject))));
    assert_eq!((line.operator_name.as_deref(), line.line.reason.as_deref()), (Some("operator"), Some("wrote a letter")));
}

#[tokio::test]
async fn damaged_evidence_stops_no_withdrawal() {
    // GDPR Art. 7(3), Art. 21(2)
    let world = World::new(TotpPolicy::Optional).await;
    let subject = olivia(&world.store).await;
    let (operator, legal) = (world.add(Role::Operator).await, world.add(Role::Legal).await);
    drop_trigger(world.dir.path(), "event_is_not_changed", "event").await;
    run(world.dir.path(), &format!("UPDATE event SET evidence = {} WHERE seq = 1", octets("00"))).await.unwrap();
    assert_eq!(world.office.person(&operator, subject).await.unwrap().unwrap().events.len(), 2);
    let answer = world.office.withdraw(&operator, subject, "acme", Stop::Advertising, "wrote", start()).await.unwrap();
    assert_eq!(answer, WithdrawAnswer::Done);
    assert!(world.office.evidence(&legal, subject, start()).await.is_err(), "and it is told where it is asked for");
}

#[tokio::test]
async fn the_log_is_read_in_pages_newest_first() {
    let world = World::new(TotpPolicy::Optional).await;
    let legal = world.add(Role::Legal).await;
    for n in 0..5 {
        world.office.begin_export(&legal, &n.to_string(), start()).await.unwrap();
    }
    let first = world.office.audit_log(&legal, None, 4).await.unwrap();
    let second = world.office.audit_log(&legal, Some(first[3].seq), 4).await.unwrap();
    let seqs: Vec<u64> = first.iter().chain(&second).map(|line| line.seq).collect();
    assert_eq!(seqs, [6, 5, 4, 3, 2, 1]);
    assert_eq!((second[1].line.deed, second[1].line.operator), (Deed::OperatorAdded, None), "made by the command line");
    assert_eq!(second[1].object_name.as_deref(), Some("legal"));
}
