//! What every test of the catalogue starts from: a directory, small bounds, a model that is none.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use edgecoder_base::Timestamp;
use edgecoder_inference::catalog::{
    Catalog, CatalogConfig, CatalogError, Installed, PullRequest, PullStatus,
};
use edgecoder_inference::download::DownloadConfig;
use edgecoder_inference::download::disk::{Disk, LocalDisk};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Bytes of the weights: a few dozen pieces.
const WEIGHTS: usize = 150_000;

/// A GGUF file whose weights depend on `seed`.
pub(crate) fn model(seed: u64) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    let text = |to: &mut Vec<u8>, text: &str| {
        to.extend((text.len() as u64).to_le_bytes());
        to.extend(text.as_bytes());
    };
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    text(&mut bytes, "general.architecture");
    bytes.extend(8_u32.to_le_bytes());
    text(&mut bytes, "llama");
    text(&mut bytes, "w");
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((WEIGHTS as u64 / 4).to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    let mut random = Random::new(seed);
    bytes.extend((0..WEIGHTS).map(|_| random.next().to_le_bytes()[0]));
    bytes
}

/// Chance that is the same every time.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// A directory for models, with the means to pull into it.
pub(crate) struct Home {
    pub(crate) dir: TempDir,
    pub(crate) config: CatalogConfig,
    pub(crate) disk: Arc<dyn Disk>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = CatalogConfig::new(dir.path().join("models"));
        config.download = DownloadConfig {
            connections: 3,
            span_bytes: 20_000,
            record_bytes: 8_000,
            piece_bytes: 2_000,
            silence: Duration::from_secs(20),
            attempts: 4,
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(4),
            margin_bytes: 1_000,
            max_bytes: 1 << 30,
        };
        Self { dir, config, disk: Arc::new(LocalDisk) }
    }

    pub(crate) fn catalog(&self) -> Catalog {
        Catalog::build(self.config.clone(), Arc::clone(&self.disk), || Timestamp::from_millis(1_000)).unwrap()
    }

    pub(crate) async fn pull(&self, source: &str) -> Result<Installed, CatalogError> {
        self.pull_as(&PullRequest::parse(source)?).await
    }

    pub(crate) async fn pull_as(&self, request: &PullRequest) -> Result<Installed, CatalogError> {
        let catalog = self.catalog();
        let outcome = catalog.pull(request, &CancellationToken::new()).await;
        let ended = catalog.events().borrow().status;
        assert_eq!(ended, if outcome.is_ok() { PullStatus::Ready } else { PullStatus::Error });
        outcome
    }

    /// The files in a folder of the store.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.config.dir.join(folder)) else { return Vec::new() };
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Nothing is installed, and nothing lies about that looks so.
    pub(crate) fn assert_empty(&self) {
        assert_eq!(self.catalog().store().list().unwrap(), []);
        assert_eq!(self.files("blobs"), [] as [String; 0]);
    }

    /// Nor is anything kept for later.
    pub(crate) fn assert_clean(&self) {
        self.assert_empty();
        assert_eq!(self.files("partial"), [] as [String; 0]);
    }

    /// `installed` is there and holds `content`.
    pub(crate) fn assert_holds(&self, installed: &Installed, content: &[u8]) {
        let path = self.catalog().store().path_of(&installed.sha256);
        assert!(fs::read(&path).unwrap() == content, "the installed file differs");
        assert_eq!(self.files("partial"), [] as [String; 0]);
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}
