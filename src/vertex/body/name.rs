//! The spellings of a member's name.

use std::borrow::Cow;

use crate::json::fold_name;
use crate::test_switches::{Check, on};

/// A member's name in its spellings.
pub(super) struct Name<'n> {
    pub(super) written: &'n str,
    /// In snake case, if it is written as APIs spell names: in snake case or lowerCamelCase.
    pub(super) snake: Cow<'n, str>,
    /// In the form that all spellings share.
    pub(super) folded: Cow<'n, str>,
}

impl<'n> Name<'n> {
    pub(super) fn of(written: &'n str) -> Self {
        let folded = match on(Check::SnakeCase) {
            true => fold_name(written),
            false => Cow::Owned(written.to_lowercase()),
        };
        Self { written, snake: snake_case(written), folded }
    }

    /// The form that all spellings share, if it differs from the name.
    pub(super) fn other_spelling(&self) -> Option<&str> {
        Some(self.folded.as_ref()).filter(|folded| *folded != self.written)
    }
}

fn snake_case(name: &str) -> Cow<'_, str> {
    if !name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Cow::Borrowed(name);
    }
    let mut snake = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    Cow::Owned(snake)
}
