//! [`Target`]: what the workers run.

use std::fmt;
use std::path::{Path, PathBuf};

/// What the workers run, read from `path.py`, `module` or `module:function`.
///
/// ```
/// use pyproc::Target;
///
/// assert_eq!(Target::parse("math:hypot")?.function(), Some("hypot"));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A script, which calls `run_worker()` itself.
    Script(PathBuf),
    /// A module that can be imported.
    Module {
        /// Its dotted name.
        module: String,
        /// The only function to expose, if one was named; otherwise those under `@expose`.
        function: Option<String>,
    },
}

impl Target {
    /// Reads a target.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with the text and what it should be.
    pub fn parse(text: &str) -> Result<Self, String> {
        const FORMS: &str = "write `path.py`, `module` or `module:function`";
        if text.is_empty() {
            return Err(format!("is missing: {FORMS}"));
        }
        if text.contains('\0') {
            return Err(format!("contains a NUL character: {FORMS}"));
        }
        if is_script(text) {
            return Ok(Self::Script(PathBuf::from(text)));
        }
        let (module, function) = match text.split_once(':') {
            Some((module, function)) => (module, Some(function)),
            None => (text, None),
        };
        if is_script(module) {
            return Err(format!(
                "is {text:?}, but a script exposes its functions itself: write {module:?} and name the function in the call"
            ));
        }
        if !module.split('.').all(is_identifier) {
            return Err(format!(
                "is {text:?}, but {module:?} is not the name of a module: {FORMS}"
            ));
        }
        if let Some(function) = function
            && !function.split('.').all(is_identifier)
        {
            return Err(format!(
                "is {text:?}, but {function:?} is not the name of a function: {FORMS}"
            ));
        }
        Ok(Self::Module {
            module: module.to_owned(),
            function: function.map(str::to_owned),
        })
    }

    /// The script's path, if the target is a script.
    #[must_use]
    pub fn script(&self) -> Option<&Path> {
        match self {
            Self::Script(script) => Some(script),
            Self::Module { .. } => None,
        }
    }

    /// The only function that is exposed, if the target names one.
    #[must_use]
    pub fn function(&self) -> Option<&str> {
        match self {
            Self::Script(_) => None,
            Self::Module { function, .. } => function.as_deref(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script(script) => write!(formatter, "{}", script.display()),
            Self::Module {
                module,
                function: None,
            } => formatter.write_str(module),
            Self::Module {
                module,
                function: Some(function),
            } => write!(formatter, "{module}:{function}"),
        }
    }
}

fn is_script(text: &str) -> bool {
    text.ends_with(".py") || text.contains('/')
}

/// Close to Python's rule; Python itself has the last word.
fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn reads_the_three_forms() {
        for text in ["worker.py", "./jobs/worker.py", "/opt/app/serve"] {
            assert_eq!(Target::parse(text), Ok(Target::Script(text.into())));
        }
        for (text, module, function) in [
            ("math", "math", None),
            ("math:hypot", "math", Some("hypot")),
            ("os.path:join", "os.path", Some("join")),
            (
                "json:JSONEncoder.default",
                "json",
                Some("JSONEncoder.default"),
            ),
        ] {
            let target = Target::parse(text).expect(text);
            assert_eq!(
                target,
                Target::Module {
                    module: module.to_owned(),
                    function: function.map(str::to_owned)
                }
            );
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, sentence) in [
            (
                "",
                "is missing: write `path.py`, `module` or `module:function`",
            ),
            (
                "worker.py:predict",
                "is \"worker.py:predict\", but a script exposes its functions itself: \
                 write \"worker.py\" and name the function in the call",
            ),
            (
                "my-module",
                "is \"my-module\", but \"my-module\" is not the name of a module: \
                 write `path.py`, `module` or `module:function`",
            ),
            (
                "math:",
                "is \"math:\", but \"\" is not the name of a function: \
                 write `path.py`, `module` or `module:function`",
            ),
        ] {
            assert_eq!(Target::parse(text), Err(sentence.to_owned()));
        }
    }
}
