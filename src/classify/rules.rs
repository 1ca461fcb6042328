//! Rules of the operator: conditions in CEL over what is known of a message. They raise to marketing, name a topic or a
//! campaign; like all but the credential they cannot lower. Checked whole when they are read: nothing in them can fail later, and
//! nothing can run long, because there are no loops.

use std::collections::HashMap;
use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue};
use cel::{Context, Program, Value};
use serde::Deserialize;

use crate::consent::Topic;
use crate::mail::{Class, Message, Step, Stream, Trust};

/// One rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Stands in records and logs.
    pub name: String,
    /// When it applies.
    pub when: Condition,
    /// `marketing`, or nothing.
    #[serde(default)]
    pub class: Option<Raise>,
    /// The topic of what it applies to.
    #[serde(default)]
    pub topic: Option<Topic>,
    /// The campaign of what it applies to.
    #[serde(default)]
    pub campaign: Option<String>,
}

/// The class that a rule may ask for: only the credential can say transactional (L-AD-06).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Raise {
    /// Advertising.
    Marketing,
}

/// A condition that was read and checked.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct Condition {
    text: String,
    program: Arc<Program>,
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Bool,
    Text,
    Number,
    Texts,
}

const VARIABLES: &[(&str, Type)] =
    &[("stream", Type::Text), ("from_domain", Type::Text), ("subject", Type::Text), ("campaign", Type::Text), ("size", Type::Number)];
const LONGEST: usize = 2_000;
const METHODS: &[&str] = &["contains", "startsWith", "endsWith"];

impl TryFrom<String> for Condition {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a condition has at most {LONGEST} characters: write several rules"));
        }
        let program = Program::compile(&text).map_err(|errors| match errors.errors.first() {
            Some(error) => format!("column {}: {}", error.pos.1.max(1), error.msg),
            None => "is no CEL expression".to_owned(),
        })?;
        let check = Check { text: &text, program: &program };
        match check.of(program.expression())? {
            Type::Bool => Ok(Self { program: Arc::new(program), text }),
            other => Err(format!("a condition is true or false, this is {}: compare it with something", other.name())),
        }
    }
}

impl Condition {
    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Texts => "a list of texts",
        }
    }
}

struct Check<'a> {
    text: &'a str,
    program: &'a Program,
}

