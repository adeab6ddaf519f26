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

use super::device;
use super::draft::same_vocabulary;
use super::memory;
use crate::capabilities::Device;
use crate::serve::ServeConfig;
use crate::window::{self, Wish};
use crate::{Capabilities, Error};

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
    /// The small model that guesses ahead.
    pub(crate) draft: Option<LlamaModel>,
    /// As far as the file and the machine tell; the context adds what it measures.
    pub(crate) capabilities: Capabilities,
    pub(crate) threads: i32,
}

impl Loaded {
    /// Loads the file, hashing it meanwhile.
    pub(crate) fn open(config: &ServeConfig) -> Result<Self, Error> {
        check_file(&config.model)?;
        memory::go_first();
        let free_bytes = memory::free_bytes();
        let path = config.model.clone();
        let hashing = thread::spawn(move || hash_file(&path));
        let backend = backend().ok_or_else(|| unreadable(&config.model, "llama.cpp does not start here"))?;
        let (model, device) = device::load(backend, config)?;
        let draft = config.draft.as_deref().map(|path| load_draft(backend, path, &model)).transpose()?;
        let hash = hashing
            .join()
            .map_err(|_| unreadable(&config.model, "hashing stopped"))?
            .map_err(|error| unreadable(&config.model, &error.to_string()))?;
        let threads = threads(config.threads, model.size());
        let slots = config.slots.unwrap_or(DEFAULT_SLOTS).clamp(1, MAX_SLOTS);
        let (context_tokens, window) = window::choose(Wish {
            trained_tokens: model.n_ctx_train(),
            asked_tokens: config.context,
            slots,
            token_bytes: token_bytes(&model),
            // Weights on the card do not take the machine's memory, but then the context is there as well.
            free_bytes: device.free_bytes.or(free_bytes).map(|free| free.saturating_sub(model.size())),
        });
        let capabilities = Capabilities {
            model_hash: Some(hash),
            device: Device { threads: u32::try_from(threads).unwrap_or(1), ..device.device },
            window: Some(window),
            draft: draft.as_ref().zip(config.draft.as_deref()).map(|(draft, path)| name_of(draft, path)),
            ..Capabilities::new(name_of(&model, &config.model), ENGINE, context_tokens, slots)
        };
        Ok(Self { backend, model, draft, capabilities, threads })
    }

    /// A number the model's file gives for its architecture.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        number(&self.model, name)
    }
}

fn load_draft(backend: &LlamaBackend, path: &Path, model: &LlamaModel) -> Result<LlamaModel, Error> {
    if model.is_recurrent() || model.is_hybrid() {
        return Err(Error::unsupported("a draft model", "this model's state cannot take wrong guesses back"));
    }
    check_file(path)?;
    let draft = LlamaModel::load_from_file(backend, path, &LlamaModelParams::default())
        .map_err(|error| unreadable(path, &format!("llama.cpp refuses it: {error}")))?;
    if same_vocabulary(model, &draft) {
        return Ok(draft);
    }
    Err(unreadable(path, "it has another vocabulary than the model it shall guess for"))
}

fn number(model: &LlamaModel, name: &str) -> Option<u64> {
    let architecture = model.meta_val_str("general.architecture").ok()?;
    model.meta_val_str(&format!("{architecture}.{name}")).ok()?.parse().ok()
}

/// Memory a token of context takes: its key and value in every layer, two bytes a number. Models that keep less
/// (recurrent ones, sliding windows) get a smaller context than they could have, unless asked.
fn token_bytes(model: &LlamaModel) -> u64 {
    const NUMBER_BYTES: u64 = 2;
    let heads = u64::from(model.n_head_kv());
    let usual = u64::try_from(model.n_embd()).unwrap_or(0) / u64::from(model.n_head().max(1));
    let key = number(model, "attention.key_length").unwrap_or(usual);
    let value = number(model, "attention.value_length").unwrap_or(usual);
    u64::from(model.n_layer()) * heads * (key + value) * NUMBER_BYTES
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
