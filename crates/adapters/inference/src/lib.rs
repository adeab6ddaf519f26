//! Engines: what turns messages into text. One trait, six kinds behind it, and a place that one can take from another.
//!
//! ```text
//! Engine ─┬─ IsolatedEngine ── stdio frames ──► child: serve ── llama (llama.cpp, slots decoded together)
//!         ├─ OllamaEngine ──── /api/chat (NDJSON), window set and read back ──► Ollama
//!         ├─ OpenAiEngine ──── /v1/chat/completions (SSE) ──► LM Studio, vLLM, llama-server, …
//!         ├─ RemoteEngine ──── NDJSON of our own inference door ──► another node of mine
//!         ├─ Switch ────────── whichever of these has the place; swapped while requests run
//!         └─ ScriptedEngine    (feature `test-support`) queued replies, recorded requests
//! ```
//!
//! **Invariants.** A request that cannot fit is refused before a token is generated. A stream either ends with
//! exactly one `Done` or with an error; it never just stops. A crash of the native code ends the child, never us.

pub mod capabilities;
pub mod catalog;
pub mod codec;
pub mod compact;
#[cfg(all(feature = "llama", target_os = "linux"))]
mod confine;
pub mod discover;
pub mod download;
pub mod embed;
pub mod engine;
pub mod error;
pub mod event;
pub mod frame;
mod http;
pub mod isolate;
mod lines;
#[cfg(feature = "llama")]
mod llama;
pub mod ollama;
pub mod openai;
pub mod remote;
pub mod request;
#[cfg(any(test, feature = "test-support"))]
pub mod scripted;
#[cfg(feature = "llama")]
pub mod serve;
pub mod switch;
#[cfg(any(test, feature = "llama"))]
mod window;

pub use capabilities::Capabilities;
pub use compact::{Compaction, Overflow};
pub use embed::{EmbedRequest, Embeddings};
pub use engine::{Engine, EventStream, Reply, capped, collect};
pub use error::Error;
pub use event::{Event, Finish, TokenLogprob, TokenUsage};
pub use isolate::{EngineState, IsolateConfig, IsolatedEngine, Supervisor};
pub use ollama::{Ollama, OllamaConfig, OllamaEngine};
pub use openai::{OpenAiConfig, OpenAiEngine};
pub use remote::{RemoteConfig, RemoteEngine};
pub use request::{CompletionRequest, CountRequest, Format, Message, Role, TextPrompt};
#[cfg(any(test, feature = "test-support"))]
pub use scripted::ScriptedEngine;
pub use switch::{Driven, Load, Switch, SwitchConfig, Switchboard};
