//! The attempts against the kernel, by the names of the design, each with exactly what must come of it.

use edgecoder_sandbox::Exit;

use self::Ending::{Ended, Held};

/// What may come of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The program was stopped, says so by this word, and ended by itself.
    Held(&'static str),
    /// It was ended.
    Ended(Exit),
}

/// One attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    /// Any of these.
    pub(crate) endings: &'static [Ending],
    /// What the host plants for it.
    pub(crate) planted: Planted,
}

/// Something outside that the attempt aims at; it is given its name as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Planted {
    Nothing,
    /// A file with a secret.
    Secret,
    /// A listener on the loopback interface.
    Port,
    /// A listener on an abstract name.
    Abstract,
    /// A segment of shared memory.
    Segment,
    /// A system file that is locked.
    Lock,
    /// The folder of the trees.
    Folder,
    /// A process of the same account.
    Bystander,
    /// Addresses of the outside, on interfaces of a namespace around the sandbox.
    Outside,
}

const fn held(id: &'static str, name: &'static str, endings: &'static [Ending]) -> Attempt {
    Attempt { id, name, endings, planted: Planted::Nothing }
}

const fn aimed(
    id: &'static str,
    name: &'static str,
    planted: Planted,
    endings: &'static [Ending],
) -> Attempt {
    Attempt { id, name, endings, planted }
}

const EPERM: &[Ending] = &[Held("EPERM")];
const ENOENT: &[Ending] = &[Held("ENOENT")];
const NO_SPACE: &[Ending] = &[Held("ENOSPC"), Held("EFBIG")];
/// The first process is hidden, or belongs to somebody else.
const HIDDEN: &[Ending] = &[Held("ENOENT"), Held("EACCES"), Held("EPERM")];
const AT_THE_WALL: &[Ending] = &[Ended(Exit::WallTimeout)];

