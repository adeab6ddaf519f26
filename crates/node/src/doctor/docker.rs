//! The Docker daemon of sandbox mode `docker`: whether it is there, what it is, and which images it has.

use std::path::Path;

use super::Finding;
use crate::cli::Context;

/// Said where the mode asks for a daemon, and where one is at hand that the mode could ask for.
#[cfg(target_os = "linux")]
pub(super) async fn daemon(context: &Context) -> Option<Finding> {
    use crate::config::SandboxMode;

    let section = &context.loaded.config.sandbox;
    let docker = section.to_sandbox(&context.env).docker;
    let asked = section.mode == SandboxMode::Docker;
    if !asked && !docker.socket.try_exists().unwrap_or(false) {
        return None;
    }
    match edgecoder_sandbox::docker::look(&docker.socket, docker.image.as_deref()).await {
        Ok(seen) => Some(graded(&seen, docker.image.as_deref())),
        Err(error) if asked => {
            Some(Finding::bad("docker", error.to_string(), "start dockerd, or set sandbox.mode"))
        }
        // Somebody else's, and not asked for.
        Err(_) => None,
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) async fn daemon(_context: &Context) -> Option<Finding> {
    None
}

/// Said where there are daemons besides the one that the settings name. None is ever used unless they do.
pub(super) fn others(context: &Context) -> Option<Finding> {
    let named = context.loaded.config.sandbox.to_sandbox(&context.env).docker.socket;
    let others = at_hand(context, Some(&named));
    (!others.is_empty()).then(|| Finding::good("docker", format!("also here: {}", others.join("; "))))
}

/// The daemons of this machine but the one at `known`, in words.
#[cfg(target_os = "linux")]
pub(crate) fn at_hand(context: &Context, known: Option<&Path>) -> Vec<String> {
    let found = edgecoder_sandbox::docker::at_hand(|name| context.env.get(name).map(String::as_str));
    let others = found.iter().filter(|daemon| known != Some(&daemon.socket));
    others.map(edgecoder_sandbox::docker::AtHand::words).collect()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn at_hand(_context: &Context, _known: Option<&Path>) -> Vec<String> {
    Vec::new()
}

/// First versions of what starts containers that do not let one out, by their series: CVE-2024-21626,
/// CVE-2025-31133, CVE-2025-52565, CVE-2025-52881.
#[cfg(target_os = "linux")]
const MENDED: &[(u32, u32, u32)] = &[(1, 2, 8), (1, 3, 3), (1, 4, 0)];

#[cfg(target_os = "linux")]
fn graded(seen: &edgecoder_sandbox::docker::Seen, chosen: Option<&str>) -> Finding {
    if seen.podman {
        let fix = "point sandbox.docker_socket at a dockerd, rootless or not";
        return Finding::weak("docker", format!("Podman {}, which is not supported", seen.version), fix);
    }
    let kind = match (seen.rootless, seen.remapped) {
        (true, _) => "rootless",
        (false, true) => "as root, users remapped",
        (false, false) => "as root",
    };
    let image = |(name, id): &(String, Option<String>)| match id {
        Some(id) => format!("{name} {}", &id[..id.len().min("sha256:".len() + 12)]),
        None => format!("{name} missing"),
    };
    let runtime = seen.runtime.as_deref().unwrap_or("unknown");
    let images: Vec<String> = seen.images.iter().map(image).collect();
    let found = format!(
        "dockerd {} {kind}, runc {runtime}, level {} at best; {}",
        seen.version,
        seen.level(),
        images.join(", ")
    );
    let wanted = |name: &str| chosen.is_none_or(|chosen| chosen == name);
    if seen.images.iter().any(|(name, id)| id.is_none() && wanted(name)) {
        return Finding::weak(
            "docker",
            found,
            "build the images with `edgecoder sandbox images build`; they are never fetched",
        );
    }
    if is_open(runtime) {
        let fix = "take runc 1.2.8, 1.3.3 or newer, or a distribution's older one with its security updates";
        return Finding::weak("docker", found, fix);
    }
    Finding::good("docker", found)
}

/// Whether this version, unless its distribution mended it, lets a container out.
#[cfg(target_os = "linux")]
fn is_open(runtime: &str) -> bool {
    let plain =
        runtime.split(|letter: char| !letter.is_ascii_digit() && letter != '.').next().unwrap_or_default();
    let mut numbers = plain.split('.').map_while(|number| number.parse::<u32>().ok());
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else { return false };
    let version = (major, minor, numbers.next().unwrap_or(0));
    let series = MENDED.iter().find(|(a, b, _)| (*a, *b) == (major, minor));
    series.map_or_else(|| version < MENDED[0], |mended| version < *mended)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::doctor::Grade;
    use edgecoder_sandbox::docker::Seen;

    #[track_caller]
    fn check(runtime: &str, image: Option<&str>, podman: bool, grade: Grade, words: &str) {
        let seen = Seen {
            version: "28.2.2".into(),
            runtime: Some(runtime.into()),
            rootless: true,
            remapped: false,
            podman,
            images: vec![("edgecoder/sandbox-python:latest".into(), image.map(str::to_owned))],
        };
        let finding = graded(&seen, None);
        assert_eq!(finding.grade, grade, "{finding:?}");
        assert!(finding.found.contains(words), "{finding:?}");
    }

    #[test]
    fn a_daemon_is_shown_with_what_it_lacks() {
        let image = Some("sha256:0123456789abcdef");
        check("1.3.3", image, false, Grade::Good, "rootless, runc 1.3.3, level D3");
        check("1.3.3", None, false, Grade::Weak, "sandbox-python:latest missing");
        check("1.1.5+ds1", image, false, Grade::Weak, "runc 1.1.5");
        check("1.3.3", image, true, Grade::Weak, "not supported");
    }

    #[test]
    fn open_versions_are_known_by_series() {
        for open in ["1.1.5+ds1", "1.1.12", "1.2.7", "1.3.0-rc.1", "1.0"] {
            assert!(is_open(open), "{open}");
        }
        for mended in ["1.2.8", "1.3.3", "1.4.0", "2.0.1", "unknown", ""] {
            assert!(!is_open(mended), "{mended}");
        }
    }
}
