//! Longer reading, a page for each subject. No code.

#[doc = include_str!("handlers.md")]
pub mod handlers {}

#[doc = include_str!("sending.md")]
pub mod sending {}

#[doc = include_str!("deploying.md")]
pub mod deploying {}

#[doc = include_str!("compression.md")]
pub mod compression {}

#[doc = include_str!("migrating.md")]
pub mod migrating {}

#[cfg(test)]
mod tests;
