//! Which system calls the payload may make. An allow list: a number that no table names (the x32 calls, those of
//! kernels to come) answers `ENOSYS`, whatever the kernel has there; what is refused on purpose answers `EPERM`;
//! another architecture's entry kills.
//!
//! Two programs stand one on the other, and the stricter answer counts: one decides by number, one by argument.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

use super::During;
use crate::launch::Failure;

mod calls;
mod table;

/// Terminal ioctls that push input into whoever reads the terminal next, or take the console's output.
const DENIED_IOCTLS: &[u32] = &[0x5412, 0x541C, 0x541D];
/// `clone` flags that make namespaces; the time one cannot be asked of `clone`.
pub(crate) const NAMESPACE_FLAGS: &[i32] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// What `prctl` may not: rewrite the memory map's description, let itself be traced, filter on its own.
const DENIED_PRCTLS: &[i32] = &[libc::PR_SET_MM, libc::PR_SET_PTRACER, libc::PR_SET_SECCOMP];
/// Socket types besides streams, datagrams and sequenced packets: raw, RDM, DCCP, and raw frames by an old door.
const DENIED_SOCKET_TYPES: &[i32] = &[libc::SOCK_RAW, libc::SOCK_RDM, 6, 10];
/// The part of a socket type that is a type; the rest are flags.
const SOCKET_TYPE: u64 = 0xf;
/// Local sockets and the internet's, which end at the loopback interface.
pub(crate) const FAMILIES: [i32; 3] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
/// Asks which personality there is, and changes nothing.
pub(crate) const PERSONALITY_QUERY: u64 = 0xffff_ffff;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Result<T> = std::result::Result<T, seccompiler::BackendError>;

/// Installs the payload's filters for good. From here on nothing but the command is to be started.
pub(crate) fn install() -> std::result::Result<(), Failure> {
    const DOING: &str = "installing the system call filter";
    apply_filter(&by_argument().during(DOING)?).during(DOING)?;
    // The one that refuses further filters comes last.
    apply_filter(&by_number()).during(DOING)
}

/// The names of all calls that programs need, for filters of others that take no numbers.
pub(crate) fn allowed_names() -> impl Iterator<Item = &'static str> {
    calls::named().filter(|(_, verdict)| *verdict == table::Verdict::Allowed).map(|((_, name), _)| name)
}

/// The names of all calls that are refused on purpose.
pub(crate) fn refused_names() -> impl Iterator<Item = &'static str> {
    calls::named().filter(|(_, verdict)| *verdict == table::Verdict::Refused).map(|((_, name), _)| name)
}

/// Leaves the first process what reaping takes.
pub(super) fn install_for_reaping() -> std::result::Result<(), Failure> {
    let allowed = calls::REAPING.iter().map(|&number| (number, table::Verdict::Allowed));
    apply_filter(&table::program(allowed, table::Verdict::Refused)).during("installing the reaper's filter")
}

fn by_number() -> BpfProgram {
    table::program(calls::verdicts(), table::Verdict::Unknown)
}

fn by_argument() -> Result<BpfProgram> {
    let arch: TargetArch = std::env::consts::ARCH.try_into()?;
    let refused = SeccompAction::Errno(libc::EPERM.cast_unsigned());
    SeccompFilter::new(argument_rules()?, SeccompAction::Allow, refused, arch)?.try_into()
}

/// Kernel arguments of these types have 32 bits; comparing 64 lets the upper half slip by.
fn is(index: u8, op: SeccompCmpOp, value: u64) -> Result<SeccompCondition> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, op, value)
}

fn bits(flags: i32) -> u64 {
    u64::from(flags.cast_unsigned())
}

fn rule(conditions: impl IntoIterator<Item = Result<SeccompCondition>>) -> Result<SeccompRule> {
    SeccompRule::new(conditions.into_iter().collect::<Result<_>>()?)
}

fn argument_rules() -> Result<Rules> {
    let any = |index, op: fn(u64) -> SeccompCmpOp, values: &mut dyn Iterator<Item = u64>| -> Result<Vec<_>> {
        values.map(|value| rule([is(index, op(value), value)])).collect()
    };
    let equal = |_| SeccompCmpOp::Eq;
    let mut rules = Rules::from([
        (libc::SYS_socket, sockets()?),
        (libc::SYS_socketpair, vec![rule([is(0, SeccompCmpOp::Ne, bits(libc::AF_UNIX))])?]),
        (libc::SYS_ioctl, any(1, equal, &mut DENIED_IOCTLS.iter().map(|&number| number.into()))?),
        (
            libc::SYS_clone,
            any(0, SeccompCmpOp::MaskedEq, &mut NAMESPACE_FLAGS.iter().map(|&flag| bits(flag)))?,
        ),
        (libc::SYS_prctl, any(0, equal, &mut DENIED_PRCTLS.iter().map(|&option| bits(option)))?),
        (libc::SYS_personality, vec![rule([is(0, SeccompCmpOp::Ne, PERSONALITY_QUERY)])?]),
        (libc::SYS_mknodat, device_nodes(2)?),
    ]);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_mknod, device_nodes(1)?);
    Ok(rules)
}

/// The families above; nothing raw.
fn sockets() -> Result<Vec<SeccompRule>> {
    let families = FAMILIES.map(bits);
    let mut rules = vec![rule(families.map(|family| is(0, SeccompCmpOp::Ne, family)))?];
    let of_type = |kind: i32| is(1, SeccompCmpOp::MaskedEq(SOCKET_TYPE), bits(kind));
    for &kind in DENIED_SOCKET_TYPES {
        rules.push(rule([of_type(kind)])?);
    }
    // SCTP; among local sockets the type is harmless and in use.
    for family in [libc::AF_INET, libc::AF_INET6] {
        rules.push(rule([is(0, SeccompCmpOp::Eq, bits(family)), of_type(libc::SOCK_SEQPACKET)])?);
    }
    Ok(rules)
}

/// Named pipes and local sockets are made by the same call.
fn device_nodes(mode: u8) -> Result<Vec<SeccompRule>> {
    let kind = |kind: u32| is(mode, SeccompCmpOp::MaskedEq(libc::S_IFMT.into()), kind.into());
    [libc::S_IFCHR, libc::S_IFBLK].into_iter().map(|device| rule([kind(device)])).collect()
}

#[cfg(test)]
mod tests;