impl Check<'_> {
    fn fault(&self, at: &IdedExpr, what: impl std::fmt::Display) -> String {
        let column = self
            .program
            .source_info()
            .offset_for(at.id)
            .map_or(1, |(start, _)| self.text.char_indices().take_while(|(byte, _)| *byte < start as usize).count() + 1);
        format!("column {column}: {what}")
    }

    fn of(&self, at: &IdedExpr) -> Result<Type, String> {
        match &at.expr {
            Expr::Literal(LiteralValue::Boolean(_)) => Ok(Type::Bool),
            Expr::Literal(LiteralValue::String(_)) => Ok(Type::Text),
            Expr::Literal(LiteralValue::Int(_)) => Ok(Type::Number),
            Expr::Literal(_) => Err(self.fault(at, "only texts, whole numbers, true and false can be written here")),
            Expr::Ident(name) => VARIABLES.iter().find(|(own, _)| own == name).map(|(_, kind)| *kind).ok_or_else(|| {
                let known: Vec<&str> = VARIABLES.iter().map(|(own, _)| *own).collect();
                self.fault(at, format!("there is no {name}: known are {} and header('Name')", known.join(", ")))
            }),
            Expr::List(list) => {
                for element in &list.elements {
                    self.is(element, Type::Text)?;
                }
                Ok(Type::Texts)
            }
            Expr::Call(call) => self.call(at, call),
            Expr::Select(select) => {
                Err(self.fault(at, format!("nothing here has a field {}: write header('Name') for a header field", select.field)))
            }
            Expr::Comprehension(_) => {
                Err(self.fault(at, "all, exists, map and filter are not allowed, because they can run long: write x in ['a', 'b']"))
            }
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => Err(self.fault(at, "this kind of value is of no use here")),
        }
    }

    fn is(&self, at: &IdedExpr, asked: Type) -> Result<(), String> {
        let kind = self.of(at)?;
        if kind == asked { Ok(()) } else { Err(self.fault(at, format!("this is {}, and must be {}", kind.name(), asked.name()))) }
    }

    fn call(&self, at: &IdedExpr, call: &CallExpr) -> Result<Type, String> {
        let same = |kinds: &[Type]| -> Result<Type, String> {
            let [left, right] = &call.args[..] else { return Err(self.fault(at, "two sides are needed")) };
            let kind = self.of(left)?;
            if !kinds.contains(&kind) {
                return Err(self.fault(left, format!("{} cannot be compared so", kind.name())));
            }
            self.is(right, kind)?;
            Ok(Type::Bool)
        };
        match (call.func_name.as_str(), &call.target, &call.args[..]) {
            ("_&&_" | "_||_" | "!_", None, sides) => {
                for side in sides {
                    self.is(side, Type::Bool)?;
                }
                Ok(Type::Bool)
            }
            ("_==_" | "_!=_", None, _) => same(&[Type::Text, Type::Number, Type::Bool]),
            ("_<_" | "_<=_" | "_>_" | "_>=_", None, _) => same(&[Type::Number]),
            ("@in", None, [one, many]) => {
                self.is(one, Type::Text)?;
                self.is(many, Type::Texts)?;
                Ok(Type::Bool)
            }
            ("header", None, [name]) => match &name.expr {
                Expr::Literal(LiteralValue::String(_)) => Ok(Type::Text),
                _ => Err(self.fault(name, "the name of a header field is written out: header('X-Tag')")),
            },
            (method, Some(target), [argument]) if METHODS.contains(&method) => {
                self.is(target, Type::Text)?;
                self.is(argument, Type::Text)?;
                Ok(Type::Bool)
            }
            ("matches", ..) => Err(self.fault(at, "regular expressions are not taken: write contains, startsWith or endsWith")),
            (name, ..) => Err(self.fault(
                at,
                format!("there is no {name} of that kind: known are &&, ||, !, ==, !=, <, <=, >, >=, in, {}, header", METHODS.join(", ")),
            )),
        }
    }
}

/// What the rules add to what the message says.
#[derive(Default)]
pub(super) struct Ruled {
    pub(super) steps: Vec<Step>,
    pub(super) topic: Option<String>,
    pub(super) campaign: Option<String>,
}

/// Asks all rules; of several that name a topic or a campaign the first has the word.
pub(super) fn apply(rules: &[Rule], stream: &Stream, campaign: Option<&str>, message: &Message) -> Ruled {
    let mut ruled = Ruled::default();
    if rules.is_empty() {
        return ruled;
    }
    let context = context(stream, campaign, message);
    for rule in rules {
        // It was checked; whatever may fail yet must not let an advert through.
        let applies = !matches!(rule.when.program.execute(&context), Ok(Value::Bool(false)));
        if !applies {
            continue;
        }
        if rule.class == Some(Raise::Marketing) {
            ruled.steps.push(Step { trust: Trust::Rule, says: Class::Marketing, why: format!("rule {}", rule.name) });
        }
        ruled.topic = ruled.topic.or_else(|| rule.topic.as_ref().map(|topic| topic.as_str().to_owned()));
        ruled.campaign = ruled.campaign.or_else(|| rule.campaign.clone());
    }
    ruled
}

