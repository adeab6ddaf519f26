//! Hugging Face: which files a repository has, which of them is meant, and what else there is.

use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::error::CatalogError;
use super::source::Pick;
use crate::download::web::{Fault, Remote, Web};

/// Pages of a list that are read: repositories of models have one.
const MAX_PAGES: usize = 20;
/// Quantisations in the order they are taken when none is named: size against quality.
const USUAL: &[&str] = &[
    "Q4_K_M", "Q4_K_S", "Q4_0", "IQ4_XS", "Q5_K_M", "Q5_K_S", "Q5_0", "Q6_K", "Q8_0", "Q3_K_M", "Q2_K",
    "BF16", "F16", "FP16", "F32",
];
/// Files named in an error.
const MAX_OFFERED: usize = 12;

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RepositoryFile {
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) sha256: Option<Digest>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    lfs: Option<Large>,
}

#[derive(Debug, Deserialize)]
struct Large {
    oid: String,
    size: u64,
}

/// A repository that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// `owner/name`.
    pub id: String,
    /// Downloads in the last month.
    #[serde(default)]
    pub downloads: u64,
    /// Likes.
    #[serde(default)]
    pub likes: u64,
    /// Its licence, where a tag names one.
    #[serde(default)]
    pub license: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    downloads: u64,
    #[serde(default)]
    likes: u64,
    #[serde(default)]
    tags: Vec<String>,
}

/// The GGUF files of a repository.
pub(super) async fn files(
    web: &Web,
    base: &Remote,
    repo: &str,
    revision: &str,
) -> Result<Vec<RepositoryFile>, Fault> {
    let mut page = at(base, &format!("api/models/{repo}/tree/{revision}?recursive=true"))?;
    let mut files = Vec::new();
    for _ in 0..MAX_PAGES {
        let (headers, entries): (_, Vec<Entry>) = web.json(&page, HeaderMap::new()).await?;
        files.extend(entries.into_iter().filter_map(gguf_file));
        match next_page(&headers, &page.url) {
            Some(url) => page.url = url,
            None => break,
        }
    }
    Ok(files)
}

fn gguf_file(entry: Entry) -> Option<RepositoryFile> {
    let is_gguf = entry.kind == "file" && entry.path.to_ascii_lowercase().ends_with(".gguf");
    let (size, sha256) = match entry.lfs {
        Some(large) => (large.size, large.oid.parse().ok()),
        None => (entry.size, None),
    };
    is_gguf.then_some(RepositoryFile { path: entry.path, size, sha256 })
}

/// `<…>; rel="next"`, on the same host.
fn next_page(headers: &HeaderMap, of: &Url) -> Option<Url> {
    let links = headers.get(LINK)?.to_str().ok()?;
    let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    let url = of.join(next.split_once('<')?.1.split_once('>')?.0).ok()?;
    (url.origin() == of.origin()).then_some(url)
}

/// The file that is meant.
pub(super) fn choose(
    repo: &str,
    files: &[RepositoryFile],
    pick: &Pick,
) -> Result<RepositoryFile, CatalogError> {
    let none = |wanted: String| {
        let mut offered: Vec<&str> = files.iter().map(|file| file.path.as_str()).take(MAX_OFFERED).collect();
        if offered.is_empty() {
            offered.push("no GGUF file at all");
        }
        CatalogError::NoFit { repo: repo.to_owned(), wanted, offered: super::error::quoted_list(&offered) }
    };
    // Pictures' projectors and files cut in several are no models by themselves.
    let whole = || files.iter().filter(|file| !is_projector(&file.path) && !is_split(&file.path));
    let of = |quant: &str| whole().find(|file| has_quantisation(&file.path, quant));
    let found = match pick {
        Pick::File(path) => files.iter().find(|file| file.path == *path),
        Pick::Quant(quant) => of(quant),
        Pick::Usual => {
            USUAL.iter().find_map(|quant| of(quant)).or_else(|| whole().min_by_key(|file| file.size))
        }
    };
    found.cloned().ok_or_else(|| match pick {
        Pick::File(path) => none(format!("file {path}")),
        Pick::Quant(quant) if files.iter().any(|file| has_quantisation(&file.path, quant)) => {
            none(format!("{quant} in one file (files in several parts are not supported)"))
        }
        Pick::Quant(quant) => none(quant.clone()),
        Pick::Usual => none("GGUF file in one part".to_owned()),
    })
}

fn is_projector(path: &str) -> bool {
    path.to_ascii_lowercase().contains("mmproj")
}

