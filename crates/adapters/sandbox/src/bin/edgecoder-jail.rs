//! The launcher: a program of its own, so that neither the node's heap nor its threads exist in it.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    edgecoder_sandbox::jail::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
