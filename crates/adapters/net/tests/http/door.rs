//! A server on a free port, stopped when the test ends.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::error::ErrorBody;

pub(crate) struct Door {
    pub(crate) url: String,
    _server: tokio::task::JoinSet<()>,
}

pub(crate) async fn serve(router: Router) -> Door {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    Door { url, _server: server }
}

pub(crate) fn refusal(code: ErrorCode) -> Response {
    let body = ErrorBody { code, error: code, message: format!("no: {code}"), request_id: "r1".into() };
    (StatusCode::from_u16(code.status()).unwrap(), axum::Json(body)).into_response()
}

impl Door {
    /// An address behind which nothing listens.
    pub(crate) fn nobody(url: String) -> Self {
        Self { url, _server: tokio::task::JoinSet::new() }
    }
}
