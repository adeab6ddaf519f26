//! The first process of a container: a program of its own, linked statically into our images.

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    edgecoder_sandbox::docker::inside::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
