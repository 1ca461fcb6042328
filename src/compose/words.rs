//! The words of all pages, in every language there is. A text is a small template; pages ask for it by
//! its key and stay free of any language. Which page says what is left to the pages.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::fmt::strtime;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind};

use super::embedded::{self, PEOPLE, STAFF};
use super::overrides::{Kind, Overrides};
use super::{ComposeError, template};
use crate::consent::{Catalogue, Language};

/// The words.
#[derive(Debug)]
pub struct Words {
    /// Named `<language>/<key>`, those of one controller `<controller>/<language>/<key>`.
    texts: Environment<'static>,
    /// What each text may speak of: English is the measure of all languages.
    variables: BTreeMap<String, BTreeSet<String>>,
    /// The languages people are served in: of one controller, or (`None`) of pages that belong to none.
    offered: BTreeMap<Option<String>, Vec<Language>>,
    /// What a controller speaks where the person's language is not to be had.
    own: BTreeMap<String, Language>,
    unfinished: Vec<String>,
    overrides: Overrides,
}

impl Words {
    /// The languages of the admin pages.
    pub const STAFF: [Language; 2] = [Language::DE, Language::EN];

    /// The embedded words, and the operator's over them. Fails with all that is wrong.
    pub fn new(catalogue: &Catalogue, overrides: Overrides) -> Result<Self, ComposeError> {
        let mut texts = template::strict()?;
        // A text is a piece of a page: what it speaks of is escaped, its own markup is not.
        texts.set_auto_escape_callback(|_| AutoEscape::Html);
        let own = catalogue.controllers.iter().map(|controller| (controller.key.clone(), controller.language)).collect();
        let mut words = Self {
            texts,
            variables: BTreeMap::new(),
            offered: BTreeMap::new(),
            own,
            unfinished: Vec::new(),
            overrides: Overrides::default(),
        };
        let mut faults = Vec::new();
        for (language, source) in PEOPLE.iter().chain(STAFF) {
            words.read(&format!("{language}/"), "built in", source, &mut faults);
        }
        words.variables = words.texts_of(&format!("{}/", Language::EN));
        words.read_overrides(catalogue, overrides, &mut faults);
        words.offer(&mut faults);
        if faults.is_empty() { Ok(words) } else { Err(ComposeError::Templates(faults)) }
    }

    /// The languages that people are served in by that controller.
    pub fn languages(&self, controller: Option<&str>) -> &[Language] {
        let key = controller.map(str::to_owned);
        self.offered.get(&key).or_else(|| self.offered.get(&None)).map_or(&[], Vec::as_slice)
    }

    /// The language in which to speak: the first of `wanted` that there is, else the controller's own, else English.
    pub fn served(&self, controller: Option<&str>, wanted: impl IntoIterator<Item = Language>) -> Language {
        let offered = self.languages(controller);
        let own = controller.and_then(|controller| self.own.get(controller).copied());
        wanted.into_iter().chain(own).find(|language| offered.contains(language)).unwrap_or(Language::EN)
    }

    /// The text of that key, with `values` for what it speaks of. Without its own text a controller uses that of all.
    pub fn text(&self, controller: Option<&str>, language: Language, key: &str, values: &Value) -> Result<String, Error> {
        let own = controller.and_then(|controller| self.texts.get_template(&format!("{controller}/{language}/{key}")).ok());
        match own {
            Some(text) => text.render(values),
            None => self.texts.get_template(&format!("{language}/{key}"))?.render(values),
        }
    }

    /// What the text of that key speaks of, in every language; `None` for a key that does not exist.
    pub fn variables(&self, key: &str) -> Option<impl Iterator<Item = &str>> {
        Some(self.variables.get(key)?.iter().map(String::as_str))
    }

    /// A moment (UTC) as people of that language write it. `key` is `language.date` or `language.time`.
    pub fn moment(&self, controller: Option<&str>, language: Language, key: &str, at: Timestamp) -> Result<String, Error> {
        let format = self.text(controller, language, key, &Value::UNDEFINED)?;
        strtime::format(format, at).map_err(|error| Error::new(ErrorKind::InvalidOperation, format!("{key}: {error}")))
    }

    /// A number with its thousands apart, as a language of the staff does it.
    pub fn number(&self, language: Language, number: u64) -> Result<String, Error> {
        let (digits, apart) = (number.to_string(), self.text(None, language, "admin.thousands", &Value::UNDEFINED)?);
        let mut text = String::new();
        for (n, digit) in digits.chars().enumerate() {
            if n > 0 && (digits.len() - n).is_multiple_of(3) {
                text.push_str(&apart);
            }
            text.push(digit);
        }
        Ok(text)
    }

