//! Where a project's remotes lie: a repository brings their addresses along, and an address can name a program, a file
//! of the machine or a key. Which ones may be spoken with, and how they are shown.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest address, bytes.
const LONGEST: usize = 1_024;

/// An address that git may speak with once a person agreed.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    full: String,
    shown: String,
    protocol: &'static str,
}

/// The parts of an address as git tells them apart.
struct Parts<'a> {
    /// `https://`; nothing where only a host and a path are named, which means ssh.
    lead: &'a str,
    protocol: &'a str,
    user: Option<&'a str>,
    host: &'a str,
    path: &'a str,
}

impl Address {
    /// Refuses what names a program or a file, what is not encrypted and leaves this machine, and what could be taken for
    /// an option.
    pub fn of(text: &str) -> Result<Self, String> {
        let parts = Parts::of(text)?;
        let protocol = parts.protocol()?;
        parts.check(protocol)?;
        // Behind the name, or in its place, stands a key; but not in its place over ssh.
        let user = parts.user.filter(|_| protocol == "ssh").and_then(|user| user.split(':').next());
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        let path = match parts.path.split_once('?') {
            Some((path, _)) => format!("{path}?…"),
            None => parts.path.to_owned(),
        };
        let shown = format!("{}{user}{}{path}", parts.lead, parts.host);
        Ok(Self { full: text.to_owned(), shown, protocol })
    }

    /// All of it, as git is told: it may hold a key.
    pub fn full(&self) -> &str {
        &self.full
    }

    /// Without keys, for people and models.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The one protocol that it is spoken with over, by git's name.
    pub const fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// A text in which this address stands as it is shown.
    pub fn redacted(&self, text: &str) -> String {
        text.replace(&self.full, &self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.shown)
    }
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Result<Self, String> {
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "the remote's address is too long, or has characters that no address needs".to_owned()
            );
        }
        let (lead, protocol, authority, path) = if let Some((protocol, rest)) = text.split_once("://") {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            (&text[..text.len() - rest.len()], protocol, authority, path)
        } else {
            let colon = text.find(':').filter(|at| !text[..*at].contains('/'));
            let at = colon.ok_or("the remote is a folder of this machine: use git by hand")?;
            ("", "ssh", &text[..at], &text[at..])
        };
        if path.starts_with("::") {
            return Err("the remote's address names a program".to_owned());
        }
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        Ok(Self { lead, protocol, user, host, path })
    }

    fn protocol(&self) -> Result<&'static str, String> {
        match self.protocol {
            "https" => Ok("https"),
            "ssh" => Ok("ssh"),
            "http" if self.is_here() => Ok("http"),
            "git" if self.is_here() => Ok("git"),
            "http" | "git" => {
                Err("the remote's address is not encrypted: only this machine is spoken with so".to_owned())
            }
            _ => Err("remotes are spoken with over https and ssh only".to_owned()),
        }
    }

    fn check(&self, protocol: &str) -> Result<(), String> {
        let (name, port) = self.host_and_port();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let named = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain);
        // One letter and a colon is a drive on some machines.
        let host = (named && (name.len() > 1 || self.path.starts_with('/'))) || ipv6(name).is_some();
        let port = port.is_none_or(|port| port.parse::<u16>().is_ok());
        let user = self.user.is_none_or(|user| {
            !user.is_empty() && !user.starts_with('-') && (protocol != "ssh" || !user.contains('%'))
        });
        let path = self.path.trim_start_matches([':', '/']);
        if host && port && user && !path.is_empty() && !path.starts_with('-') {
            Ok(())
        } else {
            Err("the remote's address is not one that git would be given by hand".to_owned())
        }
    }

    fn host_and_port(&self) -> (&'a str, Option<&'a str>) {
        let behind = self.host.rfind(']').map_or(0, |at| at + 1);
        match self.host[behind..].split_once(':') {
            Some((name, port)) => (&self.host[..behind + name.len()], Some(port)),
            None => (self.host, None),
        }
    }

    fn is_here(&self) -> bool {
        let (name, _) = self.host_and_port();
        name == "localhost"
            || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
            || ipv6(name).is_some_and(|address| address.is_loopback())
    }
}

fn ipv6(name: &str) -> Option<Ipv6Addr> {
    name.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let address = Address::of(text).unwrap();
        assert_eq!(format!("{} {}", address.protocol(), address.shown()), expected, "{text}");
        assert_eq!(address.full(), text);
    }

    #[test]
    fn addresses_are_shown_without_keys() {
        check("https://host.example/a/b.git", "https https://host.example/a/b.git");
        check("https://ada:s3cret@host.example/a", "https https://host.example/a");
        check("https://ghp_s3cret@host.example:8443/a", "https https://host.example:8443/a");
        check("https://host.example/a?private_token=s3cret", "https https://host.example/a?…");
        check("git@host.example:a/b.git", "ssh git@host.example:a/b.git");
        check("ssh://git:s3cret@host.example:22/a", "ssh ssh://git@host.example:22/a");
        check("ssh://git@[2001:db8::1]:22/a", "ssh ssh://git@[2001:db8::1]:22/a");
        check("http://127.0.0.1:8080/a", "http http://127.0.0.1:8080/a");
        check("git://[::1]/a", "git git://[::1]/a");
        check("git://localhost:9418/a", "git git://localhost:9418/a");
    }

    #[test]
    fn hole_07_what_names_a_program_or_a_file_is_refused() {
        for text in [
            "",
            "ext::sh -c 'touch x'",
            "ext::sh",
            "fd::17",
            "testgit::https://host.example/a",
            "file:///etc",
            "/srv/a.git",
            "../a.git",
            "./a:b",
            "C:\\a",
            "C:a",
            "http://host.example/a",
            "git://host.example/a",
            "http://localhost.evil.example/a",
            "http://127.0.0.1@evil.example/a",
            "ftp://host.example/a",
            "HTTPS://host.example/a",
            "https:///a",
            "https://host.example",
            "ssh://-oProxyCommand=x/a",
            "ssh://-oProxyCommand=x@host.example/a",
            "ssh://%2doProxyCommand=x@host.example/a",
            "ssh://%2doProxyCommand=x/a",
            "-oProxyCommand=x:a",
            "host.example:-x",
            "--upload-pack=x",
            "https://host.example:x/a",
            "https://host.example/a b",
            "https://host.example/a\u{202e}",
            "https://host.example/a\n",
        ] {
            assert!(Address::of(text).is_err(), "{text:?}: {:?}", Address::of(text));
        }
        assert!(Address::of(&format!("https://host.example/{}", "a".repeat(LONGEST))).is_err());
    }

    #[test]
    fn keys_are_taken_out_of_what_git_says() {
        let address = Address::of("https://ada:s3cret@host.example/a").unwrap();
        let said = "unable to access 'https://ada:s3cret@host.example/a': no";
        assert_eq!(address.redacted(said), "unable to access 'https://host.example/a': no");
        assert!(!format!("{address:?}").contains("s3cret"));
    }
}
