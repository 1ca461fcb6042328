//! What a reason says to people, and what would have to be true instead. What follows from it is the reason's own business.

use super::Reason;
use crate::consent::Language;

impl Reason {
    /// One sentence for people: in German, or in English for everyone else.
    pub fn sentence(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Transactional, Language::DE) => "Es ist keine Werbung und braucht daher keine Einwilligung.",
            (Self::Transactional, _) => "It is not advertising, so it needs no consent.",
            (Self::ClassDisputed, Language::DE) => {
                "Nach den Zugangsdaten des Streams ist es keine Werbung; der Inhalt spricht dafür, dass es doch welche ist, oder ließ sich nicht beurteilen."
            }
            (Self::ClassDisputed, _) => {
                "By the stream's credential it is not advertising; its content says that it may be, or could not be judged."
            }
            (Self::Held, Language::DE) => {
                "Es wartet, bis ein Mensch sagt, ob es Werbung ist: Der Inhalt spricht dafür, der Stream dagegen."
            }
            (Self::Held, _) => "It waits until a person says whether it is advertising: its content says so, its stream says no.",
            (Self::DoiConsent, Language::DE) => "Die Person hat per Double-Opt-in bestätigt, dass sie E-Mails zu diesem Thema möchte.",
            (Self::DoiConsent, _) => "The person confirmed by double opt-in that they want mail about this topic.",
            (Self::ExistingCustomer, Language::DE) => {
                "Die Person ist Kundin oder Kunde, und es geht um eigene ähnliche Angebote; sie hat dem nicht widersprochen."
            }
            (Self::ExistingCustomer, _) => {
                "The person is a customer, the mail is about similar offers of the same company, and they have not objected."
            }
            (Self::OptOutRegime, Language::DE) => "Nach dem anwendbaren Recht genügt es, dass die Person nicht widersprochen hat.",
            (Self::OptOutRegime, _) => "Under the law that applies it is enough that the person has not objected.",
            (Self::Shadow, Language::DE) => "Der Stream wird nur beobachtet: Die E-Mail ging hinaus, obwohl eine Rechtsgrundlage fehlt.",
            (Self::Shadow, _) => "The stream is only watched: the mail left although it lacks a legal basis.",
            (Self::ConsentStale, Language::DE) => "Die Einwilligung ist erloschen: Sie wurde zu lange nicht genutzt.",
            (Self::ConsentStale, _) => "The consent has lapsed: it was not used for too long.",
            (Self::CustomerWindowOver, Language::DE) => "Die Person war Kundin oder Kunde, aber das ist für die Ausnahme zu lange her.",
            (Self::CustomerWindowOver, _) => "The person was a customer, but too long ago for the exemption.",
            (Self::NotSimilar, Language::DE) => {
                "Die Person ist Kundin oder Kunde, aber es geht um etwas anderes als das, was sie gekauft hat."
            }
            (Self::NotSimilar, _) => "The person is a customer, but the mail is about something else than what they bought.",
            (Self::NoOptOutNotice, Language::DE) => {
                "Die Person ist Kundin oder Kunde, wurde aber bei der Erhebung der Adresse nicht auf ihr Widerspruchsrecht hingewiesen."
            }
            (Self::NoOptOutNotice, _) => {
                "The person is a customer, but was not told of the right to object when the address was collected."
            }
            (Self::OnOptOutList, Language::DE) => {
                "Die Adresse steht in der österreichischen Liste nach § 7 ECG, oder die Liste fehlt oder ist zu alt."
            }
            (Self::OnOptOutList, _) => "The address is on the Austrian list under ECG §7, or the list is missing or too old.",
            (Self::Bounced, Language::DE) => "Das Postfach gibt es nach allem, was bekannt ist, nicht mehr.",
            (Self::Bounced, _) => "As far as is known, the mailbox does not exist any more.",
            (Self::Complained, Language::DE) => "Die Person hat sich über die Werbung dieses Unternehmens beschwert.",
            (Self::Complained, _) => "The person has complained of this company's advertising.",
            (Self::Restricted, Language::DE) => "Die Person hat die Verarbeitung ihrer Daten einschränken lassen.",
            (Self::Restricted, _) => "The person has had the processing of their data restricted.",
            (Self::Disputed, Language::DE) => "Die Person bestreitet, die Einwilligung selbst erteilt zu haben.",
            (Self::Disputed, _) => "The person disputes having given the consent.",
            (Self::NoConsent, Language::DE) => "Es ist Werbung, und für dieses Thema liegt keine Einwilligung dieser Person vor.",
            (Self::NoConsent, _) => "It is advertising, and there is no consent of this person on record for this topic.",
            (Self::OptInPending, Language::DE) => "Die Person hat sich angemeldet, aber noch nicht bestätigt.",
            (Self::OptInPending, _) => "The person signed up but has not confirmed yet.",
            (Self::Withdrawn, Language::DE) => {
                "Die Person hat die Einwilligung für dieses Thema widerrufen oder abgelehnt, oder ohne Einwilligung dafür ein anderes \
                 Thema dieses Unternehmens abbestellt."
            }
            (Self::Withdrawn, _) => {
                "The person has withdrawn or refused consent to this topic, or, without consent to it, unsubscribed from another \
                 topic of this company."
            }
            (Self::Objected, Language::DE) => "Die Person hat jeder Werbung dieses Unternehmens widersprochen.",
            (Self::Objected, _) => "The person has objected to all advertising of this company.",
            (Self::Paused, Language::DE) => "Die Person hat jede Werbung dieses Unternehmens pausiert.",
            (Self::Paused, _) => "The person has paused all advertising of this company.",
            (Self::OtherController, Language::DE) => "Das Thema gehört zu einem anderen Unternehmen als dem Absender.",
            (Self::OtherController, _) => "The topic belongs to another company than the one that sends this mail.",
            (Self::UnknownTopic, Language::DE) => "Es ist Werbung ohne Thema oder mit einem nicht eingerichteten Thema.",
            (Self::UnknownTopic, _) => "It is advertising without a topic, or with one that is not configured.",
            (Self::FromNotAllowed, Language::DE) => "Dieser Stream darf nicht mit dieser Absenderdomain senden.",
            (Self::FromNotAllowed, _) => "This stream may not send from this domain.",
            (Self::LedgerUnavailable, Language::DE) => "Das Einwilligungsregister war nicht erreichbar, daher wurde nichts versendet.",
            (Self::LedgerUnavailable, _) => "The consent ledger could not be asked, so nothing was sent.",
        }
    }

    /// What would have to be true for such a mail to pass, in one sentence for people: in German, or in English for
    /// everyone else.
    pub fn remedy(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Transactional, Language::DE) => "Solche E-Mails werden durchgelassen; als Werbung bräuchten sie eine Einwilligung.",
            (Self::Transactional, _) => "It passes as it is; as advertising it would need consent.",
            (Self::ClassDisputed, Language::DE) => {
                "Solche E-Mails werden durchgelassen, solange der Stream nichts anderes sagt (disputed); jemand sollte sich eine davon ansehen."
            }
            (Self::ClassDisputed, _) => {
                "It passes as long as its stream says no otherwise (disputed); somebody should look at one of them."
            }
            (Self::Held, Language::DE) => {
                "Jemand müsste es freigeben oder als Werbung behandeln, bevor die Frist endet; danach geht ein Bericht an den Absender."
            }
            (Self::Held, _) => {
                "Somebody would have to release it, or say that it is advertising, before the hold ends; then its sender gets a report."
            }
            (Self::DoiConsent, Language::DE) => "Solche E-Mails werden durchgelassen, bis die Person widerruft oder widerspricht.",
            (Self::DoiConsent, _) => "It passes as things are, until the person withdraws or objects.",
            (Self::ExistingCustomer, Language::DE) => {
                "Solche E-Mails werden durchgelassen, bis die Person widerspricht oder der letzte Kauf zu lange her ist."
            }
            (Self::ExistingCustomer, _) => "It passes as things are, until the person objects or the last purchase is too long ago.",
            (Self::OptOutRegime, Language::DE) => "Solche E-Mails werden durchgelassen, bis die Person widerspricht.",
            (Self::OptOutRegime, _) => "It passes as things are, until the person objects.",
            (Self::Shadow, Language::DE) => {
                "Sobald der Stream nicht mehr nur beobachtet wird, bräuchte die Person eine Einwilligung oder Kundenbeziehung."
            }
            (Self::Shadow, _) => "As soon as the stream is more than watched, the person would need a consent or to be a customer.",
            (Self::ConsentStale, Language::DE) => {
                "Die Person müsste sich selbst neu anmelden und bestätigen; eine Bitte darum per E-Mail wäre selbst Werbung."
            }
            (Self::ConsentStale, _) => {
                "The person would have to sign up anew and confirm; asking them to by mail would be advertising itself."
            }
            (Self::CustomerWindowOver, Language::DE) => "Die Person müsste wieder etwas kaufen, oder sich anmelden und bestätigen.",
            (Self::CustomerWindowOver, _) => "The person would have to buy again, or sign up and confirm.",
            (Self::NotSimilar, Language::DE) => {
                "Das Thema müsste dem Gekauften ähnlich sein, nach der Zuordnung [[similar]] der Konfiguration; oder die Person meldet sich an."
            }
            (Self::NotSimilar, _) => {
                "The topic would have to be similar to what was bought, by the mapping [[similar]] of the configuration; or the person signs up."
            }
            (Self::NoOptOutNotice, Language::DE) => {
                "Zum Kauf müsste der Hinweistext belegt sein, der bei der Erhebung der Adresse gezeigt wurde; oder die Person meldet sich an."
            }
            (Self::NoOptOutNotice, _) => {
                "The purchase would have to come with the notice that was shown when the address was collected; or the person signs up."
            }
            (Self::OnOptOutList, Language::DE) => "Die Person müsste sich anmelden und bestätigen: Die Liste gilt nur ohne Einwilligung.",
            (Self::OnOptOutList, _) => "The person would have to sign up and confirm: the list counts only without consent.",
            (Self::Bounced, Language::DE) => "Die Person müsste sich mit diesem Postfach neu anmelden und bestätigen.",
            (Self::Bounced, _) => "The person would have to sign up and confirm from this mailbox.",
            (Self::Complained, Language::DE) => {
                "Die Person müsste sich selbst neu anmelden und bestätigen; bis dahin gilt die Beschwerde für jede Werbung."
            }
            (Self::Complained, _) => {
                "The person would have to sign up anew and confirm; until then the complaint holds for all advertising."
            }
            (Self::Restricted, Language::DE) => {
                "Die Einschränkung müsste aufgehoben werden, nach Art. 18 Abs. 3 DSGVO mit Nachricht an die Person."
            }
            (Self::Restricted, _) => "The restriction would have to be lifted, and the person told (GDPR Art. 18(3)).",
            (Self::Disputed, Language::DE) => "Die Person müsste sich selbst neu anmelden und bestätigen.",
            (Self::Disputed, _) => "The person would have to sign up anew and confirm.",
            (Self::NoConsent, Language::DE) => "Die Person müsste sich für dieses Thema anmelden und die Bestätigungsmail bestätigen.",
            (Self::NoConsent, _) => "The person would have to sign up for this topic and confirm the mail that asks for it.",
            (Self::OptInPending, Language::DE) => {
                "Die Person müsste die Anmeldung mit dem Link der Bestätigungsmail bestätigen, solange er gilt."
            }
            (Self::OptInPending, _) => "The person would have to confirm by the link in the confirmation mail, while it is valid.",
            (Self::Withdrawn, Language::DE) => "Die Person müsste sich selbst neu anmelden und bestätigen; niemand kann das für sie tun.",
            (Self::Withdrawn, _) => "The person would have to sign up anew and confirm; nobody can do it for them.",
            (Self::Objected, Language::DE) => {
                "Die Person müsste sich selbst neu anmelden und bestätigen; bis dahin gilt der Widerspruch für jede Werbung."
            }
            (Self::Objected, _) => "The person would have to sign up anew and confirm; until then the objection holds for all advertising.",
            (Self::Paused, Language::DE) => "Die Pause müsste enden: an ihrem Tag, oder weil die Person sie vorher beendet.",
            (Self::Paused, _) => "The pause would have to end: on its day, or because the person ends it earlier.",
            (Self::OtherController, Language::DE) => {
                "Die E-Mail müsste über einen Stream des Unternehmens gehen, dem das Thema gehört, oder ein Thema des eigenen haben."
            }
            (Self::OtherController, _) => {
                "The mail would have to go by a stream of the company that the topic belongs to, or be about a topic of its own."
            }
            (Self::UnknownTopic, Language::DE) => {
                "Die Nachricht (Kopfzeile Consentry-Topic) oder der Stream müsste ein Thema nennen, das eingerichtet ist."
            }
            (Self::UnknownTopic, _) => "The message (header Consentry-Topic) or the stream would have to name a topic that is configured.",
            (Self::FromNotAllowed, Language::DE) => {
                "Die Absenderdomain müsste zu denen gehören, die die Konfiguration diesem Stream erlaubt."
            }
            (Self::FromNotAllowed, _) => "The sender's domain would have to be among those that the configuration allows this stream.",
            (Self::LedgerUnavailable, Language::DE) => {
                "Das Einwilligungsregister müsste antworten; der Absender versucht es von selbst erneut."
            }
            (Self::LedgerUnavailable, _) => "The consent ledger would have to answer; the sender tries again by itself.",
        }
    }
}
