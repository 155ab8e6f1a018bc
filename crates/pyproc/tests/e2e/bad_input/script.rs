//! Scripts and modules from which no worker comes up.

use std::fs;
use std::time::Duration;

use pyproc::{Pool, PoolConfig, StartError};

use crate::support::{PATIENCE, config, dedent, python, scenario, scratch, script};

/// Why this pool does not start.
pub(super) async fn start_fails(config: PoolConfig) -> StartError {
    match tokio::time::timeout(PATIENCE, Pool::start(config))
        .await
        .expect("the start hangs")
    {
        Ok(_) => panic!("the pool starts"),
        Err(error) => error,
    }
}

/// What is said about a script of these lines, with its path as `SCRIPT`.
async fn sentence(source: &str) -> String {
    let script = script(&dedent(source));
    let error = start_fails(config(&script)).await;
    error
        .to_string()
        .replace(script.to_str().unwrap(), "SCRIPT")
}

/// What is said about this module or function.
async fn about(target: &str) -> String {
    start_fails(PoolConfig::new(target).python(python()).workers(1))
        .await
        .to_string()
}

#[test]
fn a_script_that_is_missing() {
    scenario(async || {
        let path = scratch().join("absent.py");
        assert_eq!(
            start_fails(config(&path)).await.to_string(),
            format!("there is no worker script {}", path.display())
        );
        // A path that is not absolute is shown with the folder in which it was looked for.
        let config = PoolConfig::new("./absent.py")
            .python(python())
            .working_dir(scratch());
        assert_eq!(
            start_fails(config).await.to_string(),
            format!("there is no worker script {}", path.display())
        );
    });
}

#[test]
fn a_script_that_is_no_file() {
    scenario(async || {
        let folder = scratch().join("workers.py");
        fs::create_dir(&folder).unwrap();
        assert_eq!(
            start_fails(config(&folder)).await.to_string(),
            format!(
                "the worker script {} is a folder; name a file in it",
                folder.display()
            )
        );
        // A named pipe has nobody who writes to it: it is not opened.
        let pipe = scratch().join("pipe.py");
        let made = std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap();
        assert!(made.success());
        let error = start_fails(config(&pipe)).await;
        assert_eq!(
            error.to_string(),
            format!("the worker script {} cannot be read", pipe.display())
        );
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(source.as_deref(), Some("it is not a file"));
    });
}

#[test]
fn an_import_that_fails() {
    scenario(async || {
        let source = "
            from pyproc_worker import expose, run_worker
            import no_such_module
        ";
        assert_eq!(
            sentence(source).await,
            "SCRIPT raised ModuleNotFoundError: No module named 'no_such_module'\
             \n  Traceback (most recent call last):\
             \n    File \"SCRIPT\", line 3, in <module>\
             \n      import no_such_module\
             \n  ModuleNotFoundError: No module named 'no_such_module'"
        );
        // Before that of the package nobody is there yet to report it but the interpreter.
        let source = "
            import no_such_module
            from pyproc_worker import expose, run_worker
        ";
        assert_eq!(
            sentence(source).await,
            "SCRIPT exited with status 1 before it was ready; its last lines on stderr:\
             \n  Traceback (most recent call last):\
             \n    File \"SCRIPT\", line 2, in <module>\
             \n      import no_such_module\
             \n  ModuleNotFoundError: No module named 'no_such_module'"
        );
    });
}

#[test]
fn a_script_with_a_syntax_error() {
    scenario(async || {
        assert_eq!(
            sentence("import pyproc_worker\ndef predict(:\n    pass\n").await,
            "SCRIPT exited with status 1 before it was ready; its last lines on stderr:\
             \n    File \"SCRIPT\", line 2\
             \n      def predict(:\
             \n                  ^\
             \n  SyntaxError: invalid syntax"
        );
    });
}

#[test]
fn a_script_that_exposes_nothing() {
    scenario(async || {
        assert_eq!(
            sentence("from pyproc_worker import run_worker\nrun_worker()\n").await,
            "SCRIPT exposes no function; put `@expose` above those that are to be called"
        );
        assert_eq!(
            about("math").await,
            "math exposes no function; put `@expose` above those that are to be called, \
             or name one as math:FUNCTION"
        );
    });
}

