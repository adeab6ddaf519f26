//! Telling an answer while it is made: a dialect says how one event is written, this says the rest.

use axum::body::Bytes;
use futures::{Stream, StreamExt as _, stream};

use super::said::{Answer, Said};
use crate::Error;

/// Writes events of answers in one dialect.
pub(super) trait Tell: Send + 'static {
    /// What stands before the first event.
    fn begin(&mut self) -> Vec<Bytes> {
        Vec::new()
    }

    /// How an event of the answer of this place is written. After an error nothing more is asked.
    fn tell(&mut self, index: usize, said: Result<Said, Error>) -> Vec<Bytes>;
}

/// The answers, told as they come. Dropping the stream cancels them.
pub(super) fn told_by(
    answers: Vec<Answer>,
    mut dialect: impl Tell,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let streams = answers.into_iter().enumerate();
    let streams = streams.map(|(index, answer)| answer.said.map(move |said| (index, said)).boxed());
    let all = stream::select_all(streams.collect::<Vec<_>>());
    let before = stream::iter(dialect.begin());
    let told = all.scan((dialect, false), |(dialect, failed), (index, said)| {
        if *failed {
            return std::future::ready(None);
        }
        *failed = said.is_err();
        std::future::ready(Some(stream::iter(dialect.tell(index, said))))
    });
    before.chain(told.flatten())
}
