//! A mounted token: read anew at every use, because the kubelet replaces it while the pod runs.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::claims::{Claims, Malformed};
use crate::pod::Pod;
use crate::read::{self, Contents, ReadError};
use crate::secret::Secret;

/// No ServiceAccount token comes near it.
const LARGEST: u64 = 64 * 1024;

/// A token as it lies in its file now.
pub struct TokenFile {
    /// The token.
    pub token: Secret,
    /// What it says.
    pub claims: Claims,
    /// The file that it is in.
    pub facts: Facts,
}

/// What can be said of the file itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Its path in the pod.
    pub path: PathBuf,
    /// Its permissions.
    pub mode: u32,
    /// Its owner.
    pub owner: u32,
    /// Its group.
    pub group: u32,
    /// When it was last written.
    pub modified: Option<SystemTime>,
    /// Whether it lies in a volume that the kubelet can replace: behind a link named `..data`.
    pub replaceable: bool,
    /// Whether its text ends with a line break, which some SDKs send along.
    pub line_break: bool,
}

/// Why a token file gives no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// There is no such file.
    #[error("{} does not exist", .path.display())]
    Missing {
        /// The path in the pod.
        path: PathBuf,
    },
    /// The file, or a folder on the way, cannot be read by this user.
    #[error("{} cannot be read by uid {uid} and gid {gid}{}", .path.display(), owned(.owner))]
    Denied {
        /// The path in the pod.
        path: PathBuf,
        /// This process' user.
        uid: u32,
        /// This process' group.
        gid: u32,
        /// Mode, owner and group of the file, where they can be seen.
        owner: Option<(u32, u32, u32)>,
    },
    /// The path names something else than a file.
    #[error("{} is {kind}, not a file", .path.display())]
    NotAFile {
        /// The path in the pod.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// The file is empty.
    #[error("{} is empty", .path.display())]
    Empty {
        /// The path in the pod.
        path: PathBuf,
    },
    /// The file is too large to hold a token.
    #[error("{} has more than {LARGEST} bytes, which is no token", .path.display())]
    TooLarge {
        /// The path in the pod.
        path: PathBuf,
    },
    /// The file holds no token.
    #[error("{} holds no token: {why}", .path.display())]
    Malformed {
        /// The path in the pod.
        path: PathBuf,
        /// What it lacks.
        why: Malformed,
    },
    /// Something else went wrong.
    #[error("{} cannot be read: {problem}", .path.display())]
    Other {
        /// The path in the pod.
        path: PathBuf,
        /// What the operating system says.
        problem: String,
    },
}

fn owned(owner: &Option<(u32, u32, u32)>) -> String {
    match owner {
        Some((mode, uid, gid)) => format!(": its mode is {mode:04o}, its owner {uid}:{gid}"),
        None => String::new(),
    }
}

impl TokenFile {
    /// Opens, reads and closes the file.
    ///
    /// # Errors
    /// When it gives no token.
    pub fn read(pod: &Pod, path: impl AsRef<Path>) -> Result<Self, TokenFileError> {
        let path = path.as_ref();
        let (text, mut facts) = text(pod, path)?;
        let token = parse(&text, path)?;
        facts.line_break = text.ends_with(['\n', '\r']);
        let claims = Claims::parse(token).map_err(|why| TokenFileError::Malformed {
            path: path.to_owned(),
            why,
        })?;
        Ok(Self {
            token: Secret::new(token.to_owned()),
            claims,
            facts,
        })
    }
}

/// The token in the text of a file.
///
/// # Errors
/// When there is none.
fn parse<'a>(text: &'a str, path: &Path) -> Result<&'a str, TokenFileError> {
    let token = text.trim_ascii();
    if token.is_empty() {
        return Err(TokenFileError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(token)
}

fn text(pod: &Pod, path: &Path) -> Result<(Zeroizing<String>, Facts), TokenFileError> {
    let place = pod.path(path);
    let Contents { bytes, metadata } =
        read::read(&place, LARGEST).map_err(|error| failure(path, &place, error))?;
    let facts = Facts {
        path: path.to_owned(),
        mode: metadata.mode() & 0o7777,
        owner: metadata.uid(),
        group: metadata.gid(),
        modified: metadata.modified().ok(),
        replaceable: replaceable(&place),
        line_break: false,
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| TokenFileError::Malformed {
        path: path.to_owned(),
        why: Malformed::Parts,
    })?;
    Ok((Zeroizing::new(text.to_owned()), facts))
}

/// Whether the folder of the file, or one of the two above it, has the kubelet's link: a file may lie
/// deeper in its volume.
fn replaceable(place: &Path) -> bool {
    let folders = place.ancestors().skip(1).take(3);
    folders
        .into_iter()
        .any(|folder| folder.join("..data").symlink_metadata().is_ok())
}

fn failure(path: &Path, place: &Path, error: ReadError) -> TokenFileError {
    let path = path.to_owned();
    let error = match error {
        ReadError::NotAFile(kind) => return TokenFileError::NotAFile { path, kind },
        ReadError::TooLarge(_) => return TokenFileError::TooLarge { path },
        ReadError::Failed(error) => error,
    };
    match error.kind() {
        ErrorKind::NotFound => TokenFileError::Missing { path },
        ErrorKind::PermissionDenied => TokenFileError::Denied {
            path,
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            owner: place
                .metadata()
                .ok()
                .map(|file| (file.mode() & 0o7777, file.uid(), file.gid())),
        },
        ErrorKind::IsADirectory => TokenFileError::NotAFile {
            path,
            kind: "a folder",
        },
        _ => TokenFileError::Other {
            path,
            problem: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    #[test]
    fn every_way_to_give_no_token_is_told_apart() {
        let folder = Folder::new();
        folder.write("empty", " \n");
        folder.write("large", &"x".repeat(70_000));
        folder.write("no-token", "a.b");
        folder.write("folder/file", "");
        let read = |path: &str| match TokenFile::read(&folder.pod(), path) {
            Ok(_) => "a token".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(read("/none"), "/none does not exist");
        assert_eq!(read("/empty"), "/empty is empty");
        assert_eq!(
            read("/large"),
            "/large has more than 65536 bytes, which is no token"
        );
        assert_eq!(read("/folder"), "/folder is a folder, not a file");
        assert_eq!(
            read("/no-token"),
            "/no-token holds no token: it has not the three parts of a token, separated by dots"
        );
    }

    #[test]
    fn what_the_kubelet_mounts_is_replaceable() {
        let folder = Folder::new();
        let token =
            crate::claims::tests::token(&serde_json::json!({"sub": "system:serviceaccount:a:b"}));
        folder.mount("/var/run/secrets/x", &[("token", &token)]);
        folder.write("frozen/token", &format!("{token}\n"));
        let mounted = TokenFile::read(&folder.pod(), "/var/run/secrets/x/token")
            .map_err(|error| error.to_string());
        let frozen =
            TokenFile::read(&folder.pod(), "/frozen/token").map_err(|error| error.to_string());
        let (Ok(mounted), Ok(frozen)) = (mounted, frozen) else {
            panic!("two tokens")
        };
        assert!(mounted.facts.replaceable && !mounted.facts.line_break);
        assert!(!frozen.facts.replaceable && frozen.facts.line_break);
        assert_eq!(frozen.token.expose(), token);
    }
}
