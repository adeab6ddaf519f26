//! What a payload sees, may and may not do.

use std::path::Path;

use edgecoder_sandbox::{Exit, Fault};
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, check};

#[tokio::test]
async fn a_command_runs_and_its_output_comes_back() {
    let report = Rig::new().run("echo hello; echo oops >&2; echo again >/dev/stderr").await;
    assert_eq!(report.exit, Exit::Code(0), "{report:?}");
    assert_eq!((report.stdout.text(), report.stderr.text()), ("hello\n".into(), "oops\nagain\n".into()));
}

#[tokio::test]
async fn writes_stay_inside() {
    let rig = Rig::new();
    let command = "echo mine >>README && rm -r src && mkdir out && echo x >out/y && cat README out/y && \
                   echo t >/tmp/t && cat /tmp/t && echo s >/dev/shm/s && cat /dev/shm/s";
    let report = rig.run(command).await;
    assert_eq!(
        (report.exit, report.stdout.text()),
        (Exit::Code(0), "read me\nmine\nx\nt\ns\n".into()),
        "{report:?}"
    );
    let tree = rig.tree.path();
    assert_eq!(std::fs::read_to_string(tree.join("README")).unwrap(), "read me\n");
    assert!(tree.join("src/deep/x").is_file() && !tree.join("out").is_dir());
    let next = rig.run("cat README; ls /tmp; ls src").await;
    assert_eq!(next.stdout.text(), "read me\ncalc.py\ndeep\n");
}

#[tokio::test]
async fn a_tree_that_only_its_owner_can_read_is_the_payloads_own() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::new();
    for (path, mode) in [("README", 0o600), ("src/calc.py", 0o400), ("src", 0o700), ("", 0o700)] {
        std::fs::set_permissions(rig.tree.path().join(path), PermissionsExt::from_mode(mode)).unwrap();
    }
    let command =
        "cat README && mv src/calc.py src/moved.py && wc -l <src/moved.py && chmod +x README && echo done";
    assert_eq!(rig.run(command).await.stdout.text(), "read me\n2\ndone\n");
}

#[tokio::test]
async fn a_read_only_file_is_replaced_but_not_edited_in_place() {
    use std::os::unix::fs::PermissionsExt;
    let rig = Rig::new();
    let mode = std::fs::Permissions::from_mode(0o444);
    std::fs::set_permissions(rig.tree.path().join("README"), mode).unwrap();
    let command = "( echo x >>README ) 2>/dev/null || echo refused; sed -i s/read/write/ README && cat README; \
                   chmod u+w README && echo more >>README && tail -1 README";
    // A tree that had to be copied is no other.
    for faults in [&[][..], &[Fault::Overlay]] {
        let sandbox = rig.sandbox.clone().with_faults(faults);
        let report = sandbox.run(rig.job(command), CancellationToken::new()).await.unwrap();
        assert_eq!(report.stdout.text(), "refused\nwrite me\nmore\n", "{faults:?}");
    }
}

#[tokio::test]
async fn everything_else_is_read_only() {
    let tries = "for d in / /usr /usr/bin /etc /dev /proc /opt /job/..; do \
                 ( : >$d/.breach ) 2>/dev/null && echo wrote $d; done; \
                 ( echo x >>/etc/passwd ) 2>/dev/null && echo wrote passwd; echo tried";
    check(tries, "tried\n").await;
}

#[tokio::test]
async fn the_hosts_files_are_not_there() {
    let here = env!("CARGO_MANIFEST_DIR");
    let rig = Rig::new();
    let tree = rig.tree.path().display();
    let command = format!(
        "for f in /etc/shadow /etc/machine-id /work /var /sys /run /.lower /.scratch {here} {tree} \
         /root/.bashrc /root/.ssh /root/.config /home; do [ -e $f ] && echo found $f; done; \
         ls -A /tmp; cut -d/ -f1 /proc/1/environ 2>/dev/null | wc -c; ls -d /proc/[0-9]* | wc -l"
    );
    let report = rig.run(&command).await;
    let text = report.stdout.text();
    // The shell, `ls` and `wc`; the first process too where it runs under the same user.
    let processes: u32 = text.lines().last().unwrap().parse().unwrap();
    assert!(text.starts_with("0\n") && processes <= 4, "{text}");
}

#[tokio::test]
async fn the_environment_is_made_from_scratch() {
    let rig = Rig::new();
    let mut job = rig.job("env | cut -d= -f1 | sort | tr '\\n' ' '; echo $ASKED; pwd");
    job.env.insert("ASKED".into(), "for".into());
    let mut sandbox = crate::rig::config();
    sandbox.tool_chains.clear();
    sandbox.path.clear();
    let sandbox = edgecoder_sandbox::Sandbox::new(sandbox).unwrap();
    let report = sandbox.run(job, Default::default()).await.unwrap();
    assert_eq!(report.stdout.text(), "ASKED HOME LANG PATH PWD TERM TMPDIR USER for\n/job\n");
}

#[tokio::test]
async fn there_is_no_network_but_loopback() {
    let program = r#"
import socket, threading
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=lambda: server.accept()[0].sendall(b"local"), daemon=True).start()
print(socket.create_connection(server.getsockname()).recv(9).decode())
for family, kind, address in [
    (socket.AF_INET, socket.SOCK_STREAM, ("192.0.2.1", 80)),
    (socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 53)),
    (socket.AF_INET6, socket.SOCK_STREAM, ("2001:db8::1", 80)),
]:
    try:
        socket.socket(family, kind).connect(address)
        print("connected", address)
    except OSError as error:
        pass
