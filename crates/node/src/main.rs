//! The `edgecoder` program.

mod config;
mod env;
mod role;

fn main() {}