    /// The operator's files.
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// Languages that are begun and therefore not offered yet, each with what it lacks.
    pub fn unfinished(&self) -> &[String] {
        &self.unfinished
    }

    /// Reads one file; its texts are named `<prefix><key>`.
    fn read(&mut self, prefix: &str, file: &str, source: &str, faults: &mut Vec<String>) {
        let table: toml::Table = match source.parse() {
            Ok(table) => table,
            Err(error) => return faults.push(format!("{file}: {error}")),
        };
        for (key, value) in flat(&table) {
            let Some(text) = value.as_str().map(str::trim).filter(|text| !text.is_empty()) else {
                faults.push(format!("{file}: {key} holds no text; write {key} = \"...\" or leave it out"));
                continue;
            };
            if let Err(error) = self.texts.add_template_owned(format!("{prefix}{key}"), text.to_owned()) {
                faults.push(format!("{file}: {key}: {error}"));
            }
        }
    }

    fn read_overrides(&mut self, catalogue: &Catalogue, overrides: Overrides, faults: &mut Vec<String>) {
        for controller in overrides.controllers().collect::<BTreeSet<_>>() {
            if catalogue.controller(controller).is_none() {
                faults.push(format!("{controller}/: no [[controller]] has this key"));
            }
        }
        let staff: BTreeSet<String> = STAFF.iter().flat_map(|(_, source)| keys(source)).collect();
        for file in overrides.of(Kind::Text) {
            let path = file.path(Kind::Text);
            let tag = file.name.strip_suffix(".toml").unwrap_or_default();
            let Some(language) = Language::parse(tag).filter(|language| language.as_str() == tag) else {
                faults.push(format!("{path}: must be named after a language, e.g. fr.toml"));
                continue;
            };
            let prefix = file.controller.map_or_else(|| format!("{language}/"), |controller| format!("{controller}/{language}/"));
            self.read(&prefix, &path, file.text, faults);
            for key in keys(file.text) {
                let Some(known) = self.variables.get(&key).filter(|_| !staff.contains(&key)) else {
                    faults.push(format!("{path}: {key} is no text of the pages; take it out"));
                    continue;
                };
                let Ok(text) = self.texts.get_template(&format!("{prefix}{key}")) else { continue };
                for strange in text.undeclared_variables(false).difference(&known.iter().cloned().collect()) {
                    faults.push(format!("{path}: {key} speaks of {strange}; it may speak of: {}", list(known)));
                }
            }
            for key in ["language.date", "language.time"] {
                let format = self.text(file.controller, language, key, &Value::UNDEFINED);
                if format.is_ok_and(|format| strtime::format(format, Timestamp::UNIX_EPOCH).is_err()) {
                    faults.push(format!("{path}: {key} is no format of a date; see strftime, e.g. %d.%m.%Y"));
                }
            }
        }
        self.overrides = overrides;
    }

    /// Finds the languages that are complete: all texts for people, and the mails.
    fn offer(&mut self, faults: &mut Vec<String>) {
        let needed: BTreeSet<String> =
            PEOPLE.iter().filter(|(language, _)| *language == Language::EN).flat_map(|(_, source)| keys(source)).collect();
        let owners = self.overrides.controllers().map(|controller| Some(controller.to_owned())).chain([None]).collect::<BTreeSet<_>>();
        for owner in owners {
            let owner = owner.as_deref();
            let own_or_all = |controller: Option<&str>| controller.is_none() || controller == owner;
            let begun = self.overrides.of(Kind::Text).filter(|file| own_or_all(file.controller));
            let begun = begun.filter_map(|file| Language::parse(file.name.strip_suffix(".toml")?));
            let languages: BTreeSet<Language> = PEOPLE.iter().map(|(language, _)| *language).chain(begun).collect();
            let mut offered = Vec::new();
            for language in languages {
                let lacks = self.lacks(owner, language, &needed);
                if lacks.is_empty() {
                    offered.push(language);
                } else if owner.is_none() || self.overrides.has(owner, Kind::Text, &format!("{language}.toml")) {
                    let path = self.overrides.path(owner, Kind::Text, &format!("{language}.toml"));
                    self.unfinished.push(format!("{path}: {language} is not offered yet, for it lacks {}", lacks.join(", ")));
                }
            }
            self.offered.insert(owner.map(str::to_owned), offered);
        }
        for (controller, language) in &self.own {
            if !self.languages(Some(controller)).contains(language) {
                faults.push(format!(
                    "controller {controller:?}: language = \"{language}\" has no texts; add text/{language}.toml and its mails"
                ));
            }
        }
    }

