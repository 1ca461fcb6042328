//! How templates of pages and mails are read and filled: strictly, escaped, and with the words at hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, UndefinedBehavior, escape_formatter};

use super::Words;
use crate::consent::Language;

/// An empty set of templates that speak with `words`. They are rendered with `language`, and with
/// `controller_key` where they belong to a controller. Templates write
///
/// * `{{ t("confirm.title") }}`: the text of that key. What it speaks of is taken from the page's variables, or from
///   arguments: `{{ t("confirm.signed_up", day=at | date) }}`. A key, variable or argument too much or too little is an error.
/// * `{{ at | date }}`, `{{ at | time }}`: a moment as people of the language write it.
/// * `{{ many | number }}`: with its thousands apart, on the staff's pages.
pub fn environment(words: &Arc<Words>) -> Result<Environment<'static>, Error> {
    let mut env = strict()?;
    let of_texts = Arc::clone(words);
    env.add_function("t", move |state: &mut State<'_, '_>, key: &str, given: Kwargs| text(&of_texts, state, key, &given));
    for (filter, key) in [("date", "language.date"), ("time", "language.time")] {
        let words = Arc::clone(words);
        env.add_filter(filter, move |state: &mut State<'_, '_>, at: &str| {
            let at: Timestamp = at.parse().map_err(|_| Error::new(ErrorKind::InvalidOperation, "not a moment"))?;
            let (controller, language) = speaker(state)?;
            words.moment(controller.as_deref(), language, key, at)
        });
    }
    let of_numbers = Arc::clone(words);
    env.add_filter("number", move |state: &mut State<'_, '_>, number: u64| of_numbers.number(speaker(state)?.1, number));
    Ok(env)
}

/// What a template asks for and is not given is an error, not an empty string; a block tag on a line of
/// its own leaves no empty line; `*.html` is escaped.
pub(super) fn strict() -> Result<Environment<'static>, Error> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    // minijinja also escapes the slash, which mail filters take for an attempt to hide a URL.
    env.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if matches!(state.auto_escape(), AutoEscape::Html) && !value.is_safe() => {
            out.write_str(&escape(text)).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    });
    Ok(env)
}

fn text(words: &Words, state: &State<'_, '_>, key: &str, given: &Kwargs) -> Result<Value, Error> {
    let (controller, language) = speaker(state)?;
    let variables = words.variables(key).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("there is no text {key}")))?;
    let mut values = BTreeMap::new();
    for name in variables {
        let value = if given.has(name) { Some(given.get::<Value>(name)?) } else { state.lookup(name) };
        let missing = || Error::new(ErrorKind::UndefinedError, format!("the text {key} speaks of {name}"));
        values.insert(name.to_owned(), value.ok_or_else(missing)?);
    }
    given.assert_all_used()?;
    Ok(Value::from_safe_string(words.text(controller.as_deref(), language, key, &Value::from(values))?))
}

/// On whose behalf the template speaks, and how.
fn speaker(state: &State<'_, '_>) -> Result<(Option<String>, Language), Error> {
    let of = |name: &str| state.lookup(name).and_then(|value| value.as_str().map(str::to_owned));
    let language = of("language").and_then(|tag| Language::parse(&tag));
    Ok((of("controller_key"), language.ok_or_else(|| Error::new(ErrorKind::UndefinedError, "the template is rendered without language"))?))
}

/// For text and for attribute values in either kind of quotes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;
    use crate::compose::Overrides;
    use crate::consent::Catalogue;

    fn words() -> Arc<Words> {
        Arc::new(Words::new(&Catalogue::default(), Overrides::default()).expect("good"))
    }

    fn rendered(name: &'static str, source: &'static str, values: Value) -> Result<String, Error> {
        let mut env = environment(&words()).expect("valid syntax");
        env.add_template(name, source).expect("parses");
        env.get_template(name).expect("is there").render(values)
    }

    #[test]
    fn html_is_escaped_and_text_is_not() {
        let values = || context! { x => "https://x/<&'\">" };
        assert_eq!(
            rendered("a.html", "<a href=\"{{ x }}\">", values()).expect("renders"),
            "<a href=\"https://x/&lt;&amp;&#39;&quot;&gt;\">"
        );
        assert_eq!(rendered("a.txt", "{{ x }}", values()).expect("renders"), "https://x/<&'\">");
    }

    #[test]
    fn what_is_not_given_is_an_error() {
        for (name, source) in [("a.html", "{{ missing }}"), ("b.txt", "{{ missing }}"), ("c.html", "{% if missing %}{% endif %}")] {
            assert!(rendered(name, source, context! {}).is_err(), "{source}");
        }
    }

    #[test]
    fn a_text_speaks_of_the_pages_variables_and_of_arguments() {
        let values = || context! { language => "en", controller => "<b>", at => "2026-11-23T09:05:00Z" };
        for (source, expected) in [
            ("{{ t('confirm.title') }}", Some("Do you want these e-mails?")),
            ("{{ t('confirmed.done') }}", Some("&lt;b&gt; may now send you e-mails about:")),
            ("{{ t('confirmed.done', controller='ACME') }}", Some("ACME may now send you e-mails about:")),
            ("{% for controller in ['ACME'] %}{{ t('confirmed.done') }}{% endfor %}", Some("ACME may now send you e-mails about:")),
            ("{{ at | date }}, {{ at | time }}", Some("23 November 2026, 09:05")),
            ("{{ t('confirm.titel') }}", None),
            ("{{ t('confirm.title', controller='ACME') }}", None),
            ("{{ t('confirm.signed_up') }}", None),
            ("{{ controller | date }}", None),
            ("{{ 12 | number }} {{ 1234567 | number }}", Some("12 1,234,567")),
            ("{{ controller | number }}", None),
        ] {
            let said = rendered("a.html", source, values());
            assert_eq!(said.as_deref().ok(), expected, "{source}: {said:?}");
        }
        assert!(rendered("a.html", "{{ t('confirm.title') }}", context! {}).is_err(), "no language");
        assert!(rendered("a.html", "{{ t('confirm.title') }}", context! { language => "tlh" }).is_err(), "no such language");
    }
}
