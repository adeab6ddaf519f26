//! Finds files that hold credentials, so that they never enter a snapshot. Few rules of high confidence: a
//! rule that cries wolf gets switched off, and then it guards nothing. A finding names the rule, never the
//! value.

use globset::{Glob, GlobSet, GlobSetBuilder};
use regex::bytes::{Regex, RegexSet};

use crate::Error;

/// A file that contains this text is shared in spite of what it looks like.
pub const ALLOW_MARKER: &str = "edgecoder:allow-secret";

/// Fewest different bytes in a key: below it is a placeholder such as `ghp_xxxxxxxx…`.
const MIN_DISTINCT_BYTES: usize = 10;

/// Rule and file name globs (lower case, matched on the last component).
const NAMES: &[(&str, &[&str])] = &[
    ("environment file", &[".env", ".env.*", "*.env", ".envrc"]),
    ("SSH private key", &["id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.ppk"]),
    ("key file", &["*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.p8"]),
    ("password store", &["*.kdbx", "*.kdb", ".pgpass", ".netrc", "_netrc", ".htpasswd", "wallet.dat"]),
    ("package registry credentials", &[".npmrc", ".pypirc", ".yarnrc", ".gem-credentials", ".dockercfg"]),
    (
        "cloud or git credentials",
        &[".git-credentials", ".vault-token", "kubeconfig", "*.tfstate", ".s3cfg", ".boto"],
    ),
    (
        "credentials file",
        &[
            "credentials",
            "credentials.{json,yml,yaml,xml,ini,toml,txt,csv,properties,db,enc}",
            "service-account*.json",
        ],
    ),
];

/// Names that match a rule above but are meant to be read: templates and public halves.
const HARMLESS: &[&str] =
    &["*.example", "*.sample", "*.template", "*.dist", "*.pub", "example.env", "sample.env"];

/// Rule and the shape of its content.
const SHAPES: &[(&str, &str)] = &[
    (
        "private key block",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\s|\\r|\\n|[A-Za-z-]+: [^\r\n]*)*[A-Za-z0-9+/=]{40}",
    ),
    ("AWS access key", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{82})\b"),
    ("GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("Slack token", r"\bxox[abprse]-[0-9A-Za-z-]{10,}-[0-9A-Za-z]{16,}"),
    ("Slack webhook", r"hooks\.slack\.com/services/T[A-Z0-9]{8,}/B[A-Z0-9]{8,}/[A-Za-z0-9]{24}"),
    (
        "OpenAI key",
        r"\bsk-(?:[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}|(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,})",
    ),
    ("Anthropic key", r"\bsk-ant-[a-z0-9]+-[A-Za-z0-9_-]{80,}"),
    ("Google API key", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("Stripe key", r"\b[sr]k_live_[0-9A-Za-z]{24,}"),
    ("npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("PyPI token", r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}"),
];

/// The rules, ready to match.
#[derive(Debug)]
pub struct Secrets {
    names: GlobSet,
    name_rules: Vec<&'static str>,
    harmless: GlobSet,
    allowed: GlobSet,
    any: RegexSet,
    shapes: Vec<Regex>,
    marker: Regex,
}

impl Secrets {
    /// The rules, less the paths that `allow` names.
    pub fn new(allow: &[String]) -> Result<Self, Error> {
        let mut names = GlobSetBuilder::new();
        let mut name_rules = Vec::new();
        for (rule, globs) in NAMES {
            for glob in *globs {
                names.add(glob_of(glob)?);
                name_rules.push(*rule);
            }
        }
        let patterns: Vec<String> = SHAPES.iter().map(|(_, shape)| format!("(?-u){shape}")).collect();
        Ok(Self {
            names: build(names)?,
            name_rules,
            harmless: set(HARMLESS.iter().copied())?,
            allowed: set(allow.iter().map(String::as_str))?,
            any: RegexSet::new(&patterns).map_err(Error::Pattern)?,
            shapes: patterns
                .iter()
                .map(|shape| Regex::new(shape))
                .collect::<Result<_, _>>()
                .map_err(Error::Pattern)?,
            marker: Regex::new(ALLOW_MARKER).map_err(Error::Pattern)?,
        })
    }

    /// The rule that keeps this file out, if any.
    pub fn find(&self, path: &str, bytes: &[u8]) -> Option<&'static str> {
        let found = self.by_name(path, bytes).or_else(|| self.by_content(bytes))?;
        let meant = self.allowed.is_match(path) || self.marker.is_match(bytes);
        (!meant).then_some(found)
    }

    fn by_name(&self, path: &str, bytes: &[u8]) -> Option<&'static str> {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        let rule = *self.name_rules.get(*self.names.matches(&name).first()?)?;
        let harmless = self.harmless.is_match(&name) || (name.ends_with(".pem") && only_public(bytes));
        (!harmless).then_some(rule)
    }

    fn by_content(&self, bytes: &[u8]) -> Option<&'static str> {
        self.any.matches(bytes).into_iter().find_map(|index| {
            let real = self.shapes[index].find_iter(bytes).any(|found| is_no_placeholder(found.as_bytes()));
            real.then_some(SHAPES[index].0)
        })
    }
}

/// A PEM file of certificates and public keys proves by its own labels that nothing in it is secret.
fn only_public(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut labels = text.lines().filter_map(|line| line.strip_prefix("-----BEGIN ")).peekable();
    labels.peek().is_some()
        && labels.all(|label| label.contains("CERTIFICATE") || label.contains("PUBLIC KEY"))
}

fn is_no_placeholder(found: &[u8]) -> bool {
    let mut seen = [false; 256];
    for byte in found {
        seen[usize::from(*byte)] = true;
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    distinct >= MIN_DISTINCT_BYTES && !found.ends_with(b"EXAMPLE")
}

fn glob_of(glob: &str) -> Result<Glob, Error> {
    Glob::new(glob).map_err(|source| Error::Glob { glob: glob.to_owned(), source })
}

fn set<'a>(globs: impl Iterator<Item = &'a str>) -> Result<GlobSet, Error> {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(glob_of(glob)?);
    }
    build(builder)
}

fn build(builder: GlobSetBuilder) -> Result<GlobSet, Error> {
    builder.build().map_err(|source| Error::Glob { glob: String::new(), source })
}
