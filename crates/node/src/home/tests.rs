//! One node per directory, one identity per directory, and nobody else reads it.

use std::collections::BTreeMap;

use edgecoder_base::Timestamp;

use super::*;

fn fresh() -> (tempfile::TempDir, Home) {
    let home = tempfile::tempdir().unwrap();
    let dir = Home::new(home.path().join("a/b/edgecoder"));
    (home, dir)
}

#[test]
fn two_directories_are_two_identities_and_each_keeps_its_own() {
    let ((_a, a), (_b, b)) = (fresh(), fresh());
    let lock_a = a.lock().unwrap();
    let first = a.identity(&lock_a).unwrap().public();
    let token = a.token(Token::Mesh, &lock_a).unwrap();
    assert_ne!(first, b.identity(&b.lock().unwrap()).unwrap().public());
    drop(lock_a);
    let again = a.lock().unwrap();
    assert_eq!(a.identity(&again).unwrap().public(), first);
    assert_eq!(a.token(Token::Mesh, &again).unwrap(), token);
    assert_ne!(a.token(Token::Inference, &again).unwrap(), token);
}

#[test]
fn a_directory_has_one_node_at_a_time() {
    let (_home, dir) = fresh();
    let lock = dir.lock().unwrap();
    assert!(matches!(dir.lock(), Err(Error::InUse { by: None, .. })));
    let key = dir.identity(&lock).unwrap();
    let running = Running {
        pid: 4242,
        node: key.public().node_id(),
        version: "0".into(),
        started_at: Timestamp::from_millis(0),
        doors: BTreeMap::new(),
    };
    dir.announce(&running, &lock).unwrap();
    assert_eq!(dir.running().unwrap(), Some(running));
    assert!(matches!(dir.lock(), Err(Error::InUse { by: Some(4242), .. })));
    drop(lock);
    assert_eq!(dir.running().unwrap(), None, "a killed node's announcement is none");
    dir.withdraw(&dir.lock().unwrap());
}

#[cfg(unix)]
#[test]
fn what_others_may_read_is_refused_with_the_remedy() {
    use std::os::unix::fs::PermissionsExt;
    let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let (_home, dir) = fresh();
    let lock = dir.lock().unwrap();
    dir.identity(&lock).unwrap();
    let key = dir.path().join("identity.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    chmod(&key, 0o640);
    let message = dir.identity(&lock).unwrap_err().to_string();
    assert!(message.contains("mode 0640") && message.contains("chmod 600"), "{message}");
    drop(lock);
    chmod(dir.path(), 0o755);
    let message = dir.lock().unwrap_err().to_string();
    assert!(message.contains("chmod 700"), "{message}");
}

#[test]
fn damaged_files_are_named_and_never_replaced() {
    let (_home, dir) = fresh();
    let lock = dir.lock().unwrap();
    for content in ["", "zz", &"a".repeat(63), &"g".repeat(64)] {
        dir.write_private("identity.key", content.as_bytes()).unwrap();
        assert!(matches!(dir.identity(&lock), Err(Error::MalformedIdentity { .. })), "{content:?}");
    }
    for content in ["", "a b", "\u{e9}"] {
        dir.write_private("mesh.token", content.as_bytes()).unwrap();
        assert!(matches!(dir.token(Token::Mesh, &lock), Err(Error::MalformedToken { .. })), "{content:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_platform_says_where_data_lives() {
    let check = |env: &[(&str, &str)], expected: Option<&str>| {
        let env: Env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        assert_eq!(platform_dir(&env), expected.map(PathBuf::from), "{env:?}");
    };
    check(&[("HOME", "/h")], Some("/h/.local/share/edgecoder"));
    check(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d")], Some("/d/edgecoder"));
    check(&[("HOME", "/h"), ("XDG_DATA_HOME", "rel")], Some("/h/.local/share/edgecoder"));
    check(&[("HOME", "")], None);
}
