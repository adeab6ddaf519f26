//! What goes over the child's standard input and output: one JSON object a line, each with its request's number.

use serde::{Deserialize, Serialize};

use crate::{Capabilities, CompletionRequest, CountRequest, EmbedRequest, Embeddings, Error, Event};

/// Longest line either side accepts, bytes. A prompt of a million tokens fits; a runaway writer does not.
pub const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;

/// The version of these frames. Parent and child are normally one program; where they are not, the parent
/// refuses a child of another version rather than misunderstand it.
pub const PROTOCOL: u32 = 2;

/// Parent to child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Answer this.
    Complete {
        /// Chosen by the parent, never used twice in one child's life.
        id: u64,
        /// What to answer.
        request: CompletionRequest,
    },
    /// Count this.
    Count {
        /// As above.
        id: u64,
        /// What to count.
        request: CountRequest,
    },
    /// Turn these into vectors.
    Embed {
        /// As above.
        id: u64,
        /// The texts.
        request: EmbedRequest,
    },
    /// Stop answering; the slot is free before the next token. Unknown numbers are ignored.
    Cancel {
        /// Of the request to stop.
        id: u64,
    },
}

/// Child to parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "snake_case")]
pub enum Tell {
    /// First line of a child whose model is loaded.
    Ready {
        /// The version of the frames it speaks; absent means the first.
        #[serde(default)]
        protocol: u32,
        /// What was loaded, read back from the model.
        capabilities: Capabilities,
    },
    /// Nothing new, but at work: said between two steps, so that a long prompt is no silence.
    Alive,
    /// Only line of a child that cannot work; it exits after it.
    Failed {
        /// Why.
        error: Error,
    },
    /// A step of an answer.
    Step {
        /// Of which request.
        id: u64,
        /// The step.
        event: Event,
    },
    /// A count.
    Counted {
        /// Of which request.
        id: u64,
        /// Tokens of the prompt.
        tokens: u32,
    },
    /// Vectors.
    Embedded {
        /// Of which request.
        id: u64,
        /// The vectors.
        embeddings: Embeddings,
    },
    /// The request ended in an error.
    Refused {
        /// Which request; `None` when the line could not be read far enough to know.
        id: Option<u64>,
        /// Why.
        error: Error,
    },
}

/// One frame as a line, newline included.
pub fn encode<T: Serialize>(frame: &T) -> Result<String, Error> {
    let mut line =
        serde_json::to_string(frame).map_err(|error| Error::protocol(format!("cannot encode: {error}")))?;
    if line.len() >= MAX_LINE_BYTES {
        return Err(Error::invalid(format!("the request is larger than {MAX_LINE_BYTES} bytes")));
    }
    line.push('\n');
    Ok(line)
}

/// One line as a frame. The error never repeats the line: it may hold user code.
pub fn decode<T: for<'de> Deserialize<'de>>(line: &str) -> Result<T, Error> {
    serde_json::from_str(line).map_err(|error| {
        Error::protocol(format!("unreadable frame of {} bytes at column {}", line.len(), error.column()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Finish, Message, TokenUsage};

    #[test]
    fn frames_read_back() {
        let asks = [
            Ask::Complete { id: 1, request: CompletionRequest::new(vec![Message::user("a\nb\u{1F600}")], 9) },
            Ask::Count {
                id: 2,
                request: CountRequest { messages: vec![Message::system("s")], ..CountRequest::default() },
            },
            Ask::Embed { id: 3, request: EmbedRequest { inputs: vec!["x".into()], model: None } },
            Ask::Cancel { id: u64::MAX },
        ];
        for ask in asks {
            let line = encode(&ask).unwrap();
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(decode::<Ask>(line.trim_end()).unwrap(), ask);
        }
        let tells = [
            Tell::Step { id: 1, event: Event::Done { finish: Finish::Stop, usage: TokenUsage::default() } },
            Tell::Step { id: 1, event: Event::Delta { text: "\n".into() } },
            Tell::Alive,
            Tell::Ready { protocol: PROTOCOL, capabilities: Capabilities::new("m", "e", 512, 4) },
            Tell::Embedded {
                id: 3,
                embeddings: Embeddings { vectors: vec![vec![0.6, -0.8]], prompt_tokens: 1 },
            },
            Tell::Refused { id: None, error: Error::Cancelled },
        ];
        for tell in tells {
            assert_eq!(decode::<Tell>(encode(&tell).unwrap().trim_end()).unwrap(), tell);
        }
    }

    #[test]
    fn what_is_no_frame_is_a_typed_error_that_repeats_nothing() {
        for line in ["", "{", "secret", "{\"ask\":\"dance\"}", "{\"ask\":\"cancel\"}", "[]"] {
            let error = decode::<Ask>(line).unwrap_err();
            assert!(matches!(error, Error::Protocol { .. }), "{line}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn a_frame_too_large_is_refused_where_it_is_made() {
        let request = CompletionRequest::new(vec![Message::user("x".repeat(MAX_LINE_BYTES))], 1);
        assert!(matches!(encode(&Ask::Complete { id: 1, request }), Err(Error::InvalidRequest { .. })));
    }
}
