//! llama.cpp, compiled in. Runs only inside the child ([`crate::serve`]): its aborts must not be ours.

pub(crate) mod batcher;
pub(crate) mod cache;
#[cfg(test)]
mod conversations;
mod device;
mod draft;
mod embedder;
mod logprobs;
mod memory;
pub(crate) mod model;
mod pace;
pub(crate) mod prompt;
mod sampling;
pub(crate) mod sequence;
pub(crate) mod text;
mod trial;