/// `…-00001-of-00003.gguf`
fn is_split(path: &str) -> bool {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    stem.rsplit_once("-of-").is_some_and(|(before, last)| {
        digits(last) && before.rsplit_once('-').is_some_and(|(_, first)| digits(first))
    })
}

/// Whether a file's name has `quant` as a word of its own.
fn has_quantisation(path: &str, quant: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_uppercase();
    name.match_indices(quant).any(|(at, _)| {
        let part_of_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let before = name.get(..at).and_then(|text| text.chars().next_back());
        let after = name.get(at + quant.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

/// Repositories with GGUF files, the most downloaded first.
pub(super) async fn search(web: &Web, base: &Remote, query: &str, limit: u32) -> Result<Vec<Found>, Fault> {
    let mut page = at(base, "api/models")?;
    page.url
        .query_pairs_mut()
        .append_pair("search", query)
        .append_pair("filter", "gguf")
        .append_pair("sort", "downloads")
        .append_pair("direction", "-1")
        .append_pair("limit", &limit.to_string());
    let (_, listed): (_, Vec<Listed>) = web.json(&page, HeaderMap::new()).await?;
    let license =
        |tags: &[String]| tags.iter().find_map(|tag| Some(tag.strip_prefix("license:")?.to_owned()));
    let found = |listed: Listed| Found {
        license: license(&listed.tags),
        id: listed.id,
        downloads: listed.downloads,
        likes: listed.likes,
    };
    Ok(listed.into_iter().map(found).take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
}

/// Where a file's content is.
pub(super) fn content(base: &Remote, repo: &str, revision: &str, path: &str) -> Result<Remote, Fault> {
    at(base, &format!("{repo}/resolve/{revision}/{path}"))
}

/// `path` below the address of a server.
pub(super) fn at(base: &Remote, path: &str) -> Result<Remote, Fault> {
    let text = format!("{}/{path}", base.url.as_str().trim_end_matches('/'));
    let url = Url::parse(&text).map_err(|error| {
        Fault::Lasting(CatalogError::Answer { host: base.host(), reason: error.to_string() })
    })?;
    Ok(Remote { url, bearer: base.bearer.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_meant_is_chosen() {
        let file = |path: &str, size| RepositoryFile { path: path.into(), size, sha256: None };
        let files = [
            file("m-F16.gguf", 900),
            file("m-mmproj-Q4_K_M.gguf", 10),
            file("m-Q4_K_M-00001-of-00002.gguf", 200),
            file("m-q8_0.gguf", 500),
            file("sub/m-q4_k_s.gguf", 240),
            file("m-IQ4_XS.gguf", 230),
        ];
        let check = |pick: Pick, expected: Result<&str, &str>| match (choose("a/b", &files, &pick), expected)
        {
            (Ok(found), Ok(path)) => assert_eq!(found.path, path),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        };
        check(Pick::Usual, Ok("sub/m-q4_k_s.gguf"));
        check(Pick::Quant("Q8_0".into()), Ok("m-q8_0.gguf"));
        check(Pick::Quant("F16".into()), Ok("m-F16.gguf"));
        check(Pick::Quant("Q4_K".into()), Err("a/b has no Q4_K;"));
        check(Pick::Quant("Q4_K_M".into()), Err("several parts"));
        check(Pick::File("m-F16.gguf".into()), Ok("m-F16.gguf"));
        check(Pick::File("x.gguf".into()), Err("no file x.gguf; it offers: m-F16.gguf"));
        let only = choose("a/b", &[file("model.gguf", 1)], &Pick::Usual).unwrap();
        assert_eq!(only.path, "model.gguf");
        let error = choose("a/b", &[], &Pick::Usual).unwrap_err();
        assert!(error.to_string().contains("no GGUF file at all"), "{error}");
    }

    #[test]
    fn lists_go_on_at_the_same_host_only() {
        let of = Url::parse("https://hub.example/api/models/a/b/tree/main").unwrap();
        let check = |link: &str, expected: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, link.parse().unwrap());
            let next = next_page(&headers, &of).map(|url| url.to_string());
            assert_eq!(next.as_deref(), expected, "{link}");
        };
        check(r#"</x?cursor=1>; rel="next""#, Some("https://hub.example/x?cursor=1"));
        check(r#"<https://hub.example/y>; rel="next""#, Some("https://hub.example/y"));
        check(r#"<https://evil.example/y>; rel="next""#, None);
        check(r#"</x>; rel="prev""#, None);
        check("nonsense", None);
    }
}
