//! The scheduler in virtual time: scenarios that were thought of, and hundreds that were not.

mod rings;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Nanos, STALL_NS, Spec};
use rings::Behaviour;
use world::{Outcome, Random, Shape, World};

const US: Nanos = 1_000;
const MS: Nanos = 1_000_000;
const NEVER: Nanos = u64::MAX / 4;

/// Plain functions that are quick, slow, or never end, and coroutines likewise.
fn functions() -> Vec<Behaviour> {
    let plain = |run_ns| Behaviour {
        is_async: false,
        run_ns,
    };
    let coroutine = |run_ns| Behaviour {
        is_async: true,
        run_ns,
    };
    vec![
        plain(US),
        plain(40 * US),
        plain(3 * MS),
        plain(NEVER),
        coroutine(100 * US),
        coroutine(5 * MS),
        coroutine(NEVER),
    ]
}

const QUICK: u32 = 0;
const SLOW: u32 = 2;
const ENDLESS: u32 = 3;
const ENDLESS_COROUTINE: u32 = 6;

fn world(workers: usize) -> World {
    let mut world = World::new(
        Shape {
            workers,
            queue: 1_000,
            max_concurrency: 4,
            room: 1_000,
        },
        functions(),
        1,
    );
    world.up_all();
    world
}

fn call(function: u32) -> Spec {
    Spec {
        made: 0,
        function,
        deadline: NEVER,
        timeout: NEVER,
        limit: 50 * MS,
        max_attempts: 1,
        bound: None,
    }
}

#[test]
fn any_order_of_events_ends_every_call_exactly_once() {
    for seed in 0..600 {
        if let Err(cause) = catch_unwind(AssertUnwindSafe(|| scenario(seed))) {
            let text = cause.downcast_ref::<String>().cloned();
            let text = text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            panic!("seed {seed}: {}", text.unwrap_or_default());
        }
    }
}

fn scenario(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x1234_5679).wrapping_add(99));
    let shape = Shape {
        workers: 1 + random.below(4) as usize,
        queue: 1 + random.below(60) as usize,
        max_concurrency: 1 + random.below(8) as usize,
        room: if random.one_in(3) { 4 } else { 500 },
    };
    let slow_calls = random.one_in(2);
    let mut world = World::new(shape, functions(), seed);
    for _ in 0..400 {
        step(&mut world, &mut random, slow_calls);
    }
    // The end: everybody is well again, and time passes until nothing is left.
    for _ in 0..2_000 {
        for worker in 0..world.shape.workers {
            world.rings.processes[worker].stalled = false;
        }
        world.up_all();
        world.advance(MS);
        world.clock();
        if world.scheduler.is_idle() && world.scheduler.unfinished().is_empty() {
            break;
        }
    }
    for ticket in 0..world.calls.len() {
        assert!(world.outcome(ticket).is_some(), "call {ticket} never ended");
        assert!(world.take(ticket));
    }
    assert!(
        world.scheduler.is_idle() && world.scheduler.sent() == 0 && world.scheduler.queued() == 0
    );
    assert_eq!(
        world.scheduler.calls.iter().count(),
        0,
        "nothing is remembered of calls that are over"
    );
    assert!(
        world
            .scheduler
            .workers
            .iter()
            .all(|worker| worker.outstanding == 0 && worker.abandoned == 0)
    );
}

fn step(world: &mut World, random: &mut Random, slow_calls: bool) {
    let worker = random.below(world.shape.workers as u64) as usize;
    match random.below(100) {
        0..40 => {
            let function = random.below(if slow_calls { 7 } else { 2 }) as u32;
            let timeout = if random.one_in(2) {
                random.below(2 * MS)
            } else {
                random.below(100 * MS)
            };
            let up = world.rings.processes[worker].alive;
            let spec = Spec {
                made: 0,
                function,
                deadline: world.now + timeout,
                timeout,
                limit: MS + random.below(60 * MS),
                max_attempts: 1 + random.below(3) as u32,
                bound: (up && random.one_in(8)).then_some(worker as u32),
            };
            world.submit(spec);
        }
        40..60 => world.advance(random.below(200 * US)),
        60..64 => world.advance(random.below(5 * MS)),
        64..78 => world.drain(worker),
        78..84 => world.clock(),
        84..90 if !world.calls.is_empty() => {
            let ticket = random.below(world.calls.len() as u64) as usize;
            world.take(ticket);
        }
        90..94 if !world.calls.is_empty() => {
            // Of the younger ones, which may still be under way.
            let young =
                world.calls.len() as u64 - 1 - random.below(world.calls.len().min(30) as u64);
            world.give_up(young as usize);
        }
        94..96 if world.rings.processes[worker].alive => world.die(worker),
        96..98 if !world.rings.processes[worker].alive => world.up(worker),
        98 => world.rings.processes[worker].stalled ^= true,
        _ => stale(world, random, worker),
    }
}

/// Ids that nobody has out mean nothing.
fn stale(world: &mut World, random: &mut Random, worker: usize) {
    let id = match world.rings.processes[worker].records.last() {
        Some(record) if random.one_in(2) => record.id.wrapping_sub(1 << 32),
        Some(record) => record.id.wrapping_add(1 << 16),
        None => random.below(u64::MAX),
    };
    let out = world.rings.processes[worker]
        .records
        .iter()
        .any(|record| record.id == id);
    assert!(
        out || world.scheduler.lookup(worker, id).is_none(),
        "the id {id:#x} is taken for a call"
    );
}

