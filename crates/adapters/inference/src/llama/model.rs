//! Loading a model file, and what is read back from it.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;

use edgecoder_base::BlobHash;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;

use crate::serve::ServeConfig;
use crate::{Capabilities, Error};

/// Context of a model that was trained for more, unless asked otherwise: room for an agent, affordable in memory.
const DEFAULT_CONTEXT_TOKENS: u32 = 8192;
/// Sequences decoded together, unless asked otherwise.
const DEFAULT_SLOTS: u32 = 4;
/// More than this share one step's tokens badly.
const MAX_SLOTS: u32 = 64;
/// llama.cpp's own library, by the version of its binding.
const ENGINE: &str = "llama.cpp (llama-cpp-2 0.1.160)";

/// A model in memory.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) backend: &'static LlamaBackend,
    pub(crate) model: LlamaModel,
    pub(crate) capabilities: Capabilities,
    pub(crate) threads: i32,
}

impl Loaded {
    /// Loads the file, hashing it meanwhile.
    pub(crate) fn open(config: &ServeConfig) -> Result<Self, Error> {
        check_file(&config.model)?;
        let path = config.model.clone();
        let hashing = thread::spawn(move || hash_file(&path));
        let backend = backend().ok_or_else(|| unreadable(&config.model, "llama.cpp does not start here"))?;
        let model = LlamaModel::load_from_file(backend, &config.model, &LlamaModelParams::default())
            .map_err(|error| unreadable(&config.model, &format!("llama.cpp refuses it: {error}")))?;
        let hash = hashing
            .join()
            .map_err(|_| unreadable(&config.model, "hashing stopped"))?
            .map_err(|error| unreadable(&config.model, &error.to_string()))?;
        let trained = model.n_ctx_train();
        let wanted = config.context.unwrap_or(DEFAULT_CONTEXT_TOKENS).max(1);
        let capabilities = Capabilities {
            model: name_of(&model, &config.model),
            model_hash: Some(hash),
            engine: ENGINE.into(),
            context_tokens: if trained == 0 { wanted } else { wanted.min(trained) },
            slots: config.slots.unwrap_or(DEFAULT_SLOTS).clamp(1, MAX_SLOTS),
        };
        let threads = threads(config.threads, model.size());
        Ok(Self { backend, model, capabilities, threads })
    }
}

/// llama.cpp's global state, set up once a process.
fn backend() -> Option<&'static LlamaBackend> {
    static BACKEND: OnceLock<Option<LlamaBackend>> = OnceLock::new();
    BACKEND
        .get_or_init(|| {
            llama_cpp_2::send_logs_to_tracing(llama_cpp_2::LogOptions::default());
            LlamaBackend::init().ok()
        })
        .as_ref()
}

/// Tells a missing file, and one that is no GGUF at all, from one that llama.cpp cannot use.
fn check_file(path: &Path) -> Result<(), Error> {
    let mut file = File::open(path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            let fix = "give the path of a .gguf file, or pull a model".into();
            return Error::ModelMissing { path: path.display().to_string(), fix };
        }
        unreadable(path, &error.to_string())
    })?;
    let mut magic = [0; 4];
    match file.read_exact(&mut magic) {
        Ok(()) if &magic == b"GGUF" => Ok(()),
        Ok(()) => Err(unreadable(path, "it is not a GGUF file")),
        Err(error) => Err(unreadable(path, &error.to_string())),
    }
}

fn hash_file(path: &Path) -> std::io::Result<BlobHash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(BlobHash::from_bytes(*hasher.finalize().as_bytes()))
}

fn name_of(model: &LlamaModel, path: &Path) -> String {
    let stem = || path.file_stem().map_or_else(|| "model".into(), |stem| stem.to_string_lossy().into_owned());
    model.meta_val_str("general.name").ok().filter(|name| !name.trim().is_empty()).unwrap_or_else(stem)
}

/// Weights below this are read faster by one thread than several threads can agree on who reads what: between
/// two steps of so small a model llama.cpp's threads spin for one another, and on a busy machine that takes
/// a hundred times longer than the step.
const ONE_THREAD_BYTES: u64 = 64 << 20;

fn threads(wanted: Option<u32>, weights_bytes: u64) -> i32 {
    let fitting = || if weights_bytes < ONE_THREAD_BYTES { 1 } else { processors() };
    let threads = wanted.map_or_else(fitting, |threads| usize::try_from(threads).unwrap_or(1));
    i32::try_from(threads.clamp(1, 512)).unwrap_or(1)
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

pub(crate) fn unreadable(path: &Path, reason: &str) -> Error {
    Error::ModelUnreadable { path: path.display().to_string(), reason: reason.into() }
}
