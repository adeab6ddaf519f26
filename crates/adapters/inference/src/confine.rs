//! The engine's child gives up what it does not need before it reads a byte of a model: a file from a stranger is
//! parsed by native code, and a fault in that code must find nothing to take.
//!
//! It keeps reading the model and the system's libraries, computing, and its two pipes. It cannot start a program, open
//! a connection, write a file, or reach into another process. A graphics card's driver wants more of the file system,
//! so builds for one keep reading anywhere; programs and connections are refused all the same.

use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    Scope, path_beneath_rules,
};
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, apply_filter,
};

use crate::serve::ServeConfig;

/// The newest Landlock that we know; older kernels hold as much of it as they can.
const LANDLOCK: ABI = ABI::V6;
/// Whether a card's driver may be loaded.
const CARD: bool = cfg!(any(feature = "cuda", feature = "vulkan"));
/// What a program of any kind reads, and the topology of the processor.
const SYSTEM: &[&str] = &[
    "/usr",
    "/lib",
    "/lib64",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/urandom",
    "/dev/null",
    "/proc/meminfo",
    "/proc/cpuinfo",
    "/proc/stat",
    "/sys/devices/system",
    "/sys/fs/cgroup",
];
/// Its own process: limits are read there, and it marks itself as the first to go.
const OWN: &str = "/proc/self";
/// Where a card's driver writes.
const CARD_WRITES: &[&str] = &["/dev", "/tmp"];

/// What a parser and an arithmetic never need, whatever the arguments.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_open_by_handle_at,
];

/// Confines this thread and all it will start, for good: to be called while there is no other. Answers what could not
/// be done here, in words; the engine works all the same.
pub(crate) fn enter(config: &ServeConfig) -> Vec<String> {
    let mut missing = Vec::new();
    match restrict_paths(config) {
        Ok(None) => {}
        Ok(Some(why)) => missing.push(why.to_owned()),
        Err(error) => missing.push(format!("files: {error}")),
    }
    if CARD {
        missing.push("files: a card's driver reads anywhere".to_owned());
    }
    if let Err(error) = restrict_calls() {
        missing.push(format!("programs and connections: {error}"));
    }
    missing
}

fn restrict_paths(config: &ServeConfig) -> Result<Option<&'static str>, landlock::RulesetError> {
    let read: BitFlags<AccessFs> = AccessFs::from_read(LANDLOCK) & !AccessFs::Execute;
    // Libraries are mapped to be executed, and programs are refused elsewhere.
    let system = AccessFs::from_read(LANDLOCK);
    let models = [Some(&config.model), config.draft.as_ref()];
    let models: Vec<PathBuf> = models.into_iter().flatten().flat_map(|model| parts(model)).collect();
    let everything: &[&str] = if CARD { &["/"] } else { &[] };
    let writes: &[&str] = if CARD { CARD_WRITES } else { &[] };
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .handle_access(AccessNet::from_all(LANDLOCK))?
        .scope(Scope::from_all(LANDLOCK))?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, system))?
        .add_rules(path_beneath_rules(models, read))?
        .add_rules(path_beneath_rules([OWN], read | AccessFs::WriteFile))?
        .add_rules(path_beneath_rules(everything, system))?
        .add_rules(path_beneath_rules(writes, AccessFs::from_all(LANDLOCK)))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => None,
        RulesetStatus::PartiallyEnforced => Some("files: the kernel's Landlock is older"),
        RulesetStatus::NotEnforced => Some("files: the kernel has no Landlock"),
    })
}

/// The file, and those beside it that it continues in: `name-00001-of-00004.gguf`.
fn parts(model: &Path) -> Vec<PathBuf> {
    let name = model.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut found = vec![model.to_owned()];
    if let (Some((stem, _)), Some(folder)) = (name.split_once("-00001-of-"), model.parent()) {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let siblings = fs::read_dir(folder).into_iter().flatten().flatten();
        let ours =
            siblings.filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{stem}-0")));
        found.extend(ours.map(|entry| entry.path()));
    }
    found
}

fn restrict_calls() -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let arch = std::env::consts::ARCH.try_into().map_err(|error: seccompiler::BackendError| words(&error))?;
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    let mut rules: std::collections::BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().map(|&call| (call, Vec::new())).collect();
    rules.insert(libc::SYS_socket, sockets().map_err(|error| words(&error))?);
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, refused, arch).map_err(|error| words(&error))?;
    let program: seccompiler::BpfProgram =
        filter.try_into().map_err(|error: seccompiler::BackendError| words(&error))?;
    // It also refuses new privileges.
    apply_filter(&program).map_err(|error| words(&error))
}

/// None at all; a card's driver may speak to its own daemon on this machine.
fn sockets() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    if !CARD {
        return Ok(Vec::new());
    }
    let local = u64::from(libc::AF_UNIX.cast_unsigned());
    let other = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, local)?;
    Ok(vec![SeccompRule::new(vec![other])?])
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::PermissionDenied;

    use super::*;

    /// In a thread of its own, which takes its confinement along when it ends.
    #[test]
    fn nothing_but_the_model_and_the_system_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["model-00001-of-00002.gguf", "model-00002-of-00002.gguf", "secret"] {
            fs::write(at(name), "x").unwrap();
        }
        let config = ServeConfig { model: at("model-00001-of-00002.gguf"), ..ServeConfig::default() };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let denied =
            |outcome: std::io::Result<()>| outcome.err().map(|error| error.kind()) == Some(PermissionDenied);
        let held = std::thread::scope(|scope| {
            let confined = scope.spawn(|| {
                let missing = enter(&config);
                let landlock = !missing.iter().any(|what| what.contains("Landlock"));
                assert!(fs::read(at("model-00001-of-00002.gguf")).is_ok());
                assert!(fs::read(at("model-00002-of-00002.gguf")).is_ok());
                assert!(fs::read("/proc/self/status").is_ok() && fs::read("/proc/meminfo").is_ok());
                assert!(denied(std::process::Command::new("/bin/true").status().map(drop)), "programs");
                assert!(denied(std::net::TcpStream::connect(address).map(drop)), "connections");
                for (what, outcome) in [
                    ("another file", fs::read(at("secret")).map(drop)),
                    ("writing", fs::write(at("new"), "x")),
                    ("the model", fs::write(at("model-00001-of-00002.gguf"), "y")),
                    ("the system's accounts", fs::read("/etc/passwd").map(drop)),
                    ("another process", fs::read("/proc/1/environ").map(drop)),
                ] {
                    assert!(!landlock || CARD || denied(outcome), "{what}");
                }
                missing
            });
            confined.join().unwrap()
        });
        assert!(!held.iter().any(|what| what.starts_with("programs")), "{held:?}");
        assert!(fs::read(at("secret")).is_ok(), "only that thread");
    }
}
