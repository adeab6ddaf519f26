//! A throw-away PostgreSQL for tests: a cluster in a temporary directory, on a Unix socket, gone with the value.
//! Uses the server binaries of the system's package, as the unprivileged `postgres` user when run as root.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Waits until the test process is gone, however it ended, and then stops and removes the server: a server kept
/// in a `static` is never dropped.
const GUARD: &str = r#"read -r _; "$@" >/dev/null 2>&1; rm -rf -- "$0""#;

/// A running server.
#[derive(Debug)]
pub struct TestPostgres {
    directory: PathBuf,
    bin: PathBuf,
    guard: Option<Child>,
}

impl TestPostgres {
    /// Starts a server.
    ///
    /// # Panics
    /// With what to install, when the server's binaries are missing: a skipped test would be a silent hole.
    #[expect(clippy::panic, reason = "test support fails the test with what to do")]
    pub fn start() -> Self {
        let bin = find_bin().unwrap_or_else(|| panic!("PostgreSQL is not installed: run `make setup`"));
        let directory = tempfile::Builder::new()
            .prefix("edgecoder-pg-")
            .tempdir()
            .unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let mut server = Self { directory: directory.keep(), bin, guard: None };
        server.guard = Some(server.spawn_guard());
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&server.directory));
        }
        let cluster = server.cluster();
        run(server.tool("initdb").args(["-A", "trust", "-U", "edgecoder", "--no-sync", "-D"]).arg(&cluster));
        server.resume();
        server
    }

    /// Starts the server again after [`TestPostgres::stop`].
    pub fn resume(&self) {
        // Durable as in production but for the one setting that only power loss could tell.
        let options =
            format!("-c listen_addresses='' -c unix_socket_directories={} -c fsync=off", self.socket());
        run(self
            .tool("pg_ctl")
            .args(["-s", "-w", "-l"])
            .arg(self.directory.join("log"))
            .arg("-D")
            .arg(self.cluster())
            .args(["-o", &options, "start"]));
    }

    /// A fresh database on this server, as a connection string.
    pub fn database(&self, name: &str) -> String {
        run(Command::new(self.bin.join("psql"))
            .args(["-q", "-h", &self.socket(), "-U", "edgecoder", "postgres", "-c"])
            .arg(format!("CREATE DATABASE \"{name}\"")));
        format!("postgresql:///{name}?host={}&user=edgecoder", self.socket())
    }

    /// Stops the server at once, as a crash would.
    pub fn stop(&self) {
        run(self.tool("pg_ctl").args(["-s", "-m", "immediate", "-D"]).arg(self.cluster()).arg("stop"));
    }

    #[expect(clippy::panic, reason = "test support fails the test with what to do")]
    fn spawn_guard(&self) -> Child {
        let mut stop = self.tool("pg_ctl");
        stop.args(["-s", "-m", "immediate", "-D"]).arg(self.cluster()).arg("stop");
        Command::new("sh")
            .args(["-c", GUARD])
            .arg(&self.directory)
            .arg(stop.get_program())
            .args(stop.get_args())
            .current_dir("/")
            .stdin(Stdio::piped())
            // Its own group: a signal to the test's group must not take the guard with it.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("the guard could not start: {error}"))
    }

    fn cluster(&self) -> PathBuf {
        self.directory.join("cluster")
    }

    fn socket(&self) -> String {
        self.directory.display().to_string()
    }

    /// A server tool, run as `postgres` when we are root: the server refuses to be root.
    fn tool(&self, name: &str) -> Command {
        let path = self.bin.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir("/").stdin(Stdio::null());
        command
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let _gone = guard.wait();
        }
    }
}

/// The newest of the system's packages, else what stands where other systems put it.
fn find_bin() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    folders.sort();
    folders.reverse();
    folders.extend(["/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    let complete = |bin: &PathBuf| ["initdb", "pg_ctl", "psql"].iter().all(|tool| bin.join(tool).is_file());
    folders.into_iter().find(complete)
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(
        &std::fs::metadata("/proc/self")
            .or_else(|_| std::fs::metadata(Path::new(".")))
            .unwrap_or_else(|_| unreachable!("the current directory exists")),
    ) == 0
}

#[expect(clippy::panic, reason = "test support fails the test with what to do")]
fn run(command: &mut Command) {
    match command.output() {
        Ok(output) if output.status.success() => (),
        Ok(output) => panic!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("{command:?} could not start: {error}"),
    }
}
