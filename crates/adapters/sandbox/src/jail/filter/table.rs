//! A filter that decides by number alone, as ranges: short enough that the kernel compiles it in no time.

use std::collections::BTreeMap;

use seccompiler::{BpfProgram, sock_filter};

/// What is answered to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The kernel decides.
    Allowed,
    /// `EPERM`.
    Refused,
    /// `ENOSYS`: as if the kernel had no such call, which programs are prepared for.
    Unknown,
}

impl Verdict {
    fn answer(self) -> u32 {
        match self {
            Self::Allowed => libc::SECCOMP_RET_ALLOW,
            Self::Refused => libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned(),
            Self::Unknown => libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned(),
        }
    }
}

/// Where the kernel puts number and architecture before it asks the filter.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
/// `AUDIT_ARCH_X86_64` and `AUDIT_ARCH_AARCH64` of `linux/audit.h`.
pub(super) const ARCHITECTURE: u32 = if cfg!(target_arch = "x86_64") { 0xC000_003E } else { 0xC000_00B7 };

const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const RETURN: u16 = 0x06;

/// Numbers next to each other with the same answer, by the last of them. What lies between is `otherwise`.
fn ranges(verdicts: impl Iterator<Item = (i64, Verdict)>, otherwise: Verdict) -> Vec<(u32, Verdict)> {
    let sorted: BTreeMap<u32, Verdict> =
        verdicts.filter_map(|(number, verdict)| Some((u32::try_from(number).ok()?, verdict))).collect();
    let mut ranges: Vec<(u32, Verdict)> = Vec::new();
    let mut extend = |last: u32, verdict: Verdict| match ranges.last_mut() {
        Some(range) if range.1 == verdict => range.0 = last,
        _ => ranges.push((last, verdict)),
    };
    let mut next = 0;
    for (number, verdict) in sorted {
        if number > next {
            extend(number - 1, otherwise);
        }
        extend(number, verdict);
        next = number + 1;
    }
    extend(u32::MAX, otherwise);
    ranges
}

/// The program that answers as `verdicts` say, and `otherwise` for every other number.
pub(super) fn program(verdicts: impl Iterator<Item = (i64, Verdict)>, otherwise: Verdict) -> BpfProgram {
    let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let mut program = vec![
        instruction(LOAD, 0, 0, ARCHITECTURE_AT),
        instruction(JUMP_EQUAL, 1, 0, ARCHITECTURE),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        instruction(LOAD, 0, 0, NUMBER_AT),
    ];
    // Ascending, so one comparison with the end of each range finds it: greater goes on, else answer.
    for (last, verdict) in ranges(verdicts, otherwise) {
        program.push(instruction(JUMP_GREATER, 1, 0, last));
        program.push(instruction(RETURN, 0, 0, verdict.answer()));
    }
    // Never reached: the last range ends with the last number.
    program.push(instruction(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS));
    program
}
