//! An adversary's day: what somebody might try so that an advert counts as transactional, each on a stream that declares its mail
//! and enforces what the content says, and on one bound to transactional as shipped (where it is recorded as disputed).
//! L-AD-01, L-AD-02, L-AD-06, S2-07

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use consentry::classify::{Classifier, Path};
use consentry::mail::{AnswerProfile, Class, Classification, Dispute, Message, Stream, StreamClass, StreamMode};

const RECEIPT: &str = "Thank you for your order. Your order number is 483920.\r\n\r\nDesk Lamp 1 39.90 EUR\r\nTotal 39.90 EUR\r\n\r\nYour parcel was handed to the carrier, tracking number 00340434161094.\r\n";
const ADVERT: &str = "Save 25% on your next purchase with code SPRING25! Offer valid until Sunday, shop now: https://shop.example/sale";

fn stream(class: StreamClass, disputed: Dispute) -> Stream {
    Stream {
        name: "s".into(),
        controller: "acme".into(),
        class,
        topic: None,
        from_domains: Vec::new(),
        answer: AnswerProfile::Reject,
        mode: StreamMode::Enforce,
        disputed,
        bulk: Default::default(),
    }
}

fn classify(class: StreamClass, path: Path, raw: &str) -> Classification {
    let disputed = if class == StreamClass::Declared { Dispute::Enforce } else { Dispute::default() };
    classify_on(&stream(class, disputed), path, raw)
}

fn classify_on(stream: &Stream, path: Path, raw: &str) -> Classification {
    let message = Message::parse(raw.as_bytes().to_vec(), true).expect(raw);
    Classifier::default().classify(stream, path, &message)
}

fn mail(head: &str, body: &str) -> String {
    format!("From: Shop <a@shop.example>\r\nTo: Olivia <o@x.example>\r\nConsentry-Class: transactional\r\n{head}\r\n{body}\r\n")
}

fn plain(body: &str) -> String {
    mail("Subject: Your order 483920\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n", body)
}

fn html(body: &str) -> String {
    mail("Subject: Your order 483920\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n", body)
}

fn encoded(kind: &str, encoding: &str, body: &str) -> String {
    mail(
        &format!("Subject: Your order 483920\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n"),
        body,
    )
}

fn parts(kind: &str, parts: &[(&str, &str)]) -> String {
    let body: String = parts.iter().map(|(head, body)| format!("--b\r\n{head}\r\n\r\n{body}\r\n")).collect();
    mail(
        &format!("Subject: Your order 483920\r\nMIME-Version: 1.0\r\nContent-Type: multipart/{kind}; boundary=b\r\n"),
        &format!("{body}--b--"),
    )
}

fn receipt_html() -> String {
    RECEIPT.lines().filter(|line| !line.is_empty()).map(|line| format!("<p>{line}</p>")).collect()
}

/// Each letter by its number.
fn as_references(text: &str) -> String {
    text.chars().map(|letter| format!("&#{};", letter as u32)).collect()
}

/// The letters of every word torn apart by something that is not drawn.
fn torn(text: &str, by: &str) -> String {
    text.split(' ')
        .map(|word| if word.contains('/') { word.to_owned() } else { word.chars().map(String::from).collect::<Vec<_>>().join(by) })
        .collect::<Vec<_>>()
        .join(" ")
}

