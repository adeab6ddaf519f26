//! The launcher: a program of its own, so that neither the node's heap nor its threads exist in it. It has no runtime
//! but libc's: what Rust's own would prepare (a guard of the stack, found by reading the memory map) costs a start more
//! than it gives a program of one thread.

#![cfg_attr(target_os = "linux", no_main)]

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the name by which libc starts a program")]
#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    edgecoder_sandbox::jail::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
