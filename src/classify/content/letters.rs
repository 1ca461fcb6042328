//! One spelling for letters that look the same; which characters are not seen. Words are `words`'.

use unicode_normalization::char::{decompose_canonical, decompose_compatible};

/// A letter that is drawn as a Latin one as that one, in lower case.
pub(super) fn fold(character: char) -> char {
    look_alike(character).unwrap_or(character).to_ascii_lowercase()
}

/// One spelling: ä as ae, é as e, bold and wide letters as plain ones.
pub(super) fn push_folded(into: &mut String, character: char, like: &mut usize) {
    match character {
        'ä' | 'Ä' => into.push_str("ae"),
        'ö' | 'Ö' => into.push_str("oe"),
        'ü' | 'Ü' => into.push_str("ue"),
        'ß' => into.push_str("ss"),
        '\u{308}' => into.push('e'), // an umlaut in two characters
        _ if (character as u32) < 0x250 => decompose_canonical(character, |part| {
            if part.is_ascii_alphabetic() {
                into.push(part.to_ascii_lowercase());
            }
        }),
        _ => decompose_compatible(character, |part| {
            if part.is_ascii() {
                *like += 1;
                into.push(part.to_ascii_lowercase());
            } else {
                into.extend(part.to_lowercase());
            }
        }),
    }
}

/// Letters as wide as Chinese ones.
pub(super) fn is_wide(letter: char) -> bool {
    matches!(letter, '\u{ff01}'..='\u{ff5e}')
}

/// Characters that are drawn as nothing.
pub(super) fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e007f}')
}

/// Small pictures in the text.
pub(super) fn is_picture_sign(character: char) -> bool {
    matches!(character as u32, 0x2190..=0x21ff | 0x2300..=0x23ff | 0x25a0..=0x27bf | 0x2b00..=0x2bff | 0x1f000..=0x1faff)
}

/// Letters of other scripts that are drawn as Latin ones.
pub(super) fn look_alike(character: char) -> Option<char> {
    const PAIRS: &[(char, char)] = &[
        ('а', 'a'),
        ('е', 'e'),
        ('о', 'o'),
        ('р', 'p'),
        ('с', 'c'),
        ('у', 'y'),
        ('х', 'x'),
        ('і', 'i'),
        ('ѕ', 's'),
        ('ј', 'j'),
        ('һ', 'h'),
        ('ԁ', 'd'),
        ('ɡ', 'g'),
        ('ո', 'n'),
        ('ν', 'v'),
        ('ο', 'o'),
        ('α', 'a'),
        ('ρ', 'p'),
        ('τ', 't'),
        ('А', 'a'),
        ('В', 'b'),
        ('Е', 'e'),
        ('К', 'k'),
        ('М', 'm'),
        ('Н', 'h'),
        ('О', 'o'),
        ('Р', 'p'),
        ('С', 'c'),
        ('Т', 't'),
        ('Х', 'x'),
        ('Α', 'a'),
        ('Β', 'b'),
        ('Ε', 'e'),
        ('Ζ', 'z'),
        ('Η', 'h'),
        ('Ι', 'i'),
        ('Κ', 'k'),
        ('Μ', 'm'),
        ('Ν', 'n'),
        ('Ο', 'o'),
        ('Ρ', 'p'),
        ('Τ', 't'),
        ('ı', 'i'),
        ('ӏ', 'l'),
    ];
    PAIRS.iter().find(|(own, _)| *own == character).map(|(_, plain)| *plain)
}