#[test]
fn two_functions_of_one_name() {
    scenario(async || {
        let source = "
            from pyproc_worker import expose, run_worker

            @expose
            def predict(x):
                return x

            @expose(name='predict')
            def guess(x):
                return x
        ";
        assert_eq!(
            sentence(source).await,
            "SCRIPT cannot be served: two functions are exposed as `predict`: `predict` (SCRIPT:4) and \
             `guess` (SCRIPT:8); rename one of them with @expose(name=\"...\")"
        );
    });
}

#[test]
fn what_cannot_be_exposed() {
    scenario(async || {
        let refused = async |source: &str| {
            sentence(&format!(
                "from pyproc_worker import expose, run_worker\n{source}\nrun_worker()\n"
            ))
            .await
        };
        assert_eq!(
            refused("@expose\ndef rows():\n    yield 1").await,
            "SCRIPT cannot be served: `rows` (SCRIPT:2) is a generator, which cannot be exposed yet; \
             return a list instead"
        );
        assert_eq!(
            refused("expose(3)").await,
            "SCRIPT cannot be served: only functions can be exposed, not `int`"
        );
        assert_eq!(
            refused("expose(lambda x: x)").await,
            "SCRIPT cannot be served: '<lambda>' of `<lambda>` (SCRIPT:2) cannot be the name of an exposed \
             function; give one of 1 to 255 bytes with @expose(name=\"...\")"
        );
        assert_eq!(
            refused("@expose(body='whole')\ndef add(a, b):\n    return a + b").await,
            "SCRIPT cannot be served: body=\"whole\" needs a function that can be called with one argument, \
             not (a, b)"
        );
    });
}

#[test]
fn a_script_that_exits_at_once() {
    scenario(async || {
        assert_eq!(
            sentence("import sys\nprint('no model here', file=sys.stderr)\nsys.exit(3)\n").await,
            "SCRIPT exited with status 3 before it was ready; its last lines on stderr:\n  no model here"
        );
        assert_eq!(
            sentence("import os, pyproc_worker\nos._exit(4)\n").await,
            "SCRIPT exited with status 4 before it was ready; it wrote nothing to stderr"
        );
        assert_eq!(
            sentence("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n").await,
            "the worker of SCRIPT was killed by SIGKILL before it was ready; it wrote nothing to stderr"
        );
    });
}

#[test]
fn a_script_that_never_calls_run_worker() {
    scenario(async || {
        for source in [
            "print('hello')\n",
            "from pyproc_worker import expose\n@expose\ndef f(): pass\n",
        ] {
            assert_eq!(
                sentence(source).await,
                "SCRIPT ended without calling run_worker(); end it with\
                 \n  if __name__ == \"__main__\":\
                 \n      run_worker()"
            );
        }
    });
}

#[test]
fn a_script_that_is_not_ready_in_time() {
    scenario(async || {
        let script =
            script("import sys, time\nprint('loading', file=sys.stderr)\ntime.sleep(3600)\n");
        let error = start_fails(config(&script).start_timeout(Duration::from_secs(1))).await;
        assert_eq!(
            error.to_string(),
            format!(
                "{} was not ready within 1s; raise `start_timeout` if its imports take that long; \
                 its last lines on stderr:\n  loading",
                script.display()
            )
        );
    });
}

#[test]
fn an_exception_of_any_size_and_script() {
    scenario(async || {
        let text =
            sentence("import pyproc_worker\nraise ValueError('模' * 1_000_000 + '\\udc80')\n")
                .await;
        assert!(
            text.starts_with("SCRIPT raised ValueError: 模模"),
            "{}",
            &text[..200]
        );
        assert!(text.len() < 256 * 1024, "{} bytes", text.len());
    });
}

#[test]
fn a_module_or_function_that_is_missing() {
    scenario(async || {
        let here = std::env::current_dir().unwrap();
        let folder = python().parent().unwrap().canonicalize().unwrap();
        assert_eq!(
            about("no_such_module:predict").await,
            format!(
                "no_such_module:predict cannot be served: there is no module `no_such_module` in {} \
                 or among the packages of {}",
                here.display(),
                folder.join("python").display()
            )
        );
        assert_eq!(
            about("math:hypott").await,
            "math:hypott cannot be served: module `math` has no function `hypott`; did you mean `hypot`?"
        );
        assert_eq!(
            about("math:pi").await,
            "math:pi cannot be served: `pi` of module `math` is not a function"
        );
    });
}
