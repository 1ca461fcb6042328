//! Cells of CSV files that people open in spreadsheets.

/// Spreadsheets take a cell that begins like a formula for one and may run it; senders name campaigns (CWE-1236). Some split
/// cells at other characters than ours, so each piece is looked at.
pub fn harmless(cell: &str) -> String {
    let mut harmless = String::with_capacity(cell.len() + 1);
    for piece in cell.split_inclusive([';', '\t', '|', '\r', '\n']) {
        let seen = piece.trim_start_matches(|c: char| c.is_whitespace() || is_invisible(c));
        if seen.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}']) || piece.starts_with(['\t', '\r', '\n']) {
            harmless.push('\'');
        }
        harmless.push_str(piece);
    }
    harmless
}

/// Characters that show nothing and that a spreadsheet may drop: controls, and those of format (Unicode category Cf).
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_like_a_formula() {
        for cell in ["=1+1", "+49", "-2", "@SUM(A1)", " =1", "\u{feff}=1", "\u{200b}\u{2060} =1", "\r", "\u{ff1d}1", "=cmd|' /C calc'!A0"] {
            assert_eq!(harmless(cell), format!("'{cell}"));
        }
        for (cell, expected) in [
            ("a;=1", "a;'=1"),
            ("a;b| +1;c", "a;b|' +1;c"),
            ("a\t\u{200b}@SUM(A1)", "a\t'\u{200b}@SUM(A1)"),
            ("\t=1", "'\t'=1"),
            ("a\r\n-1", "a\r'\n'-1"),
        ] {
            assert_eq!(harmless(cell), expected);
        }
        for cell in ["a;b", "2026|03-01", "", "spring sale", "a=b", "2026-03-01T09:00:00Z", "0193"] {
            assert_eq!(harmless(cell), cell);
        }
    }
}
