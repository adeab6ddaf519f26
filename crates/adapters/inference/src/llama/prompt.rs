//! From messages to tokens, through the template that travels in the model file; and from plain texts.

use llama_cpp_2::model::{LlamaChatMessage, LlamaChatTemplate, LlamaModel};
use llama_cpp_2::token::LlamaToken;

use crate::{CountRequest, Error, Message, TextPrompt};

/// Turns conversations into prompts of one model.
#[derive(Debug)]
pub(crate) struct Prompter<'m> {
    model: &'m LlamaModel,
    template: LlamaChatTemplate,
    /// Texts of the model's control tokens. In a message they are text, not control.
    controls: Vec<String>,
}

impl<'m> Prompter<'m> {
    pub(crate) fn new(model: &'m LlamaModel) -> Result<Self, Error> {
        let template = model
            .chat_template(None)
            .or_else(|_| LlamaChatTemplate::new("chatml"))
            .map_err(|error| Error::protocol(format!("no chat template: {error}")))?;
        let vocab = model.vocab();
        let controls = vocab
            .tokens()
            .filter(|&token| vocab.is_control(token))
            .filter_map(|token| vocab.text(token).and_then(|text| text.to_str().ok()).map(str::to_owned))
            .filter(|text| !text.is_empty())
            .collect();
        Ok(Self { model, template, controls })
    }

    /// The prompt's tokens, whichever form it has.
    pub(crate) fn prompt(&self, request: &CountRequest) -> Result<Vec<LlamaToken>, Error> {
        request.validate()?;
        match &request.text {
            Some(TextPrompt::Continue { text }) => Ok(self.text(text, true)),
            Some(TextPrompt::Infill { prefix, suffix }) => self.infill(prefix, suffix),
            None => self.tokens(&request.messages, request.prefill.as_deref()),
        }
    }

    /// Text as it is: what looks like a control token is text.
    pub(crate) fn text(&self, text: &str, at_start: bool) -> Vec<LlamaToken> {
        self.model.vocab().tokenize(text.as_bytes(), at_start, false)
    }

    /// The tokens that mark the parts of a gap, where the model has them.
    pub(crate) fn infill_marks(&self) -> Option<[LlamaToken; 3]> {
        let vocab = self.model.vocab();
        let marks = [vocab.fim_pre(), vocab.fim_suf(), vocab.fim_mid()];
        marks.iter().all(|mark| mark.0 >= 0).then_some(marks)
    }

    /// Prefix, suffix, then the middle to be written: the order models are trained with.
    fn infill(&self, prefix: &str, suffix: &str) -> Result<Vec<LlamaToken>, Error> {
        let [before, after, middle] = self
            .infill_marks()
            .ok_or_else(|| Error::unsupported("infill", "the model's file names no tokens for it"))?;
        let vocab = self.model.vocab();
        let mut tokens = if vocab.should_add_bos() { vec![vocab.bos()] } else { Vec::new() };
        tokens.push(before);
        tokens.extend(self.text(prefix, false));
        tokens.push(after);
        tokens.extend(self.text(suffix, false));
        tokens.push(middle);
        Ok(tokens)
    }

    /// The prompt's tokens, ending inside the assistant's turn, after `prefill`.
    fn tokens(&self, messages: &[Message], prefill: Option<&str>) -> Result<Vec<LlamaToken>, Error> {
        let prefill = prefill.unwrap_or_default();
        let all = || messages.iter().map(|message| message.content.as_str()).chain([prefill]);
        let mark = unused_character(all())?;
        let mut quoted = Vec::new();
        let messages = messages
            .iter()
            .map(|message| Ok((message.role.as_str(), self.set_aside(&message.content, mark, &mut quoted))))
            .collect::<Result<Vec<_>, Error>>()?;
        let prefill = self.set_aside(prefill, mark, &mut quoted);
        let mut text = self.render(&messages)?;
        text.push_str(&prefill);
        Ok(self.tokenize(&text, mark, &quoted))
    }

    pub(crate) fn count(&self, request: &CountRequest) -> Result<u32, Error> {
        Ok(u32::try_from(self.prompt(request)?.len()).unwrap_or(u32::MAX))
    }

    fn render(&self, messages: &[(&str, String)]) -> Result<String, Error> {
        let chat = messages
            .iter()
            .map(|(role, content)| LlamaChatMessage::new((*role).to_owned(), content.clone()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Error::invalid("a message contains a zero byte"))?;
        self.model.apply_chat_template(&self.template, &chat, true).map_err(|error| {
            Error::protocol(format!("llama.cpp cannot apply the model's chat template: {error}"))
        })
    }

    /// Replaces control-token texts in user content by `mark`, and remembers them in order.
    fn set_aside(&self, content: &str, mark: char, quoted: &mut Vec<String>) -> String {
        let mut out = String::with_capacity(content.len());
        let mut rest = content;
        while let Some((at, control)) = self.first_control(rest) {
            out.push_str(&rest[..at]);
            out.push(mark);
            quoted.push(control.to_owned());
            rest = &rest[at + control.len()..];
        }
        out.push_str(rest);
        out
    }

    fn first_control(&self, text: &str) -> Option<(usize, &str)> {
        let found =
            self.controls.iter().filter_map(|control| Some((text.find(control.as_str())?, control.as_str())));
        found.min_by_key(|&(at, control)| (at, std::cmp::Reverse(control.len())))
    }

    fn tokenize(&self, text: &str, mark: char, quoted: &[String]) -> Vec<LlamaToken> {
        let vocab = self.model.vocab();
        let mut tokens = Vec::new();
        let mut quoted = quoted.iter();
        for (index, part) in text.split(mark).enumerate() {
            if index > 0
                && let Some(control) = quoted.next()
            {
                tokens.extend(vocab.tokenize(control.as_bytes(), false, false));
            }
            if index == 0 || !part.is_empty() {
                tokens.extend(vocab.tokenize(part.as_bytes(), index == 0, true));
            }
        }
        tokens
    }
}

/// A private-use character that occurs nowhere in the conversation.
fn unused_character<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Result<char, Error> {
    ('\u{E000}'..='\u{F8FF}')
        .find(|&mark| !texts.clone().any(|text| text.contains(mark)))
        .ok_or_else(|| Error::invalid("the messages use every private-use character"))
}
