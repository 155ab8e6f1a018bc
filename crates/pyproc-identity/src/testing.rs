//! A pod's files and servers for tests.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

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

impl Folder {
    /// A pipe that nobody writes to.
    pub(crate) fn pipe(&self, path: &str) {
        let path = self.0.join(path.trim_start_matches('/'));
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0)
            .expect("a pipe");
    }
}

impl Pod {
    /// The same pod with these variables.
    pub(crate) fn set(mut self, variables: &[(&str, &str)]) -> Self {
        for (name, value) in variables {
            self.variables
                .insert((*name).to_owned(), (*value).to_owned());
        }
        self
    }

    /// The same pod, in which an address leads to a server of the test.
    pub(crate) fn with_address(mut self, address: &str, server: SocketAddr) -> Self {
        let address = address.parse().expect("an address with a port");
        self.addresses.insert(address, server);
        self
    }

    /// The same pod, in which nobody listens at the link-local addresses.
    pub(crate) fn alone(self) -> Self {
        let closed = SocketAddr::from(([127, 0, 0, 1], 1));
        self.with_address("169.254.169.254:80", closed)
            .with_address("169.254.170.23:80", closed)
            .with_address("[fd00:ec2::23]:80", closed)
    }
}

/// Answers each request by its path: a status, headers with their line ends, and a body.
pub(crate) async fn serve(answer: fn(&str) -> (u16, &'static str, &'static str)) -> SocketAddr {
    listen(move |mut stream| async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else {
                return;
            };
            head.push(byte);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1).expect("a path");
        let (status, headers, body) = answer(path);
        let text = format!(
            "HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        // Whoever asked may have gone.
        let _ = stream.write_all(text.as_bytes()).await;
    })
    .await
}

/// Does this with each connection.
pub(crate) async fn listen<F>(act: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(act(stream));
        }
    });
    address
}
