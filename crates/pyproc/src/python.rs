//! Which Python interpreter workers run on, and what is wrong with one that they did not start on.

mod probe;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use crate::config::{PoolConfig, Settings, Target};
use crate::error::StartError;

pub(crate) use probe::explain;

impl PoolConfig {
    /// The interpreter that the workers of this configuration run on; nothing is run.
    ///
    /// # Errors
    /// When the configuration is wrong, or no interpreter is found.
    pub fn interpreter(self) -> Result<PathBuf, StartError> {
        find(&self.resolve()?)
    }
}

/// Finds the interpreter; nothing is run.
pub(crate) fn find(settings: &Settings) -> Result<PathBuf, StartError> {
    let script = match &settings.target {
        Target::Script(script) => Some(
            settings
                .working_dir
                .as_deref()
                .unwrap_or(Path::new(""))
                .join(script),
        ),
        Target::Module { .. } => None,
    };
    let search = Search {
        configured: settings.python.clone(),
        variable: non_empty("PYPROC_PYTHON").map(PathBuf::from),
        virtual_env: non_empty("VIRTUAL_ENV").map(PathBuf::from),
        current_dir: std::env::current_dir().ok(),
        script: script.and_then(|script| std::path::absolute(script).ok()),
        path: non_empty("PATH").unwrap_or_default(),
    };
    search.run().map_err(|tried| StartError::NoPython { tried })
}

fn non_empty(variable: &str) -> Option<OsString> {
    std::env::var_os(variable).filter(|value| !value.is_empty())
}

/// Everything that the answer depends on.
#[derive(Default)]
struct Search {
    configured: Option<PathBuf>,
    variable: Option<PathBuf>,
    virtual_env: Option<PathBuf>,
    current_dir: Option<PathBuf>,
    script: Option<PathBuf>,
    path: OsString,
}

impl Search {
    /// The interpreter, or every place that was tried and what was wrong with it.
    ///
    /// An interpreter that was named has to be that one; a virtual environment may be gone.
    fn run(&self) -> Result<PathBuf, Vec<String>> {
        let mut tried = Vec::new();
        for (source, named) in [
            ("`python`", &self.configured),
            ("PYPROC_PYTHON", &self.variable),
        ] {
            match named {
                Some(named) => {
                    return self
                        .named(source, named)
                        .map_err(|problem| [tried, vec![problem]].concat());
                }
                None => tried.push(format!("{source}: not set")),
            }
        }
        match self.virtual_env.as_deref().map(in_virtual_env) {
            Some(python) => match usable(&python) {
                Ok(()) => return Ok(python),
                Err(problem) => tried.push(format!("VIRTUAL_ENV: {} {problem}", python.display())),
            },
            None => tried.push("VIRTUAL_ENV: not set".to_owned()),
        }
        let beside_script = self.script.as_deref().and_then(Path::parent);
        for folder in [self.current_dir.as_deref(), beside_script]
            .into_iter()
            .flatten()
        {
            match above(folder) {
                Some(python) => return Ok(python),
                None => tried.push(format!(
                    "{}: no usable .venv/bin/python there or in a folder above it",
                    folder.display()
                )),
            }
        }
        on_path(OsStr::new("python3"), &self.path).ok_or_else(|| {
            tried.push("PATH: no usable python3 in any of its folders".to_owned());
            tried
        })
    }

    /// An interpreter that was named by its path or, as in a shell, by its name alone.
    fn named(&self, source: &str, named: &Path) -> Result<PathBuf, String> {
        if named.components().count() == 1
            && !named.is_absolute()
            && named.file_name() == Some(named.as_os_str())
        {
            return on_path(named.as_os_str(), &self.path)
                .ok_or_else(|| format!("{source}: no usable {} on the PATH", named.display()));
        }
        let python = std::path::absolute(named).unwrap_or_else(|_| named.to_owned());
        match usable(&python) {
            Ok(()) => Ok(python),
            Err(problem) => Err(format!("{source}: {} {problem}", python.display())),
        }
    }
}

fn in_virtual_env(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

/// The nearest `.venv` of a folder and those that contain it.
fn above(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .map(|folder| in_virtual_env(&folder.join(".venv")))
        .find(|python| usable(python).is_ok())
}

fn on_path(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|python| usable(python).is_ok())
}

/// Can this be executed? The path is left as it is: a virtual environment's interpreter is a symbolic
/// link that must not be followed, since Python finds the environment by the path it is started with.
fn usable(python: &Path) -> Result<(), &'static str> {
    if !python.exists() {
        Err("does not exist")
    } else if !python.is_file() {
        Err("is not a file")
    } else if rustix::fs::access(python, Access::EXEC_OK).is_err() {
        Err("is not executable")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
