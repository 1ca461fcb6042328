//! The decision log's filter as it stands in a link or a form. A link can be passed on: it names no person but by the
//! subject's id (I8).

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use minijinja::Value;
use minijinja::value::Serde;

use super::caller::escape;
use crate::consent::{Reason, SubjectId, Verdict};
use crate::mail::Class;
use crate::office::DecisionFilter;

/// The fields, in the order of the link.
const FIELDS: [&str; 9] = ["verdict", "reason", "class", "stream", "topic", "campaign", "subject", "from", "to"];

/// What was asked for, as typed.
#[derive(Clone, Default)]
pub(super) struct Asked {
    pairs: Vec<(&'static str, String)>,
}

impl Asked {
    /// The filter among the pairs of a query or a form; what is empty was not asked for.
    pub(super) fn of<'a>(value: impl Fn(&'static str) -> Cow<'a, str>) -> Self {
        let pairs = FIELDS.into_iter().map(|field| (field, value(field).trim().to_owned()));
        Self { pairs: pairs.filter(|(_, value)| !value.is_empty()).collect() }
    }

    pub(super) fn get(&self, field: &str) -> Option<&str> {
        self.pairs.iter().find(|(own, _)| *own == field).map(|(_, value)| value.as_str())
    }

    /// The filter, or the field that is not understood.
    pub(super) fn filter(&self) -> Result<DecisionFilter, &'static str> {
        let mut filter = DecisionFilter {
            stream: self.get("stream").map(str::to_owned),
            topic: self.get("topic").map(str::to_owned),
            campaign: self.get("campaign").map(str::to_owned),
            ..DecisionFilter::default()
        };
        filter.class = self.get("class").map(|word| Class::parse(word).ok_or("class")).transpose()?;
        filter.subject = self.get("subject").map(|id| SubjectId::parse(id).ok_or("subject")).transpose()?;
        filter.from = self.get("from").map(|time| moment(time).ok_or("from")).transpose()?;
        filter.to = self.get("to").map(|time| moment(time).ok_or("to")).transpose()?;
        let verdict = self.get("verdict").map(|word| verdict(word).ok_or("verdict")).transpose()?;
        let reason = self.get("reason").map(|word| Reason::parse(word).ok_or("reason")).transpose()?;
        filter.reasons = match (verdict, reason) {
            (None, None) => vec![],
            (verdict, None) => Reason::ALL.into_iter().filter(|reason| Some(reason.verdict()) == verdict).collect(),
            (Some(verdict), Some(reason)) if reason.verdict() != verdict => return Err("reason"),
            (_, Some(reason)) => vec![reason],
        };
        Ok(filter)
    }

    /// As a query, with `more` behind it; empty or beginning with `?`.
    pub(super) fn query(&self, more: &[(&str, &str)]) -> String {
        let own = self.pairs.iter().map(|(field, value)| (*field, value.as_str()));
        let pairs: Vec<String> = own.chain(more.iter().copied()).map(|(field, value)| format!("{field}={}", escape(value))).collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }

    /// For the form: every field, empty where it was not asked for.
    pub(super) fn values(&self) -> Value {
        Serde(FIELDS.into_iter().map(|field| (field, self.get(field).unwrap_or_default())).collect::<BTreeMap<_, _>>()).into()
    }

    /// For the audit log.
    pub(super) fn summary(&self) -> String {
        let pairs: Vec<String> = self.pairs.iter().map(|(field, value)| format!("{field}={value}")).collect();
        if pairs.is_empty() { "decisions: all".into() } else { format!("decisions: {}", pairs.join(", ")) }
    }
}

fn verdict(word: &str) -> Option<Verdict> {
    [Verdict::Pass, Verdict::Block, Verdict::Defer, Verdict::Hold].into_iter().find(|verdict| verdict.as_str() == word)
}

/// As a browser's field for date and time writes it (UTC), or only a day.
fn moment(text: &str) -> Option<Timestamp> {
    let time: DateTime = text.parse().ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Asked {
        Asked::of(|field| pairs.iter().find(|(own, _)| *own == field).map_or("", |(_, value)| value).into())
    }

    #[test]
    fn a_filter_is_read_or_the_field_named_that_is_not_understood() {
        for (field, good, bad) in [
            ("verdict", "defer", "deferred"),
            ("reason", "no_consent", "No_Consent"),
            ("class", "marketing", "x"),
            ("subject", &"0a".repeat(16), "0a"),
            ("from", "2026-03-01T09:30", "yesterday"),
            ("to", "2026-03-01", "2026-13-01"),
        ] {
            assert_ne!(asked(&[(field, good)]).filter().expect(field), DecisionFilter::default());
            assert_eq!(asked(&[(field, bad)]).filter(), Err(field));
            assert_eq!(asked(&[(field, " ")]).filter(), Ok(DecisionFilter::default()));
        }
        let reasons = |pairs: &[(&str, &str)]| asked(pairs).filter().map(|filter| filter.reasons);
        assert_eq!(reasons(&[("verdict", "defer")]), Ok(vec![Reason::LedgerUnavailable]));
        assert_eq!(reasons(&[("verdict", "block"), ("reason", "withdrawn")]), Ok(vec![Reason::Withdrawn]));
        assert_eq!(reasons(&[("verdict", "pass"), ("reason", "withdrawn")]), Err("reason"), "nothing can be both");
        let from = asked(&[("from", "2026-03-01T09:30")]).filter().expect("good").from;
        assert_eq!(from.map(|from| from.to_string()).as_deref(), Some("2026-03-01T09:30:00Z"));
    }

    #[test]
    fn a_link_gives_the_filter_back_whatever_stands_in_it() {
        let hostile = "a&b=c #%\"<é> +'";
        let query = asked(&[("campaign", hostile), ("verdict", "pass")]).query(&[("before", "00")]);
        assert_eq!(query, "?verdict=pass&campaign=a%26b%3Dc%20%23%25%22%3C%C3%A9%3E%20%2B%27&before=00");
        assert_eq!(Asked::default().query(&[]), "");
    }
}
