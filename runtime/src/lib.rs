//! scope as a library: a compiled script, this machine's kernel, and what comes of both.
//!
//! [`session::Built`] loads a [`scope_dsl::program::Program`], attaches it and polls it; records go to the
//! [`stage::Stage`], which formats them into a sink of [`output`]. Only [`cli`] prints anything else or ends the
//! process.

pub mod attach;
pub mod binary;
pub mod cli;
pub mod host;
pub mod kernel;
pub mod load;
pub mod names;
mod noted;
pub mod output;
pub mod script;
pub mod session;
pub mod shown;
pub mod stage;
pub mod symbols;
pub mod tables;
pub mod value;
