//! Who is calling, as extractors: a route's signature shows who may enter. Nothing here reads addresses or
//! headers that say where a request came from; those are the sender's own words.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use edgecoder_base::NodeId;
use edgecoder_coordinator::{Caller, Trust};
use edgecoder_protocol::ErrorCode;
use edgecoder_protocol::api::agents::{
    DiagnosticsRequest, HeartbeatRequest, PullRequest, RegisterRequest, ResultRequest,
};
use edgecoder_protocol::signing::{SIGNATURE, SignedHeaders};
use serde::de::DeserializeOwned;

use crate::coordinator::State;
use crate::{Error, body};

/// Somebody who knows the mesh token.
#[derive(Debug)]
pub(crate) struct MeshMember;

/// A worker, by its signature; or by the mesh token where it registered without a key.
#[derive(Debug)]
pub(crate) struct EnrolledNode<T> {
    pub(crate) caller: Caller,
    pub(crate) body: T,
}

/// A worker that asks in: with the mesh token or a registration token.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) request: RegisterRequest,
    pub(crate) trust: Trust,
    pub(crate) signed: Option<Caller>,
}

/// A mesh member or a worker, where there is no body.
#[derive(Debug)]
pub(crate) struct Admitted;

/// A mesh member or a worker, with the bytes it brings.
#[derive(Debug)]
pub(crate) struct AdmittedUpload<const LIMIT: usize>(pub(crate) Vec<u8>);

/// Bodies that name their sender.
pub(crate) trait NamesAgent {
    fn agent_id(&self) -> &NodeId;
}

macro_rules! names_agent {
    ($($request:ty),*) => {
        $(impl NamesAgent for $request {
            fn agent_id(&self) -> &NodeId {
                &self.agent_id
            }
        })*
    };
}

names_agent!(HeartbeatRequest, PullRequest, ResultRequest, DiagnosticsRequest);

/// The token of `name`, or a bearer token.
pub(crate) fn shown_tokens<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    headers.get(name).and_then(|value| value.to_str().ok()).into_iter().chain(bearer)
}

/// How a request says who sent it.
enum Credential {
    Mesh,
    Signed(SignedHeaders),
}

impl Credential {
    /// A signature counts more than a token: workers send both.
    fn of(headers: &HeaderMap, state: &State) -> Result<Option<Self>, Error> {
        if headers.contains_key(SIGNATURE) {
            return signature(headers).map(|signed| Some(Self::Signed(signed)));
        }
        let mut shown = shown_tokens(headers, MESH_TOKEN).peekable();
        if shown.peek().is_none() {
            return Ok(None);
        }
        if shown.any(|token| state.mesh_token().is(token)) {
            Ok(Some(Self::Mesh))
        } else {
            Err(no_mesh_token())
        }
    }
}

/// Header with the mesh token.
const MESH_TOKEN: &str = "x-mesh-token";

fn signature(headers: &HeaderMap) -> Result<SignedHeaders, Error> {
    SignedHeaders::read(|name| headers.get(name).and_then(|value| value.to_str().ok()))
        .map_err(|error| Error::new(ErrorCode::SignatureMissing, error.to_string()))
}

fn no_mesh_token() -> Error {
    Error::new(ErrorCode::MeshUnauthorized, "the mesh token is missing or wrong")
}

impl FromRequestParts<State> for MeshMember {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Error> {
        let known = shown_tokens(&parts.headers, MESH_TOKEN).any(|token| state.mesh_token().is(token));
        if known { Ok(Self) } else { Err(no_mesh_token()) }
    }
}

impl FromRequestParts<State> for Admitted {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Error> {
        match Credential::of(&parts.headers, state)? {
            Some(Credential::Mesh) => {}
            Some(Credential::Signed(headers)) => {
                let (method, path) = (parts.method.as_str(), parts.uri.path());
                state.handle().authenticate(&headers, method, path, b"").await?;
            }
            None => return Err(no_mesh_token()),
        }
        Ok(Self)
    }
}

