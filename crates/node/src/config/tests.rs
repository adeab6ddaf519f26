//! The settings by tables: what each layer gives, who wins, and every problem with its origin.

use std::path::PathBuf;

use super::*;
use crate::env::PUBLISHED;

fn sources(file: &str, env: &[(&str, &str)], flags: &[(&'static str, &'static str, toml::Value)]) -> Sources {
    Sources {
        file: Some(SettingsFile { path: PathBuf::from("edgecoder.toml"), text: file.to_owned() }),
        env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        flags: flags.iter().map(|(flag, key, value)| Flag { flag, key, value: value.clone() }).collect(),
    }
}

fn loaded(file: &str, env: &[(&str, &str)]) -> Loaded {
    load(&sources(file, env, &[])).unwrap()
}

/// Loading fails with exactly these lines.
#[track_caller]
fn check(file: &str, env: &[(&str, &str)], expected: &[&str]) {
    let problems = load(&sources(file, env, &[])).unwrap_err();
    let lines: Vec<_> = problems.0.iter().map(ToString::to_string).collect();
    assert_eq!(lines, expected);
}

#[test]
fn nothing_set_is_the_defaults() {
    assert_eq!(load(&Sources::default()).unwrap().config, Config::default());
}

#[test]
fn later_layers_win() {
    let file = "[coordinator]\nport = 1\n[inference]\nport = 2\n[ide]\nport = 3\n";
    let env = [("EDGECODER_INFERENCE__PORT", "20"), ("EDGECODER_IDE__PORT", "30")];
    let flags = [("--ide-port", "ide.port", toml::Value::Integer(300))];
    let loaded = load(&sources(file, &env, &flags)).unwrap();
    let ports = loaded.config.ports().map(|(_, port)| port);
    assert_eq!(ports, [1, 20, 4303, 300, 4310]);
    let shown = ["coordinator.port", "inference.port", "control.port", "ide.port"]
        .map(|key| loaded.origin(key).to_string());
    assert_eq!(shown, ["edgecoder.toml:2", "EDGECODER_INFERENCE__PORT", "default", "--ide-port"]);
}

const KEY: &str = "-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=\\n-----END PUBLIC KEY-----\\n";

fn coordinator() -> [(&'static str, &'static str); 2] {
    [("INFERENCE_COORDINATOR_PEER_ID", "coord-1"), ("INFERENCE_COORDINATOR_PUBLIC_KEY_PEM", KEY)]
}

#[test]
fn keys_of_coordinators_come_as_pem_and_as_json() {
    let json = format!("{{\"coord-2\": \"{KEY}\"}}");
    let mut env = coordinator().to_vec();
    env.push(("INFERENCE_TRUSTED_COORDINATOR_KEYS_JSON", &json));
    let keys = loaded("", &env).config.inference.trusted_keys();
    assert_eq!(keys.keys().collect::<Vec<_>>(), ["coord-1", "coord-2"]);
    assert_eq!(keys["coord-1"], keys["coord-2"]);
    check(
        "[inference]\ncoordinator_peer_id = \"x\"\nmax_signature_skew_ms = 0\ntrusted_coordinators = { y = \"no key\" }\n",
        &[],
        &[
            "edgecoder.toml:2: inference.coordinator_peer_id: coordinator_peer_id and coordinator_public_key are set \
             together or not at all",
            "edgecoder.toml:3: inference.max_signature_skew_ms: must be 1 to 600000",
            "edgecoder.toml:4: inference.trusted_coordinators: y: the public key is not an Ed25519 key in SPKI PEM form",
        ],
    );
}

#[test]
fn ollamas_own_variable_is_read_as_ollama_reads_it() {
    let url = |host| loaded("", &[("OLLAMA_HOST", host)]).config.inference.ollama_url().to_owned();
    assert_eq!(url("box.local"), "http://box.local:11434");
    assert_eq!(url("0.0.0.0:8000"), "http://127.0.0.1:8000");
    assert_eq!(loaded("", &[]).config.inference.ollama_url(), "http://127.0.0.1:11434");
}

#[test]
fn a_larger_model_says_where_it_runs() {
    let larger = |what: &str| format!("[inference]\nlarger = {{ engine = {what}, model = \"big\" }}\n");
    assert_eq!(loaded(&larger("\"ollama\""), &[]).config.inference.escalates_to(), Some("big"));
    let refused = |file: &str, message: &str| {
        check(file, &[], &[&format!("edgecoder.toml:2: inference.larger: {message}")]);
    };
    refused(&larger("\"local\""), "engine `local` needs a model_path");
    refused(&larger("\"openai\""), "engine `openai` needs a base_url");
    refused(&larger("\"auto\""), "engine must be `local`, `ollama` or `openai`");
    refused(&larger("\"ollama\", base_url = \"box\""), "\"box\" must begin with http:// or https://");
}

