//! F: what a payload leaves behind for the node to read.

use std::time::Instant;

use edgecoder_sandbox::{Artefact, Error, Job, Limits, Refused};
use tokio_util::sync::CancellationToken;

use crate::Case;
use crate::rig::{Account, Rig, limits};

#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    Case { id: "F01 artefact is a link", holds: a_link },
    Case { id: "F02 folder above is a link", holds: a_link_above },
    Case { id: "F03 name leaves the tree", holds: names_that_leave },
    Case { id: "F04 pipe or socket", holds: what_hangs_a_reader },
    Case { id: "F05 swapped by a survivor", holds: a_survivor_that_swaps },
    Case { id: "F06 sparse", holds: sparse },
    Case { id: "F07 a million files", holds: too_many },
    Case { id: "F08 names that deceive", holds: names_that_deceive },
    Case { id: "F09 magic link", holds: magic_links },
    Case { id: "F10 hard link to the host", holds: a_hard_link },
    Case { id: "F11 bytes that are text elsewhere", holds: bytes_stay_bytes },
    // Our own two.
    Case { id: "F13 folders without end", holds: too_deep },
    Case { id: "F14 many that are large together", holds: large_together },
];

/// Runs `command` as each account and gives what came of `wanted`.
#[track_caller]
fn collect(command: &str, wanted: &[&str]) -> Vec<Vec<Artefact>> {
    let one = |account| {
        let rig = Rig::new(account);
        let collect = wanted.iter().map(|&path| path.to_owned()).collect();
        rig.run(Job { collect, ..rig.job(command) }).artefacts
    };
    Account::all().into_iter().map(one).collect()
}

#[track_caller]
fn check(command: &str, expected: &[(&str, Result<&[u8], Refused>)]) {
    let wanted: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    let expected: Vec<Artefact> = expected
        .iter()
        .map(|(name, found)| Artefact { name: (*name).into(), found: found.clone().map(<[u8]>::to_vec) })
        .collect();
    for found in collect(command, &wanted) {
        assert_eq!(found, expected, "{command}");
    }
}

const NOT_REGULAR: Result<&[u8], Refused> = Err(Refused::NotRegular);

fn a_link() {
    check("ln -s /etc/passwd report; ln -s report again", &[("report", NOT_REGULAR), ("again", NOT_REGULAR)]);
}

fn a_link_above() {
    let command = "ln -s / out; mkdir real; ln -s ../../etc real/etc";
    check(command, &[("out/etc/passwd", NOT_REGULAR), ("real/etc/passwd", NOT_REGULAR)]);
    for found in collect(command, &["out/"]) {
        assert_eq!(found, [Artefact { name: "out".into(), found: Err(Refused::NotRegular) }]);
    }
}

fn names_that_leave() {
    let rig = Rig::new(Account::Own);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for path in ["../x", "/etc/passwd", "a/../../x", "", ".", "a//b", "a\0b", ".git/config", "/", "../"] {
        let job = Job { collect: vec![path.into()], ..rig.job("true") };
        let refused = runtime.block_on(rig.sandbox.run(job, CancellationToken::new()));
        assert!(matches!(refused, Err(Error::InvalidJob(_))), "{path:?}: {refused:?}");
    }
}

fn what_hangs_a_reader() {
    let started = Instant::now();
    let socket = "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => \"sock\", Listen => 1)'";
    let command = format!("mkfifo pipe; mkdir folder; {socket}; [ -S sock ] || ln -s x sock");
    check(&command, &[("pipe", NOT_REGULAR), ("folder", NOT_REGULAR), ("sock", NOT_REGULAR)]);
    assert!(started.elapsed() < limits().wall, "the reader hung");
}

