use super::*;
use crate::attendant::Attendant;
use crate::control::inherited;
use crate::message::ToHost;
use crate::testing::*;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command};
use std::sync::Arc;

const STAND_IN: &str = "guard::tests::stand_in";

#[test]
fn the_two_signals_are_real_time_signals_of_their_own() {
    assert_ne!(interrupt_signal(), dump_signal());
    assert!((libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&interrupt_signal()));
    assert!((libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&dump_signal()));
}

/// Not a test: what this program does when another test starts it in a role.
#[test]
fn stand_in() {
    match role().as_deref() {
        None => {}
        Some("fork") => a_forked_child_ends_alone(),
        Some("follower") => a_process_that_does_not_lead_its_group_ends_alone(),
        Some("killer") => kill_own_group(),
        Some(role) => match role.split_once(' ') {
            Some(("host", worker)) => host(worker),
            _ => worker(role),
        },
    }
}

fn sleeper() -> Child {
    Command::new("sleep").arg("1000").spawn().expect("sleep")
}

/// Starts a worker, passes on the process numbers that it reports, and waits to be killed.
fn host(worker: &str) {
    let (control, spawned) = in_role(STAND_IN, worker);
    let numbers = receive(&control).expect("the worker's report");
    if worker.contains("stopped") {
        spawned.process.signal(libc::SIGSTOP).expect("signal");
        wait_until_stopped(spawned.process.pid());
    }
    inherited()
        .expect("control")
        .send_blocking(&numbers)
        .expect("report");
    loop {
        std::thread::park();
    }
}

fn worker(role: &str) {
    let control = inherited().expect("control");
    let mut numbers = std::process::id().to_string();
    if role.contains("parent") {
        numbers = format!("{numbers} {}", sleeper().id());
    }
    if !role.contains("deaf") {
        install_death_handler().expect("the handler");
    } else {
        // SAFETY: ignoring a signal runs no code.
        unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
    }
    let rest = if role.contains("attended") {
        let attendant = Attendant::start(control, Arc::default(), Box::new(|| {}));
        let attendant = attendant.expect("the attendant");
        attendant.send(&report(numbers)).expect("report");
        (Some(attendant), None)
    } else {
        let mut bytes = Vec::new();
        report(numbers).encode(&mut bytes);
        control.send_blocking(&bytes).expect("report");
        (None, Some(control))
    };
    loop {
        std::hint::black_box(&rest);
    }
}

fn report(numbers: String) -> ToHost {
    ToHost::Rejected {
        protocol: 0,
        version: String::new(),
        reason: numbers,
    }
}

#[track_caller]
fn dies_with_its_host(worker: &str) {
    let (control, mut host) = in_role(STAND_IN, &format!("host {worker}"));
    let bytes = receive(&control).expect("the report");
    let Ok(ToHost::Rejected {
        reason: numbers, ..
    }) = ToHost::decode(&bytes)
    else {
        unreachable!("it is a report");
    };
    let watched: Vec<_> = numbers.split(' ').map(Watched::new).collect();
    assert_eq!(watched.len(), if worker.contains("parent") { 2 } else { 1 });
    // The host alone: its worker is in a group of its own.
    host.process.signal(libc::SIGKILL).expect("signal");
    for process in watched {
        process.wait_for_end();
    }
    host.process
        .wait_timeout(DEADLINE)
        .expect("wait")
        .expect("it ends");
}

#[test]
fn a_busy_worker_and_its_child_die_with_the_host() {
    dies_with_its_host("parent");
}

#[test]
fn the_end_of_the_socket_is_enough() {
    dies_with_its_host("deaf attended parent");
}

#[test]
fn a_stopped_worker_dies_with_the_host() {
    dies_with_its_host("stopped attended");
}

#[test]
fn a_stopped_worker_and_its_child_die_with_the_host() {
    dies_with_its_host("stopped attended parent");
}

#[test]
fn a_forked_child_ends_alone() {
    if role().is_none() {
        return run_in_role(STAND_IN, "fork");
    }
    install_death_handler().expect("the handler");
    // SAFETY: the child only waits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        loop {
            // SAFETY: no arguments.
            unsafe { libc::pause() };
        }
    }
    let mut status = 0;
    // SAFETY: the child's number, and memory for its status.
    unsafe {
        libc::kill(child, libc::SIGHUP);
        libc::waitpid(child, &raw mut status, 0);
    }
    assert_eq!(
        std::process::ExitStatus::from_raw(status).code(),
        Some(128 + libc::SIGHUP)
    );
}

#[test]
fn a_process_that_does_not_lead_its_group_ends_alone() {
    if role().is_none() {
        return run_in_role(STAND_IN, "follower");
    }
    let program = std::env::current_exe().expect("the test program");
    let mut follower = Command::new(program);
    follower
        .args([STAND_IN, "--exact", "--test-threads=1"])
        .env("PYPROC_IPC_TEST_ROLE", "killer");
    let status = follower.status().expect("it runs");
    assert_eq!(status.signal(), Some(libc::SIGKILL));
    let mut leader = Command::new(std::env::current_exe().expect("the test program"));
    leader
        .args([STAND_IN, "--exact", "--test-threads=1"])
        .env("PYPROC_IPC_TEST_ROLE", "killer");
    let status = leader.process_group(0).status().expect("it runs");
    assert_eq!(status.signal(), Some(libc::SIGKILL));
}
