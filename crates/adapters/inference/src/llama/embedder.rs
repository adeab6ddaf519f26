//! Texts as vectors, in a context of their own that is made when first asked for.

use std::num::NonZeroU32;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{LlamaContextParams, LlamaPoolingType};
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;

use super::model::Loaded;
use super::prompt::Prompter;
use crate::frame::MAX_LINE_BYTES;
use crate::{EmbedRequest, Embeddings, Error};

/// Longest text. One step reads all of it, because the mean of its tokens is taken inside the step.
const MAX_INPUT_TOKENS: u32 = 2048;
/// What one number of a vector takes in a frame, bytes, at most.
const NUMBER_BYTES: usize = 16;

/// The context for vectors.
pub(crate) struct Embedder<'m> {
    loaded: &'m Loaded,
    context: Option<LlamaContext<'m>>,
    batch: LlamaBatch<'static>,
    most: usize,
}

impl<'m> Embedder<'m> {
    pub(crate) fn new(loaded: &'m Loaded, context_tokens: u32) -> Self {
        let most = usize::try_from(context_tokens.min(MAX_INPUT_TOKENS)).unwrap_or(1);
        Self { loaded, context: None, batch: LlamaBatch::new(most, 1), most }
    }

    /// One vector a text, each of length one.
    pub(crate) fn embed(
        &mut self,
        prompter: &Prompter<'_>,
        request: &EmbedRequest,
    ) -> Result<Embeddings, Error> {
        request.validate()?;
        let width = usize::try_from(self.loaded.model.n_embd_out()).unwrap_or(0);
        if request.inputs.len() * width * NUMBER_BYTES >= MAX_LINE_BYTES {
            return Err(Error::invalid(format!(
                "{} vectors are too many for one answer",
                request.inputs.len()
            )));
        }
        let texts = request.inputs.iter().map(|text| self.fitting(prompter.text(text, true)));
        let texts = texts.collect::<Result<Vec<_>, Error>>()?;
        let prompt_tokens = texts.iter().map(Vec::len).fold(0, usize::saturating_add);
        let vectors = texts.iter().map(|tokens| self.vector(tokens)).collect::<Result<Vec<_>, Error>>()?;
        Ok(Embeddings { vectors, prompt_tokens: u32::try_from(prompt_tokens).unwrap_or(u32::MAX) })
    }

    fn fitting(&self, tokens: Vec<LlamaToken>) -> Result<Vec<LlamaToken>, Error> {
        if (1..=self.most).contains(&tokens.len()) {
            return Ok(tokens);
        }
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Err(Error::ContextOverflow {
            prompt_tokens: number(tokens.len()),
            max_tokens: 0,
            context_tokens: number(self.most),
        })
    }

    fn vector(&mut self, tokens: &[LlamaToken]) -> Result<Vec<f32>, Error> {
        let failed = |reason: String| Error::EngineCrashed { reason: format!("no vector: {reason}") };
        self.batch.clear();
        for (&token, position) in tokens.iter().zip(0..) {
            self.batch.add(token, position, &[0], true).map_err(|error| failed(error.to_string()))?;
        }
        let context = match &mut self.context {
            Some(context) => context,
            none => none.insert(open(self.loaded, self.most)?),
        };
        context.clear_kv_cache();
        context.decode(&mut self.batch).map_err(|error| failed(error.to_string()))?;
        let vector = context.embeddings_seq_ith(0).map_err(|error| failed(error.to_string()))?;
        Ok(of_length_one(vector))
    }
}

fn open(loaded: &Loaded, most: usize) -> Result<LlamaContext<'_>, Error> {
    let most = u32::try_from(most).unwrap_or(MAX_INPUT_TOKENS);
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(most))
        .with_n_batch(most)
        .with_n_ubatch(most)
        .with_embeddings(true)
        .with_pooling_type(pooling(loaded))
        .with_n_threads(loaded.threads)
        .with_n_threads_batch(loaded.threads);
    loaded.model.new_context(loaded.backend, params).map_err(|error| Error::EngineCrashed {
        reason: format!("no memory for vectors of {most} tokens: {error}"),
    })
}

/// As the model was trained; models that were not trained for vectors give the mean of their tokens.
fn pooling(loaded: &Loaded) -> LlamaPoolingType {
    match loaded.number("pooling_type") {
        Some(2) => LlamaPoolingType::Cls,
        Some(3) => LlamaPoolingType::Last,
        _ => LlamaPoolingType::Mean,
    }
}

fn of_length_one(vector: &[f32]) -> Vec<f32> {
    let length =
        vector.iter().map(|number| number * number).fold(0.0, |sum: f32, square| sum + square).sqrt();
    let length = if length > 0.0 { length } else { 1.0 };
    vector.iter().map(|number| number / length).collect()
}
