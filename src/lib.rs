//! Engine.IO as an actor system.

mod data;

pub mod proto;
pub mod ws;

pub use data::Data;
