//! The container of a job, as a pure function: what the daemon is asked to create, and nothing left for it to decide.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, ResourcesUlimits,
};

use super::{BOX, seccomp};
use crate::launch::LaunchLimits;
use crate::quota;

/// User and group of box and payload: nobody's.
const USER: u32 = 65534;
/// The box is not the payload's to count.
const OWN_PROCESSES: u32 = 1;
/// What the box may take besides: its program, one piece of the tree, one frame.
const OWN_BYTES: u64 = 16 << 20;
/// As in our own launcher.
const SHM_BYTES: i64 = 64 << 20;
const BYTES_PER_INODE: u64 = 4096;
const SPARE_INODES: u64 = 16_384;
const CPU_SHARES: i64 = 512;
/// The kernel should pick the payload before the node, and the box last of all in the container.
const OOM_SCORE: i64 = 100;
/// Told about the host, or not namespaced, in every container. A file becomes an empty one, a folder an empty one.
const MASKED: &[&str] = &[
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/keys",
    "/proc/kmsg",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];
const READ_ONLY: &[&str] = &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What the tree takes in the container before the payload has written anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room {
    /// In whole pages.
    pub bytes: u64,
    /// Files, folders and links.
    pub inodes: u64,
}

/// The request that creates the container of a job: `image` by its identity, under `limits`, with `room` for the tree,
/// with `labels`.
pub fn body(
    image: &str,
    limits: &LaunchLimits,
    room: Room,
    labels: HashMap<String, String>,
) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec![BOX.to_owned()]),
        cmd: Some(Vec::new()),
        hostname: Some("box".to_owned()),
        user: Some(format!("{USER}:{USER}")),
        working_dir: Some("/".to_owned()),
        labels: Some(labels),
        // One client may speak once: when it goes, the box reads the end of its input, and ends.
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        tty: Some(false),
        network_disabled: Some(true),
        host_config: Some(host(limits, room)),
        ..ContainerCreateBody::default()
    }
}

fn host(limits: &LaunchLimits, room: Room) -> HostConfig {
    let memory = [limits.memory_bytes, limits.disk_bytes, room.bytes, OWN_BYTES];
    let memory = signed(memory.into_iter().fold(0, u64::saturating_add));
    let texts = |paths: &[&str]| Some(paths.iter().map(|&path| path.to_owned()).collect());
    HostConfig {
        auto_remove: Some(true),
        // Output is drained from the attached streams; what a log kept would be unbounded, and on the host's disk.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        network_mode: Some("none".to_owned()),
        ipc_mode: Some("private".to_owned()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned(), format!("seccomp={}", seccomp::profile())]),
        readonly_rootfs: Some(true),
        tmpfs: Some(work_space(limits, room)),
        shm_size: Some(SHM_BYTES),
        masked_paths: texts(MASKED),
        readonly_paths: texts(READ_ONLY),
        // Docker lets everybody ping, which needs no network to be a surface.
        sysctls: Some([("net.ipv4.ping_group_range".to_owned(), "1 0".to_owned())].into()),
        memory: Some(memory),
        memory_swap: Some(memory),
        pids_limit: Some(i64::from(limits.processes.saturating_add(OWN_PROCESSES))),
        cpu_shares: Some(CPU_SHARES),
        // Not `nano_cpus`: without such a quota the daemon would refuse, where the box can tell that it is missing.
        cpu_period: limits.millicores.map(|_| signed(quota::PERIOD_US)),
        cpu_quota: limits.millicores.map(|millicores| signed(quota::quota_us(millicores.get()))),
        oom_score_adj: Some(OOM_SCORE),
        ulimits: Some(
            [("core", 0), ("memlock", 64 << 10), ("msgqueue", 0), ("rtprio", 0)].map(ulimit).into(),
        ),
        // The box reaps. Docker's own would be a process more that the payload could see.
        init: Some(false),
        ..HostConfig::default()
    }
}

/// `/job` with room for the tree and what the payload may write, `/tmp` for the latter alone.
fn work_space(limits: &LaunchLimits, room: Room) -> HashMap<String, String> {
    let mount = |bytes: u64, inodes: u64, mode: &str| {
        let inodes = SPARE_INODES.saturating_add(inodes).saturating_add(limits.disk_bytes / BYTES_PER_INODE);
        format!("rw,exec,nosuid,nodev,size={bytes},nr_inodes={inodes},mode={mode},uid={USER},gid={USER}")
    };
    let job = limits.disk_bytes.saturating_add(room.bytes);
    [("/job", mount(job, room.inodes, "0700")), ("/tmp", mount(limits.disk_bytes, 0, "0700"))]
        .map(|(place, options)| (place.to_owned(), options))
        .into()
}

fn ulimit((name, most): (&str, i64)) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.to_owned()), soft: Some(most), hard: Some(most) }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
