//! What a text must not be able to say in the language that it is put into.

mod markdown;

pub use markdown::markdown_text;
