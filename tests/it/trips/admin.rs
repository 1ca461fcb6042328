//! As an administrator would set it up: TLS on both sides with the company's own authority, the usual programs and libraries
//! in front, a Postfix before and a Postfix behind.

use super::count;
use crate::environment::tell;
use crate::peers::certificate::Authority;
use crate::peers::dkim::Verifier;
use crate::peers::mailers::{Account, Letter, Mailer};
use crate::peers::postfix::Postfix;
use crate::peers::run;
use crate::sink::{Arrival, Sink};
use crate::world::{PASSWORD, World, link};

const NEWS: &str = "newsletter@acme.example";
const SHOP: &str = "shop@acme.example";
const OLIVIA: &str = "olivia@people.example";
const PAT: &str = "pat@people.example";
const NOAH: &str = "noah@people.example";

/// A far end, the Postfix before it that wants TLS, and the gateway that wants and offers it. Olivia and Pat consented.
struct Office {
    sink: Sink,
    world: World,
    authority: Authority,
    _behind: Postfix,
    /// Mails at the far end so far.
    seen: usize,
}

impl Office {
    fn open() -> Self {
        let sink = Sink::start();
        let authority = Authority::make();
        let (certificate, key, ca) = (authority.certificate(), authority.key(), authority.ca());
        let behind = Postfix::start_with(
            sink.address(),
            &format!("smtpd_tls_security_level = encrypt\nsmtpd_tls_chain_files = {} {}\n", key.display(), certificate.display()),
        );
        let world = World::start_with(behind.address(), |setup| {
            let tls = format!("tls = {{ certificate = \"{}\", key = \"{}\" }}", certificate.display(), key.display());
            for (old, new) in [
                ("[listen]\n", format!("[listen]\n{tls}\n")),
                ("auth_without_tls_on_loopback = true\n", String::new()),
                ("host = \"127.0.0.1\"\n", format!("host = \"localhost\"\ntls = \"required\"\nca_file = \"{}\"\n", ca.display())),
            ] {
                assert!(setup.config.contains(old), "{old}");
                setup.config = setup.config.replace(old, &new);
            }
        });
        let mut office = Self { sink, world, authority, _behind: behind, seen: 0 };
        for who in [OLIVIA, PAT] {
            office.world.sign_up(who);
            let asked = office.next(1).remove(0);
            assert_eq!(office.world.confirm(&link(&asked.message, "/c/")).status, 200);
        }
        office
    }

    /// The next mails at the far end; no more than these came.
    fn next(&mut self, number: usize) -> Vec<Arrival> {
        self.seen += number;
        let mut all = self.sink.wait_for(self.seen);
        assert_eq!(all.len(), self.seen, "{:?}", all.last());
        all.split_off(self.seen - number)
    }
}

fn to<'a>(mails: &'a [Arrival], who: &str) -> &'a Arrival {
    let found: Vec<_> = mails.iter().filter(|mail| mail.to == [who]).collect();
    assert_eq!(found.len(), 1, "one mail to {who} in {mails:?}");
    found[0]
}

fn expect_advertising(mail: &Arrival) {
    for name in ["List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "DKIM-Signature", "Message-ID"] {
        assert_eq!(count(&mail.message, name), 1, "{name} in {mail:?}");
    }
}

/// The parts that a report needs (RFC 3464), and why.
fn expect_report(mail: &Arrival, about: &str) {
    let text = unfolded(mail);
    assert_eq!(mail.from, "", "{mail:?}");
    for needle in ["report-type=delivery-status", &format!("Final-Recipient: rfc822; {about}"), "Status: 5.7.1", "consent: no_consent ref="]
    {
        assert!(text.contains(needle), "{needle} in {text}");
    }
}

