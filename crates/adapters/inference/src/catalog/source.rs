//! Where a model comes from, as people write it: a path, an address, a Hugging Face repository, an Ollama name.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::{CatalogError, quoted};

/// Longest text that is looked at, bytes.
const LONGEST: usize = 2048;
/// Longest part of a repository's, revision's or tag's name, bytes.
const LONGEST_WORD: usize = 96;
/// The branch that Hugging Face shows first.
const MAIN: &str = "main";
/// The user behind Ollama's own names.
const LIBRARY: &str = "library";
/// The tag that Ollama takes when none is named.
const LATEST: &str = "latest";

const FORMS: &str = "write hf:OWNER/REPO, hf:OWNER/REPO:QUANT, hf:OWNER/REPO/FILE.gguf, ollama:NAME:TAG, \
                     an https:// address or the path of a .gguf file";
const REPO: &str = "a repository is OWNER/NAME of letters, digits, `.`, `_` and `-`";
const REVISION: &str = "a revision is a branch, tag or commit of letters, digits, `.`, `_` and `-`";
const QUANT: &str = "a quantisation is like Q4_K_M, IQ4_XS, F16";
const FILE: &str = "a file in a repository is a relative path that ends with .gguf";
const TAG: &str = "an Ollama name is NAME, NAME:TAG or USER/NAME:TAG";
const ADDRESS: &str = "an address has a host and no user, password or fragment";

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// A file on this machine.
    Path(PathBuf),
    /// Any web server.
    Url(String),
    /// A repository of Hugging Face.
    HuggingFace {
        /// `owner/name`.
        repo: String,
        /// Branch, tag or commit.
        revision: String,
        /// Which file.
        pick: Pick,
    },
    /// A name of the Ollama registry.
    Ollama {
        /// `user/name`; Ollama's own models belong to `library`.
        name: String,
        /// Usually the size.
        tag: String,
    },
}

/// Which file of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pick {
    /// The usual compromise of size and quality.
    Usual,
    /// This quantisation, upper case.
    Quant(String),
    /// This path.
    File(String),
}

impl FromStr for Source {
    type Err = CatalogError;
    fn from_str(text: &str) -> Result<Self, CatalogError> {
        parse(text).map_err(|reason| CatalogError::Source { text: quoted(text), reason })
    }
}

fn parse(text: &str) -> Result<Source, &'static str> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
        return Err(FORMS);
    }
    for prefix in ["hf:", "hf.co/", "huggingface.co/"] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return hugging_face(rest);
        }
    }
    for prefix in ["ollama:", "ollama.com/library/", "registry.ollama.ai/library/"] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return ollama(rest);
        }
    }
    for prefix in ["https://huggingface.co/", "https://hf.co/"] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return hugging_face_page(rest);
        }
    }
    if text.starts_with("https://") || text.starts_with("http://") {
        return address(text);
    }
    if let Some(path) = text.strip_prefix("file:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return if path.is_empty() { Err(FORMS) } else { Ok(Source::Path(path.into())) };
    }
    let is_path = text.starts_with(['/', '.', '~', '\\']) || text.ends_with(".gguf");
    if is_path { Ok(Source::Path(text.into())) } else { Err(FORMS) }
}

/// `owner/name[@revision][:QUANT]` or `owner/name[@revision]/file.gguf`.
fn hugging_face(text: &str) -> Result<Source, &'static str> {
    let mut parts = text.splitn(3, '/');
    let owner = parts.next().unwrap_or_default();
    let name = parts.next().ok_or(REPO)?;
    let file = parts.next();
    let (name, quant) = match (name.split_once(':'), file) {
        (Some((name, quant)), None) => (name, Some(quant)),
        (Some(_), Some(_)) => return Err(REPO),
        (None, _) => (name, None),
    };
    let (name, revision) = name.split_once('@').unwrap_or((name, MAIN));
    let pick = match (quant, file) {
        (Some(quant), _) => Pick::Quant(quantisation(quant)?),
        (None, Some(file)) => Pick::File(repository_file(file)?),
        (None, None) => Pick::Usual,
    };
    repository(owner, name, revision, pick)
}

/// As copied from a browser: `owner/name`, `owner/name/blob/revision/file`, `owner/name/resolve/revision/file`.
fn hugging_face_page(text: &str) -> Result<Source, &'static str> {
    let text = text.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let parts: Vec<&str> = text.splitn(5, '/').collect();
    match parts[..] {
        [owner, name] => repository(owner, name, MAIN, Pick::Usual),
        [owner, name, "tree", revision] => repository(owner, name, revision, Pick::Usual),
        [owner, name, "blob" | "resolve", revision, file] => {
            repository(owner, name, revision, Pick::File(repository_file(file)?))
        }
        _ => Err(FORMS),
    }
}

fn repository(owner: &str, name: &str, revision: &str, pick: Pick) -> Result<Source, &'static str> {
    if !is_word(owner) || !is_word(name) {
        return Err(REPO);
    }
    if !is_word(revision) {
        return Err(REVISION);
    }
    Ok(Source::HuggingFace { repo: format!("{owner}/{name}"), revision: revision.to_owned(), pick })
}

fn quantisation(text: &str) -> Result<String, &'static str> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let fits = plain && (2..=16).contains(&text.len()) && text.bytes().any(|b| b.is_ascii_digit());
    if fits { Ok(text.to_ascii_uppercase()) } else { Err(QUANT) }
}