fn a_survivor_that_swaps() {
    let command = "echo good >report; (while :; do ln -s /etc/passwd new; mv new report; echo good >new; \
                   mv new report; done) & head -c 300000 /dev/urandom | md5sum >/dev/null";
    for _ in 0..5 {
        for found in collect(command, &["report"]) {
            let [Artefact { found, .. }] = &found[..] else { panic!("{found:?}") };
            let harmless = matches!(found, Err(Refused::NotRegular | Refused::Missing))
                || found.as_ref().is_ok_and(|bytes| b"good\n".starts_with(bytes));
            assert!(harmless, "{found:?}");
        }
    }
}

fn sparse() {
    let large = Err(Refused::TooLarge);
    let command = "truncate -s 20M a; truncate -s 10G b 2>/dev/null; [ -s b ] || rm -f b; echo x >c";
    check(command, &[("a", large), ("b", Err(Refused::Missing)), ("c", Ok(b"x\n"))]);
}

fn too_many() {
    for found in collect("mkdir out; cd out; seq 1 5000 | xargs touch", &["out/"]) {
        assert!(found.len() <= 1025, "{}", found.len());
        assert_eq!(found.last().unwrap().found, Err(Refused::TooMany));
    }
}

fn names_that_deceive() {
    let command = r#"mkdir out; cd out; long=$(head -c 250 /dev/zero | tr '\0' x)
        for name in 'a
b' "$(printf 'esc\033[2J')" "$(printf 'rtl\342\200\256txt.exe')" "$(printf 'bad\377')" "$long"; do
            echo x >"$name"; done"#;
    for found in collect(command, &["out/"]) {
        let mut names: Vec<&str> = found.iter().map(|artefact| artefact.name.as_str()).collect();
        names.sort_unstable();
        let long = format!("out/{}", "x".repeat(250));
        let expected =
            ["out/a\\u{a}b", "out/bad\\xff", "out/esc\\u{1b}[2J", "out/rtl\\u{202e}txt.exe", long.as_str()];
        assert_eq!(names, expected);
        assert!(found.iter().all(|artefact| artefact.found.as_deref() == Ok(b"x\n")), "{found:?}");
    }
}

fn magic_links() {
    let command = "exec 9</etc/passwd; ln -s /proc/self/fd/9 a; ln -s /proc/self/root b; ln -s /dev/fd c";
    check(command, &[("a", NOT_REGULAR), ("b/etc/passwd", NOT_REGULAR), ("c/9", NOT_REGULAR)]);
}

fn a_hard_link() {
    let missing = Err(Refused::Missing);
    check("ln /usr/bin/env a; ln /etc/passwd b; true", &[("a", missing.clone()), ("b", missing)]);
}

fn bytes_stay_bytes() {
    let text = b"{\"exit\":\"ok\"}\x1b]52;c;aGk=\x07<script>\0\xff";
    let escaped = r#"printf '{"exit":"ok"}\033]52;c;aGk=\007<script>\000\377' >report"#;
    check(escaped, &[("report", Ok(text))]);
}

fn too_deep() {
    let command = "p=out; for n in $(seq 1 30); do p=$p/d; done; mkdir -p $p; echo x >$p/x; echo y >out/y";
    for found in collect(command, &["out/"]) {
        let why: Vec<_> = found.iter().map(|artefact| artefact.found.clone()).collect();
        assert_eq!(why, [Err(Refused::TooDeep), Ok(b"y\n".to_vec())]);
    }
}

fn large_together() {
    let most = usize::try_from(Limits { artefact_bytes: 1 << 20, ..limits() }.artefact_bytes).unwrap();
    let half = most / 2 + 1;
    let command = format!("head -c {half} /dev/zero >a; head -c {half} /dev/zero >b; echo x >c");
    for found in collect(&command, &["a", "b", "c"]) {
        let sizes: Vec<_> = found.iter().map(|artefact| artefact.found.as_ref().map(Vec::len)).collect();
        assert_eq!(sizes, [Ok(half), Err(&Refused::TooLarge), Ok(2)]);
    }
}
