//! Extractors of plain input: JSON bodies, paths and queries, each refusing with a code of ours.

use std::convert::Infallible;
use std::future::Future;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use edgecoder_protocol::ErrorCode;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::{Error, body};

/// A JSON body of at most `LIMIT` bytes.
#[derive(Debug)]
pub(crate) struct Json<T, const LIMIT: usize = { body::JSON_LIMIT }>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned, const LIMIT: usize> FromRequest<S> for Json<T, LIMIT> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self, Error> {
        body::declared_json(request.headers())?;
        let bytes = body::read(request.into_body(), LIMIT).await?;
        body::parse(&bytes).map(Self)
    }
}

/// What the path names.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let axum::extract::Path(value) = axum::extract::Path::from_request_parts(parts, state)
            .await
            .map_err(|error| Error::new(ErrorCode::InvalidRequest, format!("path: {}", error.body_text())))?;
        Ok(Self(value))
    }
}

/// What the query says.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let axum::extract::Query(value) =
            axum::extract::Query::from_request_parts(parts, state).await.map_err(|error| {
                Error::new(ErrorCode::InvalidRequest, format!("query: {}", error.body_text()))
            })?;
        Ok(Self(value))
    }
}

/// Ends when the door closes: whoever waits for news goes home at once. Never ends without a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Closing(pub(crate) CancellationToken);

impl Closing {
    /// The answer, or a refusal when the door closes first.
    pub(crate) async fn or<T, E: Into<Error>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            done = work => done.map_err(Into::into),
            () = self.0.cancelled() => Err(Error::new(ErrorCode::ShuttingDown, "the node is stopping")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Closing {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
