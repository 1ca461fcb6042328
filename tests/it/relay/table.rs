//! Every fault at every stage: nothing but the 2yz to the final dot is an acceptance, and nothing that
//! happens before the dot leaves a doubt.

use consentry::relay::{RelaySettings, RelayTimeouts, RelayTls};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::{MESSAGE, SMALL, envelope, over, send, settings, told};
use crate::fake_mta::{Act, FakeMta, Script, Stage, TestCertificate};

const STAGES: [Stage; 9] =
    [Stage::Greeting, Stage::Ehlo, Stage::StartTls, Stage::Auth, Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Body, Stage::Dot];

const FAULTS: [Act; 7] = [
    Act::Say("451 4.3.0 later"),
    Act::Say("554 5.7.1 no"),
    Act::Say("421 4.3.2 bye"),
    Act::Say("354 go on"),
    Act::Hang,
    Act::Drop,
    Act::Garbage,
];

/// What becomes of the copy.
fn expected(stage: Stage, fault: Act) -> &'static str {
    match (stage, fault) {
        (_, Act::Say("451 4.3.0 later" | "421 4.3.2 bye")) => "deferred",
        // Refuses this gateway, not this mail.
        (Stage::Greeting | Stage::Ehlo | Stage::StartTls | Stage::Auth, _) => "unreachable",
        (_, Act::Say("554 5.7.1 no")) => "rejected",
        (Stage::Data, Act::Say("354 go on")) => "accepted", // no fault there
        // A small message is out with its dot before the peer says a word.
        (Stage::Body | Stage::Dot, _) => "uncertain",
        _ => "unreachable",
    }
}

/// Little patience for the stage alone, so that a busy machine changes no row.
fn short(stage: Stage) -> RelayTimeouts {
    let long = RelayTimeouts::default();
    match stage {
        Stage::Greeting => RelayTimeouts { greeting: SMALL, ..long },
        Stage::Data => RelayTimeouts { data: SMALL, ..long },
        Stage::Body | Stage::Dot => RelayTimeouts { final_reply: SMALL, ..long },
        _ => RelayTimeouts { command: SMALL, ..long },
    }
}

#[tokio::test]
async fn every_fault_at_every_stage_has_its_outcome() {
    let certificate = TestCertificate::make();
    let directory = tempfile::tempdir().unwrap();
    let password_file = directory.path().join("password");
    std::fs::write(&password_file, "secret").unwrap();
    let mut rows = JoinSet::new();
    for stage in STAGES {
        for fault in FAULTS {
            for extensions in [&["AUTH PLAIN", "PIPELINING"][..], &["AUTH PLAIN"]] {
                let script = Script::new().extensions(extensions).tls(&certificate).login(&["AUTH PLAIN AGdhdGUAc2VjcmV0"]);
                let (ca_file, password_file) = (certificate.ca_file(), password_file.clone());
                rows.spawn(async move {
                    let mta = FakeMta::start(script.on(stage, fault)).await;
                    let settings = RelaySettings {
                        tls: Some(RelayTls::Required),
                        ca_file: Some(ca_file),
                        username: Some("gate".to_owned()),
                        password_file: Some(password_file),
                        timeouts: if fault == Act::Hang { short(stage) } else { RelayTimeouts::default() },
                        ..settings(&mta)
                    };
                    let outcome = send(&over(&settings), &envelope(), MESSAGE).await;
                    let row = format!("{stage:?} {fault:?} {extensions:?}: {}", told(&outcome));
                    assert_eq!(outcome.as_str(), expected(stage, fault), "{row}");
                    assert_eq!(mta.received().len(), usize::from(outcome.as_str() == "accepted"), "{row}");
                });
            }
        }
    }
    while let Some(row) = rows.join_next().await {
        row.expect("as expected");
    }
}

#[tokio::test]
async fn a_host_that_answers_no_connection_is_unreachable() {
    // A listener whose queue is full: the kernel drops what else comes.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let _queue = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    let timeouts = RelayTimeouts { connect: SMALL, ..RelayTimeouts::default() };
    let settings = RelaySettings { timeouts, ..RelaySettings::at(address) };
    assert_eq!(told(&send(&over(&settings), &envelope(), MESSAGE).await), "unreachable connect: timed out");
}
