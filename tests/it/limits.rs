//! What a peer, or many, cannot have more of: connections, memory, recipients, commands in one write.

use consentry::smtp::{SmtpSettings, Tls};

use crate::smtp_server::{Client, GREETED, Keeper, Server, TO_DATA};

#[tokio::test]
async fn connections_beyond_the_limit_are_turned_away() {
    let keeper = Keeper::new(true, false);
    let settings = SmtpSettings { max_connections_per_address: 1, ..SmtpSettings::default() };
    let server = Server::start(&keeper, settings, Tls::Off).await;
    let mut first = Client::connect(server.address).await;
    first.talk(&[GREETED]).await;
    let mut second = Client::connect(server.address).await;
    second.talk(&[("", "421 4.3.2")]).await;
    assert_eq!(second.line().await, None);
    first.talk(&[("QUIT", "221")]).await;
    drop(first);
    server.shut_down().await;
}

#[tokio::test]
async fn messages_beyond_the_memory_budget_are_put_off() {
    let keeper = Keeper::new(true, true);
    let settings = SmtpSettings { max_bytes_in_flight: 60_000, ..SmtpSettings::default() };
    let server = Server::start(&keeper, settings, Tls::Off).await;
    let (mut first, mut second) = (Client::connect(server.address).await, Client::connect(server.address).await);
    first.talk(&[GREETED]).await;
    first.talk(&TO_DATA).await;
    first.send(b"x\r\n.\r\n").await;
    keeper.entered.notified().await;
    second.talk(&[GREETED]).await;
    second.talk(&TO_DATA[..3]).await;
    second.talk(&[("DATA", "452 4.3.1")]).await;
    keeper.release.notify_one();
    first.talk(&[("", "250")]).await;
    // Freed before the reply was sent; and a message that outgrows the budget is read to its end.
    second.talk(&TO_DATA).await;
    second.send(&b"0123456789abcd\r\n".repeat(2_000)).await;
    second.talk(&[(".", "452 4.3.1"), ("NOOP", "250")]).await;
    drop((first, second));
    server.shut_down().await;
    assert_eq!(keeper.kept.lock().expect("not poisoned").len(), 1);
}

#[tokio::test]
async fn thousands_of_pipelined_commands_get_their_replies_in_order() {
    // RFC 2920 s.3.2: more commands than fit in one buffer, in one write
    let keeper = Keeper::new(true, false);
    let settings = SmtpSettings { max_idle_commands: 10_000, ..SmtpSettings::default() };
    let server = Server::start(&keeper, settings, Tls::Off).await;
    let mut client = Client::connect(server.address).await;
    client.talk(&[GREETED, ("HELO x", "250")]).await;
    client.send("NOOP\r\nVRFY x\r\n".repeat(3_000).as_bytes()).await;
    for _ in 0..3_000 {
        client.talk(&[("", "250 2.0.0 "), ("", "252 2.0.0 ")]).await;
    }
    drop(client);
    server.shut_down().await;
}

#[tokio::test]
async fn all_listeners_share_one_budget_and_one_count_of_connections() {
    let keeper = Keeper::new(true, true);
    let settings = SmtpSettings { max_bytes_in_flight: 60_000, max_connections: 2, ..SmtpSettings::default() };
    let (one, other) = Server::start_twice(&keeper, settings).await;
    let (mut first, mut second) = (Client::connect(one.address).await, Client::connect(other.address).await);
    first.talk(&[GREETED]).await;
    second.talk(&[GREETED]).await;
    let mut third = Client::connect(one.address).await;
    third.talk(&[("", "421 4.3.2")]).await;
    first.talk(&TO_DATA).await;
    second.talk(&TO_DATA[..3]).await;
    second.talk(&[("DATA", "452 4.3.1")]).await;
    // a chunk is refused, too, and read past
    second.talk(&TO_DATA[1..3]).await;
    second.talk(&[("BDAT 6 LAST\r\nQUIT", "452 4.3.1"), ("NOOP", "250")]).await;
    first.send(b"x\r\n.\r\n").await;
    keeper.entered.notified().await;
    keeper.release.notify_one();
    first.talk(&[("", "250")]).await;
    drop((first, second, third));
    one.shut_down().await;
    other.shut_down().await;
}

#[tokio::test]
async fn a_hundred_recipients_are_taken_and_the_next_is_put_off() {
    // M-05
    let keeper = Keeper::new(true, false);
    let settings = SmtpSettings { max_recipients: 100, ..SmtpSettings::default() };
    let server = Server::start(&keeper, settings, Tls::Off).await;
    let mut client = Client::connect(server.address).await;
    client.talk(&[GREETED]).await;
    client.talk(&TO_DATA[..2]).await;
    let recipients: String = (0..101).map(|number| format!("RCPT TO:<r{number}@y.example>\r\n")).collect();
    client.send(recipients.as_bytes()).await;
    for _ in 0..100 {
        client.talk(&[("", "250 2.1.5")]).await;
    }
    client.talk(&[("", "452 4.5.3"), ("DATA", "354"), ("x\r\n.", "250"), ("QUIT", "221")]).await;
    drop(client);
    server.shut_down().await;
    assert_eq!(keeper.kept.lock().expect("not poisoned")[0].recipients.len(), 100);
}

#[tokio::test]
async fn a_message_of_the_announced_size_passes_and_one_octet_more_never_will() {
    // M-09; the budget holds one such message and no octet more
    const SIZE: usize = 65_536;
    let keeper = Keeper::new(true, false);
    let settings = SmtpSettings { max_message_size: SIZE, max_bytes_in_flight: 3 * SIZE, ..SmtpSettings::default() };
    let server = Server::start(&keeper, settings, Tls::Off).await;
    let mut client = Client::connect(server.address).await;
    client.talk(&[GREETED]).await;
    let line = format!("{}\r\n", "x".repeat(62));
    let whole = line.repeat(SIZE / line.len());
    for (message, expected) in [(whole.clone(), "250"), (format!("{whole}y\r\n"), "552 5.3.4"), (whole, "250")] {
        client.talk(&TO_DATA).await;
        client.send(format!("{message}.\r\n").as_bytes()).await;
        client.talk(&[("", expected)]).await;
    }
    drop(client);
    server.shut_down().await;
}

#[tokio::test]
async fn an_envelope_is_no_way_to_fill_the_memory() {
    let keeper = Keeper::new(true, false);
    let server = Server::start(&keeper, SmtpSettings::default(), Tls::Off).await;
    let mut client = Client::connect(server.address).await;
    client.talk(&[GREETED]).await;
    client.talk(&TO_DATA[..2]).await;
    let original = "o".repeat(480);
    let mut taken = 0;
    while taken < 1_000 {
        client.send(format!("RCPT TO:<r{taken}@y.example> ORCPT=rfc822;{original}\r\n").as_bytes()).await;
        let reply = client.line().await.expect("an answer");
        if reply.starts_with("452 4.5.3") {
            break;
        }
        assert!(reply.starts_with("250 2.1.5"), "{reply}");
        taken += 1;
    }
    assert!((100..400).contains(&taken), "{taken}");
    drop(client);
    server.shut_down().await;
}
