//! Which system calls the payload may make: those this table knows, less those that reach beyond the sandbox.
//!
//! An allow list by construction: numbers outside the known ranges (the x32 calls, those of kernels to come)
//! answer `ENOSYS`, whatever the kernel has there.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

use super::During;
use crate::launch::Failure;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Calls that existed when this was written: the architecture's own, and the common ones since 5.1.
#[cfg(target_arch = "x86_64")]
const KNOWN: [RangeInclusive<i64>; 2] = [0..=334, 424..=462];
#[cfg(not(target_arch = "x86_64"))]
const KNOWN: [RangeInclusive<i64>; 2] = [0..=293, 424..=462];

/// Refused whatever the arguments: what is not namespaced, what widens the kernel's surface, what undoes the
/// sandbox.
const DENIED: &[i64] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_nfsservctl,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_clock_settime,
    libc::SYS_settimeofday,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_personality,
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
    libc::SYS_get_mempolicy,
    libc::SYS_set_mempolicy_home_node,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_seccomp,
    libc::SYS_memfd_secret,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
    libc::SYS_mknodat,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_semget,
    libc::SYS_shmget,
    libc::SYS_msgget,
    libc::SYS_vmsplice,
    // statmount, listmount, lsm_get_self_attr, lsm_set_self_attr, lsm_list_modules: without names in libc.
    457,
    458,
    459,
    460,
    461,
];
/// The same, for calls that only this architecture has.
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[i64] = &[
    libc::SYS_mknod,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_kexec_file_load,
    libc::SYS_lookup_dcookie,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[i64] = &[];

/// Terminal ioctls that push input into whoever reads the terminal next.
const DENIED_IOCTLS: &[u32] = &[0x5412, 0x541C, 0x541D];
/// `clone` flags that make namespaces; the time one has no name in libc.
const NAMESPACE_FLAGS: &[i32] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// Raw frames by an old door; libc calls it deprecated, the kernel still opens it.
const SOCK_PACKET: i32 = 10;
/// The part of a socket type that is a type; the rest are flags.
const SOCKET_TYPE: u64 = 0xf;

/// Installs the filters for good. From here on nothing but the command is to be started.
pub(super) fn install() -> Result<(), Failure> {
    let programs = programs().during("compiling the system call filter")?;
    for program in &programs {
        apply_filter(program).during("installing the system call filter")?;
    }
    Ok(())
}

/// One program per answer: a program has only one action for what it matches.
fn programs() -> Result<[BpfProgram; 3], seccompiler::BackendError> {
    let arch: TargetArch = std::env::consts::ARCH.try_into()?;
    let errno = |code: i32| SeccompAction::Errno(code.cast_unsigned());
    let every = |numbers: &mut dyn Iterator<Item = i64>| -> Rules {
        numbers.map(|number| (number, Vec::new())).collect()
    };
    let known = every(&mut KNOWN.into_iter().flatten());
    // libc then falls back to clone, whose flags can be read; clone3 hides them behind a pointer.
    let opaque = every(&mut [libc::SYS_clone3].into_iter());
    let filter = |rules, mismatch, matched| -> Result<BpfProgram, seccompiler::BackendError> {
        SeccompFilter::new(rules, mismatch, matched, arch)?.try_into()
    };
    // The one that refuses further filters comes last.
    Ok([
        filter(opaque, SeccompAction::Allow, errno(libc::ENOSYS))?,
        filter(known, errno(libc::ENOSYS), SeccompAction::Allow)?,
        filter(denied()?, SeccompAction::Allow, errno(libc::EPERM))?,
    ])
}

fn denied() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = DENIED.iter().chain(DENIED_HERE).map(|&number| (number, Vec::new())).collect();
    // Kernel arguments of these types have 32 bits; comparing 64 lets the upper half slip by.
    let is = |index, op, value| SeccompCondition::new(index, SeccompCmpArgLen::Dword, op, value);
    let bits = |flags: i32| u64::from(flags.cast_unsigned());
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6].map(bits);
    let foreign = families.map(|family| is(0, SeccompCmpOp::Ne, family));
    let mut sockets = vec![SeccompRule::new(foreign.into_iter().collect::<Result<_, _>>()?)?];
    for kind in [libc::SOCK_RAW, SOCK_PACKET].map(bits) {
        sockets.push(SeccompRule::new(vec![is(1, SeccompCmpOp::MaskedEq(SOCKET_TYPE), kind)?])?);
    }
    rules.insert(libc::SYS_socket, sockets);
    let pair = vec![is(0, SeccompCmpOp::Ne, bits(libc::AF_UNIX))?];
    rules.insert(libc::SYS_socketpair, vec![SeccompRule::new(pair)?]);
    let one = |index, op, value| SeccompRule::new(vec![is(index, op, value)?]);
    let ioctls = DENIED_IOCTLS.iter().map(|&number| one(1, SeccompCmpOp::Eq, u64::from(number)));
    rules.insert(libc::SYS_ioctl, ioctls.collect::<Result<_, _>>()?);
    let clones = NAMESPACE_FLAGS.iter().map(|&flag| one(0, SeccompCmpOp::MaskedEq(bits(flag)), bits(flag)));
    rules.insert(libc::SYS_clone, clones.collect::<Result<_, _>>()?);
    let prctls = [libc::PR_SET_MM, libc::PR_SET_PTRACER].map(|option| one(0, SeccompCmpOp::Eq, bits(option)));
    rules.insert(libc::SYS_prctl, prctls.into_iter().collect::<Result<_, _>>()?);
    Ok(rules)
}
