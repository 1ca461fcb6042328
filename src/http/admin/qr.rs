//! A text as a QR code, for an inline image: one path of dark squares. No colours, no style.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};

/// Light squares around the code (ISO/IEC 18004: four).
const QUIET: i32 = 4;

/// An image of `size` by `size` squares.
pub(super) struct Image {
    pub(super) size: i32,
    pub(super) path: String,
}

/// `None` for a text too long for any code.
pub(super) fn image(text: &str) -> Option<Image> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let mut path = String::new();
    for (y, x) in (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (y, x))) {
        if code.get_module(x, y) {
            write!(path, "M{} {}h1v1h-1z", x + QUIET, y + QUIET).expect("a String takes any text");
        }
    }
    Some(Image { size: code.size() + 2 * QUIET, path })
}