/// Postfix folds the fields of its reports.
fn unfolded(mail: &Arrival) -> String {
    let text = String::from_utf8_lossy(&mail.message).replace("\r\n ", " ");
    text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_usual_mailers_are_set_up_by_their_own_manuals_and_understand_every_answer_postfix_behind() {
    let mut office = Office::open();
    let mut signed = Vec::new();
    for mailer in Mailer::ALL {
        let send = |office: &Office, from: &str, to: &[&str]| {
            let user = if from == SHOP { "shop" } else { "news" };
            let (port, ca) = (office.world.smtp.port(), office.authority.ca());
            mailer.send(&Account { port, user, password: PASSWORD, ca: &ca }, &Letter { from, to, subject: "Hallo" })
        };
        // A receipt goes to anybody.
        assert_eq!(send(&office, SHOP, &[NOAH]), Ok(()), "{mailer:?}");
        let receipt = office.next(1).remove(0);
        assert_eq!((&receipt.to[..], count(&receipt.message, "List-Unsubscribe")), (&[NOAH.to_owned()][..], 0), "{mailer:?}");

        assert_eq!(send(&office, NEWS, &[OLIVIA]), Ok(()), "{mailer:?}");
        let news = office.next(1).remove(0);
        expect_advertising(to(std::slice::from_ref(&news), OLIVIA));

        // Its user reads why not.
        let refused = send(&office, NEWS, &[NOAH]).expect_err("nobody asked Noah");
        assert!(refused.contains("550") && refused.contains("5.7.1") && refused.contains("no_consent"), "{mailer:?}: {refused}");

        // Several at once: whoever may get it does, and the sender gets a report on the others.
        assert_eq!(send(&office, NEWS, &[OLIVIA, NOAH, PAT]), Ok(()), "{mailer:?}");
        let mails = office.next(3);
        [OLIVIA, PAT].iter().for_each(|who| expect_advertising(to(&mails, who)));
        expect_report(to(&mails, NEWS), NOAH);
        signed.extend([receipt, news]);
        signed.extend(mails.into_iter().filter(|mail| mail.from == NEWS));

        let wrong = office.authority.ca();
        let account = Account { port: office.world.smtp.port(), user: "shop", password: "not this one", ca: &wrong };
        let refused = mailer.send(&account, &Letter { from: SHOP, to: &[NOAH], subject: "Hallo" }).expect_err("a wrong password");
        // PHPMailer has words of its own for it.
        assert!(refused.contains("535") || refused.contains("Could not authenticate"), "{mailer:?}: {refused}");
    }
    let (name, record) = &office.world.dkim;
    let messages: Vec<_> = signed.iter().map(|mail| &mail.message).collect();
    for verifier in Verifier::ALL {
        for (found, mail) in verifier.verify_all(&messages, name, record).iter().zip(&signed) {
            assert!(found.len() == 1 && found[0].passed, "{verifier:?}: {found:?} for {mail:?}");
        }
    }
    tell(&format!("mailers: {:?} through STARTTLS in and out: {} signed mails at the far end", Mailer::ALL, signed.len()));
}

#[test]
fn postfix_in_front_relays_through_it_and_bounces_with_the_reason() {
    let mut office = Office::open();
    let home = Sink::start();
    let (gateway, ca) = (office.world.smtp.port(), office.authority.ca());
    let settings = format!(
        "relayhost = [localhost]:{gateway}\n\
         smtp_tls_policy_maps = inline:{{ {{ [localhost]:{gateway} = verify }} }}\nsmtp_tls_CAfile = {}\nsmtp_tls_loglevel = 1\n\
         smtp_sasl_auth_enable = yes\nsmtp_sasl_security_options = noanonymous\nsmtp_sender_dependent_authentication = yes\n\
         smtp_sasl_password_maps = inline:{{ {{ {NEWS} = news:{PASSWORD} }}, {{ {SHOP} = shop:{PASSWORD} }} }}\n\
         # bounces stay in the house\ntransport_maps = inline:{{ {{ acme.example = smtp:[127.0.0.1]:{} }} }}\n",
        ca.display(),
        home.address().port()
    );
    let front = Postfix::start_with(office.world.smtp, &settings);
    let send = |from: &str, to: &str| {
        let mut swaks = std::process::Command::new("swaks");
        swaks.args(["--server", "127.0.0.1", "--port", &front.address().port().to_string(), "--from", from, "--to", to]);
        run(swaks.args(["--header", "Subject: Hallo", "--body", "Guten Tag"]));
    };
    send(SHOP, NOAH);
    let receipt = office.next(1).remove(0);
    assert_eq!((&receipt.to[..], count(&receipt.message, "List-Unsubscribe")), (&[NOAH.to_owned()][..], 0), "{}", front.log());
    send(NEWS, OLIVIA);
    expect_advertising(to(&office.next(1), OLIVIA));

    // To one person without consent: a bounce of that Postfix, with our reason in it.
    send(NEWS, NOAH);
    let bounce = home.wait_for(1).remove(0);
    expect_report(&bounce, NOAH);
    let text = unfolded(&bounce);
    assert!(text.contains("Diagnostic-Code: smtp; 550 5.7.1 consent: no_consent ref="), "{text}");
    assert!(text.contains("Remote-MTA: dns; localhost"), "{text}");

    // To several: Postfix hands them over together; the report on one is ours, and goes out.
    send(NEWS, &[OLIVIA, NOAH, PAT].join(","));
    let mails = office.next(3);
    [OLIVIA, PAT].iter().for_each(|who| expect_advertising(to(&mails, who)));
    expect_report(to(&mails, NEWS), NOAH);
    assert_eq!(home.arrivals().len(), 1, "no second bounce");
    assert!(front.log().contains("Verified TLS connection established to localhost"), "{}", front.log());
}
