use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A folder with made-up interpreters in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, interpreters: &[&str]) -> Self {
        let folder =
            Self(std::env::temp_dir().join(format!("pyproc-python-{}-{name}", std::process::id())));
        fs::create_dir_all(&folder.0).expect("a folder");
        for path in interpreters {
            let path = folder.at(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(&path, "#!/bin/sh\n").expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        folder
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// Everything set, so that what is missing decides.
    fn search(&self) -> Search {
        fs::create_dir_all(self.at("here/below")).expect("folders");
        Search {
            configured: Some(self.at("configured")),
            variable: Some(self.at("variable")),
            virtual_env: Some(self.at("active")),
            current_dir: Some(self.at("here/below")),
            script: Some(self.at("there/below/worker.py")),
            path: std::env::join_paths([self.at("nothing"), self.at("bin")]).expect("a path"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const ALL: [&str; 6] = [
    "configured",
    "variable",
    "active/bin/python",
    "here/.venv/bin/python",
    "there/.venv/bin/python",
    "bin/python3",
];

#[test]
fn they_are_tried_in_order() {
    let folder = Folder::new("order", &ALL);
    let mut search = folder.search();
    let steps: [fn(&mut Search); 6] = [
        |_| {},
        |search| search.configured = None,
        |search| search.variable = None,
        |search| search.virtual_env = None,
        |search| search.current_dir = Some("/proc".into()),
        |search| search.script = None,
    ];
    for (step, expected) in steps.into_iter().zip(ALL) {
        step(&mut search);
        assert_eq!(search.run(), Ok(folder.at(expected)));
    }
}

#[test]
fn one_that_was_named_is_not_replaced_by_another() {
    let folder = Folder::new("named", &ALL[2..]);
    let mut search = folder.search();
    let configured = folder.at("configured").display().to_string();
    assert_eq!(
        search.run(),
        Err(vec![format!("`python`: {configured} does not exist")])
    );
    search.configured = None;
    fs::write(folder.at("variable"), "no program").expect("a file");
    let variable = folder.at("variable").display().to_string();
    let tried = [
        "`python`: not set".to_owned(),
        format!("PYPROC_PYTHON: {variable} is not executable"),
    ];
    assert_eq!(search.run(), Err(tried.to_vec()));
    search.variable = Some(folder.at("bin"));
    assert!(search.run().expect_err("a folder")[1].ends_with("/bin is not a file"));
}

#[test]
fn a_name_alone_is_looked_up() {
    let folder = Folder::new("name", &["bin/python3.12", "bin/python3"]);
    let mut search = folder.search();
    search.configured = Some("python3.12".into());
    assert_eq!(search.run(), Ok(folder.at("bin/python3.12")));
    search.configured = Some("python3.99".into());
    assert_eq!(
        search.run(),
        Err(vec![
            "`python`: no usable python3.99 on the PATH".to_owned()
        ])
    );
}

#[test]
fn links_are_not_followed() {
    let folder = Folder::new("links", &["real"]);
    fs::create_dir_all(folder.at("here/.venv/bin")).expect("folders");
    std::os::unix::fs::symlink(folder.at("real"), folder.at("here/.venv/bin/python"))
        .expect("a link");
    let search = Search {
        current_dir: Some(folder.at("here")),
        ..Search::default()
    };
    assert_eq!(search.run(), Ok(folder.at("here/.venv/bin/python")));
}

#[test]
fn everything_that_was_tried_is_listed() {
    let folder = Folder::new("none", &[]);
    let mut search = folder.search();
    search.configured = None;
    search.variable = None;
    let at = |path: &str| folder.at(path).display().to_string();
    let mut tried = vec![
        "`python`: not set".to_owned(),
        "PYPROC_PYTHON: not set".to_owned(),
        format!("VIRTUAL_ENV: {} does not exist", at("active/bin/python")),
        format!(
            "{}: no usable .venv/bin/python there or in a folder above it",
            at("here/below")
        ),
        format!(
            "{}: no usable .venv/bin/python there or in a folder above it",
            at("there/below")
        ),
        "PATH: no usable python3 in any of its folders".to_owned(),
    ];
    assert_eq!(search.run(), Err(tried.clone()));
    search.virtual_env = None;
    tried[2] = "VIRTUAL_ENV: not set".to_owned();
    assert_eq!(search.run(), Err(tried));
}
