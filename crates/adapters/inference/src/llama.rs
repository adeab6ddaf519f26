//! llama.cpp, compiled in. Runs only inside the child ([`crate::serve`]): its aborts must not be ours.

pub(crate) mod batcher;
pub(crate) mod cache;
pub(crate) mod model;
pub(crate) mod prompt;
pub(crate) mod sequence;
pub(crate) mod text;
