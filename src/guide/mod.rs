//! Longer reading, a page for each subject. No code.

#[doc = include_str!("compression.md")]
pub mod compression {}
