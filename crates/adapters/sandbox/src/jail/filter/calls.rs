//! The table of system calls, one verdict each. It began with the allow list of Docker's default profile; what is
//! added here was asked for by a tool chain of the benign corpus, and what is refused is named with its reason.

use super::table::Verdict;

/// A call as the kernel knows it, and as container daemons name it.
pub(super) type Call = (i64, &'static str);

/// Numbers with their names, so that they can be told to those who take names only.
macro_rules! named {
    ($($call:ident),* $(,)?) => { &[$((libc::$call, stringify!($call))),*] };
}

/// What programs need: memory, files, time, processes, local sockets. Arguments of some are looked at besides.
#[rustfmt::skip]
const ALLOWED: &[Call] = named![
    SYS_read, SYS_write, SYS_close, SYS_fstat, SYS_lseek, SYS_mmap,
    SYS_mprotect, SYS_munmap, SYS_brk, SYS_rt_sigaction, SYS_rt_sigprocmask,
    SYS_rt_sigreturn, SYS_ioctl, SYS_pread64, SYS_pwrite64, SYS_readv,
    SYS_writev, SYS_sched_yield, SYS_mremap, SYS_msync, SYS_mincore,
    SYS_madvise, SYS_dup, SYS_nanosleep, SYS_getitimer, SYS_setitimer,
    SYS_getpid, SYS_sendfile, SYS_socket, SYS_connect, SYS_accept,
    SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg, SYS_shutdown,
    SYS_bind, SYS_listen, SYS_getsockname, SYS_getpeername, SYS_socketpair,
    SYS_setsockopt, SYS_getsockopt, SYS_clone, SYS_execve, SYS_exit,
    SYS_wait4, SYS_kill, SYS_uname, SYS_fcntl, SYS_flock, SYS_fsync,
    SYS_fdatasync, SYS_truncate, SYS_ftruncate, SYS_getcwd, SYS_chdir,
    SYS_fchdir, SYS_fchmod, SYS_fchown, SYS_umask, SYS_gettimeofday,
    SYS_getrlimit, SYS_getrusage, SYS_sysinfo, SYS_times, SYS_getuid,
    SYS_getgid, SYS_setuid, SYS_setgid, SYS_geteuid, SYS_getegid,
    SYS_setpgid, SYS_getppid, SYS_setsid, SYS_setreuid, SYS_setregid,
    SYS_getgroups, SYS_setgroups, SYS_setresuid, SYS_getresuid, SYS_setresgid,
    SYS_getresgid, SYS_getpgid, SYS_setfsuid, SYS_setfsgid, SYS_getsid,
    SYS_capget, SYS_capset, SYS_rt_sigpending, SYS_rt_sigtimedwait,
    SYS_rt_sigqueueinfo, SYS_rt_sigsuspend, SYS_sigaltstack, SYS_personality,
    SYS_statfs, SYS_fstatfs, SYS_getpriority, SYS_setpriority,
    SYS_sched_setparam, SYS_sched_getparam, SYS_sched_setscheduler,
    SYS_sched_getscheduler, SYS_sched_get_priority_max, SYS_sched_get_priority_min,
    SYS_sched_rr_get_interval, SYS_mlock, SYS_munlock, SYS_mlockall,
    SYS_munlockall, SYS_prctl, SYS_setrlimit, SYS_gettid, SYS_readahead,
    SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, SYS_getxattr, SYS_lgetxattr,
    SYS_fgetxattr, SYS_listxattr, SYS_llistxattr, SYS_flistxattr,
    SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, SYS_tkill, SYS_futex,
    SYS_sched_setaffinity, SYS_sched_getaffinity, SYS_io_setup, SYS_io_destroy,
    SYS_io_getevents, SYS_io_submit, SYS_io_cancel, SYS_getdents64,
    SYS_set_tid_address, SYS_restart_syscall, SYS_fadvise64, SYS_timer_create,
    SYS_timer_settime, SYS_timer_gettime, SYS_timer_getoverrun, SYS_timer_delete,
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_exit_group,
    SYS_epoll_ctl, SYS_tgkill, SYS_waitid, SYS_ioprio_set, SYS_ioprio_get,
    SYS_inotify_add_watch, SYS_inotify_rm_watch, SYS_openat, SYS_mkdirat,
    SYS_mknodat, SYS_fchownat, SYS_newfstatat, SYS_unlinkat, SYS_renameat,
    SYS_linkat, SYS_symlinkat, SYS_readlinkat, SYS_fchmodat, SYS_faccessat,
    SYS_pselect6, SYS_ppoll, SYS_set_robust_list, SYS_get_robust_list,
    SYS_splice, SYS_tee, SYS_sync_file_range, SYS_utimensat, SYS_epoll_pwait,
    SYS_timerfd_create, SYS_fallocate, SYS_timerfd_settime, SYS_timerfd_gettime,
    SYS_accept4, SYS_signalfd4, SYS_eventfd2, SYS_epoll_create1, SYS_dup3,
    SYS_pipe2, SYS_inotify_init1, SYS_preadv, SYS_pwritev,
    SYS_rt_tgsigqueueinfo, SYS_recvmmsg, SYS_prlimit64, SYS_syncfs,
    SYS_sendmmsg, SYS_getcpu, SYS_sched_setattr, SYS_sched_getattr,
    SYS_renameat2, SYS_getrandom, SYS_memfd_create, SYS_execveat,
    SYS_membarrier, SYS_mlock2, SYS_copy_file_range, SYS_preadv2, SYS_pwritev2,
    SYS_pkey_mprotect, SYS_pkey_alloc, SYS_pkey_free, SYS_statx, SYS_rseq,
    SYS_pidfd_send_signal, SYS_pidfd_open, SYS_close_range, SYS_openat2,
    SYS_faccessat2, SYS_epoll_pwait2, SYS_process_mrelease, SYS_futex_waitv,
];

/// The same, where libc has no name: `io_pgetevents`, whose number differs, and those of newer kernels.
#[rustfmt::skip]
const ALLOWED_UNNAMED: &[Call] = &[
    (if cfg!(target_arch = "x86_64") { 333 } else { 292 }, "io_pgetevents"),
    (451, "cachestat"), (452, "fchmodat2"), (453, "map_shadow_stack"), (454, "futex_wake"), (455, "futex_wait"),
    (456, "futex_requeue"), (462, "mseal"),
];

/// The older forms of the same, which only this architecture has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ALLOWED_HERE: &[Call] = named![
    SYS_open, SYS_stat, SYS_lstat, SYS_poll, SYS_access, SYS_pipe,
    SYS_select, SYS_dup2, SYS_pause, SYS_alarm, SYS_fork, SYS_vfork,
    SYS_getdents, SYS_rename, SYS_mkdir, SYS_rmdir, SYS_creat, SYS_link,
    SYS_unlink, SYS_symlink, SYS_readlink, SYS_chmod, SYS_chown,
    SYS_lchown, SYS_getpgrp, SYS_utime, SYS_mknod, SYS_arch_prctl,
    SYS_time, SYS_epoll_create, SYS_epoll_wait, SYS_utimes, SYS_inotify_init,
    SYS_futimesat, SYS_signalfd, SYS_eventfd,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[Call] = &[];

/// Refused whatever the arguments: what reaches another process's memory; mounts and namespaces; what is not
/// namespaced (keys, message queues, shared memory, clocks, modules, memory policy, `sync` of every disk); what
/// widens the kernel's surface without need (io_uring, bpf, perf, userfaultfd, file handles); what undoes or
/// questions the sandbox (seccomp, landlock).
///
/// `clone3` stands in neither table: libc then falls back to `clone`, whose flags can be read.
#[rustfmt::skip]
const REFUSED: &[Call] = named![
    SYS_shmget, SYS_shmat, SYS_shmctl, SYS_semget, SYS_semop, SYS_semctl,
    SYS_shmdt, SYS_msgget, SYS_msgsnd, SYS_msgrcv, SYS_msgctl, SYS_ptrace,
    SYS_syslog, SYS_vhangup, SYS_pivot_root, SYS_adjtimex, SYS_chroot,
    SYS_sync, SYS_acct, SYS_settimeofday, SYS_mount, SYS_umount2,
    SYS_swapon, SYS_swapoff, SYS_reboot, SYS_sethostname, SYS_setdomainname,
    SYS_init_module, SYS_delete_module, SYS_quotactl, SYS_nfsservctl,
    SYS_lookup_dcookie, SYS_remap_file_pages, SYS_semtimedop, SYS_clock_settime,
    SYS_mbind, SYS_set_mempolicy, SYS_get_mempolicy, SYS_mq_open, SYS_mq_unlink,
    SYS_mq_timedsend, SYS_mq_timedreceive, SYS_mq_notify, SYS_mq_getsetattr,
    SYS_kexec_load, SYS_add_key, SYS_request_key, SYS_keyctl, SYS_migrate_pages,
    SYS_unshare, SYS_vmsplice, SYS_move_pages, SYS_perf_event_open,
    SYS_fanotify_init, SYS_fanotify_mark, SYS_name_to_handle_at,
    SYS_open_by_handle_at, SYS_clock_adjtime, SYS_setns, SYS_process_vm_readv,
    SYS_process_vm_writev, SYS_kcmp, SYS_finit_module, SYS_seccomp,
    SYS_kexec_file_load, SYS_bpf, SYS_userfaultfd, SYS_io_uring_setup,
    SYS_io_uring_enter, SYS_io_uring_register, SYS_open_tree, SYS_move_mount,
    SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_pidfd_getfd,
    SYS_process_madvise, SYS_mount_setattr, SYS_quotactl_fd,
    SYS_landlock_create_ruleset, SYS_landlock_add_rule, SYS_landlock_restrict_self,
    SYS_memfd_secret, SYS_set_mempolicy_home_node,
];

/// The same, of newer kernels, for which libc has no names.
#[rustfmt::skip]
const REFUSED_UNNAMED: &[Call] = &[
    (457, "statmount"), (458, "listmount"), (459, "lsm_get_self_attr"), (460, "lsm_set_self_attr"),
    (461, "lsm_list_modules"),
];

/// The same, for calls that only this architecture has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const REFUSED_HERE: &[Call] = named![
    SYS_uselib, SYS_ustat, SYS_sysfs, SYS_modify_ldt, SYS__sysctl, SYS_iopl, SYS_ioperm,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[Call] = &[];

/// What the first process does until the payload ends: wait, tell, exit, and what its own run time needs.
#[rustfmt::skip]
pub(super) const REAPING: &[i64] = &[
    libc::SYS_wait4, libc::SYS_waitid, libc::SYS_write, libc::SYS_close, libc::SYS_exit, libc::SYS_exit_group,
    libc::SYS_rt_sigreturn, libc::SYS_restart_syscall, libc::SYS_brk, libc::SYS_mmap, libc::SYS_munmap,
    libc::SYS_mremap, libc::SYS_madvise, libc::SYS_futex, libc::SYS_sigaltstack,
];

/// Every call that has a verdict of its own, by number and name.
pub(super) fn named() -> impl Iterator<Item = (Call, Verdict)> {
    let with = |calls: &'static [Call], verdict| {
        let plain = |name: &'static str| name.strip_prefix("SYS_").unwrap_or(name);
        calls.iter().map(move |&(number, name)| ((number, plain(name)), verdict))
    };
    with(ALLOWED, Verdict::Allowed)
        .chain(with(ALLOWED_UNNAMED, Verdict::Allowed))
        .chain(with(ALLOWED_HERE, Verdict::Allowed))
        .chain(with(REFUSED, Verdict::Refused))
        .chain(with(REFUSED_UNNAMED, Verdict::Refused))
        .chain(with(REFUSED_HERE, Verdict::Refused))
}

/// The same by number alone.
pub(super) fn verdicts() -> impl Iterator<Item = (i64, Verdict)> {
    named().map(|((number, _), verdict)| (number, verdict))
}