/// All of groups A to E.
#[rustfmt::skip]
pub(crate) const KERNEL: &[Attempt] = &[
    held("A01", "forkbomb", AT_THE_WALL),
    held("A02", "threadbomb", &[Held("EAGAIN")]),
    // Without a cgroup it is the allocation that fails.
    held("A03", "membomb", &[Ended(Exit::OutOfMemory), Held("ENOMEM")]),
    held("A04", "memfdbomb", &[Held("EFBIG"), Ended(Exit::OutOfMemory)]),
    held("A05", "diskfill", NO_SPACE),
    held("A06", "diskfill_many", NO_SPACE),
    held("A07", "shmfill", NO_SPACE),
    held("A08", "inodes", NO_SPACE),
    // Every step down is looked up from the top: the tree ends, or the time does.
    held("A09", "deepdirs", &[Held("ENOSPC"), Ended(Exit::WallTimeout)]),
    held("A10", "sparse", &[Held("EFBIG")]),
    held("A11", "flood", &[Ended(Exit::OutputFlood)]),
    held("A12", "spin", &[Ended(Exit::CpuTimeout)]),
    held("A13", "spin_ignore", &[Ended(Exit::CpuTimeout)]),
    held("A14", "sleep", AT_THE_WALL),
    held("A15", "daemon", &[Held("left")]),
    held("A16", "zombies", &[Held("EAGAIN")]),
    held("A17", "fds", &[Held("EMFILE")]),
    held("A18", "pipes", &[Held("EMFILE"), Held("ENFILE"), Ended(Exit::OutOfMemory)]),
    held("A19", "core", EPERM),
    held("A20", "fifo_sched", EPERM),
    held("A21", "nice", &[Held("EACCES")]),
    held("A22", "mlock", &[Held("ENOMEM"), Held("EPERM")]),
    held("A23", "rlimit_raise", EPERM),
    // Where no group counts them together, each has the whole limit for itself.
    held("A24", "spin_many", &[Ended(Exit::CpuTimeout), Ended(Exit::WallTimeout)]),

    held("B01", "shadow", ENOENT),
    held("B02", "hosthome", ENOENT),
    aimed("B03", "canary", Planted::Secret, ENOENT),
    held("B04", "proc_walk", &[Held("own")]),
    held("B05", "proc_environ1", HIDDEN),
    held("B06", "proc_root1", HIDDEN),
    held("B07", "proc_mem1", HIDDEN),
    held("B08", "proc_fd1", HIDDEN),
    held("B09", "core_pattern", ENOENT),
    held("B10", "modprobe_path", ENOENT),
    held("B11", "sysrq", ENOENT),
    held("B12", "kcore", ENOENT),
    held("B13", "kallsyms", ENOENT),
    held("B14", "sysfs", ENOENT),
    held("B15", "cgroup_release", ENOENT),
    held("B16", "usr_write", &[Held("EROFS"), Held("EACCES")]),
    held("B17", "root_write", &[Held("EROFS"), Held("EACCES")]),
    held("B18", "remount", EPERM),
    held("B19", "mount_tmpfs", EPERM),
    held("B20", "mount_proc", EPERM),
    held("B21", "fsopen", EPERM),
    held("B22", "open_tree", EPERM),
    held("B23", "umount", EPERM),
    held("B24", "chroot", EPERM),
    held("B25", "pivot_root", EPERM),
    held("B26", "shocker", EPERM),
    // Where nobody is user 0 inside, the id itself is unknown.
    held("B27", "setuid0", &[Held("EPERM"), Held("EINVAL")]),
    held("B28", "setresgid0", &[Held("EPERM"), Held("EINVAL")]),
    held("B29", "suidbin", &[Held("refused")]),
    held("B30", "chmod_suid", &[Held("inert")]),
    held("B31", "filecaps", EPERM),
    held("B32", "mknod", EPERM),
    held("B33", "devmem", &[Held("absent")]),
    held("B34", "tty", ENOENT),
    held("B35", "ptmx", ENOENT),
    held("B36", "dockersock", ENOENT),
    held("B37", "runsocks", ENOENT),
    held("B38", "fdleak", &[Held("none")]),
    held("B39", "cwd_escape", ENOENT),
    held("B40", "self_exe", &[Held("ETXTBSY"), Held("EACCES"), Held("EROFS")]),
    held("B41", "pid1_exe", HIDDEN),

    held("C01", "ptrace1", EPERM),
    held("C02", "ptrace_parent", EPERM),
    held("C03", "vmread1", EPERM),
    held("C04", "pidfd_getfd", EPERM),
    held("C05", "kill1", &[Held("alive")]),
    aimed("C06", "killall", Planted::Bystander, &[Held("alive")]),
    held("C07", "unshare_user", EPERM),
    held("C08", "unshare_net", EPERM),
    held("C09", "clone_user", EPERM),
    held("C10", "clone3_user", &[Held("ENOSYS")]),
    held("C11", "setns", EPERM),
    held("C12", "bpf", EPERM),
    held("C13", "perf", EPERM),
    held("C14", "userfaultfd", EPERM),
    held("C15", "io_uring", EPERM),
    held("C16", "keyctl", EPERM),
    held("C17", "add_key", EPERM),
    held("C18", "init_module", EPERM),
    held("C19", "finit_module", EPERM),
    held("C20", "kexec", EPERM),
    held("C21", "reboot", EPERM),
    held("C22", "swapon", EPERM),
    held("C23", "settime", EPERM),
    held("C24", "adjtimex", EPERM),
    held("C25", "hostname", EPERM),
    held("C26", "personality", EPERM),
    held("C27", "tiocsti", EPERM),
    held("C28", "tiocsti_hi", EPERM),
    held("C29", "tioclinux", EPERM),
    held("C30", "quotactl", EPERM),
    held("C31", "iopl", EPERM),
    held("C32", "modify_ldt", EPERM),
    held("C33", "seccomp_unotify", EPERM),
    held("C34", "fanotify", EPERM),
    held("C35", "syslog", EPERM),
    held("C36", "acct", EPERM),
    held("C37", "prctl_mm", EPERM),
    held("C38", "int80", &[Ended(Exit::Signal(libc::SIGSYS))]),
    held("C39", "x32", &[Held("ENOSYS")]),
    held("C40", "memfd_exec", &[Held("none")]),
    held("C41", "caps", &[Held("none")]),

    aimed("D01", "tcp_ext", Planted::Outside, &[Held("ENETUNREACH")]),
    aimed("D02", "dns_udp", Planted::Outside, &[Held("ENETUNREACH")]),
    aimed("D03", "metadata", Planted::Outside, &[Held("ENETUNREACH")]),
    aimed("D04", "host_loop", Planted::Port, &[Held("ECONNREFUSED")]),
    held("D05", "raw", EPERM),
    held("D06", "raw_cloexec", EPERM),
    held("D07", "ping_sock", &[Held("EACCES")]),
    held("D08", "packet", EPERM),
    held("D09", "netlink", EPERM),
    held("D10", "vsock", EPERM),
    held("D11", "alg", EPERM),
    held("D12", "bluetooth", EPERM),
    held("D13", "xdp", EPERM),
    aimed("D14", "inet6_ext", Planted::Outside, &[Held("ENETUNREACH")]),
    aimed("D15", "abstract", Planted::Abstract, &[Held("ECONNREFUSED")]),
    aimed("D16", "shm_host", Planted::Segment, EPERM),
    held("D17", "mqueue", EPERM),

    held("E01", "env", &[Held("own")]),
    held("E02", "hostinfo", &[Held("masked")]),
    held("E03", "stdin", &[Held("none")]),
    aimed("E04", "flock_side", Planted::Lock, &[Held("private")]),
    held("E05", "cgroup_leak", &[Held("hidden")]),
    aimed("E06", "mountinfo_leak", Planted::Folder, &[Held("hidden")]),
];

/// Ends a run that only its limits end.
pub(crate) fn is_endless(attempt: &Attempt) -> bool {
    attempt.endings.contains(&Ended(Exit::WallTimeout))
}
