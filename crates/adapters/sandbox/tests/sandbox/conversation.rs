//! Commands that are talked with: confined like all others, and dead when nobody listens.

use edgecoder_sandbox::{Error, Exit};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio_util::sync::CancellationToken;

use crate::rig::Rig;

/// What the command says of itself first, then an echo.
const PARROT: &str = r#"
[ ! -e /etc/shadow ] && [ -z "$(ls /sys/class/net | grep -v lo)" ] && echo alone
while read -r line; do echo "heard $line"; done
exit 7
"#;

#[tokio::test]
async fn a_command_hears_and_answers_inside_its_walls() {
    let rig = Rig::new();
    let (stream, end) = rig.sandbox.converse(&rig.job(PARROT), CancellationToken::new()).unwrap();
    let talk = async {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("alone"));
        for word in ["one", "two"] {
            write.write_all(format!("{word}\n").as_bytes()).await.unwrap();
            assert_eq!(lines.next_line().await.unwrap(), Some(format!("heard {word}")));
        }
        // No more is said; the command hears the end of its input.
        drop(write);
        assert_eq!(lines.next_line().await.unwrap(), None);
    };
    let ((), report) = tokio::join!(talk, end);
    let report = report.unwrap();
    assert_eq!(report.exit, Exit::Code(7), "{}", report.stderr.text());
    assert!(report.level >= edgecoder_base::Level::S2);
}

#[tokio::test]
async fn a_conversation_that_is_given_up_ends_the_command() {
    let (rig, cancel) = (Rig::new(), CancellationToken::new());
    let (mut stream, end) = rig.sandbox.converse(&rig.job("echo up; sleep 1000"), cancel.clone()).unwrap();
    let talk = async {
        let mut up = [0; 3];
        stream.read_exact(&mut up).await.unwrap();
        cancel.cancel();
        // Whoever held the other end is dead.
        assert_eq!(stream.read(&mut up).await.unwrap_or(0), 0);
    };
    let ((), report) = tokio::join!(talk, end);
    assert!(matches!(report, Err(Error::Cancelled)), "{report:?}");
}
