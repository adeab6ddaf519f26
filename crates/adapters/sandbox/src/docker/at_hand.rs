//! Daemons that this machine has, by the places where they listen. They are named to people and never chosen: whose
//! daemon runs the work of strangers is not for a program to pick.

use std::path::{Path, PathBuf};

use rustix::process::getuid;
use serde::Serialize;

/// What listens, going by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Listener {
    /// A daemon that runs as root.
    Docker,
    /// A daemon that runs as this user.
    RootlessDocker,
    /// Podman behind Docker's interface.
    Podman,
}

/// One daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AtHand {
    /// What it is.
    pub kind: Listener,
    /// Where it listens.
    pub socket: PathBuf,
}

impl AtHand {
    /// What it is, and what to set to use it.
    pub fn words(&self) -> String {
        let socket = self.socket.display();
        let set =
            format!("to use it, set sandbox.mode = \"docker\" and sandbox.docker_socket = \"{socket}\"");
        match self.kind {
            Listener::Docker => format!("Docker as root at {socket}; {set}"),
            Listener::RootlessDocker => format!("rootless Docker at {socket}; {set}"),
            Listener::Podman => {
                format!("Podman at {socket}; it cannot be used, its interface takes no system call filter")
            }
        }
    }
}

/// The daemons of this machine; `env` gives variables.
pub fn at_hand<'a>(env: impl Fn(&str) -> Option<&'a str>) -> Vec<AtHand> {
    let there = |socket: &Path| socket.try_exists().unwrap_or(false);
    listening(env, getuid().as_raw(), there)
}

fn listening<'a>(
    env: impl Fn(&str) -> Option<&'a str>,
    uid: u32,
    there: impl Fn(&Path) -> bool,
) -> Vec<AtHand> {
    let named = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let runtime = named("XDG_RUNTIME_DIR").unwrap_or_else(|| format!("/run/user/{uid}").into());
    let places = [
        (Listener::Docker, Some("/var/run/docker.sock".into())),
        (Listener::RootlessDocker, Some(runtime.join("docker.sock"))),
        (Listener::RootlessDocker, named("HOME").map(|home| home.join(".docker/run/docker.sock"))),
        (Listener::Podman, Some("/run/podman/podman.sock".into())),
        (Listener::Podman, Some(runtime.join("podman/podman.sock"))),
    ];
    let here = |(kind, socket): (Listener, Option<PathBuf>)| {
        socket.filter(|socket| there(socket)).map(|socket| AtHand { kind, socket })
    };
    places.into_iter().filter_map(here).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(env: &[(&str, &'static str)], there: &[&str], expected: &[(Listener, &str)]) {
        let get = |name: &str| env.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
        let found = listening(get, 1000, |socket| there.iter().any(|place| socket == Path::new(place)));
        let expected: Vec<AtHand> =
            expected.iter().map(|&(kind, socket)| AtHand { kind, socket: socket.into() }).collect();
        assert_eq!(found, expected, "{env:?}");
    }

    #[test]
    fn daemons_are_known_by_their_places() {
        let (root, own) = ("/var/run/docker.sock", "/run/user/1000/docker.sock");
        let podman = "/run/user/1000/podman/podman.sock";
        check(&[], &[], &[]);
        check(&[], &[root, own], &[(Listener::Docker, root), (Listener::RootlessDocker, own)]);
        check(
            &[("XDG_RUNTIME_DIR", "")],
            &[own, podman],
            &[(Listener::RootlessDocker, own), (Listener::Podman, podman)],
        );
        check(
            &[("XDG_RUNTIME_DIR", "/elsewhere")],
            &[own, "/elsewhere/docker.sock"],
            &[(Listener::RootlessDocker, "/elsewhere/docker.sock")],
        );
        let home = "/home/ada/.docker/run/docker.sock";
        check(&[("HOME", "/home/ada")], &[home], &[(Listener::RootlessDocker, home)]);
        check(&[], &["/run/podman/podman.sock"], &[(Listener::Podman, "/run/podman/podman.sock")]);
    }

    #[test]
    fn a_daemon_is_named_with_what_to_set() {
        let words = |kind| AtHand { kind, socket: "/s".into() }.words();
        assert!(words(Listener::RootlessDocker).ends_with("sandbox.docker_socket = \"/s\""));
        assert!(words(Listener::Podman).contains("cannot be used"));
    }
}