for family, kind in [(socket.AF_INET, socket.SOCK_RAW), (16, socket.SOCK_RAW), (40, socket.SOCK_STREAM)]:
    try:
        socket.socket(family, kind)
        print("opened", family, kind)
    except PermissionError:
        pass
for index in range(1, 9):
    try:
        print(index, socket.if_indextoname(index))
    except OSError:
        pass
print(socket.gethostname())
"#;
    check(&format!("python3 -c '{program}'"), "local\n1 lo\nbox\n").await;
}

#[tokio::test]
async fn privileges_are_gone() {
    let status =
        "grep -E '^(CapEff|CapPrm|CapInh|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'";
    let none = "0000000000000000";
    let expected = format!(
        "CapInh:{none}\nCapPrm:{none}\nCapEff:{none}\nCapBnd:{none}\nCapAmb:{none}\nNoNewPrivs:1\nSeccomp:2\n"
    );
    check(status, &expected).await;
    check("id -u; id -un; id -G", "1000\nedgecoder\n1000\n").await;
    let escapes = "unshare -Ur true 2>/dev/null && echo userns; unshare -m true 2>/dev/null && echo mountns; \
                   mount -t tmpfs none /tmp 2>/dev/null && echo mounted; kill -9 1 2>/dev/null; echo alive";
    check(escapes, "alive\n").await;
}

#[tokio::test]
async fn denied_system_calls_stay_denied() {
    // The x32 form of getpid, a number of kernels to come, io_uring, clone3, ptrace, userfaultfd, bpf.
    let program = r#"
import ctypes
call = ctypes.CDLL(None, use_errno=True).syscall
for number in [0x40000000 | 39, 999, 425, 435, 101, 323, 321]:
    ctypes.set_errno(0)
    print(call(ctypes.c_long(number), 0, 0, 0, 0), ctypes.get_errno(), end="; ")
"#;
    if cfg!(target_arch = "x86_64") {
        let expected = "-1 38; -1 38; -1 1; -1 38; -1 1; -1 1; -1 1; ";
        check(&format!("python3 -c '{program}'"), expected).await;
    }
}

#[tokio::test]
async fn ends_are_told_apart() {
    for (command, exit) in [
        ("true", Exit::Code(0)),
        ("exit 125", Exit::Code(125)),
        ("nosuchprogram", Exit::Code(127)),
        ("kill -SEGV $$", Exit::Signal(11)),
        ("kill -KILL $$", Exit::Signal(9)),
    ] {
        assert_eq!(Rig::new().run(command).await.exit, exit, "{command}");
    }
}

#[tokio::test]
async fn signals_are_as_a_fresh_process_has_them() {
    check(
        "grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\\t'; yes | head -1",
        "SigBlk:0000000000000000\nSigIgn:0000000000000000\ny\n",
    )
    .await;
}

#[tokio::test]
async fn a_tool_chain_is_shown_without_its_credentials() {
    let rig = Rig::new();
    let tools = tempfile::tempdir().unwrap();
    std::fs::create_dir(tools.path().join("bin")).unwrap();
    let program = tools.path().join("bin/greet");
    std::fs::write(&program, "#!/bin/sh\necho greetings\n").unwrap();
    std::fs::write(tools.path().join("credentials.toml"), "token = 'secret'").unwrap();
    use std::os::unix::fs::PermissionsExt;
    for path in [tools.path(), &tools.path().join("bin"), &program] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let config = edgecoder_sandbox::Config {
        tool_chains: vec![tools.path().to_owned()],
        path: Vec::new(),
        ..crate::rig::config()
    };
    let sandbox = edgecoder_sandbox::Sandbox::new(config).unwrap();
    let name = tools.path().display();
    let command = format!("greet; cat {name}/credentials.toml; ( : >{name}/x ) 2>/dev/null || echo refused");
    let report = sandbox.run(rig.job(&command), Default::default()).await.unwrap();
    assert_eq!(report.stdout.text(), "greetings\nrefused\n", "{report:?}");
    assert!(Path::new(&program).is_file());
}

#[tokio::test]
async fn a_python_test_suite_runs() {
    let rig = Rig::new();
    let mut job = rig.job("python3 -m unittest -q && ls src/__pycache__ | wc -l");
    let tests = "import unittest\nfrom src.calc import add\n\
                 class T(unittest.TestCase):\n    def test_add(self):\n        self.assertEqual(add(2, 2), 4)\n";
    job.files.push(edgecoder_sandbox::JobFile::write("test_calc.py", tests));
    let report = rig.run_job(job).await;
    assert_eq!((report.exit, report.stdout.text()), (Exit::Code(0), "1\n".into()), "{report:?}");
    assert!(report.stderr.text().contains("OK"), "{report:?}");
}

#[tokio::test]
async fn file_locks_are_no_channel_to_the_outside() {
    let program = std::fs::File::open("/usr/bin/env").unwrap();
    program.lock().unwrap();
    let tries = "import fcntl; fcntl.flock(open(\"/usr/bin/env\"), fcntl.LOCK_EX | fcntl.LOCK_NB); print(1)";
    check(&format!("python3 -c '{tries}'"), "1\n").await;
}
