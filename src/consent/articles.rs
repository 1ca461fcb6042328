//! Under which article a decision fell: as lawyers of that country cite it, in German, or in English for everyone else.

use super::{Language, ProfileName, Reason};

/// The article in German, and in English.
type Cited = (&'static str, &'static str);

impl Reason {
    /// The articles that this reason rests on under that profile; `None` where no law is behind it but a setting.
    pub fn articles(self, profile: Option<ProfileName>, language: Language) -> Option<&'static str> {
        let (german, english) = self.cited(profile.unwrap_or(ProfileName::De))?;
        Some(if language == Language::DE { german } else { english })
    }

    fn cited(self, profile: ProfileName) -> Option<Cited> {
        match self {
            Self::Transactional | Self::ClassDisputed | Self::Held => Some((
                "Art. 6 Abs. 1 lit. b, c oder f DSGVO; keine Werbung im Sinne des § 7 UWG",
                "GDPR Art. 6(1)(b), (c) or (f); no advertising under UWG §7",
            )),
            Self::DoiConsent | Self::NoConsent | Self::OptInPending => Some(consent(profile)),
            Self::ConsentStale => Some((
                "Art. 5 Abs. 1 lit. b, Art. 7 DSGVO; BGH III ZR 196/17, AG München 161 C 12736/22",
                "GDPR Art. 5(1)(b), Art. 7; BGH III ZR 196/17, AG München 161 C 12736/22",
            )),
            Self::ExistingCustomer | Self::CustomerWindowOver | Self::NotSimilar | Self::NoOptOutNotice => Some(customer(profile)),
            Self::OnOptOutList => Some(("§ 174 Abs. 4 Z 4 TKG 2021, § 7 Abs. 2 ECG", "TKG 2021 §174(4) no. 4, ECG §7(2) (Austria)")),
            Self::OptOutRegime => Some(("15 U.S.C. § 7704(a) (CAN-SPAM Act)", "15 USC 7704(a) (CAN-SPAM Act)")),
            Self::Withdrawn | Self::Objected => Some(no(self, profile)),
            Self::Complained => Some(("Art. 21 Abs. 2 und 3, Art. 77 DSGVO", "GDPR Art. 21(2), (3), Art. 77")),
            Self::Disputed => Some(("Art. 5 Abs. 2, Art. 7 Abs. 1 DSGVO; BGH I ZR 164/09", "GDPR Art. 5(2), Art. 7(1); BGH I ZR 164/09")),
            Self::Restricted => Some(("Art. 18 Abs. 1 und 2 DSGVO", "GDPR Art. 18(1), (2)")),
            Self::Bounced => Some(("Art. 5 Abs. 1 lit. d DSGVO (Richtigkeit)", "GDPR Art. 5(1)(d) (accuracy)")),
            Self::OtherController => {
                Some(("Art. 4 Nr. 11 DSGVO; § 7 Abs. 3 Nr. 2 UWG („eigene“)", "GDPR Art. 4(11); UWG §7(3) no. 2 (own goods)"))
            }
            Self::UnknownTopic => Some(("Art. 4 Nr. 11 DSGVO (für den bestimmten Fall)", "GDPR Art. 4(11) (specific)")),
            Self::LedgerUnavailable => Some(("Art. 5 Abs. 2, Art. 7 Abs. 1 DSGVO", "GDPR Art. 5(2), Art. 7(1)")),
            Self::Shadow | Self::Paused | Self::FromNotAllowed => None,
        }
    }
}

/// Prior consent.
fn consent(profile: ProfileName) -> Cited {
    match profile {
        ProfileName::De => ("§ 7 Abs. 2 Nr. 2 UWG; Art. 6 Abs. 1 lit. a, Art. 7 DSGVO", "UWG §7(2) no. 2; GDPR Art. 6(1)(a), Art. 7"),
        ProfileName::At => {
            ("§ 174 Abs. 3 TKG 2021; Art. 6 Abs. 1 lit. a, Art. 7 DSGVO", "TKG 2021 §174(3) (Austria); GDPR Art. 6(1)(a), Art. 7")
        }
        ProfileName::Ch => ("Art. 3 Abs. 1 lit. o UWG (Schweiz)", "UWG Art. 3(1)(o) (Switzerland)"),
        ProfileName::Eu => (
            "Art. 13 Abs. 1 Richtlinie 2002/58/EG; Art. 6 Abs. 1 lit. a, Art. 7 DSGVO",
            "Directive 2002/58/EC Art. 13(1); GDPR Art. 6(1)(a), Art. 7",
        ),
        ProfileName::Uk => ("PECR reg. 22(2); Art. 6 Abs. 1 lit. a UK GDPR", "PECR reg. 22(2); UK GDPR Art. 6(1)(a)"),
        ProfileName::UsCanspam => ("15 U.S.C. § 7704(a) (CAN-SPAM Act)", "15 USC 7704(a) (CAN-SPAM Act)"),
        ProfileName::CaCasl => ("CASL s. 6, 10(1)", "CASL s.6, 10(1)"),
    }
}