#[test]
fn every_published_name_sets_its_key() {
    for known in PUBLISHED {
        let value = match known.key {
            "coordinator.database_url" => "postgres://localhost/x",
            "inference.engine" => "edgecoder-local",
            "inference.auto_install" | "inference.require_signed_requests" => "true",
            "inference.trusted_coordinators" => "{}",
            key if key.ends_with("_ms") => "100000",
            "node.mode" => "ide-enabled",
            "sandbox.mode" => "none",
            key if key.ends_with("url") || key.ends_with("endpoint") => "http://127.0.0.1:9",
            key if key.ends_with("port") => "9",
            key if key.ends_with("enabled") || key.ends_with("required") => "true",
            "worker.max_concurrent_tasks" => "2",
            _ => "debug",
        };
        let set = [(known.name, value)];
        let loaded = match known.key {
            // These two are set together or not at all.
            "inference.coordinator_peer_id" | "inference.coordinator_public_key" => {
                loaded("", &coordinator())
            }
            _ => loaded("", &set),
        };
        assert_eq!(loaded.origin(known.key), Origin::Variable(known.name.to_owned()), "{}", known.name);
    }
}

#[test]
fn published_values_mean_what_they_meant() {
    let env = [
        ("DISABLE_SELF_AGENT", "1"),
        ("LOCAL_MODEL_PROVIDER", "ollama-local"),
        ("OLLAMA_HOST", "http://127.0.0.1:11434"),
        ("OLLAMA_MODEL", "qwen2.5-coder:7b"),
        ("MESH_AUTH_TOKEN", "12345"),
        ("SANDBOX_REQUIRED", "0"),
        ("ADMIN_API_TOKEN", ""),
    ];
    let config = loaded("", &env).config;
    assert!(!config.worker.enabled && !config.sandbox.required);
    assert_eq!(config.inference.engine, EngineKind::Ollama);
    assert_eq!(config.coordinator.mesh_token.unwrap().expose(), "12345");
    assert_eq!(config.coordinator.admin_token, None);
}

#[test]
fn lists_come_as_commas_or_as_toml() {
    let roles = |value| loaded("", &[("EDGECODER_NODE__ROLES", value)]).config.node.roles;
    let two = vec![crate::role::Role::Coordinator, crate::role::Role::Worker];
    assert_eq!(roles("coordinator, worker"), two);
    assert_eq!(roles("[\"coordinator\", \"worker\"]"), two);
}

