//! The doors' ports: free, ours, or taken by somebody who can be named.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;

use super::Finding;
use crate::cli::Context;

/// A process that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its number.
    pub(crate) pid: u32,
    /// Its program's name.
    pub(crate) command: String,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} ({})", self.pid, self.command)
    }
}

pub(super) fn doors(context: &Context) -> Vec<Finding> {
    let ours = context.data.running().ok().flatten().map(|running| running.pid);
    let config = &context.loaded.config;
    let binds = [
        config.coordinator.bind,
        config.inference.bind,
        config.control.bind,
        config.ide.bind,
        config.portal.bind,
    ];
    let ports =
        config.ports().map(|(key, port)| (key, if port == 0 { 0 } else { port + config.node.port_offset }));
    ports.into_iter().zip(binds).map(|((key, port), bind)| door(key, bind, port, ours)).collect()
}

fn door(key: &'static str, bind: IpAddr, port: u16, ours: Option<u32>) -> Finding {
    if port == 0 {
        return Finding::good("ports", format!("{key}: any free one"));
    }
    let error = match TcpListener::bind(SocketAddr::new(bind, port)) {
        Ok(_) => return Finding::good("ports", format!("{key} {port} is free")),
        Err(error) => error,
    };
    let holder = holder(port);
    if holder.as_ref().is_some_and(|holder| Some(holder.pid) == ours) {
        return Finding::good("ports", format!("{key} {port} is open, by the running node"));
    }
    let by = holder.map_or_else(|| error.to_string(), |holder| format!("taken by {holder}"));
    let fix = format!("stop that process, or start with --alt-ports or --port-offset N, or set {key}");
    Finding::bad("ports", format!("{key} {port}: {by}"), fix)
}

/// Who listens on `port`, where the system tells. Never an argument of its command line: those hold secrets.
pub(crate) fn holder(port: u16) -> Option<Holder> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inodes: Vec<String> = tables
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
        .collect();
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let mut numbered =
        processes.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())));
    let (pid, path) = numbered.find(|(_, path): &(u32, _)| has_socket(path, &inodes))?;
    let command = fs::read_to_string(path.join("comm")).unwrap_or_default().trim().to_owned();
    Some(Holder { pid, command })
}

/// Inodes of sockets in state LISTEN on `port`, from a table of the kernel's.
fn listening(table: &str, port: u16) -> Vec<String> {
    let wanted = format!(":{port:04X}");
    let fields = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields
        .filter(|fields| {
            fields.get(1).is_some_and(|local| local.ends_with(&wanted)) && fields.get(3) == Some(&"0A")
        })
        .filter_map(|fields| fields.get(9).map(|inode| format!("socket:[{inode}]")))
        .collect()
}

fn has_socket(process: &Path, inodes: &[String]) -> bool {
    let Ok(open) = fs::read_dir(process.join("fd")) else { return false };
    open.filter_map(Result::ok)
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .any(|target| inodes.iter().any(|inode| target.as_os_str() == inode.as_str()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::doctor::Grade;

    #[test]
    fn a_taken_port_names_its_holder_and_the_way_out() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let bind = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let me = std::process::id();
        assert_eq!(holder(port).unwrap().pid, me);
        let finding = door("coordinator.port", bind, port, None);
        assert_eq!(finding.grade, Grade::Bad);
        assert!(finding.found.contains(&format!("process {me} (")), "{finding:?}");
        assert!(finding.fix.unwrap().contains("--alt-ports"));
        assert_eq!(door("coordinator.port", bind, port, Some(me)).grade, Grade::Good);
        assert_eq!(door("coordinator.port", bind, 0, None).grade, Grade::Good);
    }
}
