//! What the disk, the operator and the file itself forbid.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use edgecoder_base::NodeKey;
use edgecoder_inference::catalog::{CatalogError, Digest, ModelName, OperatorConfig, PullRequest};
use edgecoder_inference::download::disk::{Disk, LocalDisk};
use tokio_util::sync::CancellationToken;

use super::home::{Home, model};
use super::server::{Reply, Server};

/// A disk with so many bytes left, which may be fewer than it says.
#[derive(Debug)]
struct ScriptedDisk {
    says: u64,
    left: AtomicU64,
}

impl Disk for ScriptedDisk {
    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.says)
    }

    fn reserve(&self, file: &File, bytes: u64) -> io::Result<()> {
        file.set_len(bytes)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let needed = bytes.len() as u64;
        let taken =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(needed));
        taken.map_err(|_| io::Error::from(io::ErrorKind::StorageFull))?;
        LocalDisk.write_at(file, bytes, offset)
    }
}

#[tokio::test]
async fn a_disk_without_room_is_not_even_tried() {
    let (mut home, content) = (Home::new(), model(30));
    let size = content.len() as u64;
    home.disk = Arc::new(ScriptedDisk { says: size, left: AtomicU64::new(u64::MAX) });
    let served = content.clone();
    let server = Server::start(move |request| Reply::file(&served, "v1", request));
    let error = home.pull(&server.url("/m.gguf")).await.unwrap_err();
    assert!(
        matches!(error, CatalogError::NoRoom { needed, free, .. } if needed == size + 1_000 && free == size),
        "{error}"
    );
    assert_eq!(server.sent(), 1, "one byte was asked for");
    home.assert_clean();
    home.disk = Arc::new(LocalDisk);
    home.assert_holds(&home.pull(&server.url("/m.gguf")).await.unwrap(), &content);
}

#[tokio::test]
async fn a_disk_that_fills_up_ends_the_pull_and_not_the_progress() {
    let (mut home, content) = (Home::new(), model(31));
    for ranges in [true, false] {
        home.disk = Arc::new(ScriptedDisk { says: u64::MAX, left: AtomicU64::new(90_000) });
        let served = content.clone();
        let server =
            Server::start(
                move |request| {
                    if ranges { Reply::file(&served, "v1", request) } else { Reply::ok(&served[..]) }
                },
            );
        let error = home.pull(&server.url("/m.gguf")).await.unwrap_err();
        assert!(matches!(error, CatalogError::NoRoom { .. }), "{error}");
        home.assert_empty();
        let left = home.catalog().store().unfinished().unwrap();
        assert!(!ranges || left[0].completed >= 60_000, "{left:?}");
        left.iter().for_each(|left| left.remove().unwrap());
        home.assert_clean();
    }
}

#[tokio::test]
async fn a_file_of_this_machine_is_copied_and_checked() {
    let (home, content) = (Home::new(), model(32));
    let path = home.path().join("My Model.gguf");
    let write = |bytes: &[u8]| std::fs::write(&path, bytes).unwrap();
    let request = PullRequest::parse(path.to_str().unwrap()).unwrap();
    write(&content[..content.len() - 1]);
    let error = home.pull_as(&request).await.unwrap_err();
    assert!(error.to_string().contains("it was cut"), "{error}");
    write(b"");
    assert!(matches!(home.pull_as(&request).await, Err(CatalogError::NotAModel { .. })));
    write(&content);
    let wrong = PullRequest { sha256: Some(Digest::of(b"other")), ..request.clone() };
    assert!(matches!(home.pull_as(&wrong).await, Err(CatalogError::Mismatch { .. })));
    home.assert_clean();
    let installed = home.pull_as(&request).await.unwrap();
    assert_eq!(installed.name.as_str(), "My-Model");
    home.assert_holds(&installed, &content);
    write(b"changed afterwards");
    home.assert_holds(&installed, &content);
    let missing = PullRequest::parse("./no-such-model.gguf").unwrap();
    assert!(matches!(home.pull_as(&missing).await, Err(CatalogError::Absent { .. })));
    let folder = PullRequest::parse(&format!("file:{}", home.path().display())).unwrap();
    assert!(matches!(home.pull_as(&folder).await, Err(CatalogError::NotAModel { .. })));
}