#[test]
fn all_problems_come_at_once_with_their_origin() {
    let file = "port = 1\n[coordinator]\nport = \"x\"\nprot = 4301\nbind = \"here\"\n\n[nodes]\n";
    let env = [
        ("COORDINATOR_PORT", "99999"),
        ("EDGECODER_WORKER__MAX_CONCURRENT_TASKS", "65"),
        ("EDGECODER_COORDINATOR_PORT", "4301"),
        ("SANDBOX_MODE", "vm"),
    ];
    let problems = load(&sources(file, &env, &[])).unwrap_err();
    insta::assert_snapshot!(problems, @r#"
    the settings have 9 problem(s)
      edgecoder.toml:1: port: settings stand in sections, like [node]
      edgecoder.toml:3: coordinator.port: invalid type: string "x", expected u16
      edgecoder.toml:4: coordinator.prot: unknown field `prot`, expected one of `bind`, `port`, `public_url`, `inference_url`, `database_url`, `blob_dir`, `mesh_token`, `admin_token`, `registration_tokens`
      edgecoder.toml:5: coordinator.bind: invalid IP address syntax
      edgecoder.toml:7: nodes: unknown section
      COORDINATOR_PORT: coordinator.port: invalid value: integer `99999`, expected u16
      EDGECODER_COORDINATOR_PORT: unknown name; settings are written EDGECODER_<SECTION>__<KEY>
      EDGECODER_WORKER__MAX_CONCURRENT_TASKS: worker.max_concurrent_tasks: must be 1 to 64
      SANDBOX_MODE: sandbox.mode: unknown variant `vm`, expected one of `process`, `docker`, `none`
    "#);
}

#[test]
fn two_names_for_one_key_must_agree() {
    let both = |ours| [("COORDINATOR_PORT", "4401"), ("EDGECODER_COORDINATOR__PORT", ours)];
    assert_eq!(loaded("", &both("4401")).config.coordinator.port, 4401);
    check(
        "",
        &both("4402"),
        &[
            "EDGECODER_COORDINATOR__PORT: coordinator.port: COORDINATOR_PORT gives it another value; keep one of the two",
        ],
    );
}

#[test]
fn what_does_not_fit_together_is_refused() {
    check(
        "[ide]\nport = 4301\n",
        &[],
        &["edgecoder.toml:2: ide.port: 4301 is already the port of coordinator.port"],
    );
    check(
        "[node]\nport_offset = 65000\n[coordinator]\nport = 535\n[inference]\nport = 536\n[control]\nport = 0\n\
           [ide]\nport = 1\n[portal]\nport = 2\n",
        &[],
        &["edgecoder.toml:2: node.port_offset: inference.port 536 + 65000 is no port: the last is 65535"],
    );
    check(
        "[inference]\nengine = \"openai\"\n",
        &[],
        &[
            "default: inference.base_url: engine `openai` needs the address of its server",
            "default: inference.model: engine `openai` needs the name of a model",
        ],
    );
    check(
        "",
        &[("DATABASE_URL", "mysql://x")],
        &[
            "DATABASE_URL: coordinator.database_url: must begin with postgres://; without it the embedded database is used",
        ],
    );
    check(
        "",
        &[("OLLAMA_HOST", "ftp://box")],
        &["OLLAMA_HOST: inference.base_url: must be an address that begins with http:// or https://"],
    );
    check(
        "[node]\nid = \"../x\"\nroles = []\n",
        &[],
        &[
            "edgecoder.toml:2: node.id: an id is made of letters, digits, '.', '_' and '-', and starts with a letter or digit",
            "edgecoder.toml:3: node.roles: must name at least one role",
        ],
    );
}

#[test]
fn a_file_that_is_no_toml_is_named_with_its_line() {
    let problems = load(&sources("[node]\nid = \n", &[], &[])).unwrap_err();
    assert!(problems.0[0].to_string().starts_with("edgecoder.toml:2: "), "{problems}");
}

#[test]
fn secrets_are_neither_printed_nor_quoted_in_errors() {
    let file = "[coordinator]\nmesh_token = \"hunter2\"\nregistration_tokens = [\"hunter2\"]\n\
                [inference]\napi_key = \"hunter2\"\n";
    let loaded =
        loaded(file, &[("DATABASE_URL", "postgres://u:hunter2@h/d"), ("INFERENCE_AUTH_TOKEN", "hunter2")]);
    let shown = show(&loaded);
    assert!(
        !shown.contains("hunter2")
            && shown.contains("mesh_token = \"(hidden)\"  ")
            && shown.contains("# edgecoder.toml:2"),
        "{shown}"
    );
    assert!(!format!("{loaded:?}").contains("hunter2"));
    check(
        "[coordinator]\nmesh_token = 4242\n",
        &[],
        &["edgecoder.toml:2: coordinator.mesh_token: does not have the right form"],
    );
    check(
        "",
        &[("MESH_AUTH_TOKEN", "a b")],
        &[
            "MESH_AUTH_TOKEN: coordinator.mesh_token: must be visible ASCII without spaces, as it travels in a header",
        ],
    );
}

/// A new secret must be added to the list of keys that errors never quote.
#[test]
fn every_secret_of_the_tree_is_known_as_one() {
    let source = concat!(include_str!("sections.rs"), include_str!("inference.rs"));
    let mut section = "";
    let mut found = Vec::new();
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("/// `[") {
            section = name.trim_end_matches("]`");
        }
        if line.contains("Secret<String>>,") {
            let field = line.trim().trim_start_matches("pub(crate) ").split(':').next().unwrap();
            found.push(format!("{section}.{field}"));
        }
    }
    assert_eq!(found.len(), 7);
    assert!(found.iter().all(|key| show::is_secret(key)), "{found:?}");
}

#[test]
fn defaults_print_as_promised() {
    let shown = show(&load(&Sources::default()).unwrap());
    insta::assert_snapshot!(shown.replace(std::env::consts::OS, "<os>"));
}

#[test]
fn the_schema_is_as_published() {
    let text = serde_json::to_string_pretty(&schema()).unwrap();
    insta::assert_snapshot!(text.replace(std::env::consts::OS, "<os>"));
}