fn tricks() -> Vec<(&'static str, String)> {
    let utf16: Vec<u8> = ADVERT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let shopping = "Only this week: 30% off all shoes! <a href=\"https://shop.example/\">Shop now</a>";
    vec![
        ("an advert below the receipt", plain(&format!("{RECEIPT}\r\n{ADVERT}"))),
        ("an advert above the receipt", plain(&format!("{ADVERT}\r\n\r\n{RECEIPT}"))),
        ("an advert in the midst of the receipt", plain(&RECEIPT.replace("\r\nTotal", &format!("\r\n\r\n{ADVERT}\r\n\r\nTotal")))),
        ("a postscript", plain(&format!("{RECEIPT}\r\nBest regards, your shop team\r\n\r\nP.S. {ADVERT}"))),
        ("the advert in the footer, very small", html(&format!("{}<p style=\"font-size:6px\">{ADVERT}</p>", receipt_html()))),
        ("a subject that claims a receipt", mail("Subject: Invoice 4711 for your order 483920\r\n", ADVERT)),
        (
            "an encoded subject that advertises",
            mail("Subject: =?utf-8?q?Nur_heute:_30_%_Rabatt_auf_alle_Schuhe,_jetzt_sichern!?=\r\n", RECEIPT),
        ),
        ("a header that nobody knows", mail("Subject: Your order\r\nX-Skip-Consent: 1\r\nX-Class: transactional\r\n", ADVERT)),
        ("a machine claims to answer", mail("Subject: Your order\r\nAuto-Submitted: auto-generated\r\n", ADVERT)),
        ("high priority", mail("Subject: Your order\r\nX-Priority: 1\r\nImportance: high\r\n", ADVERT)),
        (
            "the tool's own claim",
            mail("Subject: Your order\r\nX-PM-Message-Stream: outbound\r\nX-MSYS-API: {\"options\":{\"transactional\":true}}\r\n", ADVERT),
        ),
        ("base64", encoded("text/plain; charset=utf-8", "base64", &BASE64_STANDARD.encode(format!("{RECEIPT}\r\n{ADVERT}")))),
        ("quoted-printable, torn in every line", encoded("text/plain; charset=utf-8", "quoted-printable", &torn(ADVERT, "=\r\n"))),
        ("two octets a letter", encoded("text/plain; charset=utf-16le", "base64", &BASE64_STANDARD.encode(utf16))),
        ("letters by their numbers", html(&format!("{}<p>{}</p>", receipt_html(), as_references(ADVERT)))),
        ("zero-width characters in each word", plain(&format!("{RECEIPT}\r\n{}", torn(ADVERT, "\u{200b}")))),
        ("soft hyphens in each word", html(&format!("{}<p>{}</p>", receipt_html(), torn(ADVERT, "&shy;")))),
        ("words torn by empty elements", html(&format!("{}<p>{}</p>", receipt_html(), torn(ADVERT, "<b></b>")))),
        ("words torn by comments", html(&format!("{}<p>{}</p>", receipt_html(), torn(ADVERT, "<!-- x -->")))),
        (
            "Cyrillic letters that look alike",
            plain(&format!("{RECEIPT}\r\n{}", ADVERT.replace('a', "а").replace('o', "о").replace('e', "е"))),
        ),
        (
            "wide letters",
            plain(&format!(
                "{RECEIPT}\r\n{}",
                ADVERT
                    .split(" https")
                    .next()
                    .expect("text")
                    .chars()
                    .map(|c| if c.is_ascii_graphic() { char::from_u32(c as u32 + 0xfee0).expect("wide") } else { c })
                    .collect::<String>()
            )),
        ),
        (
            "letters apart",
            plain(&format!(
                "{RECEIPT}\r\nS A V E 25% on your next purchase! D I S C O U N T code S P R I N G, s h o p n o w: https://shop.example/"
            )),
        ),
        (
            "white text that says receipt",
            html(&format!("<div style=\"color:#fff;background-color:white\">{}</div><p>{ADVERT}</p>", RECEIPT.repeat(10))),
        ),
        (
            "a receipt that is not displayed",
            html(&format!("<div style=\"display: none !important\">{}</div><p>{shopping}</p>", receipt_html().repeat(10))),
        ),
        (
            "a receipt without size",
            html(&format!("<span style=\"font-size:0px;line-height:0\">{}</span><p>{shopping}</p>", RECEIPT.repeat(10))),
        ),
        (
            "pictures alone, with words for the blind",
            html(
                "<a href=\"https://shop.example/sale\"><img src=\"https://shop.example/1.png\" width=\"600\" height=\"900\" alt=\"30% off all shoes, shop now\"></a>",
            ),
        ),
        (
            "the advert only in the html",
            parts(
                "alternative",
                &[
                    ("Content-Type: text/plain; charset=utf-8", RECEIPT),
                    ("Content-Type: text/html; charset=utf-8", &format!("{}<p>{shopping}</p>", receipt_html())),
                ],
            ),
        ),
        (
            "the advert only in the plain text",
            parts(
                "alternative",
                &[
                    ("Content-Type: text/plain; charset=utf-8", &format!("{RECEIPT}\r\n{ADVERT}")),
                    ("Content-Type: text/html; charset=utf-8", &receipt_html()),
                ],
            ),
        ),
        (
            "the advert in the part for AMP",
            parts(
                "alternative",
                &[
                    ("Content-Type: text/plain; charset=utf-8", RECEIPT),
                    ("Content-Type: text/x-amp-html; charset=utf-8", &format!("<html><body><p>{shopping}</p></body></html>")),
                ],
            ),
        ),
        (
            "a message in a message",
            parts(
                "mixed",
                &[
                    ("Content-Type: text/plain; charset=utf-8", RECEIPT),
                    (
                        "Content-Type: message/rfc822",
                        &format!("From: a@shop.example\r\nSubject: Sale\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{ADVERT}"),
                    ),
                ],
            ),
        ),
        (
            "a second text part",
            parts(
                "mixed",
                &[
                    ("Content-Type: text/plain; charset=utf-8", RECEIPT),
                    ("Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: inline", ADVERT),
                ],
            ),
        ),
        (
            "html that calls itself plain",
            mail(
                "Subject: Your order\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n",
                &format!("<html><body>{}<p>{shopping}</p></body></html>", receipt_html()),
            ),
        ),
        (
            "pictures alone, without a word",
            html("<a href=\"https://shop.example/sale\"><img src=\"https://shop.example/1.png\" width=\"600\" height=\"900\"></a>"),
        ),
        ("sealed for its reader", mail("Subject: Your order\r\nContent-Type: application/pkcs7-mime\r\n", "MIAGCSqGSIb3DQEHA6CAMIACAQAxg")),
        (
            "the only text is attached",
            mail("Subject: Your order\r\nContent-Type: text/html\r\nContent-Disposition: attachment\r\n", &format!("<p>{shopping}</p>")),
        ),
        ("behind more text than is read", plain(&format!("{}\r\n{ADVERT}", RECEIPT.repeat(6_000)))),
        (
            "another language",
            plain(
                "Profitez vite de nos offres pour toute la famille, avec des prix imbattables sur les chaussures et une livraison offerte !",
            ),
        ),
        ("a long receipt around it", plain(&format!("{}\r\n{ADVERT}\r\n\r\n{}", RECEIPT.repeat(40), RECEIPT.repeat(40)))),
        (
            "legal text around it",
            plain(&format!(
                "{RECEIPT}\r\nThe right of withdrawal applies. You may withdraw within 14 days.\r\n\r\n{ADVERT}\r\n\r\nShop Ltd, 12 Mill Lane, VAT GB123456. All rights reserved."
            )),
        ),
    ]
}

