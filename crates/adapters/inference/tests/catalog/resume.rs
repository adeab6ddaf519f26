//! A pull that was interrupted goes on where it was, and ends with the right bytes.

use edgecoder_inference::catalog::{CatalogError, Digest, PullRequest, PullStatus};
use tokio_util::sync::CancellationToken;

use super::home::{Home, Random, model};
use super::server::{Reply, Server};

#[tokio::test]
async fn a_pull_installs_a_checked_file() {
    let (home, content) = (Home::new(), model(1));
    let served = content.clone();
    let server = Server::start(move |request| Reply::file(&served, "v1", request));
    let installed = home.pull(&server.url("/dir/Some-Model.Q8_0.gguf?sig=1")).await.unwrap();
    assert_eq!(installed.name.as_str(), "Some-Model.Q8_0");
    assert_eq!(installed.sha256, Digest::of(&content));
    assert_eq!(installed.card.architecture, "llama");
    home.assert_holds(&installed, &content);
    // The first byte to ask, then every byte once.
    assert_eq!(server.sent(), content.len() + 1);
    assert!(server.requests().len() >= 8, "the file came in ranges");
    let catalog = home.catalog();
    assert_eq!(catalog.store().list().unwrap(), std::slice::from_ref(&installed));
    assert_eq!(catalog.verify(&installed.name, &CancellationToken::new()).await.unwrap(), installed);
}

#[tokio::test]
async fn a_pull_interrupted_at_twenty_random_points_resumes_and_verifies() {
    let content = model(2);
    for seed in 1..=20 {
        let mut random = Random::new(seed);
        let home = Home::new();
        let served = content.clone();
        let server = Server::start(move |request| Reply::file(&served, "v1", request));
        let request = PullRequest::parse(&server.url("/m.gguf")).unwrap();
        // Three times the process dies somewhere; then one lives.
        let mut kept = 0;
        for _ in 0..3 {
            let cut = 1 + random.below(content.len() - 1) as u64;
            let catalog = home.catalog();
            let mut events = catalog.events();
            let cancel = CancellationToken::new();
            let died = tokio::select! {
                biased;
                _ = events.wait_for(|now| now.status == PullStatus::Pulling && now.completed >= Some(cut)) => true,
                outcome = catalog.pull(&request, &cancel) => { outcome.unwrap(); false }
            };
            drop(catalog);
            if !died {
                break;
            }
            let left = home.catalog().store().unfinished().unwrap();
            // What the journal claimed once, it claims again.
            assert!(left[0].completed >= kept, "seed {seed}");
            kept = left[0].completed;
            home.assert_empty();
        }
        let mark = server.mark();
        let installed = home.pull_as(&request).await.unwrap();
        home.assert_holds(&installed, &content);
        let again = server.sent_since(mark);
        assert!(again as u64 <= content.len() as u64 - kept + 1, "seed {seed}: {again} bytes after {kept}");
    }
}

#[tokio::test]
async fn a_pull_that_is_stopped_keeps_all_that_came() {
    let (home, content) = (Home::new(), model(3));
    let served = content.clone();
    let server = Server::start(move |request| Reply::file(&served, "v1", request));
    let request = PullRequest::parse(&server.url("/m.gguf")).unwrap();
    let (catalog, cancel) = (home.catalog(), CancellationToken::new());
    let mut events = catalog.events();
    let stop = async {
        events.wait_for(|now| now.completed >= Some(70_000)).await.unwrap();
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(catalog.pull(&request, &cancel), stop);
    assert!(matches!(outcome, Err(CatalogError::Cancelled)), "{outcome:?}");
    assert_eq!(catalog.events().borrow().status, PullStatus::Cancelled);
    let left = catalog.store().unfinished().unwrap();
    assert!(left[0].completed >= 70_000 && left[0].total == content.len() as u64, "{left:?}");
    let mark = server.mark();
    let installed = home.pull_as(&request).await.unwrap();
    assert!(server.sent_since(mark) <= content.len() - 70_000 + 1);
    home.assert_holds(&installed, &content);
}

#[tokio::test]
async fn a_damaged_journal_or_part_costs_time_and_nothing_else() {
    let content = model(4);
    for damage in 0..3 {
        let home = Home::new();
        let served = content.clone();
        let server = Server::start(move |request| Reply::file(&served, "v1", request));
        let request = PullRequest::parse(&server.url("/m.gguf")).unwrap();
        let (catalog, cancel) = (home.catalog(), CancellationToken::new());
        let mut events = catalog.events();
        tokio::select! {
            biased;
            _ = events.wait_for(|now| now.completed >= Some(60_000)) => {}
            outcome = catalog.pull(&request, &cancel) => panic!("{outcome:?}"),
        }
        drop(catalog);
        let partial = home.config.dir.join("partial");
        let names = home.files("partial");
        let journal = partial.join(names.iter().find(|name| name.ends_with(".journal")).unwrap());
        let part = partial.join(names.iter().find(|name| name.ends_with(".part")).unwrap());
        match damage {
            0 => std::fs::write(&journal, b"{\xff\n0 60000\n").unwrap(),
            1 => std::fs::remove_file(&part).unwrap(),
            _ => std::fs::write(&part, b"GGUF, but short").unwrap(),
        }
        let installed = home.pull_as(&request).await.unwrap();
        home.assert_holds(&installed, &content);
    }
}

#[tokio::test]
async fn two_pulls_of_one_file_do_not_meet() {
    let (home, content) = (Home::new(), model(5));
    let served = content.clone();
    let server = Server::start(move |request| match request.range() {
        // Everything but the probe waits for the server's end.
        Some((0, Some(0))) => Reply::file(&served, "v1", request),
        _ => Reply::file(&served, "v1", request).stalled(),
    });
    let request = PullRequest::parse(&server.url("/m.gguf")).unwrap();
    let (first, cancel) = (home.catalog(), CancellationToken::new());
    let mut events = first.events();
    let second = async {
        events.wait_for(|now| now.completed > Some(0)).await.unwrap();
        let refused = home.pull_as(&request).await.unwrap_err();
        assert!(matches!(refused, CatalogError::Busy { .. }), "{refused}");
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(first.pull(&request, &cancel), second);
    assert!(matches!(outcome, Err(CatalogError::Cancelled)), "{outcome:?}");
}

#[tokio::test]
async fn a_content_that_is_here_is_not_downloaded_again() {
    let (home, content) = (Home::new(), model(6));
    let served = content.clone();
    let server = Server::start(move |request| Reply::file(&served, "v1", request));
    home.pull(&server.url("/a.gguf")).await.unwrap();
    let mark = server.mark();
    let mut request = PullRequest::parse(&server.url("/b.gguf")).unwrap();
    request.sha256 = Some(Digest::of(&content));
    let second = home.pull_as(&request).await.unwrap();
    assert_eq!((second.name.as_str(), server.sent_since(mark)), ("b", 0));
    home.assert_holds(&second, &content);
    assert_eq!((home.files("blobs").len(), home.catalog().store().list().unwrap().len()), (1, 2));
}
