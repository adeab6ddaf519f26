//! Hugging Face and the Ollama registry, as their public interfaces answer.

use edgecoder_base::Secret;
use edgecoder_inference::catalog::{CatalogError, Digest, Found};

use super::home::{Home, model};
use super::server::{Reply, Request, Server};

/// A repository with two quantisations of `content` and the usual other files, behind a network of mirrors.
fn hub(content: Vec<u8>, mirror: String) -> impl Fn(&Request) -> Reply + Send + Sync {
    move |request| {
        let sha256 = Digest::of(&content);
        let size = content.len();
        match request.path.as_str() {
            "/api/models/owner/repo/tree/main?recursive=true" if request.header("range").is_none() => {
                let next = "</api/models/owner/repo/tree/main?recursive=true&cursor=2>; rel=\"next\"";
                Reply::ok(r#"[{"type":"file","oid":"1","size":9,"path":"README.md"},{"type":"directory","oid":"2","size":0,"path":"x"}]"#)
                    .with("link", next)
            }
            "/api/models/owner/repo/tree/main?recursive=true&cursor=2" => Reply::ok(format!(
                r#"[{{"type":"file","oid":"3","size":{size},"path":"m-q8_0.gguf","lfs":{{"oid":"{sha256}","size":{size},"pointerSize":134}}}},
                    {{"type":"file","oid":"4","size":{size},"path":"m-q4_k_m.gguf","lfs":{{"oid":"{sha256}","size":{size},"pointerSize":134}}}}]"#
            )),
            "/owner/repo/resolve/main/m-q4_k_m.gguf" => {
                Reply::redirect(format!("{mirror}/content?signature=s"))
            }
            path if path.starts_with("/api/models?") => Reply::ok(
                r#"[{"id":"a/b","downloads":7,"likes":2,"tags":["gguf","license:mit"],"private":false},{"_id":"x","id":"c/d"}]"#,
            ),
            _ => Reply::status(404),
        }
    }
}

#[tokio::test]
async fn a_repository_is_asked_for_its_usual_file() {
    let (mut home, content) = (Home::new(), model(20));
    let served = content.clone();
    let mirror = Server::start(move |request| Reply::file(&served, "mirror", request));
    let server = Server::start(hub(content.clone(), mirror.url("")));
    home.config.hugging_face = server.url("");
    home.config.hugging_face_token = Some(Secret::new("hf_secret".to_owned()));
    let installed = home.pull("hf:owner/repo").await.unwrap();
    assert_eq!(installed.name.as_str(), "m-q4_k_m");
    assert_eq!(installed.source, "hf:owner/repo");
    home.assert_holds(&installed, &content);
    let tokens = |server: &Server| -> Vec<bool> {
        server.requests().iter().map(|request| request.header("authorization").is_some()).collect()
    };
    assert!(tokens(&server).iter().all(|sent| *sent), "the hub knows who asks");
    assert!(!tokens(&mirror).iter().any(|sent| *sent), "nobody else does");
    assert!(mirror.requests().iter().all(|request| request.header("if-range").is_none()));
    let error = home.pull("hf:owner/repo:Q2_K").await.unwrap_err();
    assert!(error.to_string().contains("no Q2_K; it offers: m-q8_0.gguf, m-q4_k_m.gguf"), "{error}");
    let error = home.pull("hf:owner/other").await.unwrap_err();
    assert!(matches!(error, CatalogError::Absent { .. }), "{error}");
}

#[tokio::test]
async fn a_mirror_with_another_content_is_found_out() {
    let (mut home, content) = (Home::new(), model(21));
    let other = model(22);
    let mirror = Server::start(move |request| Reply::file(&other, "mirror", request));
    let server = Server::start(hub(content, mirror.url("")));
    home.config.hugging_face = server.url("");
    let error = home.pull("hf:owner/repo:Q4_K_M").await.unwrap_err();
    assert!(matches!(error, CatalogError::Mismatch { .. }), "{error}");
    home.assert_clean();
}

#[tokio::test]
async fn a_search_lists_repositories() {
    let mut home = Home::new();
    let server = Server::start(hub(Vec::new(), String::new()));
    home.config.hugging_face = server.url("");
    let found = home.catalog().search("code & more", 5).await.unwrap();
    let expected = [
        Found { id: "a/b".into(), downloads: 7, likes: 2, license: Some("mit".into()) },
        Found { id: "c/d".into(), downloads: 0, likes: 0, license: None },
    ];
    assert_eq!(found, expected);
    let asked = &server.requests()[0].path;
    assert!(asked.contains("search=code+%26+more") && asked.contains("filter=gguf"), "{asked}");
    // A port that nobody listens on.
    home.config.hugging_face = "http://127.0.0.1:1".into();
    assert!(home.catalog().search("x", 5).await.unwrap_err().is_offline());
}

#[tokio::test]
async fn an_ollama_name_is_its_model_layer() {
    let (mut home, content) = (Home::new(), model(23));
    let served = content.clone();
    let server = Server::start(move |request| {
        let (sha256, size) = (Digest::of(&served), served.len());
        match request.path.as_str() {
            "/v2/library/qwen3/manifests/0.6b" => Reply::ok(format!(
                r#"{{"schemaVersion":2,"config":{{"mediaType":"x","digest":"sha256:00","size":1}},"layers":[
                    {{"mediaType":"application/vnd.ollama.image.license","digest":"sha256:00","size":1}},
                    {{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{sha256}","size":{size}}}]}}"#
            )),
            "/v2/someone/empty/manifests/latest" => Reply::ok(r#"{"layers":[]}"#),
            path if path == format!("/v2/library/qwen3/blobs/sha256:{sha256}") => Reply::redirect("/blob"),
            "/blob" => Reply::file(&served, "b", request),
            _ => Reply::status(404),
        }
    });
    home.config.ollama = server.url("/");
    let installed = home.pull("ollama:qwen3:0.6b").await.unwrap();
    assert_eq!((installed.name.as_str(), installed.source.as_str()), ("qwen3:0.6b", "ollama:qwen3:0.6b"));
    home.assert_holds(&installed, &content);
    let error = home.pull("ollama:someone/empty").await.unwrap_err();
    assert!(error.to_string().contains("names no model"), "{error}");
}
