//! The filters as the kernel runs them, over every number of the three ways into it.

use seccompiler::sock_filter;

use super::table::ARCHITECTURE;
use super::*;

mod drift;

const I386: u32 = 0x4000_0003;
const X32: u32 = 0x4000_0000;
/// Far beyond the numbers in use.
const NUMBERS: u32 = 1024;

/// What the kernel looks at: number, architecture, instruction pointer, six arguments.
fn seen(architecture: u32, number: u32, arguments: [u64; 6]) -> Vec<u8> {
    let mut bytes = [number.to_ne_bytes(), architecture.to_ne_bytes()].concat();
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend(arguments.iter().flat_map(|argument| argument.to_ne_bytes()));
    bytes
}

/// The classic filter machine, as much of it as these programs use.
fn run(program: &[sock_filter], seen: &[u8]) -> u32 {
    let (mut at, mut held) = (0_usize, 0_u32);
    loop {
        let step = &program[at];
        at += 1;
        let mut jump = |met: bool| at += usize::from(if met { step.jt } else { step.jf });
        match step.code {
            0x20 => held = u32::from_ne_bytes(seen[step.k as usize..][..4].try_into().unwrap()),
            0x54 => held &= step.k,
            0x05 => at += step.k as usize,
            0x15 => jump(held == step.k),
            0x25 => jump(held > step.k),
            0x35 => jump(held >= step.k),
            0x06 => return step.k,
            other => panic!("the machine has no {other:#x}"),
        }
    }
}

/// The answer of all filters together: the strictest, and of two refusals the one installed last.
fn answer(architecture: u32, number: u32, arguments: [u64; 6]) -> &'static str {
    let seen = seen(architecture, number, arguments);
    let programs = [by_argument().unwrap(), by_number()];
    let answers = programs.each_ref().map(|program| run(program, &seen));
    let rank = |answer: u32| match answer & libc::SECCOMP_RET_ACTION_FULL {
        libc::SECCOMP_RET_KILL_PROCESS => 0,
        libc::SECCOMP_RET_ERRNO => 1,
        libc::SECCOMP_RET_ALLOW => 2,
        other => panic!("an answer nobody chose: {other:#x}"),
    };
    let strictest = answers.into_iter().rev().min_by_key(|&answer| rank(answer)).unwrap();
    match (rank(strictest), (strictest & libc::SECCOMP_RET_DATA).cast_signed()) {
        (0, _) => "kill",
        (1, libc::EPERM) => "EPERM",
        (1, libc::ENOSYS) => "ENOSYS",
        (2, _) => "allow",
        other => panic!("an answer nobody chose: {other:?}"),
    }
}

/// Ranges of numbers with the same answer, a line each.
fn listing(architecture: u32, first: u32) -> String {
    let mut lines: Vec<(u32, u32, &str)> = Vec::new();
    for number in 0..NUMBERS {
        let said = answer(architecture, first | number, [0; 6]);
        match lines.last_mut() {
            Some(range) if range.2 == said => range.1 = number,
            _ => lines.push((number, number, said)),
        }
    }
    let line = |(from, to, said): &(u32, u32, &str)| match from == to {
        true => format!("{from} {said}\n"),
        false => format!("{from}-{to} {said}\n"),
    };
    lines.iter().map(line).collect()
}

#[cfg(target_arch = "x86_64")]
#[test]
fn every_number_has_the_answer_that_was_reviewed() {
    let all = format!(
        "x86_64\n{}\nx32\n{}\ni386\n{}",
        listing(ARCHITECTURE, 0),
        listing(ARCHITECTURE, X32),
        listing(I386, 0)
    );
    insta::assert_snapshot!(all);
}

#[test]
fn no_number_has_two_verdicts() {
    let mut numbers: Vec<i64> = calls::verdicts().map(|(number, _)| number).collect();
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count);
}

#[track_caller]
fn check(number: i64, arguments: &[u64], expected: &str) {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    let number = u32::try_from(number).unwrap();
    assert_eq!(answer(ARCHITECTURE, number, all), expected, "{number} {arguments:x?}");
}

#[test]
fn arguments_are_compared_in_the_bits_the_kernel_reads() {
    let upper = 0x1_0000_0000_u64;
    check(libc::SYS_ioctl, &[0, 0x5412], "EPERM");
    check(libc::SYS_ioctl, &[0, upper | 0x5412], "EPERM");
    check(libc::SYS_ioctl, &[0, 0x5413], "allow");
    let (unix, inet, inet6) = (1, 2, 10);
    for (family, kind, expected) in [
        (unix, 1, "allow"),
        (unix, 5, "allow"),
        (inet, 1, "allow"),
        (inet, 2 | 0o2_000_000, "allow"),
        (inet, 3, "EPERM"),
        (inet, 3 | 0o2_000_000, "EPERM"),
        (inet, 5, "EPERM"),
        (inet6, 5, "EPERM"),
        (inet, 6, "EPERM"),
        (inet, 10, "EPERM"),
        (16, 3, "EPERM"),
        (40, 1, "EPERM"),
        (upper | 40, 1, "EPERM"),
    ] {
        check(libc::SYS_socket, &[family, kind], expected);
    }
    check(libc::SYS_socketpair, &[1, 1], "allow");
    check(libc::SYS_socketpair, &[40, 1], "EPERM");
    check(libc::SYS_clone, &[17], "allow");
    check(libc::SYS_clone, &[0x1000_0000 | 17], "EPERM");
    check(libc::SYS_clone, &[0x4002_0000], "EPERM");
    check(libc::SYS_prctl, &[35], "EPERM");
    check(libc::SYS_prctl, &[22], "EPERM");
    check(libc::SYS_prctl, &[15], "allow");
    check(libc::SYS_personality, &[0xffff_ffff], "allow");
    check(libc::SYS_personality, &[0x4_0000], "EPERM");
    check(libc::SYS_mknodat, &[0, 0, 0o010_644], "allow");
    check(libc::SYS_mknodat, &[0, 0, 0o020_644], "EPERM");
    check(libc::SYS_mknodat, &[0, 0, 0o060_644], "EPERM");
    check(libc::SYS_clone3, &[], "ENOSYS");
}

#[test]
fn the_first_process_keeps_only_what_reaping_takes() {
    let allowed = calls::REAPING.iter().map(|&number| (number, table::Verdict::Allowed));
    let program = table::program(allowed, table::Verdict::Refused);
    let may = |number: i64| {
        let number = u32::try_from(number).unwrap();
        run(&program, &seen(ARCHITECTURE, number, [0; 6])) == libc::SECCOMP_RET_ALLOW
    };
    assert!(may(libc::SYS_wait4) && may(libc::SYS_exit_group));
    for number in [libc::SYS_execve, libc::SYS_clone, libc::SYS_openat, libc::SYS_socket, libc::SYS_ptrace] {
        assert!(!may(number), "{number}");
    }
}
