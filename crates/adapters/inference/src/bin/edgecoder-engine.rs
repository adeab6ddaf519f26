//! The engine child on its own: what `edgecoder __engine` does, for tests and for running an engine by hand.

use std::ffi::OsString;
use std::process::ExitCode;

use edgecoder_inference::serve::{ServeConfig, run_stdio};

fn main() -> ExitCode {
    match parse(std::env::args_os().skip(1)).map(|config| run_stdio(&config)) {
        Some(Ok(())) => ExitCode::SUCCESS,
        // The reason went to the parent as a frame.
        Some(Err(_)) => ExitCode::FAILURE,
        None => ExitCode::from(2),
    }
}

/// `--model PATH [--context N] [--threads N] [--slots N] [--gpu-layers N] [--draft PATH]`
fn parse(mut args: impl Iterator<Item = OsString>) -> Option<ServeConfig> {
    let mut config = ServeConfig::default();
    while let Some(flag) = args.next() {
        let value = args.next()?;
        let number = value.to_str().and_then(|text| text.parse().ok());
        match flag.to_str()? {
            "--model" => config.model = value.into(),
            "--context" => config.context = Some(number?),
            "--threads" => config.threads = Some(number?),
            "--slots" => config.slots = Some(number?),
            "--gpu-layers" => config.gpu_layers = Some(number?),
            "--draft" => config.draft = Some(value.into()),
            _ => return None,
        }
    }
    Some(config)
}
