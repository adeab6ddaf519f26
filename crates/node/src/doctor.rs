//! `edgecoder doctor`: what this machine can do and what stands in the way, each finding with its fix. The report
//! is meant to be pasted: no secret, no user's name, no home directory in it.

mod database;
mod docker;
mod engine;
mod machine;
mod ports;
mod sandbox;

use serde::Serialize;
use serde_json::json;

use crate::cli::Context;
use crate::error::{Error, Exit};
use crate::output::{Style, harmless};

pub(crate) use docker::at_hand;
pub(crate) use ports::holder;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grade {
    /// As it should be.
    Good,
    /// Works, but less well than it could.
    Weak,
    /// Something will not work.
    Bad,
}

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) subject: &'static str,
    /// How it is.
    pub(crate) grade: Grade,
    /// What was found.
    pub(crate) found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
}

impl Finding {
    pub(crate) fn good(subject: &'static str, found: impl Into<String>) -> Self {
        Self { subject, grade: Grade::Good, found: found.into(), fix: None }
    }

    pub(crate) fn weak(subject: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { subject, grade: Grade::Weak, found: found.into(), fix: Some(fix.into()) }
    }

    pub(crate) fn bad(subject: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { subject, grade: Grade::Bad, found: found.into(), fix: Some(fix.into()) }
    }
}

/// Looks at everything.
pub(crate) async fn examine(context: &Context) -> Vec<Finding> {
    let mut findings = vec![machine::platform(), machine::processors(), machine::memory()];
    findings.extend(machine::data_dir(&context.data));
    findings.push(engine::model(context).await);
    findings.push(engine::providers(context).await);
    findings.push(sandbox::canary(context).await);
    findings.extend(docker::daemon(context).await);
    findings.extend(docker::others(context));
    findings.extend(ports::doors(context));
    findings.push(database::reachable(context).await);
    let private = Private::of(&context.env);
    for finding in &mut findings {
        finding.found = private.hide(&finding.found);
        finding.fix = finding.fix.take().map(|fix| private.hide(&fix));
    }
    findings
}

pub(crate) async fn run(context: &Context, as_json: bool) -> Result<Exit, Error> {
    let findings = examine(context).await;
    let bad = findings.iter().filter(|finding| finding.grade == Grade::Bad).count();
    let out = context.out;
    if as_json {
        out.line(json!({ "version": env!("CARGO_PKG_VERSION"), "ok": bad == 0, "findings": findings }));
    } else {
        for finding in &findings {
            let (word, style) = match finding.grade {
                Grade::Good => ("ok  ", Style::Good),
                Grade::Weak => ("weak", Style::Warn),
                Grade::Bad => ("BAD ", Style::Bad),
            };
            let found = harmless(&finding.found);
            out.line(format_args!("{}  {:<12} {found}", out.paint(style, word), finding.subject));
            if let Some(fix) = &finding.fix {
                out.line(format_args!("{:20}fix: {}", "", harmless(fix)));
            }
        }
    }
    if bad == 0 { Ok(Exit::Done) } else { Err(Error::Unhealthy(bad)) }
}

/// What must not be pasted.
struct Private {
    home: Option<String>,
    user: Option<String>,
}

impl Private {
    fn of(env: &crate::env::Env) -> Self {
        let get = |names: &[&str]| {
            names.iter().find_map(|name| env.get(*name)).filter(|value| value.len() > 1).cloned()
        };
        Self { home: get(&["HOME", "USERPROFILE"]), user: get(&["USER", "LOGNAME", "USERNAME"]) }
    }

    fn hide(&self, text: &str) -> String {
        let text = match &self.home {
            Some(home) => text.replace(home.as_str(), "~"),
            None => text.to_owned(),
        };
        match &self.user {
            // `root` names no person, and is part of many honest words.
            Some(user) if user != "root" => {
                text.replace(&format!("/{user}/"), "/<user>/").replace(&format!("{user}@"), "<user>@")
            }
            _ => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_neither_home_nor_user() {
        let env = [("HOME", "/home/ada"), ("USER", "ada")].map(|(name, value)| (name.into(), value.into()));
        let private = Private::of(&env.into());
        assert_eq!(private.hide("cannot read /home/ada/.x, /srv/ada/y"), "cannot read ~/.x, /srv/<user>/y");
    }
}