/// A no of the person: to what they consented to, or to all advertising.
fn no(reason: Reason, profile: ProfileName) -> Cited {
    match (profile, reason) {
        (ProfileName::Ch, _) => {
            ("Art. 3 Abs. 1 lit. o UWG (Schweiz); Art. 30 Abs. 2 lit. b DSG (Schweiz)", "UWG Art. 3(1)(o), DSG Art. 30(2)(b) (Switzerland)")
        }
        (ProfileName::UsCanspam, _) => ("15 U.S.C. § 7704(a)(4) (CAN-SPAM Act)", "15 USC 7704(a)(4) (CAN-SPAM Act)"),
        (ProfileName::CaCasl, _) => ("CASL s. 11(3)", "CASL s.11(3)"),
        (ProfileName::Uk, Reason::Withdrawn) => ("Art. 7 Abs. 3 UK GDPR", "UK GDPR Art. 7(3)"),
        (ProfileName::Uk, _) => ("Art. 21 Abs. 2 und 3 UK GDPR", "UK GDPR Art. 21(2), (3)"),
        (_, Reason::Withdrawn) => ("Art. 7 Abs. 3 DSGVO", "GDPR Art. 7(3)"),
        _ => ("Art. 21 Abs. 2 und 3 DSGVO", "GDPR Art. 21(2), (3)"),
    }
}

/// The exemption for existing customers. Which basis of the GDPR goes with it is disputed, so both are named (L-GDPR-01).
fn customer(profile: ProfileName) -> Cited {
    match profile {
        ProfileName::De => (
            "§ 7 Abs. 3 UWG; Art. 6 Abs. 1 lit. f DSGVO (DSK), nach EuGH C-654/23 tritt Art. 13 Abs. 2 Richtlinie 2002/58/EG an dessen Stelle",
            "UWG §7(3); GDPR Art. 6(1)(f) (DSK), in whose place CJEU C-654/23 puts Directive 2002/58/EC Art. 13(2)",
        ),
        ProfileName::At => ("§ 174 Abs. 4 TKG 2021", "TKG 2021 §174(4) (Austria)"),
        ProfileName::Ch => ("Art. 3 Abs. 1 lit. o UWG (Schweiz), zweiter Halbsatz", "UWG Art. 3(1)(o) (Switzerland), exemption"),
        ProfileName::Eu => ("Art. 13 Abs. 2 Richtlinie 2002/58/EG", "Directive 2002/58/EC Art. 13(2)"),
        ProfileName::Uk => ("PECR reg. 22(3)", "PECR reg. 22(3)"),
        ProfileName::UsCanspam => ("15 U.S.C. § 7704(a) (CAN-SPAM Act)", "15 USC 7704(a) (CAN-SPAM Act)"),
        ProfileName::CaCasl => ("CASL s. 10(9) bis (13)", "CASL s.10(9) to (13)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::consent::Verdict;

    #[test]
    fn every_reason_that_law_is_behind_names_it_under_every_profile() {
        // L-GDPR-01, S4-01
        for profile in ProfileName::ALL {
            for reason in Reason::ALL {
                let cited = [Language::DE, Language::EN].map(|language| reason.articles(Some(profile), language));
                let is_setting = matches!(reason, Reason::Shadow | Reason::Paused | Reason::FromNotAllowed);
                assert_eq!(cited.map(|text| text.is_none()), [is_setting; 2], "{profile} {reason}");
                if reason.verdict() == Verdict::Pass && !is_setting {
                    assert!(cited.iter().flatten().all(|text| text.len() > 10), "{profile} {reason}");
                }
            }
        }
        // whose law it is not, is not cited
        for (profile, law) in
            [(ProfileName::UsCanspam, "7704(a)(4)"), (ProfileName::CaCasl, "CASL"), (ProfileName::Ch, "DSG"), (ProfileName::At, "DSGVO")]
        {
            for reason in [Reason::Withdrawn, Reason::Objected] {
                assert!(reason.articles(Some(profile), Language::DE).is_some_and(|text| text.contains(law)), "{profile} {reason}");
            }
        }
        // L-CON-01: the numbering of today
        let german = Reason::DoiConsent.articles(None, Language::DE).expect("cited");
        assert!(german.contains("§ 7 Abs. 2 Nr. 2 UWG") && !german.contains("Nr. 3"));
    }
}
