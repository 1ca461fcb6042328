//! Which test a line of test code belongs to. The code is formatted, hence read by its lines: a function ends where a brace
//! stands as far in as the function began.

/// A function, with the comments and attributes in front of it; lines count from 0.
struct Function {
    name: String,
    first: usize,
    last: usize,
    is_test: bool,
}

/// The test code of one file; in front of it are empty lines in place of other code.
pub(super) struct TestCode {
    module: String,
    lines: Vec<String>,
    functions: Vec<Function>,
}

impl TestCode {
    /// `None` where a file of that path, below the repository, holds no tests.
    pub(super) fn read(path: &str, text: &str) -> Option<Self> {
        let module = module(path)?;
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let is_all = path.starts_with("tests/") || path.ends_with("/tests.rs");
        let foot = if is_all { 0 } else { lines.iter().position(|line| line == "mod tests {")? };
        lines[..foot].iter_mut().for_each(String::clear);
        let functions = (0..lines.len()).filter_map(|at| function(&lines, at)).collect();
        Some(Self { module, lines, functions })
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// The tests that this line speaks of: the one it stands in; those that use the helper it stands in; all of the file
    /// for a line of its head.
    pub(super) fn tests_behind(&self, line: usize) -> Vec<String> {
        let mut tests: Vec<&Function> = Vec::new();
        let mut helpers: Vec<&Function> = Vec::new();
        if self.lines[line].starts_with("//!") {
            tests.extend(self.functions.iter().filter(|function| function.is_test));
        }
        let mut found: Vec<&Function> = self.around(line).into_iter().collect();
        while let Some(function) = found.pop() {
            if function.is_test {
                tests.push(function);
            } else if !helpers.iter().any(|helper| std::ptr::eq(*helper, function)) {
                helpers.push(function);
                found.extend(self.callers(function));
            }
        }
        tests.iter().map(|test| format!("{}::{}", self.module, test.name)).collect()
    }

    /// The innermost function around a line.
    fn around(&self, line: usize) -> Option<&Function> {
        self.functions.iter().rev().find(|function| (function.first..=function.last).contains(&line))
    }

    fn callers(&self, helper: &Function) -> Vec<&Function> {
        let call = format!("{}(", helper.name);
        let calls = |line: &str| {
            line.match_indices(&call).any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'))
        };
        let within = |line: &usize| (helper.first..=helper.last).contains(line);
        let lines = self.lines.iter().enumerate().filter(|(number, line)| !within(number) && calls(line));
        lines.filter_map(|(number, _)| self.around(number)).collect()
    }
}

/// Of the tests in that file, as the runner names it.
fn module(path: &str) -> Option<String> {
    // Texts about citations are none.
    if path.starts_with("tests/it/requirements") {
        return None;
    }
    let path = path.strip_suffix(".rs")?;
    if let Some(path) = path.strip_prefix("tests/it/") {
        return Some(path.replace('/', "::"));
    }
    let path = path.strip_prefix("src/")?;
    let room = path.strip_suffix("/tests").or_else(|| path.strip_suffix("/mod")).unwrap_or(path);
    Some(room.replace('/', "::") + "::tests")
}

fn is_test_attribute(line: &str) -> bool {
    let line = line.trim_start();
    line == "#[test]" || line.starts_with("#[tokio::test")
}

/// The function that begins in the line `at`, if one does.
fn function(lines: &[String], at: usize) -> Option<Function> {
    let line = lines[at].trim_start();
    let words = line.split_once("fn ").filter(|(front, _)| front.split_whitespace().all(is_qualifier))?;
    let name = words.1.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
    let end = format!("{}}}", " ".repeat(lines[at].len() - line.len()));
    let last = if line.ends_with(['}', ';']) { at } else { (at..lines.len()).find(|number| lines[*number].starts_with(&end))? };
    let in_front = lines[..at].iter().rev().take_while(|line| ["//", "#["].iter().any(|front| line.trim_start().starts_with(front)));
    let (first, is_test) = in_front.fold((at, false), |(first, is_test), line| (first - 1, is_test || is_test_attribute(line)));
    Some(Function { name, first, last, is_test })
}

fn is_qualifier(word: &str) -> bool {
    matches!(word, "pub" | "pub(crate)" | "pub(super)" | "async" | "const")
}

#[test]
fn a_line_belongs_to_its_test_or_to_those_that_use_its_helper() {
    let code = "\
//! head

/// on a constant
const NONE: u8 = 0;

/// in front
#[test]
fn one() {
    deep(1);
}

#[tokio::test]
async fn two() {
    fn nested() {
        unused;
    }
    helper();
    nested();
}

fn helper() {
    self.deep(2);
}

pub(crate) async fn deep(
    number: u8,
) {
    deep(number);
}

fn nobody() {}
";
    let code_of = TestCode::read("tests/it/it.rs", code).unwrap();
    for (line, tests) in [
        ("//! head", &["it::one", "it::two"][..]),
        ("/// on a constant", &[]),
        ("/// in front", &["it::one"]),
        ("    deep(1);", &["it::one"]),
        ("        unused;", &["it::two"]),
        ("    nested();", &["it::two"]),
        ("    self.deep(2);", &["it::two"]),
        ("    deep(number);", &["it::one", "it::two"]),
        ("fn nobody() {}", &[]),
    ] {
        let number = code.lines().position(|other| other == line).unwrap();
        let mut found = code_of.tests_behind(number);
        found.sort();
        assert_eq!(found, tests, "{line}");
    }
}

#[test]
fn only_test_code_is_read_and_has_its_module() {
    for (path, module) in [
        ("tests/it/trips/story.rs", Some("trips::story")),
        ("tests/it/main.rs", Some("main")),
        ("src/decide.rs", Some("decide::tests")),
        ("src/sign/mod.rs", Some("sign::tests")),
        ("src/smtp/session/tests.rs", Some("smtp::session::tests")),
        ("tests/bench/ledger.rs", None),
        ("tests/it/requirements/ids.rs", None),
        ("README.md", None),
    ] {
        assert_eq!(self::module(path).as_deref(), module, "{path}");
    }
    let code = "// why\nfn made() {}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn it() {}\n}\n";
    assert!(TestCode::read("src/made.rs", "fn made() {}\n").is_none());
    let lines: Vec<String> = TestCode::read("src/made.rs", code).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines[..4], [""; 4]);
    assert_eq!(lines[4..], ["mod tests {", "    #[test]", "    fn it() {}", "}"]);
}