fn repository_file(path: &str) -> Result<String, &'static str> {
    let tame = path.split('/').all(|part| {
        let plain = |c: char| !c.is_control() && !matches!(c, '\\' | '?' | '#' | '%');
        !part.is_empty() && part != "." && part != ".." && part.chars().all(plain)
    });
    if tame && path.ends_with(".gguf") { Ok(path.to_owned()) } else { Err(FILE) }
}

fn ollama(text: &str) -> Result<Source, &'static str> {
    let (name, tag) = text.split_once(':').unwrap_or((text, LATEST));
    let (user, name) = name.split_once('/').unwrap_or((LIBRARY, name));
    if [user, name, tag].into_iter().all(is_word) {
        Ok(Source::Ollama { name: format!("{user}/{name}"), tag: tag.to_owned() })
    } else {
        Err(TAG)
    }
}

fn address(text: &str) -> Result<Source, &'static str> {
    let url = reqwest::Url::parse(text).map_err(|_| ADDRESS)?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if url.has_host() && plain { Ok(Source::Url(url.to_string())) } else { Err(ADDRESS) }
}

fn is_word(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    plain
        && !text.is_empty()
        && text.len() <= LONGEST_WORD
        && !text.starts_with(['.', '-'])
        && !text.contains("..")
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Two slashes after the colon are read as part of the scheme.
            Self::Path(path) if path.to_string_lossy().starts_with("//") => {
                write!(f, "file://{}", path.display())
            }
            Self::Path(path) => write!(f, "file:{}", path.display()),
            Self::Url(url) => f.write_str(url),
            Self::HuggingFace { repo, revision, pick } => {
                write!(f, "hf:{repo}")?;
                if revision != MAIN {
                    write!(f, "@{revision}")?;
                }
                match pick {
                    Pick::Usual => Ok(()),
                    Pick::Quant(quant) => write!(f, ":{quant}"),
                    Pick::File(file) => write!(f, "/{file}"),
                }
            }
            Self::Ollama { name, tag } => {
                let name = name.strip_prefix("library/").unwrap_or(name);
                write!(f, "ollama:{name}:{tag}")
            }
        }
    }
}

impl TryFrom<String> for Source {
    type Error = CatalogError;
    fn try_from(text: String) -> Result<Self, CatalogError> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_is_read_and_written_back() {
        let check = |text: &str, canonical: &str| {
            let source: Source = text.parse().unwrap();
            assert_eq!(source.to_string(), canonical, "{text}");
            assert_eq!(canonical.parse::<Source>().unwrap(), source);
        };
        check("hf:Qwen/Qwen2.5-Coder-7B-Instruct-GGUF", "hf:Qwen/Qwen2.5-Coder-7B-Instruct-GGUF");
        check("hf:a/b:q4_k_m", "hf:a/b:Q4_K_M");
        check("hf.co/a/b@v1:Q8_0", "hf:a/b@v1:Q8_0");
        check("huggingface.co/a/b/sub/x.gguf", "hf:a/b/sub/x.gguf");
        check("https://huggingface.co/a/b", "hf:a/b");
        check("https://huggingface.co/a/b/tree/main", "hf:a/b");
        check("https://hf.co/a/b/blob/main/x.gguf", "hf:a/b/x.gguf");
        check("https://huggingface.co/a/b/resolve/v2/x.gguf?download=true", "hf:a/b@v2/x.gguf");
        check("ollama:qwen3:0.6b", "ollama:qwen3:0.6b");
        check("ollama:qwen3", "ollama:qwen3:latest");
        check("ollama:someone/model:7b", "ollama:someone/model:7b");
        check("https://models.example/x.gguf?v=1", "https://models.example/x.gguf?v=1");
        check("./x.gguf", "file:./x.gguf");
        check("x.gguf", "file:x.gguf");
        check("file:///srv/x.gguf", "file:/srv/x.gguf");
        check("file:////srv/x.gguf", "file:////srv/x.gguf");
        check("C:\\models\\x.gguf", "file:C:\\models\\x.gguf");
    }

    #[test]
    fn what_names_nothing_is_refused() {
        for text in [
            "",
            "qwen",
            "hf:",
            "hf:a",
            "hf:a/",
            "hf:../b",
            "hf:a/b:",
            "hf:a/b:not-a-quant",
            "hf:a/b@:Q4_0",
            "hf:a/b/../x.gguf",
            "hf:a/b/x.bin",
            "hf:a/b:Q4_0/x.gguf",
            "ollama:",
            "ollama:a/b/c",
            "ollama:a:b:c",
            "https://",
            "https://user:secret@host/x.gguf",
            "https://host/x.gguf#f",
            "ftp://host/x",
            "file:",
            "a\nb.gguf",
            &"x".repeat(LONGEST + 1),
        ] {
            assert!(matches!(text.parse::<Source>(), Err(CatalogError::Source { .. })), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser_and_what_is_read_is_stable(text in any::<String>()) {
            if let Ok(source) = text.parse::<Source>() {
                prop_assert_eq!(source.to_string().parse::<Source>().unwrap(), source);
            }
        }

        #[test]
        fn likely_texts_are_stable_too(text in "(hf:|hf\\.co/|ollama:|https://huggingface\\.co/|https://h/|\\./)[a-zA-Z0-9._@:/-]{0,30}(\\.gguf)?") {
            if let Ok(source) = text.parse::<Source>() {
                prop_assert_eq!(source.to_string().parse::<Source>().unwrap(), source);
            }
        }
    }
}
