use std::path::{Path, PathBuf};
use crate::config::Settings;
use crate::error::StartError;
pub(crate) fn find(settings: &Settings) -> Result<PathBuf, StartError> {
    Ok(settings.python.clone().unwrap_or_else(|| PathBuf::from(".venv/bin/python")))
}
pub(crate) fn explain(_: &Path, _: &Settings) -> Option<StartError> { None }