#[test]
fn no_trick_makes_an_advert_transactional() {
    let tricks = tricks();
    assert!(tricks.len() >= 30);
    let mut worked = Vec::new();
    for (name, raw) in &tricks {
        let declared = classify(StreamClass::Declared, Path::Named, raw);
        let bound = classify(StreamClass::Transactional, Path::Named, raw);
        if declared.class != Class::Marketing || !(bound.disputed_by().is_some() || bound.class == Class::Marketing) {
            worked.push(format!("{name}: {:?}", bound.steps.last()));
        }
    }
    assert!(worked.is_empty(), "{} of {}:\n{}", worked.len(), tricks.len(), worked.join("\n"));
}

#[test]
fn the_receipt_without_the_advert_passes_undisputed() {
    // S0-19
    let clean = [
        plain(RECEIPT),
        html(&receipt_html()),
        parts("alternative", &[("Content-Type: text/plain", RECEIPT), ("Content-Type: text/html", &receipt_html())]),
    ];
    for raw in clean {
        for class in [StreamClass::Declared, StreamClass::Transactional] {
            let known = classify(class, Path::Named, &raw);
            assert!(known.class == Class::Transactional && known.disputed_by().is_none(), "{:?}", known.steps);
        }
    }
}

#[test]
fn as_shipped_the_model_alone_refuses_nothing_and_a_second_voice_makes_it_marketing() {
    let advert = plain(ADVERT);
    for class in [StreamClass::Declared, StreamClass::Transactional] {
        let as_shipped = stream(class, Dispute::default());
        let alone = classify_on(&as_shipped, Path::Named, &advert);
        assert_eq!(alone.class, Class::Transactional, "{:?}", alone.steps);
        assert!(alone.disputed_by().is_some_and(|step| step.why.starts_with("content: ")), "{:?}", alone.steps);
        for voice in ["List-Id: <x.example>", "List-Unsubscribe: <https://x.example/>", "X-Campaign: spring", "X-Mailjet-Campaign: spring"]
        {
            let both = classify_on(&as_shipped, Path::Named, &format!("{voice}\r\n{advert}"));
            assert_eq!(both.class, Class::Marketing, "{voice}");
        }
        let enforced = classify_on(&stream(class, Dispute::Enforce), Path::Named, &advert);
        assert_eq!(enforced.class, Class::Marketing, "{:?}", enforced.steps);
    }
}

