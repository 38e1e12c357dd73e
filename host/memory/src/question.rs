//! From what somebody wrote to a question that the full-text index takes.

/// Words of one question; the rest is left out.
pub const WORDS_MAX: usize = 32;
/// A longer word is no word.
const WORD_CHARS_MAX: usize = 64;

/// The question holds no word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no word to search for: letters and digits make words")]
pub struct NoWords;

/// All of the words, in any order.
pub(crate) fn all_of(text: &str) -> Result<String, NoWords> {
    let words: Vec<String> = words(text).collect();
    if words.is_empty() { Err(NoWords) } else { Ok(words.join(" AND ")) }
}

/// Any of the words: the more of them, the better the find. None where there are none.
pub(crate) fn any_of(text: &str) -> Option<String> {
    let mut distinct: Vec<String> = Vec::new();
    for word in words(text) {
        if !distinct.contains(&word) {
            distinct.push(word);
        }
    }
    (!distinct.is_empty()).then(|| distinct.join(" OR "))
}

/// Words, each quoted, so that `NEAR`, `*` or a column's name mean nothing.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty() && word.chars().count() <= WORD_CHARS_MAX)
        .take(WORDS_MAX)
        .map(|word| format!("\"{}\"", word.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_is_not_heeded() {
        assert_eq!(
            all_of("title: NEAR(a b) OR *"),
            Ok(r#""title" AND "near" AND "a" AND "b" AND "or""#.to_string())
        );
        assert_eq!(
            all_of("\"; DROP TABLE items; --"),
            Ok(r#""drop" AND "table" AND "items""#.to_string())
        );
        assert_eq!(any_of("the whale, the sea"), Some(r#""the" OR "whale" OR "sea""#.to_string()));
        assert_eq!(all_of("\" * ( ) ^ : -\0"), Err(NoWords));
        assert_eq!(any_of("---"), None);
    }
}
