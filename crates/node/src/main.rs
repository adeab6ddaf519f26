//! The `edgecoder` program: reads the world once, does what was typed, ends with a status that means something.

mod cli;
mod config;
mod crew;
mod doctor;
mod env;
mod error;
mod home;
mod model_file;
mod node;
mod output;
mod reference;
mod role;
mod roles;
mod shutdown;
mod supervise;
mod telemetry;
mod working_directory;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    let env: env::Env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let out = output::Output::detect(&env);
    if let Some(served) = cli.engine() {
        return ended(out, served);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            out.note(format_args!("edgecoder: cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(cli::run(cli, env));
    // A read of standard input cannot be called back; nothing else is left to wait for.
    runtime.shutdown_background();
    ended(out, done)
}

fn ended(out: output::Output, done: Result<error::Exit, error::Error>) -> ExitCode {
    let exit = done.unwrap_or_else(|error| {
        out.note(format_args!("edgecoder: {}", error::chain(&error)));
        error.exit()
    });
    ExitCode::from(exit.code())
}
