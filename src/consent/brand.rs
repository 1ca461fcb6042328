//! How a controller's pages look: one colour, how round corners are, a logo. Few tokens, so that every
//! combination stays readable; making a stylesheet of them is left to `http`.

use std::fmt;
use std::path::PathBuf;

/// The least contrast of text with what is behind it (WCAG 2.2, 1.4.3).
const READABLE: f64 = 4.5;

/// The look of a controller's pages; its mails have none (L-DOI-02).
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Brand {
    /// Colour of buttons and links, e.g. `#0b5566`; dark enough to be read on white.
    pub accent: Color,
    /// The same where people prefer dark pages; made from `accent` when it is not given.
    pub accent_dark: Option<Color>,
    /// How round corners are, CSS pixels.
    pub radius: u8,
    /// Picture above the page, an SVG or PNG file of at most 32 KiB.
    pub logo: Option<PathBuf>,
}

impl Default for Brand {
    fn default() -> Self {
        Self { accent: Color([0x0b, 0x55, 0x66]), accent_dark: None, radius: 14, logo: None }
    }
}

impl Brand {
    /// The accent of dark pages: as given, or `accent` with as much white as it takes.
    pub fn accent_dark(&self) -> Color {
        self.accent_dark.unwrap_or_else(|| self.accent.towards(Color::WHITE, |made| made.contrast(Color::DARK_CARD) >= 8.0))
    }

    /// What makes it unreadable or odd, each with the mend.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let pairs = [("accent", Some(self.accent), Color::WHITE, "darker"), ("accent_dark", self.accent_dark, Color::DARK_CARD, "lighter")];
        for (name, color, behind, mend) in pairs {
            let Some(color) = color else { continue };
            let contrast = color.contrast(behind);
            if contrast < READABLE {
                // Rounded down: 4.46 must not be told as 4.5.
                let told = (contrast * 100.0).floor() / 100.0;
                faults.push(format!(
                    "brand {name} = \"{color}\": its contrast with {behind} is {told}:1, text needs {READABLE}:1 (WCAG 2.2, 1.4.3); make it {mend}"
                ));
            }
        }
        if self.radius > 32 {
            faults.push(format!("brand radius = {}: must be 0 to 32", self.radius));
        }
        faults
    }
}

/// A colour of sRGB.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Color([u8; 3]);

impl Color {
    /// White, the cards of light pages.
    pub const WHITE: Self = Self([0xff; 3]);
    /// Black.
    pub const BLACK: Self = Self([0; 3]);
    /// The cards of dark pages.
    pub const DARK_CARD: Self = Self([0x17, 0x1f, 0x24]);

    /// Parses `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let octet = |at| u8::from_str_radix(&digits[at..at + 2], 16).ok();
        Some(Self([octet(0)?, octet(2)?, octet(4)?]))
    }

    /// Contrast ratio, 1 to 21 (WCAG 2.2, "contrast ratio").
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// This colour with `part` (0 to 1) of the other.
    pub fn mixed(self, other: Self, part: f64) -> Self {
        Self(std::array::from_fn(|at| {
            let (from, to) = (f64::from(self.0[at]), f64::from(other.0[at]));
            (from + (to - from) * part).round() as u8
        }))
    }

    /// This colour with as little of the other as makes it `enough`.
    pub fn towards(self, other: Self, enough: impl Fn(Self) -> bool) -> Self {
        (0..=20).map(|step| self.mixed(other, f64::from(step) / 20.0)).find(|made| enough(*made)).unwrap_or(other)
    }

    /// WCAG 2.2, "relative luminance".
    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|octet| {
            let part = f64::from(octet) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl fmt::Debug for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl<'de> serde::Deserialize<'de> for Color {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected a colour like \"#0b5566\""))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn brand(accent: &str, accent_dark: Option<&str>) -> Brand {
        let color = |text| Color::parse(text).expect("valid");
        Brand { accent: color(accent), accent_dark: accent_dark.map(color), ..Brand::default() }
    }

    #[test]
    fn contrast_is_what_wcag_says() {
        for (one, other, expected) in [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#0b5566", "#0b5566", 1.0)] {
            let color = |text| Color::parse(text).expect(text);
            assert!((color(one).contrast(color(other)) - expected).abs() < 0.01, "{one} {other}");
        }
        for text in ["", "0b5566", "#0b556", "#0b55667", "#0b556g", "red", "#ü5566"] {
            assert_eq!(Color::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_colour_nobody_could_read_is_refused_with_its_ratio() {
        // WCAG 2.2, 1.4.3
        assert_eq!(Brand::default().faults(), Vec::<String>::new());
        for (accent, dark, expected) in [
            ("#ffcc00", None, "brand accent = \"#ffcc00\": its contrast with #ffffff is 1.51:1, text needs 4.5:1"),
            ("#777777", None, "its contrast with #ffffff is 4.47:1"),
            ("#0b5566", Some("#0b5566"), "brand accent_dark = \"#0b5566\""),
        ] {
            let faults = brand(accent, dark).faults();
            assert!(faults.len() == 1 && faults[0].contains(expected), "{expected} in {faults:?}");
        }
        assert!(brand("#767676", Some("#ffffff")).faults().is_empty());
        assert_eq!(Brand { radius: 33, ..Brand::default() }.faults().len(), 1);
    }

    proptest! {
        #[test]
        fn the_accent_made_for_dark_pages_can_be_read(red: u8, green: u8, blue: u8) {
            let made = Brand { accent: Color([red, green, blue]), ..Brand::default() }.accent_dark();
            prop_assert!(made.contrast(Color::DARK_CARD) >= READABLE);
        }
    }
}
