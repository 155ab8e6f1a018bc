//! The host is killed: nothing of its pool is left, whatever its workers do.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::support::{
    Isolation, is_alive, kill, next_call_works, pid, runtime, scratch, start, state_of, wait_until,
    worker,
};

/// Set in the process that plays the host.
const HOST: &str = "PYPROC_TEST_HOST";

const WORKER: &str = r#"
    import subprocess

    def note(name):
        child = subprocess.Popen(["sleep", "3600"], close_fds=False)
        with open(f"{name}.new", "w") as file:
            file.write(f"{os.getpid()} {child.pid}")
        os.rename(f"{name}.new", name)

    @expose
    def sleep(name):
        note(name)
        time.sleep(3600)

    @expose
    def spin(name):
        note(name)
        while True:
            pass

    @expose
    def crunch(name):
        note(name)
        return sum(range(10**12))

    @expose
    def stubborn(name):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note(name)
        while True:
            try:
                time.sleep(3600)
            except BaseException:
                pass

    @expose
    def idle(name):
        note(name)
"#;

/// Two workers run `function` when their host is killed; `stop`: they are stopped first.
fn host_dies_during(test: &str, function: &str, stop: bool) {
    Isolation::named(test).run(|| {
        let marks = [scratch().join("first"), scratch().join("second")];
        if std::env::var_os(HOST).is_some() {
            runtime().block_on(host(function, &marks));
            return;
        }
        let mut arguments = std::env::args_os();
        let mut host = Command::new(arguments.next().unwrap())
            .args(arguments)
            .env(HOST, "1")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("calls that run", || marks.iter().all(|mark| mark.exists()));
        let processes: Vec<u32> = marks
            .iter()
            .flat_map(|mark| {
                let numbers = fs::read_to_string(mark).unwrap();
                numbers
                    .split(' ')
                    .map(|number| number.parse().unwrap())
                    .collect::<Vec<u32>>()
            })
            .collect();
        assert_eq!(processes.len(), 4);
        assert!(processes.iter().all(|&process| is_alive(process)));
        if stop {
            for &process in &processes {
                kill(process, Signal::STOP);
                wait_until("a stopped process", || state_of(process) == Some('T'));
            }
        }
        host.kill().unwrap();
        host.wait().unwrap();
        for process in processes {
            wait_until(&format!("the end of {process}"), || !is_alive(process));
        }
    });
}

/// Plays the host, until it is killed.
async fn host(function: &str, marks: &[PathBuf; 2]) {
    let pool = start(worker(WORKER).workers(2)).await;
    next_call_works(&pool).await;
    let call = |mark| pool.call::<_, ()>(function, mark);
    let (first, second) = tokio::join!(call(&marks[0]), call(&marks[1]));
    first.expect("only idle returns");
    second.expect("only idle returns");
    let _ = pid(&pool).await;
    std::future::pending::<()>().await;
}

macro_rules! host_dies_during {
    ($($name:ident: $function:literal $stop:literal;)*) => {$(
        #[test]
        fn $name() {
            host_dies_during(concat!(module_path!(), "::", stringify!($name)), $function, $stop);
        }
    )*};
}

host_dies_during! {
    while_workers_are_idle: "idle" false;
    while_workers_are_idle_and_stopped: "idle" true;
    while_workers_sleep: "sleep" false;
    while_workers_are_stopped: "sleep" true;
    while_workers_run_python: "spin" false;
    while_workers_run_c_code: "crunch" false;
    while_workers_run_c_code_and_are_stopped: "crunch" true;
    while_workers_catch_everything: "stubborn" false;
}
