//! Where packages may come from: indexes that the settings name, and the hosts that these lead to. A build reaches these
//! hosts and no other.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Kind;

/// A host and port that a build may reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host {
    /// Name or address, lower case, without brackets.
    pub name: String,
    /// TCP port.
    pub port: u16,
}

/// Why an address of the settings is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Not `http://host[:port]/…` or `https://…`.
    #[error("{0:?} is not an address that begins with http:// or https://")]
    NotAnAddress(String),
    /// A name and a password in an address would end in the capsule.
    #[error("an index address may not hold a password")]
    Password,
    /// Not `host` or `host:port`.
    #[error("{0:?} is not a host, or a host and a port")]
    NotAHost(String),
}

const HTTPS: u16 = 443;

impl FromStr for Host {
    type Err = SourceError;

    /// `host` (port 443) or `host:port`; addresses of IP version 6 in brackets.
    fn from_str(text: &str) -> Result<Self, SourceError> {
        let wrong = || SourceError::NotAHost(text.to_owned());
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().map_err(|_| wrong())?),
            _ => (text, HTTPS),
        };
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if name.is_empty() || !name.chars().all(plain) || port == 0 {
            return Err(wrong());
        }
        Ok(Self { name: name.to_ascii_lowercase(), port })
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

impl TryFrom<String> for Host {
    type Error = SourceError;
    fn try_from(text: String) -> Result<Self, SourceError> {
        text.parse()
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.to_string()
    }
}

/// Indexes and registries, and hosts besides them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// Simple index of Python packages.
    pub pip_index: String,
    /// npm registry.
    pub npm_registry: String,
    /// Sparse index of crates.
    pub cargo_index: String,
    /// Module proxy of Go.
    pub go_proxy: String,
    /// Maven repository.
    pub maven_repository: String,
    /// Hosts besides, `host` or `host:port`.
    pub hosts: Vec<String>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            pip_index: "https://pypi.org/simple".into(),
            npm_registry: "https://registry.npmjs.org".into(),
            cargo_index: "https://index.crates.io".into(),
            go_proxy: "https://proxy.golang.org".into(),
            maven_repository: "https://repo.maven.apache.org/maven2".into(),
            hosts: Vec::new(),
        }
    }
}

/// Hosts that a public index sends its readers on to.
const SENT_ON: [(&str, &[&str]); 3] = [
    ("pypi.org", &["files.pythonhosted.org"]),
    ("index.crates.io", &["static.crates.io"]),
    ("proxy.golang.org", &["sum.golang.org", "storage.googleapis.com"]),
];

impl Sources {
    /// The address that packages of `kind` come from.
    pub fn address(&self, kind: Kind) -> &str {
        match kind {
            Kind::Python => &self.pip_index,
            Kind::Node => &self.npm_registry,
            Kind::Cargo => &self.cargo_index,
            Kind::Go => &self.go_proxy,
            Kind::Maven => &self.maven_repository,
        }
    }

    /// The hosts that a build of `kind` may reach, sorted.
    pub fn hosts(&self, kind: Kind) -> Result<Vec<Host>, SourceError> {
        let index = host_of(self.address(kind))?;
        let on = SENT_ON.iter().filter(|(name, _)| *name == index.name).flat_map(|(_, on)| on.iter());
        let named = on.copied().chain(self.hosts.iter().map(String::as_str)).map(str::parse);
        let mut hosts = named.collect::<Result<BTreeSet<Host>, _>>()?;
        hosts.insert(index);
        Ok(hosts.into_iter().collect())
    }
}

fn host_of(address: &str) -> Result<Host, SourceError> {
    let wrong = || SourceError::NotAnAddress(address.to_owned());
    let (rest, port) = match (address.strip_prefix("https://"), address.strip_prefix("http://")) {
        (Some(rest), _) => (rest, HTTPS),
        (None, Some(rest)) => (rest, 80),
        (None, None) => return Err(wrong()),
    };
    let quoted = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '\'' | '"' | '\\' | '$' | '`');
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(SourceError::Password);
    }
    if rest.contains(quoted) {
        return Err(wrong());
    }
    let host: Host = authority.parse().map_err(|_| wrong())?;
    let named = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    Ok(if named { host } else { Host { port, ..host } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(index: &str, more: &[&str], expected: Result<&[&str], SourceError>) {
        let hosts = more.iter().map(|&host| host.to_owned()).collect();
        let sources = Sources { pip_index: index.to_owned(), hosts, ..Sources::default() };
        let found = sources.hosts(Kind::Python).map(|hosts| hosts.iter().map(Host::to_string).collect());
        assert_eq!(
            found,
            expected.map(|hosts| hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>())
        );
    }

    #[test]
    fn hosts_are_those_of_the_index_and_those_named() {
        check("https://pypi.org/simple", &[], Ok(&["files.pythonhosted.org:443", "pypi.org:443"]));
        check("http://127.0.0.1:8080/simple", &["Example.org"], Ok(&["127.0.0.1:8080", "example.org:443"]));
        check("http://[::1]/", &["[::2]:99"], Ok(&["[::1]:80", "[::2]:99"]));
        check("https://me:secret@host/", &[], Err(SourceError::Password));
        for wrong in ["ftp://host/", "https://", "https://a b/", "host", "https://h:0/", "https://h/'x"] {
            check(wrong, &[], Err(SourceError::NotAnAddress(wrong.to_owned())));
        }
        for wrong in ["", "a/b", "https://x", "a:99999", "a b"] {
            check("https://h/", &[wrong], Err(SourceError::NotAHost(wrong.to_owned())));
        }
    }
}