#[test]
fn what_law_calls_advertising_is_found() {
    for (requirement, text) in [
        ("L-AD-01", "We were named best shoe shop of the year. Discover the story behind our shoes: https://shop.example/"),
        ("L-AD-03", "How was your purchase? Please take a minute to rate us: https://shop.example/review"), // L-AD-03
        ("L-AD-04", "In this issue: healthy cooking, electric cars and home office. Read the full story: https://shop.example/blog"), // L-AD-04
        ("L-AD-05", "Happy birthday, Olivia! Here is a 10 EUR voucher for your next order: https://shop.example/"), // L-AD-05
        ("L-AD-05", "You left something behind. Your Desk Lamp is still in your cart, complete your order now: https://shop.example/cart"),
        ("L-AD-05", "Invite your friends and you both get 10 EUR: https://shop.example/friends"),
        ("S4-06", "Wir vermissen Sie, Olivia! Kommen Sie zurück und sparen Sie 15 %: https://shop.example/"), // S4-06
    ] {
        let known = classify(StreamClass::Declared, Path::Named, &plain(text));
        assert_eq!(known.class, Class::Marketing, "{requirement}: {text} {:?}", known.steps);
    }
}

fn report(kind: &str, notice: &str, second: &str, machine: &str, third: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mta.example\r\nSubject: Undelivered mail\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type={kind}; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n{notice}\r\n--b\r\nContent-Type: message/{second}\r\n\r\n{machine}\r\n{third}--b--\r\n"
    )
}

#[test]
fn a_report_is_one_by_null_path_and_structure_and_nothing_hides_in_it() {
    // M-53
    let machine = "Reporting-MTA: dns; mta.example\r\n\r\nFinal-Recipient: rfc822; o@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n";
    let notice = "Your message could not be delivered. The mailbox does not exist.";
    let headers = "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: a@shop.example\r\nSubject: hello\r\n";
    let advert = format!("--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@shop.example\r\nSubject: Sale\r\n\r\n{ADVERT}\r\n");
    let good = report("delivery-status", notice, "delivery-status", machine, headers);
    for (what, path, raw, expected) in [
        ("a report", Path::Null, good.clone(), Class::System),
        ("with a return path", Path::Named, good.clone(), Class::Marketing),
        ("without the part for machines", Path::Null, report("delivery-status", notice, "rfc822", machine, headers), Class::Marketing),
        (
            "with nothing in that part",
            Path::Null,
            report("delivery-status", notice, "delivery-status", "X: y\r\n", headers),
            Class::Marketing,
        ),
        ("another kind", Path::Null, report("delivery-status", notice, "disposition-notification", machine, headers), Class::Marketing),
        ("an advert as the notice", Path::Null, report("delivery-status", ADVERT, "delivery-status", machine, headers), Class::Marketing),
        (
            "an advert as what is returned",
            Path::Null,
            report("delivery-status", notice, "delivery-status", machine, &advert),
            Class::Marketing,
        ),
        ("a fourth part", Path::Null, report("delivery-status", notice, "delivery-status", machine, &headers.repeat(2)), Class::Marketing),
        ("with a list's mark", Path::Null, format!("List-Id: <x.example>\r\n{good}"), Class::Marketing),
        ("a newsletter", Path::Null, plain(ADVERT).replace("Consentry-Class: transactional\r\n", ""), Class::Marketing),
        (
            "an automatic answer",
            Path::Null,
            format!("Auto-Submitted: auto-replied\r\n{}", plain(ADVERT).replace("Consentry-Class: transactional\r\n", "")),
            Class::Marketing,
        ),
    ] {
        assert_eq!(classify(StreamClass::Declared, path, &raw).class, expected, "{what}");
    }
}