    /// What the language lacks to be offered.
    fn lacks(&self, controller: Option<&str>, language: Language, needed: &BTreeSet<String>) -> Vec<String> {
        let has = |name: String| self.texts.get_template(&name).is_ok();
        let has = |key: &str| has(format!("{language}/{key}")) || controller.is_some_and(|c| has(format!("{c}/{language}/{key}")));
        let built_in = |mail: &str| embedded::MAILS.iter().any(|(name, _)| *name == mail);
        let there =
            |mail: &str| built_in(mail) || self.overrides.has(controller, Kind::Mail, mail) || self.overrides.has(None, Kind::Mail, mail);
        let texts = needed.iter().filter(|key| !has(key)).cloned();
        let mails = embedded::mails_of(language).into_iter().filter(|mail| !there(mail)).map(|mail| format!("mail/{mail}"));
        texts.chain(mails).collect()
    }

    /// The texts whose name begins with `prefix`, by their keys, with what they speak of.
    fn texts_of(&self, prefix: &str) -> BTreeMap<String, BTreeSet<String>> {
        let texts = self.texts.templates().filter_map(|(name, text)| Some((name.strip_prefix(prefix)?.to_owned(), text)));
        texts.map(|(key, text)| (key, text.undeclared_variables(false).into_iter().collect())).collect()
    }
}

/// The leaves of nested tables, by dotted keys.
fn flat(table: &toml::Table) -> Vec<(String, &toml::Value)> {
    let leaves = table.iter().flat_map(|(key, value)| match value {
        toml::Value::Table(inner) => flat(inner).into_iter().map(|(rest, leaf)| (format!("{key}.{rest}"), leaf)).collect(),
        leaf => vec![(key.clone(), leaf)],
    });
    leaves.collect()
}

/// The keys of a file; none when it cannot be read, which was told before.
fn keys(source: &str) -> Vec<String> {
    let table: toml::Table = source.parse().unwrap_or_default();
    flat(&table).into_iter().map(|(key, _)| key).collect()
}

