use super::*;
use crate::control;
use crate::testing::*;
use std::path::Path;

fn end_of(spawned: &mut Spawned) -> Exit {
    spawned
        .process
        .wait_timeout(DEADLINE)
        .expect("wait")
        .expect("it ends")
}

#[test]
fn its_output_and_status_arrive() {
    let (_control, mut spawned) = shell("echo out; echo err >&2; exit 3");
    assert_eq!(read_to_end(&spawned.stdout), "out\n");
    assert_eq!(read_to_end(&spawned.stderr), "err\n");
    assert_eq!(end_of(&mut spawned), Exit::Status(3));
    assert_eq!(end_of(&mut spawned), Exit::Status(3));
    spawned
        .process
        .signal(libc::SIGKILL)
        .expect("nothing happens");
}

#[test]
fn a_signal_ends_it() {
    let (_control, mut spawned) = shell("echo ready; sleep 1000");
    assert_eq!(read_line(&spawned.stdout), "ready");
    assert_eq!(spawned.process.try_wait().expect("wait"), None);
    spawned
        .process
        .signal(libc::SIGRTMAX() - 3)
        .expect("signal");
    assert_eq!(end_of(&mut spawned), Exit::Signal(libc::SIGRTMAX() - 3));
    assert!(shell("exit 0").1.process.signal(-1).is_err());
}

#[test]
fn what_it_started_ends_with_it() {
    let (_control, mut spawned) = shell("sleep 1000 & echo $!; exit 4");
    let child = Watched::new(&read_line(&spawned.stdout));
    assert_eq!(end_of(&mut spawned), Exit::Status(4));
    child.wait_for_end();
}

#[test]
fn dropping_it_ends_everything_even_when_it_is_stopped() {
    let (_control, spawned) = shell("sleep 1000 & echo $!; kill -STOP $$; wait");
    let child = Watched::new(&read_line(&spawned.stdout));
    let pid = spawned.process.pid();
    wait_until_stopped(pid);
    drop(spawned);
    child.wait_for_end();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn the_worker_starts_clean() {
    // A descriptor that some library left inheritable, at a number that nobody else uses.
    let (_, leaked) = rustix::pipe::pipe().expect("a pipe");
    let leaked = rustix::io::fcntl_dupfd_cloexec(leaked, 200).expect("a descriptor");
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).expect("inheritable");
    let script = "grep -E '^(SigBlk|SigIgn|NoNewPrivs)' /proc/self/status
        ulimit -c; cat | wc -c; echo $((${PYPROC_CONTROL_FD} > 2)) $MARK
        readlink /proc/$$/fd/$PYPROC_CONTROL_FD | cut -d: -f1
        test $(cut -d' ' -f5 /proc/$$/stat) = $$ && echo leader
        pwd; ls /proc/$$/fd";
    let (_host, worker) = control::pair().expect("a control socket");
    let spawn = Spawn {
        program: Path::new("/bin/sh"),
        args: &["-c".into(), script.into()],
        env: &[("MARK".into(), "hello".into())],
        current_dir: Some(Path::new("/proc")),
        control: worker,
    };
    let spawned = spawn.spawn().expect("it starts");
    let output = read_to_end(&spawned.stdout);
    let expected = [
        "SigBlk:\t0000000000000000",
        "SigIgn:\t0000000000000000",
        "NoNewPrivs:\t1",
        "0",
        "0",
        "1 hello",
        "socket",
        "leader",
        "/proc",
    ];
    let lines: Vec<_> = output.lines().collect();
    let (lines, descriptors) = lines.split_at_checked(expected.len()).expect(&output);
    assert_eq!(lines, expected);
    assert_eq!(descriptors.len(), 4, "{descriptors:?}");
}

#[test]
fn a_bad_start_is_a_sentence() {
    let failure = |program: &str, directory: Option<&str>| {
        let (_host, worker) = control::pair().expect("a control socket");
        let spawn = Spawn {
            program: Path::new(program),
            args: &[],
            env: &[],
            current_dir: directory.map(Path::new),
            control: worker,
        };
        spawn.spawn().expect_err("it does not start")
    };
    let missing = failure("/nowhere/python", None);
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    assert_eq!(
        missing.to_string(),
        "could not execute /nowhere/python: No such file or directory (os error 2)"
    );
    let not_a_program = failure("/proc/self/status", None);
    assert_eq!(not_a_program.kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(
        failure("/bin/sh", Some("/nowhere")).to_string(),
        "could not change to the folder /nowhere: No such file or directory (os error 2)"
    );
    assert_eq!(
        failure("/bin/\0sh", None).kind(),
        io::ErrorKind::InvalidInput
    );
}

#[test]
fn nothing_is_left_behind() {
    if role().is_none() {
        return run_in_role("process::tests::nothing_is_left_behind", "alone");
    }
    let before = descriptors();
    for round in 0..20 {
        drop(shell("sleep 1000"));
        let (_control, mut spawned) = shell("exit 1");
        assert_eq!(end_of(&mut spawned), Exit::Status(1));
        let (_host, worker) = control::pair().expect("a control socket");
        let directory = (round % 2 == 0).then_some(Path::new("/nowhere"));
        let program = Path::new("/nowhere/python");
        let spawn = Spawn {
            program,
            args: &[],
            env: &[],
            current_dir: directory,
            control: worker,
        };
        spawn.spawn().expect_err("it does not start");
    }
    assert_eq!(descriptors(), before);
    let any_child = rustix::process::wait(rustix::process::WaitOptions::NOHANG);
    assert_eq!(any_child.expect_err("there is none"), Errno::CHILD);
}

#[test]
fn a_host_that_ignores_sigchld_is_served_too() {
    if role().is_none() {
        return run_in_role(
            "process::tests::a_host_that_ignores_sigchld_is_served_too",
            "alone",
        );
    }
    // SAFETY: ignoring a signal runs no code; this process runs this test only.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    let before = descriptors();
    for _ in 0..20 {
        let (_control, mut spawned) = shell("sleep 1000 & echo $!; exit 4");
        let child = Watched::new(&read_line(&spawned.stdout));
        assert_eq!(end_of(&mut spawned), Exit::Unknown);
        child.wait_for_end();

        let (_control, spawned) = shell("sleep 1000 & echo $!; wait");
        let child = Watched::new(&read_line(&spawned.stdout));
        drop(spawned);
        child.wait_for_end();

        let (_host, worker) = control::pair().expect("a control socket");
        let program = Path::new("/nowhere/python");
        let spawn = Spawn {
            program,
            args: &[],
            env: &[],
            current_dir: None,
            control: worker,
        };
        assert_eq!(
            spawn.spawn().expect_err("missing").kind(),
            io::ErrorKind::NotFound
        );
    }
    assert_eq!(descriptors(), before);
}

#[test]
fn a_host_that_has_closed_its_standard_streams_is_served_too() {
    if role().is_none() {
        return run_in_role(
            "process::tests::a_host_that_has_closed_its_standard_streams_is_served_too",
            "alone",
        );
    }
    for stream in 0..2 {
        // SAFETY: this process runs this test only, which does not print.
        unsafe { libc::close(stream) };
    }
    let (_control, mut spawned) = shell("echo out; test -S /proc/$$/fd/$PYPROC_CONTROL_FD");
    assert_eq!(read_to_end(&spawned.stdout), "out\n");
    assert_eq!(end_of(&mut spawned), Exit::Status(0));
    std::process::exit(0);
}
