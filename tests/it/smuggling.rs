//! M-40, M-41, I10: whatever another server could take for the end of a message is refused here, by DATA and by chunks,
//! wherever the octets are cut. The sink is raw: what the handler gets is counted, and so is what the client hears.

use consentry::smtp::{SmtpSettings, Tls};

use crate::smtp_server::{Client, GREETED, Keeper, Server};

/// Ends of data that are none.
pub(crate) const VARIANTS: &[&[u8]] = &[
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\n\n.\r\n",
    b"\n.\r",
    b"\r\n\n.\n",
    b"\0.\0",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\0\r\n.\0\r\n",
    b"\r\0\n.\r\0\n",
    b"\r",
    b"\n",
    b"\0",
];
const FRONT: &[u8] = b"Subject: one\r\n\r\none";
/// What a fooled server would take for a second message.
const SECOND: &[u8] = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<c@y.example>\r\nDATA\r\nSubject: two\r\n\r\ntwo\r\n";

async fn to_data(client: &mut Client) {
    client.talk(&[("MAIL FROM:<a@x.example>", "250"), ("RCPT TO:<b@y.example>", "250")]).await;
}

#[tokio::test]
async fn no_variant_ends_a_message_however_it_comes() {
    let keeper = Keeper::new(true, false);
    let settings = SmtpSettings { max_errors: 10_000, ..SmtpSettings::default() };
    let server = Server::start(&keeper, settings, Tls::Off).await;
    let mut client = Client::connect(server.address).await;
    client.talk(&[GREETED, ("EHLO x.example", "250-")]).await;
    while !client.line().await.expect("a line").starts_with("250 ") {}
    let mut tried = 0;
    for variant in VARIANTS {
        let whole = [FRONT, variant, SECOND].concat();
        // by DATA: the true end is ours, and there is one reply
        to_data(&mut client).await;
        client.talk(&[("DATA", "354")]).await;
        client.send(&[&whole[..], b".\r\n"].concat()).await;
        client.talk(&[("", "550 5.6.0"), ("NOOP", "250 2.0.0")]).await;
        // by chunks: at once, then cut at each octet of the variant
        to_data(&mut client).await;
        client.send(&[format!("BDAT {} LAST\r\n", whole.len()).as_bytes(), &whole].concat()).await;
        client.talk(&[("", "550 5.6.0"), ("NOOP", "250 2.0.0")]).await;
        for cut in FRONT.len()..=FRONT.len() + variant.len() {
            let (first, rest) = whole.split_at(cut);
            to_data(&mut client).await;
            client.send(&[format!("BDAT {}\r\n", first.len()).as_bytes(), first].concat()).await;
            let told = client.line().await.expect("a reply");
            client.send(&[format!("BDAT {} LAST\r\n", rest.len()).as_bytes(), rest].concat()).await;
            // the flaw is told with the chunk that shows it; chunks behind it belong to no transaction
            let second = if told.starts_with("250") { "550 5.6.0" } else { "503 5.5.1" };
            assert!(told.starts_with("250") || told.starts_with("550 5.6.0"), "{told}");
            client.talk(&[("", second), ("NOOP", "250 2.0.0")]).await;
            tried += 1;
        }
    }
    assert!(tried > 50);
    // dots alone are no flaw: the same text with true line ends is one message by chunks
    to_data(&mut client).await;
    let harmless = [FRONT, b"\r\n.\r\n", SECOND].concat();
    client.send(&[format!("BDAT {} LAST\r\n", harmless.len()).as_bytes(), &harmless].concat()).await;
    client.talk(&[("", "250"), ("QUIT", "221")]).await;
    drop(client);
    server.shut_down().await;
    let kept = keeper.kept.lock().expect("not poisoned");
    assert!(kept.len() == 1 && kept[0].data == harmless, "{} messages", kept.len());
}