fn list(names: &BTreeSet<String>) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.iter().map(String::as_str).collect::<Vec<_>>().join(", ") }
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;
    use crate::consent::{Brand, Controller};

    fn acme(language: Language) -> Catalogue {
        let controller = Controller {
            key: "acme".into(),
            name: "ACME".into(),
            imprint: "Hauptstraße 1".into(),
            country: None,
            privacy_url: "https://acme.example/privacy".into(),
            language,
            from: "news@acme.example".into(),
            brand: Brand::default(),
            headers: Default::default(),
        };
        Catalogue { controllers: vec![controller], ..Catalogue::default() }
    }

    fn with(files: &[(Option<&str>, Kind, &str, &str)]) -> Result<Words, String> {
        let mut overrides = Overrides::default();
        for (controller, kind, name, text) in files {
            overrides.add(*controller, *kind, name, (*text).to_owned());
        }
        Words::new(&acme(Language::DE), overrides).map_err(|error| error.to_string())
    }

    fn french() -> String {
        PEOPLE.iter().find(|(language, _)| *language == Language::EN).expect("is there").1.replace("Yes", "Oui")
    }

    #[test]
    fn every_language_has_the_same_texts_and_each_speaks_of_the_same_things() {
        let words = with(&[]).expect("good");
        for file in [PEOPLE, STAFF] {
            for (language, source) in file {
                let of = |language: &Language| file.iter().filter(|(is, _)| is == language).flat_map(|(_, source)| keys(source)).collect();
                let (these, english): (BTreeSet<_>, BTreeSet<_>) = (of(language), of(&Language::EN));
                assert_eq!(these, english, "{language}");
                assert_eq!(keys(source).len(), keys(source).iter().collect::<BTreeSet<_>>().len());
            }
        }
        let english = PEOPLE.iter().chain(STAFF).filter(|(language, _)| *language == Language::EN);
        assert_eq!(english.map(|(_, source)| keys(source).len()).sum::<usize>(), words.variables.len(), "no key is in two files");
        assert!(STAFF.iter().all(|(language, _)| Words::STAFF.contains(language)));
        for (language, _) in PEOPLE.iter().chain(STAFF) {
            assert_eq!(words.texts_of(&format!("{language}/")), words.variables, "{language}");
        }
        assert!(words.variables.len() > 20 && words.variables["confirm.title"].is_empty());
        assert_eq!(words.languages(Some("acme")), [Language::DE, Language::EN]);
    }

    #[test]
    fn no_title_has_markup_and_no_text_is_a_form_script_or_style() {
        let words = with(&[]).expect("good");
        for (name, text) in words.texts.templates() {
            assert!(!name.ends_with("title") || !text.source().contains('<'), "{name}");
            for bad in ["<script", "<style", "style=", "<form", "<img", "<input", "http:", "javascript:"] {
                assert!(!text.source().contains(bad), "{name} has {bad}");
            }
        }
    }

    #[test]
    fn what_a_text_speaks_of_is_escaped_and_its_own_markup_is_not() {
        let text = "[confirm]\nsigned_up = \"<strong>{{ controller }}</strong> {{ day }}\"";
        let words = with(&[(Some("acme"), Kind::Text, "en.toml", text)]).expect("good");
        let values = context! { controller => "<b>&\"'", day => "today" };
        let said = words.text(Some("acme"), Language::EN, "confirm.signed_up", &values).expect("renders");
        assert_eq!(said, "<strong>&lt;b&gt;&amp;&quot;&#39;</strong> today");
        let other = words.text(Some("globex"), Language::EN, "confirm.signed_up", &values).expect("renders");
        assert_ne!(said, other);
        assert!(words.text(None, Language::EN, "confirm.signed_up", &context! { day => "today" }).is_err(), "a value is missing");
        assert!(words.text(None, Language::EN, "confirm.nothing", &values).is_err());
    }

    #[test]
    fn a_language_is_offered_once_it_is_complete() {
        let (french, fr) = (french(), Language::parse("fr").expect("valid"));
        let mails: Vec<(Option<&str>, Kind, &str, &str)> =
            ["access.fr.txt", "confirm.fr.txt", "footer.fr.txt", "footer.fr.html"].map(|name| (None, Kind::Mail, name, "x")).into();
        let all = [vec![(None, Kind::Text, "fr.toml", french.as_str())], mails.clone()].concat();
        let words = with(&all).expect("good");
        assert_eq!(words.languages(Some("acme")), [Language::DE, Language::EN, fr]);
        assert_eq!(words.served(Some("acme"), [fr]), fr);
        assert!(words.unfinished().is_empty());

        let words = with(&all[..4]).expect("good");
        assert_eq!(words.languages(Some("acme")), [Language::DE, Language::EN]);
        assert_eq!(words.served(Some("acme"), [fr]), Language::DE, "the controller's own");
        assert_eq!(words.served(None, [fr]), Language::EN);
        assert_eq!(words.unfinished(), ["text/fr.toml: fr is not offered yet, for it lacks mail/footer.fr.html"]);

        let own = [vec![(Some("acme"), Kind::Text, "fr.toml", french.as_str())], mails].concat();
        let words = with(&own).expect("good");
        assert_eq!((words.served(Some("acme"), [fr]), words.served(None, [fr])), (fr, Language::EN));
    }

    #[test]
    fn every_fault_is_told_with_its_file() {
        for (controller, name, text, expected) in [
            (None, "en.toml", "[confirm]\ntitel = \"x\"", "text/en.toml: confirm.titel is no text of the pages"),
            (Some("acme"), "de.toml", "[confirm]\ntitle = \"{{ adress }}\"", "acme/text/de.toml: confirm.title speaks of adress; it may"),
            (None, "en.toml", "[confirm]\ntitle = \"{{ x\"", "text/en.toml: confirm.title: syntax error"),
            (None, "en.toml", "[confirm]\ntitle = \" \"", "text/en.toml: confirm.title holds no text"),
            (None, "en.toml", "[confirm]\ntitle = 3", "text/en.toml: confirm.title holds no text"),
            (None, "en.toml", "[confirm", "text/en.toml: TOML parse error"),
            (None, "en.toml", "[language]\ndate = \"%!\"", "text/en.toml: language.date is no format"),
            (None, "english.txt", "", "text/english.txt: must be named after a language"),
            (None, "de-AT.toml", "", "text/de-AT.toml: must be named after a language"),
            (Some("globex"), "en.toml", "", "globex/: no [[controller]] has this key"),
        ] {
            let error = with(&[(controller, Kind::Text, name, text)]).expect_err(expected);
            assert!(error.contains(expected), "{expected} in {error}");
        }
        let fr = Language::parse("fr").expect("valid");
        let error = Words::new(&acme(fr), Overrides::default()).expect_err("there is no French").to_string();
        assert!(error.contains("controller \"acme\": language = \"fr\" has no texts"), "{error}");
    }

    #[test]
    fn a_moment_is_written_as_people_of_the_language_do() {
        let (words, at) = (with(&[]).expect("good"), "2026-11-03T09:05:00Z".parse().expect("valid"));
        let written = |language, key| words.moment(None, language, key, at).expect("renders");
        assert_eq!(
            (written(Language::DE, "language.date"), written(Language::EN, "language.date")),
            ("03.11.2026".into(), "3 November 2026".into())
        );
        assert_eq!(written(Language::DE, "language.time"), "09:05");
    }
}
