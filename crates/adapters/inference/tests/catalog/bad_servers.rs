//! Servers that cut, stall, lie, redirect and forget.

use std::time::Duration;

use edgecoder_inference::catalog::{CatalogError, Digest, PullRequest};

use super::home::{Home, Random, model};
use super::server::{Reply, Request, Server};

/// Pulls from a server that `answer`s about a good file, and expects the good file.
async fn check_arrives(answer: impl Fn(&[u8], &Request) -> Reply + Send + Sync + 'static) -> Server {
    let (home, content) = (Home::new(), model(10));
    let served = content.clone();
    let server = Server::start(move |request| answer(&served, request));
    let installed = home.pull(&server.url("/m.gguf")).await.unwrap();
    home.assert_holds(&installed, &content);
    server
}

/// Pulls from a server that does no good, and expects an error with `words` and nothing left.
async fn check_refused(words: &str, answer: impl Fn(&[u8], &Request) -> Reply + Send + Sync + 'static) {
    let (home, content) = (Home::new(), model(10));
    let server = Server::start(move |request| answer(&content, request));
    let error = home.pull(&server.url("/m.gguf")).await.unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    home.assert_empty();
}

#[tokio::test]
async fn every_connection_is_cut_somewhere() {
    for seed in 1..=5 {
        check_arrives(move |content, request| {
            let mut random = Random::new(seed * 1_000 + request.earlier as u64);
            Reply::file(content, "v1", request).cut_after(2_000 + random.below(20_000))
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_without_ranges_is_read_in_one_stream() {
    let server = check_arrives(|content, _| Reply::ok(content)).await;
    assert_eq!(server.requests().len(), 2);
    // Cut twice on the way: from the start each time.
    check_arrives(|content, request| match request.earlier {
        1 | 2 => Reply::ok(content).cut_after(100_000),
        _ => Reply::ok(content),
    })
    .await;
    // It had ranges when asked, and has none when it matters.
    check_arrives(|content, request| match request.earlier {
        0 => Reply::file(content, "", request),
        _ => Reply::ok(content),
    })
    .await;
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    check_arrives(|content, request| match request.earlier {
        0 => Reply::status(503).with("retry-after", "0"),
        1 => Reply::status(429),
        3 => Reply::status(500),
        5 => Reply::status(502),
        _ => Reply::file(content, "v1", request),
    })
    .await;
    check_refused("HTTP status 503", |_, _| Reply::status(503)).await;
}

#[tokio::test]
async fn a_silent_connection_is_given_up() {
    let mut home = Home::new();
    home.config.download.silence = Duration::from_millis(300);
    home.config.download.attempts = 20;
    let content = model(11);
    let served = content.clone();
    let server = Server::start(move |request| {
        let reply = Reply::file(&served, "v1", request);
        if request.earlier == 2 { reply.stalled() } else { reply }
    });
    let installed = home.pull(&server.url("/m.gguf")).await.unwrap();
    home.assert_holds(&installed, &content);
}

#[tokio::test]
async fn a_file_that_changes_is_fetched_anew() {
    let (home, old, new) = (Home::new(), model(12), model(13));
    let (first, second) = (old.clone(), new.clone());
    let server = Server::start(move |request| match request.earlier {
        0..4 => Reply::file(&first, "old", request),
        _ => Reply::file(&second, "new", request),
    });
    let installed = home.pull(&server.url("/m.gguf")).await.unwrap();
    home.assert_holds(&installed, &new);
    // A server that gives every answer another tag offers no file at all.
    check_refused("changes while it is being downloaded", |content, request| {
        Reply::file(content, &request.earlier.to_string(), request)
    })
    .await;
}

#[tokio::test]
async fn lies_about_the_size_are_noticed() {
    // A shorter body than announced, for ever.
    check_refused("cannot reach", |content, request| match request.earlier {
        0 => Reply::file(content, "v1", request),
        _ => Reply::file(content, "v1", request).cut_after(0),
    })
    .await;
    check_refused("does not tell its size", |_, _| {
        Reply::ok("5\r\nGGUF!\r\n0\r\n\r\n").with("transfer-encoding", "chunked")
    })
    .await;
    check_refused("the file is empty", |_, request| Reply::file(b"", "v1", request)).await;
    // Another range than asked for.
    check_refused("cannot reach", |content, request| match request.earlier {
        0 => Reply::file(content, "v1", request),
        _ => Reply::status(206)
            .with("content-range", format!("bytes 7-8/{}", content.len()))
            .with("etag", "\"v1\""),
    })
    .await;
}

#[tokio::test]
async fn what_is_no_model_is_noticed_early() {
    check_refused("does not begin with GGUF", |_, request| {
        Reply::file(&b"<html>please log in</html>".repeat(10_000), "v1", request)
    })
    .await;
    check_refused("does not begin with GGUF", |_, _| Reply::ok("<html>please log in</html>")).await;
    check_refused("it was cut", |content, request| Reply::file(&content[..100_000], "v1", request)).await;
    check_refused("compresses", |content, request| {
        Reply::file(content, "v1", request).with("content-encoding", "gzip")
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_not_asked_for_twice() {
    for (status, words) in [(404, "does not exist"), (410, "does not exist"), (403, "HF_TOKEN"), (400, "400")]
    {
        let home = Home::new();
        let server = Server::start(move |_| Reply::status(status));
        let error = home.pull(&server.url("/m.gguf")).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(server.requests().len(), 1);
        home.assert_clean();
    }
}

#[tokio::test]
async fn redirects_are_followed_to_their_end_or_not_at_all() {
    let server = check_arrives(|content, request| match request.path.as_str() {
        "/m.gguf" => Reply::redirect("/a/b?c=d"),
        "/a/b?c=d" => Reply::redirect("../x/y"),
        _ => Reply::file(content, "v1", request),
    })
    .await;
    assert!(server.requests().iter().any(|request| request.path == "/x/y"));
    check_refused("in circles", |_, _| Reply::redirect("/m.gguf")).await;
    check_refused("unprotected", |_, _| Reply::redirect("ftp://127.0.0.1/m.gguf")).await;
    check_refused("to nowhere", |_, _| Reply::status(302)).await;
}

#[tokio::test]
async fn a_damaged_byte_is_found_and_nothing_is_kept() {
    let (home, content) = (Home::new(), model(14));
    let mut damaged = content.clone();
    damaged[120_000] ^= 1;
    let served = damaged.clone();
    let server = Server::start(move |request| Reply::file(&served, "v1", request));
    let mut request = PullRequest::parse(&server.url("/m.gguf")).unwrap();
    request.sha256 = Some(Digest::of(&content));
    let error = home.pull_as(&request).await.unwrap_err();
    assert!(
        matches!(error, CatalogError::Mismatch { expected, found }
            if expected == Digest::of(&content) && found == Digest::of(&damaged)),
        "{error}"
    );
    home.assert_clean();
}