impl<const LIMIT: usize> FromRequest<State> for AdmittedUpload<LIMIT> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &State) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        match Credential::of(&parts.headers, state)? {
            Some(Credential::Mesh) => body::read(body, LIMIT).await.map(Self),
            Some(Credential::Signed(headers)) => {
                // Whose it is only shows when all of it is here: few such bodies at a time.
                let _few = state.unproven_upload().await;
                let bytes = body::read(body, LIMIT).await?;
                let (method, path) = (parts.method.as_str(), parts.uri.path());
                state.handle().authenticate(&headers, method, path, &bytes).await?;
                Ok(Self(bytes))
            }
            None => Err(no_mesh_token()),
        }
    }
}

impl<T: DeserializeOwned + NamesAgent + Send + Sync> FromRequest<State> for EnrolledNode<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &State) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        let credential = Credential::of(&parts.headers, state)?;
        let credential =
            credential.ok_or_else(|| Error::new(ErrorCode::SignatureMissing, "the request is not signed"))?;
        body::declared_json(&parts.headers)?;
        let bytes = body::read(body, body::JSON_LIMIT).await?;
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        match credential {
            Credential::Signed(headers) => {
                let caller = state.handle().authenticate(&headers, method, path, &bytes).await?;
                Ok(Self { caller, body: body::parse(&bytes)? })
            }
            Credential::Mesh => {
                let body: T = body::parse(&bytes)?;
                let caller = state.handle().keyless(body.agent_id()).await?;
                Ok(Self { caller, body })
            }
        }
    }
}

impl FromRequest<State> for Registration {
    type Rejection = Error;

    async fn from_request(request: Request, state: &State) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        body::declared_json(&parts.headers)?;
        let bytes = body::read(body, body::JSON_LIMIT).await?;
        let request: RegisterRequest = body::parse(&bytes)?;
        let trust = trust(&parts.headers, &request, state)?;
        let signed = match parts.headers.contains_key(SIGNATURE) {
            true => first_signature(&signature(&parts.headers)?, &parts, &bytes, &request, state).await?,
            false => None,
        };
        Ok(Self { request, trust, signed })
    }
}

fn trust(headers: &HeaderMap, request: &RegisterRequest, state: &State) -> Result<Trust, Error> {
    if shown_tokens(headers, MESH_TOKEN).any(|token| state.mesh_token().is(token)) {
        return Ok(Trust::MeshToken);
    }
    match &request.registration_token {
        Some(token) if state.invites(token.expose()) => Ok(Trust::RegistrationToken),
        Some(_) => Err(Error::new(ErrorCode::NodeNotActivated, "the registration token is not valid here")),
        None => Err(no_mesh_token()),
    }
}

/// The signer of a registration. An agent that has no key here yet signs with the one it brings, which proves
/// that it holds it; such a caller is nobody yet.
async fn first_signature(
    headers: &SignedHeaders,
    parts: &Parts,
    bytes: &[u8],
    request: &RegisterRequest,
    state: &State,
) -> Result<Option<Caller>, Error> {
    if headers.agent_id != request.agent_id {
        let message = "the body names another agent than the signature";
        return Err(Error::new(ErrorCode::AgentIdMismatch, message));
    }
    let (method, path, now) = (parts.method.as_str(), parts.uri.path(), state.handle().now());
    let refusal = match state.handle().authenticate(headers, method, path, bytes).await {
        Ok(caller) => return Ok(Some(caller)),
        Err(refusal) => refusal,
    };
    let keyless = matches!(refusal.code, ErrorCode::AgentNotRegistered | ErrorCode::SignatureInvalid);
    let proves = |key| headers.verify(&key, now, method, path, bytes).is_ok();
    if keyless && request.public_key_pem.is_some_and(proves) { Ok(None) } else { Err(refusal.into()) }
}
