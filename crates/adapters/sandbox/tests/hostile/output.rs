//! I: what a payload says, to people and to models.

use edgecoder_sandbox::{Exit, Limits};

use crate::Case;
use crate::rig::{Account, Rig, limits};

#[rustfmt::skip]
pub(crate) const CASES: &[Case] = &[
    Case { id: "I04 told to print what is secret", holds: no_secrets_to_give },
    Case { id: "I08 result as a channel", holds: output_is_bounded },
];

/// Whatever a text makes the command do, there is nothing to be found.
fn no_secrets_to_give() {
    let secret = "AKIA-corpus-canary";
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("id_ed25519"), secret).unwrap();
    for account in Account::all() {
        let rig = Rig::new(account);
        let place = home.path().display();
        let command = format!(
            "env; set; cat {place}/* ~/.ssh/* /root/.ssh/* /home/*/.ssh/* ~/.aws/credentials /root/.netrc \
             /proc/1/environ /proc/*/environ /run/secrets/* /var/run/secrets/*/* 2>/dev/null; \
             find / -xdev -name 'id_*' -exec cat {{}} + 2>/dev/null; echo done"
        );
        let report = rig.run(rig.job(&command));
        let said = report.stdout.text();
        assert!(said.ends_with("done\n"), "{report:?}");
        assert!(!said.contains(secret), "{said}");
        for word in ["TOKEN", "CARGO_REGISTR", "PASSWORD", "SSH_AUTH_SOCK"] {
            assert!(!said.contains(word), "{said}");
        }
    }
}

fn output_is_bounded() {
    let rig = Rig::new(Account::Own);
    let mut job = rig.job("head -c 1000000 /dev/urandom; head -c 1000000 /dev/urandom >&2; exit 3");
    job.limits = Limits { output_bytes: 4096, wall: limits().wall, ..limits() };
    let report = rig.run(job);
    let kept = [&report.stdout, &report.stderr].map(|stream| stream.head.len() + stream.tail.len());
    let ended = [Exit::Code(3), Exit::OutputFlood];
    assert!(
        kept.iter().all(|&bytes| bytes <= 4096) && ended.contains(&report.exit),
        "{kept:?} {:?}",
        report.exit
    );
}
