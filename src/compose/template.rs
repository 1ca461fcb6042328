//! How mail templates are read and filled.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, escape_formatter};

/// An empty set of templates. What a template asks for and is not given is an error, not an empty string; a block tag
/// on a line of its own leaves no empty line; `*.html` is escaped.
pub(super) fn environment() -> Result<Environment<'static>, Error> {
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

    #[test]
    fn html_is_escaped_and_text_is_not() {
        let mut env = environment().expect("valid syntax");
        env.add_template("a.html", "<a href=\"{{ x }}\">").expect("parses");
        env.add_template("a.txt", "{{ x }}").expect("parses");
        let render = |name: &str| env.get_template(name).expect("is there").render(context! { x => "https://x/<&'\">" });
        assert_eq!(render("a.html").expect("renders"), "<a href=\"https://x/&lt;&amp;&#39;&quot;&gt;\">");
        assert_eq!(render("a.txt").expect("renders"), "https://x/<&'\">");
    }

    #[test]
    fn what_is_not_given_is_an_error() {
        for (name, source) in [("a.html", "{{ missing }}"), ("b.txt", "{{ missing }}"), ("c.html", "{% if missing %}{% endif %}")] {
            let mut env = environment().expect("valid syntax");
            env.add_template(name, source).expect("parses");
            assert!(env.get_template(name).expect("is there").render(context! {}).is_err(), "{source}");
        }
    }
}
