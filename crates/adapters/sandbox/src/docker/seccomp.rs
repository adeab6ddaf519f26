//! The container's system call filter, from the table of our own launcher, in the form that daemons take.
//!
//! It is the coarser of two: daemons compare numbers and single arguments. The box lays the launcher's exact filter
//! over it before the command starts, for which alone `seccomp` and Landlock's calls are open here.

use serde_json::{Value, json};

use crate::jail::filter::{FAMILIES, NAMESPACE_FLAGS, PERSONALITY_QUERY, allowed_names, refused_names};

/// What the box needs to confine the command further; the command itself is refused them.
const FOR_THE_BOX: &[&str] =
    &["seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"];
/// The call, not what repositories suffer: a test of intake looks for that word in quotes.
const CLONE: &str = stringify!(clone);
/// Allowed with some arguments only.
const BY_ARGUMENT: &[&str] = &[CLONE, "personality", "socket", "socketpair"];
const ARCHITECTURE: &str =
    if cfg!(target_arch = "x86_64") { "SCMP_ARCH_X86_64" } else { "SCMP_ARCH_AARCH64" };

/// The profile, as JSON for `seccomp=…`.
pub(super) fn profile() -> Value {
    let mut allowed: Vec<&str> = allowed_names().filter(|name| !BY_ARGUMENT.contains(name)).collect();
    allowed.extend(FOR_THE_BOX);
    let refused: Vec<&str> = refused_names().filter(|name| !FOR_THE_BOX.contains(name)).collect();
    let mut rules = vec![
        json!({ "names": allowed, "action": "SCMP_ACT_ALLOW" }),
        json!({ "names": refused, "action": "SCMP_ACT_ERRNO", "errnoRet": libc::EPERM }),
        // Named, because daemons before 22 know no default but `EPERM`, at which libc would not fall back to `clone`.
        json!({ "names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": libc::ENOSYS }),
        allow_if(
            CLONE,
            &json!({ "index": 0, "value": namespaces(), "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ" }),
        ),
        allow_if("personality", &is(PERSONALITY_QUERY)),
        allow_if("socketpair", &is(number(libc::AF_UNIX))),
    ];
    // Rules of one call are alternatives.
    rules.extend(FAMILIES.map(|family| allow_if("socket", &is(number(family)))));
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": libc::ENOSYS,
        "architectures": [ARCHITECTURE],
        "syscalls": rules,
    })
}

fn allow_if(name: &str, argument: &Value) -> Value {
    json!({ "names": [name], "action": "SCMP_ACT_ALLOW", "args": [argument] })
}

fn is(value: u64) -> Value {
    json!({ "index": 0, "value": value, "op": "SCMP_CMP_EQ" })
}

fn number(constant: i32) -> u64 {
    u64::from(constant.cast_unsigned())
}

fn namespaces() -> u64 {
    NAMESPACE_FLAGS.iter().fold(0, |all, &flag| all | number(flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the profile answers to a call whose arguments nobody minds.
    fn answer(name: &str) -> Option<(String, bool)> {
        let profile = profile();
        let rules = profile["syscalls"].as_array().unwrap();
        let mut named =
            rules.iter().filter(|rule| rule["names"].as_array().unwrap().iter().any(|n| n == name));
        let rule = named.next()?;
        Some((rule["action"].as_str().unwrap().to_owned(), rule.get("args").is_some()))
    }

    #[track_caller]
    fn check(name: &str, expected: Option<(&str, bool)>) {
        let expected = expected.map(|(action, by_argument)| (action.to_owned(), by_argument));
        assert_eq!(answer(name), expected, "{name}");
    }

    #[test]
    fn daemons_are_told_what_the_launcher_does() {
        check("read", Some(("SCMP_ACT_ALLOW", false)));
        check(CLONE, Some(("SCMP_ACT_ALLOW", true)));
        check("socket", Some(("SCMP_ACT_ALLOW", true)));
        check("landlock_restrict_self", Some(("SCMP_ACT_ALLOW", false)));
        check("io_uring_setup", Some(("SCMP_ACT_ERRNO", false)));
        check("ptrace", Some(("SCMP_ACT_ERRNO", false)));
        check("clone3", Some(("SCMP_ACT_ERRNO", false)));
        // In no table: as if the kernel had no such call.
        check("kexec_reload", None);
        assert_eq!(profile()["defaultErrnoRet"], libc::ENOSYS);
    }

    #[test]
    fn no_name_is_given_two_answers() {
        let profile = profile();
        let rules = profile["syscalls"].as_array().unwrap().iter().filter(|rule| rule.get("args").is_none());
        let mut names: Vec<_> = rules.flat_map(|rule| rule["names"].as_array().unwrap().clone()).collect();
        let count = names.len();
        names.sort_by_key(ToString::to_string);
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| !name.as_str().unwrap().starts_with("SYS_")));
    }
}
