//! What a controller's pages look like: a small stylesheet over the common one, and a logo, both from
//! our own origin. The tokens are those of `templates/web/style.css`.

use std::collections::HashMap;
use std::fmt::Write;

use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use sha2::{Digest, Sha256};

use super::answer::Answers;
use super::extract::Path;
use super::visitor::Visitor;
use super::{kept, nothing_here};
use crate::compose::{Logo, Words};
use crate::consent::{Brand, Catalogue, Color};

/// The looks of all controllers that have one of their own.
#[derive(Debug)]
pub(super) struct Looks(HashMap<String, Look>);

/// The look of one controller.
#[derive(Debug)]
pub(super) struct Look {
    style: String,
    /// Path of the stylesheet; changes with its content.
    pub(super) style_url: String,
    logo: Option<Logo>,
    /// Path of the logo; changes with its content.
    pub(super) logo_url: Option<String>,
}

impl Looks {
    /// For a gateway whose paths are reached below `path`.
    pub(super) fn new(path: &str, catalogue: &Catalogue, words: &Words) -> Self {
        let branded = catalogue.controllers.iter().filter(|controller| controller.brand != Brand::default());
        let looks = branded.map(|controller| {
            let (style, logo) = (style(&controller.brand), words.overrides().logo(&controller.key).cloned());
            let base = format!("{path}/assets/brand/{}", escaped(&controller.key));
            let look = Look {
                style_url: format!("{base}.css?{}", version(style.as_bytes())),
                logo_url: logo.as_ref().map(|logo| format!("{base}/logo.{}?{}", logo.extension, version(&logo.octets))),
                style,
                logo,
            };
            (controller.key.clone(), look)
        });
        Self(looks.collect())
    }

    /// The look of that controller; `None` when it has the common one.
    pub(super) fn of(&self, controller: &str) -> Option<&Look> {
        self.0.get(controller)
    }
}

/// Eight digits that change with the content, so that browsers may keep it for ever.
pub(super) fn version(octets: &[u8]) -> String {
    hex::encode(&Sha256::digest(octets)[..4])
}

/// The tokens in light and dark. Text on the accent and on its tint is readable whatever the accent is:
/// `config` has refused those that are too light for white.
fn style(brand: &Brand) -> String {
    let light = tokens(brand.accent, Color::WHITE, Color::WHITE, Color::BLACK, 0.08);
    let dark = tokens(brand.accent_dark(), Color::DARK_CARD, Color::BLACK, Color::WHITE, 0.16);
    format!(":root{{--radius:{}px;{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n", brand.radius)
}

/// `card` is behind the accent, `on` is the text on it; `away` is the end of the scale that is farther from the card.
fn tokens(accent: Color, card: Color, on: Color, away: Color, part: f64) -> String {
    let tint = card.mixed(accent, part);
    let on_tint = accent.towards(away, |made| made.contrast(tint) >= 7.0);
    format!("--strong:{accent};--on-strong:{on};--press:{};--tint:{tint};--on-tint:{on_tint}", accent.mixed(away, 0.25))
}

/// As one segment of a path (RFC 3986 s.3.3).
fn escaped(key: &str) -> String {
    key.bytes().fold(String::new(), |mut text, octet| {
        if octet.is_ascii_alphanumeric() || b"-_".contains(&octet) {
            text.push(char::from(octet));
        } else {
            write!(text, "%{octet:02X}").expect("a String takes any text");
        }
        text
    })
}

pub(super) fn router<S>(answers: Answers) -> Router<S> {
    Router::new().route("/assets/brand/{file}", get(sheet)).route("/assets/brand/{controller}/{file}", get(logo)).with_state(answers)
}

async fn sheet(State(answers): State<Answers>, Extension(visitor): Extension<Visitor>, Path(file): Path<String>, uri: Uri) -> Response {
    match file.strip_suffix(".css").and_then(|controller| answers.look(controller)) {
        Some(look) => (kept("text/css; charset=utf-8", &uri), look.style.clone()).into_response(),
        None => nothing_here(State(answers), Extension(visitor), uri).await,
    }
}

/// Under the pages' own policy: an SVG that is opened by itself can neither run nor load anything.
async fn logo(
    State(answers): State<Answers>,
    Extension(visitor): Extension<Visitor>,
    Path((controller, file)): Path<(String, String)>,
    uri: Uri,
) -> Response {
    let logo = answers.look(&controller).and_then(|look| look.logo.as_ref());
    match logo.filter(|logo| file.strip_prefix("logo.") == Some(logo.extension)) {
        Some(logo) => {
            let headers: HeaderMap = kept(logo.media_type, &uri);
            let octets = axum::body::Bytes::from_owner(std::sync::Arc::clone(&logo.octets));
            (headers, [(header::CONTENT_DISPOSITION, "inline")], octets).into_response()
        }
        None => nothing_here(State(answers), Extension(visitor), uri).await,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(style: &str, name: &str) -> Vec<Color> {
        let mark = format!("{name}:#");
        let values = style.split(&mark).skip(1);
        values.map(|rest| Color::parse(&format!("#{}", &rest[..6])).expect("a colour")).collect()
    }

    proptest! {
        #[test]
        fn text_can_be_read_whatever_the_accent_is(red: u8, green: u8, blue: u8) {
            // WCAG 2.2, 1.4.3
            let accent = Color::parse(&format!("#{red:02x}{green:02x}{blue:02x}")).expect("valid");
            let brand = Brand { accent, ..Brand::default() };
            prop_assume!(brand.faults().is_empty());
            let style = style(&brand);
            let of = |name| token(&style, name);
            for (text, behind) in [("--on-strong", "--strong"), ("--on-strong", "--press"), ("--on-tint", "--tint")] {
                for (text, behind) in of(text).into_iter().zip(of(behind)) {
                    prop_assert!(text.contrast(behind) >= 4.5, "{text} on {behind} of {style}");
                }
            }
            prop_assert_eq!(of("--strong").len(), 2);
        }
    }

    #[test]
    fn a_key_is_one_segment_of_a_path() {
        assert_eq!(escaped("acme-2_x"), "acme-2_x");
        assert_eq!(escaped("a/ü.."), "a%2F%C3%BC%2E%2E");
    }
}
