//! The sandbox, proven by a canary through the real launcher.

use edgecoder_sandbox::{Probe, Sandbox};

use super::Finding;
use crate::cli::Context;
use crate::config::SandboxMode;

pub(super) async fn canary(context: &Context) -> Finding {
    let section = &context.loaded.config.sandbox;
    if section.mode == SandboxMode::None {
        let fix = "set sandbox.mode to \"process\"";
        return Finding::weak("sandbox", "switched off: tests run as you, with your files in reach", fix);
    }
    match Sandbox::new(section.to_sandbox(&context.env)) {
        Ok(sandbox) => graded(&sandbox.probe().await, section.mode),
        Err(error) => Finding::bad(
            "sandbox",
            error.to_string(),
            "run this node on Linux, or set sandbox.mode to \"none\"",
        ),
    }
}

fn graded(probe: &Probe, mode: SandboxMode) -> Finding {
    let fix = match mode {
        SandboxMode::Docker => "see docs/security/sandbox.md, section Docker",
        SandboxMode::Process | SandboxMode::None => {
            "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, \
             kernel.apparmor_restrict_unprivileged_userns=0) and see docs/guide"
        }
    };
    match probe.level {
        None => {
            let why = probe.reason.clone().unwrap_or_else(|| "the canary got out".to_owned());
            Finding::bad("sandbox", why, fix)
        }
        Some(level) if probe.degraded.is_empty() => {
            Finding::good("sandbox", format!("contained, level {level}"))
        }
        Some(level) => {
            let found =
                format!("contained, level {level}; weaker than it could be: {}", probe.degraded.join(", "));
            Finding::weak("sandbox", found, "delegate cgroups to this user, or run the node as a system unit")
        }
    }
}
