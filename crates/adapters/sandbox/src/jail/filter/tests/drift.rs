//! The tables against all calls that the kernel has, by name and by every way in: what a library or a new kernel
//! renames, renumbers or adds shows here.

use std::collections::BTreeMap;

use super::table::Verdict;
use super::*;

/// Name, and its number by each way in.
const KERNEL: &str = include_str!("../kernel_calls.tsv");

struct Numbers {
    x86_64: Option<u32>,
    x32: Option<u32>,
    i386: Option<u32>,
    aarch64: Option<u32>,
}

fn kernel() -> BTreeMap<&'static str, Numbers> {
    let rows = KERNEL.lines().filter(|line| !line.starts_with('#'));
    let all: BTreeMap<_, _> = rows
        .map(|row| {
            let mut fields = row.split('\t');
            let name = fields.next().unwrap();
            let mut number = || match fields.next().unwrap() {
                "-" => None,
                number => Some(number.parse().unwrap()),
            };
            let numbers = Numbers { x86_64: number(), x32: number(), i386: number(), aarch64: number() };
            (name, numbers)
        })
        .collect();
    assert!(all.len() > 400, "the kernel has more calls than {}", all.len());
    all
}

fn by_name() -> BTreeMap<&'static str, Verdict> {
    calls::named().map(|((_, name), verdict)| (name, verdict)).collect()
}

fn word(verdict: Option<&Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Allowed) => "allow",
        Some(Verdict::Refused) => "EPERM",
        Some(Verdict::Unknown) | None => "ENOSYS",
    }
}

#[test]
fn the_library_numbers_calls_as_the_kernel_does() {
    let kernel = kernel();
    for ((number, name), _) in calls::named() {
        let numbers = kernel.get(name).unwrap_or_else(|| panic!("the kernel has no {name}"));
        let here = if cfg!(target_arch = "x86_64") { numbers.x86_64 } else { numbers.aarch64 };
        assert_eq!(here.map(i64::from), Some(number), "{name}");
    }
}

/// By number alone: what arguments add is tested elsewhere.
#[cfg(target_arch = "x86_64")]
#[test]
fn every_call_is_answered_by_its_name_and_only_by_our_own_way_in() {
    let (by_name, program) = (by_name(), by_number());
    let said = |architecture, number| run(&program, &seen(architecture, number, [0; 6]));
    let error = |code: i32| libc::SECCOMP_RET_ERRNO | code.cast_unsigned();
    for (name, numbers) in kernel() {
        let expected = match word(by_name.get(name)) {
            "allow" => libc::SECCOMP_RET_ALLOW,
            "EPERM" => error(libc::EPERM),
            _ => error(libc::ENOSYS),
        };
        if let Some(number) = numbers.x86_64 {
            assert_eq!(said(ARCHITECTURE, number), expected, "{name}");
        }
        if let Some(number) = numbers.x32 {
            assert_eq!(said(ARCHITECTURE, X32 | number), error(libc::ENOSYS), "{name} of x32");
        }
        if let Some(number) = numbers.i386 {
            assert_eq!(said(I386, number), libc::SECCOMP_RET_KILL_PROCESS, "{name} of i386");
        }
        if let Some(number) = numbers.aarch64 {
            let other = said(0xC000_00B7, number);
            assert_eq!(other, libc::SECCOMP_RET_KILL_PROCESS, "{name} of aarch64, from here");
        }
    }
}

/// The list for the other architecture we build for, and what no list names.
#[cfg(target_arch = "x86_64")]
#[test]
fn every_call_of_arm_has_the_answer_that_was_reviewed() {
    let by_name = by_name();
    let mut there = BTreeMap::new();
    let mut unnamed = Vec::new();
    for (name, numbers) in kernel() {
        if let Some(number) = numbers.aarch64 {
            assert_eq!(there.insert(number, word(by_name.get(name))), None, "{name} shares its number");
        }
        if !by_name.contains_key(name) && (numbers.x86_64.is_some() || numbers.aarch64.is_some()) {
            unnamed.push(name);
        }
    }
    let mut lines: Vec<(u32, u32, &str)> = Vec::new();
    for number in 0..NUMBERS {
        let said = there.get(&number).copied().unwrap_or("ENOSYS");
        match lines.last_mut() {
            Some(range) if range.2 == said => range.1 = number,
            _ => lines.push((number, number, said)),
        }
    }
    let listing: String = lines.iter().map(|(from, to, said)| format!("{from}-{to} {said}\n")).collect();
    insta::assert_snapshot!(format!("aarch64\n{listing}\nin no table: {}\n", unnamed.join(" ")));
}
