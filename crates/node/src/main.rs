//! The `edgecoder` program.

mod config;
mod data_dir;
mod env;
mod error;
mod output;
mod role;
mod shutdown;
mod supervise;
mod telemetry;

fn main() {}