#[test]
fn what_waits_behind_a_slow_call_goes_to_an_idle_worker() {
    let mut world = world(2);
    // The function counts as quick, so that several are sent ahead.
    for _ in 0..50 {
        world.submit(call(QUICK)).expect("room");
        world.advance(10 * US);
        world.drain_all();
    }
    world.functions[QUICK as usize].run_ns = NEVER;
    world.die(1);
    let tickets: Vec<_> = (0..10)
        .map(|_| world.submit(call(QUICK)).expect("room"))
        .collect();
    world.advance(STALL_NS);
    world.functions[QUICK as usize].run_ns = US;
    world.up(1);
    for _ in 0..20 {
        world.advance(STALL_NS);
        world.clock();
    }
    let ended = tickets
        .iter()
        .filter(|&&ticket| world.outcome(ticket) == Some(Outcome::Answered))
        .count();
    assert_eq!(ended, 9, "all but the one that runs");
}

#[test]
fn long_coroutines_leave_room_for_plain_calls() {
    let mut world = world(1);
    let slow = world.submit(call(SLOW)).expect("room");
    world.advance(10 * MS);
    world.drain_all();
    world.submit(call(ENDLESS_COROUTINE)).expect("room");
    world.advance(US);
    let other = world.submit(call(SLOW)).expect("room");
    world.advance(10 * MS);
    world.drain_all();
    assert_eq!(
        [slow, other].map(|ticket| world.outcome(ticket)),
        [Some(Outcome::Answered); 2]
    );
}

#[test]
fn calls_bound_to_one_worker_do_not_hold_up_the_others() {
    let mut world = world(2);
    world
        .submit(Spec {
            bound: Some(0),
            ..call(ENDLESS)
        })
        .expect("room");
    world.advance(US);
    let waits = world
        .submit(Spec {
            bound: Some(0),
            ..call(SLOW)
        })
        .expect("room");
    let free = world.submit(call(QUICK)).expect("room");
    world.advance(10 * US);
    world.drain_all();
    assert_eq!(world.outcome(free), Some(Outcome::Answered));
    assert_eq!(world.outcome(waits), None);
    // Once its worker has stalled, an idle one may have it.
    assert!(world.scheduler.unbalanced(), "the driver looks again");
    world.advance(MS);
    world.clock();
    world.advance(10 * MS);
    world.drain_all();
    assert_eq!(world.outcome(waits), Some(Outcome::Answered));
    // As after the death of its worker.
    world.die(0);
    let late = world
        .submit(Spec {
            bound: Some(0),
            ..call(QUICK)
        })
        .expect("room");
    world.advance(10 * MS);
    world.drain_all();
    assert_eq!(world.outcome(late), Some(Outcome::Answered));
}

#[test]
fn a_ring_full_of_calls_taken_back_does_not_stop_the_worker_for_good() {
    let shape = Shape {
        workers: 1,
        queue: 1_000,
        max_concurrency: 4,
        room: 4,
    };
    let mut world = World::new(shape, functions(), 1);
    world.up_all();
    world.rings.processes[0].stalled = true;
    let tickets: Vec<_> = (0..4)
        .map(|_| world.submit(call(SLOW)).expect("room"))
        .collect();
    tickets.into_iter().for_each(|ticket| world.give_up(ticket));
    let waits = world.submit(call(SLOW)).expect("room");
    world.rings.processes[0].stalled = false;
    assert!(world.scheduler.unbalanced(), "the driver looks again");
    world.advance(MS);
    world.clock();
    world.advance(10 * MS);
    world.drain_all();
    assert_eq!(world.outcome(waits), Some(Outcome::Answered));
}

#[test]
fn only_the_functions_own_limit_kills_and_it_counts_from_the_start() {
    let mut world = world(1);
    let first = world.submit(call(SLOW)).expect("room");
    world.advance(10 * MS);
    world.drain_all();
    assert_eq!(world.outcome(first), Some(Outcome::Answered));
    let started = world.now;
    let second = world
        .submit(Spec {
            deadline: started + MS,
            ..call(ENDLESS)
        })
        .expect("room");
    world.advance(2 * MS);
    world.drain_all();
    let (due, _) = world.scheduler.due(world.now);
    assert_eq!(due.len(), 1);
    world.give_up(second);
    world.now = started + 50 * MS - 1;
    assert!(world.scheduler.overdue(world.now).is_empty());
    assert_eq!(world.scheduler.due(world.now).1, started + 50 * MS);
    assert_eq!(world.scheduler.overdue(started + 50 * MS), [0]);
    // Until then it keeps its place: a slow call is not sent behind it.
    let third = world.submit(call(SLOW)).expect("room");
    assert_eq!(
        (world.scheduler.outstanding(0), world.scheduler.queued()),
        (1, 1)
    );
    world.die(0);
    assert_eq!(world.outcome(third), None);
    world.up(0);
    world.advance(10 * MS);
    world.drain_all();
    assert_eq!(world.outcome(third), Some(Outcome::Answered));
}

#[test]
fn generations_keep_answers_apart() {
    let mut world = world(1);
    world.submit(call(ENDLESS)).expect("room");
    world.advance(US);
    let old = world.rings.processes[0].records[0].id;
    world.die(0);
    world.up(0);
    assert_eq!(world.generation(0), 2);
    world.submit(call(ENDLESS)).expect("room");
    assert_eq!(world.scheduler.lookup(0, old), None);
    let young = world.rings.processes[0].records[0].id;
    assert!(old != young && world.scheduler.lookup(0, young).is_some());
}