fn context(stream: &Stream, campaign: Option<&str>, message: &Message) -> Context<'static, 'static> {
    let mut context = Context::default();
    let domain = message.from().ok().and_then(|from| from.first().map(|address| address.domain().to_ascii_lowercase())).unwrap_or_default();
    context.add_variable_from_value("stream", stream.name.clone());
    context.add_variable_from_value("from_domain", domain);
    context.add_variable_from_value("subject", super::content::subject(message.raw()));
    context.add_variable_from_value("campaign", campaign.unwrap_or_default().to_owned());
    context.add_variable_from_value("size", i64::try_from(message.raw().len()).unwrap_or(i64::MAX));
    let mut fields: HashMap<String, String> = HashMap::new();
    for header in message.headers() {
        fields.entry(header.name.to_ascii_lowercase()).or_insert_with(|| header.value());
    }
    let header = move |name: Arc<String>| fields.get(&name.to_ascii_lowercase()).cloned().unwrap_or_default();
    // The name is taken in the standard library by nobody.
    context.add_function("header", header).ok();
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Condition, String> {
        Condition::try_from(text.to_owned())
    }

    #[test]
    fn what_is_wrong_with_a_condition_is_told_with_its_place_and_the_mend() {
        let long = format!("size > 1{}", " || size > 1".repeat(300));
        for (text, expected) in [
            ("sender == 'a'", "column 1: there is no sender: known are stream"),
            ("stream == 'a' && fromdomain == 'b'", "column 18: there is no fromdomain"),
            ("size == 'x'", "column 9: this is a text, and must be a number"),
            ("subject > 1", "a text cannot be compared so"),
            ("'a' + 1 == 'b'", "there is no _+_ of that kind"),
            ("subject", "a condition is true or false, this is a text: compare it"),
            ("size > ", "column"),
            ("subject.matches('^a+$')", "regular expressions are not taken: write contains"),
            ("['a'].exists(x, x == subject)", "not allowed, because they can run long: write x in"),
            ("[1,2,3].all(a, [1,2,3].all(b, a < b))", "not allowed"),
            ("subject in ['a', 1]", "this is a number, and must be a text"),
            ("mail.subject == 'a'", "nothing here has a field subject"),
            ("header(subject) == 'a'", "is written out"),
            ("header('X-Tag').size() == 1", "there is no size of that kind"),
            ("{'a': 1} == {'a': 1}", "of no use here"),
            ("stream == null", "only texts, whole numbers"),
            (&long, "at most 2000 characters"),
            (&"(".repeat(1_500), "column"),
        ] {
            let fault = read(text).expect_err(text);
            assert!(fault.contains(expected), "{text}: {fault}");
        }
    }

    #[test]
    fn a_rule_file_with_a_fault_names_its_line() {
        #[derive(Debug, Deserialize)]
        struct File {
            #[serde(rename = "rule")]
            _rules: Vec<Rule>,
        }
        let fault = toml::from_str::<File>("[[rule]]\nname = 'a'\nwhen = \"size == 'x'\"\nclass = 'marketing'\n").expect_err("refused");
        assert!(fault.to_string().contains("line 3") && fault.to_string().contains("must be a number"), "{fault}");
        let fault = toml::from_str::<File>("[[rule]]\nname = 'a'\nwhen = 'size > 1'\nclass = 'transactional'\n").expect_err("refused");
        assert!(fault.to_string().contains("line 4"), "rules cannot lower: {fault}");
    }

    #[test]
    fn rules_raise_and_name_by_all_that_they_may_ask() {
        let stream = crate::classify::tests::stream(crate::mail::StreamClass::Transactional);
        let raw = "From: Shop <a@News.Acme.example>\r\nSubject: =?utf-8?q?Fr=C3=BChling?=\r\nX-Tag: spring\r\n\r\nbody\r\n";
        let message = Message::parse(raw.as_bytes().to_vec(), false).expect("good");
        for (when, expected) in [
            ("from_domain == 'news.acme.example'", true),
            ("from_domain.endsWith('.acme.example') && !(stream == 'x')", true),
            ("subject.startsWith('Früh')", true),
            ("header('x-tag') in ['spring', 'summer']", true),
            ("header('X-Other') != ''", false),
            ("campaign == 'spring' && size > 10 && size <= 1000", true),
            ("subject.contains('Rabatt') || size < 10", false),
            ("stream == 's' && true", true),
        ] {
            let rule = Rule {
                name: "r".into(),
                when: read(when).expect(when),
                class: Some(Raise::Marketing),
                topic: Topic::parse("news").ok(),
                campaign: Some("c".into()),
            };
            let ruled = apply(&[rule], &stream, Some("spring"), &message);
            assert_eq!(ruled.steps.len(), usize::from(expected), "{when}");
            assert_eq!(
                (ruled.topic.as_deref(), ruled.campaign.as_deref()),
                if expected { (Some("news"), Some("c")) } else { (None, None) },
                "{when}"
            );
        }
    }
}