#[tokio::test]
async fn a_byte_that_decayed_on_the_disk_is_found() {
    let (home, content) = (Home::new(), model(33));
    let served = content.clone();
    let server = Server::start(move |request| Reply::file(&served, "v1", request));
    let installed = home.pull(&server.url("/m.gguf")).await.unwrap();
    let catalog = home.catalog();
    let path = catalog.store().path_of(&installed.sha256);
    let mut bytes = content.clone();
    bytes[100_000] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let error = catalog.verify(&installed.name, &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, CatalogError::Mismatch { .. }), "{error}");
}

/// A home whose operator lists `allowed`, signed with the key of `seed`; key 1 is trusted.
fn operated(document: &str, seed: u8) -> Home {
    let mut home = Home::new();
    let path = home.path().join("operator.json");
    let key = |seed: u8| NodeKey::from_seed(&[seed; 32]);
    std::fs::write(&path, document).unwrap();
    let signature = key(seed).sign(document.as_bytes()).to_base64();
    std::fs::write(home.path().join("operator.json.sig"), signature + "\n").unwrap();
    home.config.operator =
        OperatorConfig { keys: vec![key(1).public()], manifest: Some(path.display().to_string()) };
    home
}

fn manifest(source: &str, content: &[u8]) -> String {
    let sha256 = Digest::of(content);
    format!(r#"{{"version":1,"models":[{{"name":"m","source":"{source}","sha256":"{sha256}"}}]}}"#)
}

#[tokio::test]
async fn only_what_the_operator_listed_is_pulled() {
    let content = model(34);
    let served = content.clone();
    let server = Server::start(move |request| Reply::file(&served, "v1", request));
    let (url, elsewhere) = (server.url("/m.gguf"), server.url("/n.gguf"));
    let check = async |home: &Home, source: &str, words: &str| {
        let error = home.pull(source).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        home.assert_clean();
    };
    let good = operated(&manifest(&url, &content), 1);
    check(&good, &elsewhere, "not on its list of sources").await;
    check(&good, "hf:owner/repo", "not on its list of sources").await;
    let installed = good.pull(&url).await.unwrap();
    good.assert_holds(&installed, &content);
    assert!(good.catalog().choose(&installed.name).await.is_ok());

    let forged = operated(&manifest(&url, &content), 2);
    check(&forged, &url, "signature is by none of the operator's keys").await;
    let other = operated(&manifest(&url, b"another content"), 1);
    check(&other, &url, "expected").await;
    let mut none = Home::new();
    none.config.operator = OperatorConfig { manifest: None, ..good.config.operator.clone() };
    check(&none, &url, "no manifest is named").await;
    none.config.operator.manifest = Some(none.path().join("absent.json").display().to_string());
    check(&none, &url, "cannot be trusted").await;

    // Installed before there was an operator: it stays, and is not used.
    let mut before = Home::new();
    let installed = before.pull(&url).await.unwrap();
    before.config.operator = other.config.operator.clone();
    let refused = |error: CatalogError| matches!(error, CatalogError::Forbidden { .. });
    assert!(refused(before.catalog().choose(&installed.name).await.unwrap_err()));
    let cancel = CancellationToken::new();
    assert!(refused(before.catalog().verify(&installed.name, &cancel).await.unwrap_err()));
}

#[tokio::test]
async fn a_name_is_not_taken_over() {
    let (home, content) = (Home::new(), model(35));
    let served = content.clone();
    let server = Server::start(move |request| Reply::file(&served, "v1", request));
    let name: ModelName = "coder".parse().unwrap();
    let named = |url: &str| PullRequest { name: Some(name.clone()), ..PullRequest::parse(url).unwrap() };
    home.pull_as(&named(&server.url("/a.gguf"))).await.unwrap();
    let mark = server.mark();
    let error = home.pull_as(&named(&server.url("/b.gguf"))).await.unwrap_err();
    assert!(matches!(error, CatalogError::Taken { .. }), "{error}");
    assert_eq!(server.sent_since(mark), 0);
}

#[test]
fn plain_http_needs_a_promise() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let home = Home::new();
    let error = runtime.block_on(home.pull("http://models.example/m.gguf")).unwrap_err();
    assert!(error.to_string().contains("--sha256"), "{error}");
    home.assert_clean();
}
