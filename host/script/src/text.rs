//! Text that came from a script, on its way to people.

use std::fmt::Write;

/// Controls that no line of code needs, and marks that show a reader another order than the interpreter sees.
pub(crate) fn is_hidden(character: char) -> bool {
    let needed = matches!(character, '\n' | '\r' | '\t');
    !needed && !is_plain(character)
}

/// Control characters and text-direction overrides can forge lines and repaint a terminal.
fn is_plain(character: char) -> bool {
    !character.is_control() && !matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

pub(crate) fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if is_plain(character) {
            plain.push(character);
        } else {
            write!(plain, "{}", character.escape_unicode()).expect("a string can be written to");
        }
    }
    plain
}

/// Cuts at a character, so that a long text stays valid.
pub(crate) fn truncated(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let mut end = bytes_max.saturating_sub(3);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("...");
    }
    text
}
