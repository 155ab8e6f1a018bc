//! Which SDKs the workers' Python has: versions that are too old explain much.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use pyproc::PoolConfig;
use pyproc_identity::Pod;

/// Prints the versions of the distributions that it is given.
/// What workers can import it sees too, PYTHONPATH with it; the folder that it happens to run in it does not.
const PROGRAM: &str = "import sys
sys.path = [path for path in sys.path if path]
import importlib.metadata as m, json
found = {}
for name in sys.argv[1:]:
    try: found[name] = m.version(name)
    except m.PackageNotFoundError: pass
print(json.dumps(found))";

const SDKS: [&str; 5] = [
    "boto3",
    "botocore",
    "azure-identity",
    "google-auth",
    "google-cloud-storage",
];

/// The pod with the versions that the workers' Python has; without, where there is no Python.
pub(super) async fn with_packages(mut pod: Pod) -> Pod {
    pod.packages = tokio::task::spawn_blocking(versions)
        .await
        .unwrap_or_default();
    pod
}

fn versions() -> BTreeMap<String, String> {
    let found = PoolConfig::new("worker.py").interpreter();
    let Ok(python) = found else {
        return BTreeMap::new();
    };
    answer(question(&python))
}

fn question(python: &Path) -> Command {
    let mut command = Command::new(python);
    command
        .args(["-c", PROGRAM])
        .args(SDKS)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

fn answer(mut question: Command) -> BTreeMap<String, String> {
    let Ok(mut child) = question.spawn() else {
        return BTreeMap::new();
    };
    // What it prints fits into the pipe, so it ends by itself.
    let ended = (0..60).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        !matches!(child.try_wait(), Ok(None))
    });
    if !ended {
        // It may have ended meanwhile.
        let _ = child.kill();
    }
    let output = child
        .wait_with_output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    serde_json::from_slice(&output).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pythonpath_adds_is_seen_and_what_lies_here_is_not() {
        let folder = std::env::temp_dir().join(format!("pyproc-packages-{}", std::process::id()));
        for (place, name) in [("added", "boto3"), ("here", "google_auth")] {
            let described = folder.join(place).join(format!("{name}-0.0.1.dist-info"));
            std::fs::create_dir_all(&described).unwrap();
            let text = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 0.0.1\n");
            std::fs::write(described.join("METADATA"), text).unwrap();
        }
        let python = PoolConfig::new("worker.py").interpreter().unwrap();
        let mut question = question(&python);
        question
            .env("PYTHONPATH", folder.join("added"))
            .current_dir(folder.join("here"));
        let found = answer(question);
        std::fs::remove_dir_all(folder).unwrap();
        assert_eq!(found.get("boto3").map(String::as_str), Some("0.0.1"));
        assert_ne!(found.get("google-auth").map(String::as_str), Some("0.0.1"));
    }
}
