//! A pod's files for tests.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::pod::Pod;

/// A folder that stands for `/` and is removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("pyproc-identity-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// A pod with this root and no variable.
    pub(crate) fn pod(&self) -> Pod {
        Pod {
            root: self.0.clone(),
            ..Pod::default()
        }
    }

    /// A plain file.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, text).expect("a file");
    }

    /// A volume as the kubelet mounts it: files behind `..data`.
    pub(crate) fn mount(&self, folder: &str, files: &[(&str, &str)]) {
        let folder = folder.trim_start_matches('/');
        for (name, text) in files {
            self.write(&format!("{folder}/..2026_11_24/{name}"), text);
            let top = name.split('/').next().expect("a name");
            let link = self.0.join(folder).join(top);
            if link.symlink_metadata().is_err() {
                symlink(format!("..data/{top}"), link).expect("a link");
            }
        }
        let data = self.0.join(folder).join("..data");
        if data.symlink_metadata().is_err() {
            symlink("..2026_11_24", data).expect("a link");
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
