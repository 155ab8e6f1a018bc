//! The workers' lanes as the scheduler sees them, with the segments and messages that go with calls.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::sync::Arc;

use pyproc_ipc::clock::now_ns;
use pyproc_ipc::control::ControlSocket;
use pyproc_ipc::lane::{HostLane, Outgoing};
use pyproc_ipc::message::{Direction, ToWorker};
use pyproc_ipc::record::{ContentType, SegmentRef};
use pyproc_ipc::ring::Violation;

use crate::calls::CallData;
use crate::scheduler::{Lanes, Nanos};
use crate::segments::{LargeBody, Owner, RequestSegments, ResponseSegments, SegmentMemory};

/// A control message that the socket had no room for yet.
struct Waiting {
    bytes: Vec<u8>,
    memory: Option<std::os::fd::OwnedFd>,
}

/// Messages that wait before a worker that does not read them counts as broken.
const OUTBOX_LIMIT: usize = 100_000;

/// Bytes of a body that is copied under the pool's lock.
const MOVABLE: usize = 8 << 20;

/// Calls that are published together when there is no hurry: each publication moves cache lines
/// between two processors, which is most of what a short call costs.
const TOGETHER: usize = 16;

/// Calls that a worker has to have ahead of it for there to be no hurry.
const AHEAD: usize = 24;

/// The host's end of everything that leads to one worker process.
pub(crate) struct WorkerEnd {
    pub(crate) lane: HostLane,
    pub(crate) generation: u32,
    control: Arc<ControlSocket>,
    outbox: VecDeque<Waiting>,
    /// The worker's number of each of the pool's functions.
    numbers: Vec<Option<u16>>,
    pub(crate) requests: RequestSegments,
    pub(crate) responses: ResponseSegments,
    pub(crate) armed: bool,
    /// Calls written that the worker cannot see yet.
    unpublished: usize,
    pub(crate) violation: Option<String>,
    /// The driver has been told of it.
    pub(crate) condemned: bool,
}

impl WorkerEnd {
    pub(crate) fn new(lane: HostLane, generation: u32, control: Arc<ControlSocket>) -> Self {
        Self {
            lane,
            generation,
            control,
            outbox: VecDeque::new(),
            numbers: Vec::new(),
            requests: RequestSegments::default(),
            responses: ResponseSegments::default(),
            armed: false,
            unpublished: 0,
            violation: None,
            condemned: false,
        }
    }

    pub(crate) fn set_numbers(&mut self, numbers: Vec<Option<u16>>) {
        self.numbers = numbers;
    }

    /// Remembers the first violation; the driver kills the worker for it.
    pub(crate) fn broke(&mut self, message: impl ToString) {
        if self.violation.is_none() {
            self.violation = Some(message.to_string());
        }
    }

    #[inline]
    fn publish(&mut self) -> bool {
        self.unpublished = 0;
        self.lane.publish()
    }

    /// Sends a control message now or as soon as there is room, in order.
    pub(crate) fn tell(&mut self, message: &ToWorker, memory: Option<&SegmentMemory>) {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        if self.outbox.is_empty() {
            let fds: Vec<_> = memory.iter().map(|memory| memory.memory().fd()).collect();
            match self.control.send(&bytes, &fds) {
                Ok(()) => return,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return self.untold(&error),
            }
        }
        if self.outbox.len() >= OUTBOX_LIMIT {
            self.broke("it does not read its control messages");
            return;
        }
        match memory
            .map(|memory| memory.memory().fd().try_clone_to_owned())
            .transpose()
        {
            Ok(memory) => self.outbox.push_back(Waiting { bytes, memory }),
            Err(error) => self.broke(format_args!(
                "a segment could not be passed to it ({error})"
            )),
        }
    }

    /// A message could not be sent. When the worker is gone its pidfd says so better; one that lives
    /// has missed what it needs.
    fn untold(&mut self, error: &std::io::Error) {
        use std::io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
        if !matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected) {
            self.broke(format_args!("a message could not be sent to it ({error})"));
        }
    }

    /// Sends what waits; `false` when something still has to.
    pub(crate) fn flush(&mut self) -> bool {
        while let Some(waiting) = self.outbox.front() {
            let fds: Vec<_> = waiting.memory.iter().map(|fd| fd.as_fd()).collect();
            match self.control.send(&waiting.bytes, &fds) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return false,
                Err(error) => {
                    self.untold(&error);
                    self.outbox.clear();
                }
                Ok(()) => {
                    self.outbox.pop_front();
                }
            }
        }
        true
    }

    /// Has messages that the control socket had no room for.
    pub(crate) fn backlogged(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Grants the worker memory for a large result that it has asked for.
    pub(crate) fn grant(
        &mut self,
        now: Nanos,
        request: u32,
        memory: SegmentMemory,
    ) -> Result<(), String> {
        let bytes = memory.memory().bytes() as u64;
        let Some((number, memory)) = self.responses.grant(now, memory) else {
            return Err("it has as many segments as it can have".to_owned());
        };
        let memory = Arc::clone(memory);
        let grant = ToWorker::SegmentGrant {
            number,
            bytes,
            direction: Direction::Response,
            request,
        };
        self.tell(&grant, Some(&memory));
        Ok(())
    }

    /// The reference under which this worker reads a large body, granting it the segment if it is fresh.
    fn lend(&mut self, worker: usize, large: &mut LargeBody) -> Option<SegmentRef> {
        let ours = |owner: &Owner| owner.worker == worker && owner.generation == self.generation;
        let number = match large.owner.filter(ours) {
            Some(owner) => owner.number,
            None => {
                let number = self.requests.adopt()?;
                let grant = ToWorker::SegmentGrant {
                    number,
                    bytes: large.memory.memory().bytes() as u64,
                    direction: Direction::Request,
                    request: 0,
                };
                self.tell(&grant, Some(&large.memory));
                large.owner = Some(Owner {
                    worker,
                    generation: self.generation,
                    number,
                });
                number
            }
        };
        self.requests.next_turn(number, large.bytes)
    }

    /// Tells the worker to give back segments that have been idle since `before`.
    pub(crate) fn retire_segments(&mut self, before: Nanos) {
        let requests = self.requests.retire(before, &self.lane);
        let responses = self.responses.retire(before);
        let going = requests
            .into_iter()
            .map(|(number, turn)| (number, turn, Direction::Request))
            .chain(
                responses
                    .into_iter()
                    .map(|(number, turn)| (number, turn, Direction::Response)),
            );
        for (number, turn, direction) in going {
            self.tell(
                &ToWorker::SegmentDrop {
                    number,
                    direction,
                    turn,
                },
                None,
            );
        }
    }

    /// Is there shared memory for large bodies that will have to be given back?
    pub(crate) fn has_segments(&self) -> bool {
        !self.requests.is_empty() || !self.responses.is_empty()
    }
}

/// Every worker's end, by the worker's place in the pool; `None` while no process is there.
#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) ends: Vec<Option<WorkerEnd>>,
    /// A leader will look at the lanes soon: what a busy worker cannot use yet may wait for it.
    pub(crate) may_wait: bool,
    /// A lookout will look at the lanes once all tasks have run: calls wait for it, as one batch.
    pub(crate) gathers: bool,
    /// A worker slept when it was given a call.
    pub(crate) rang: bool,
    /// A message waits for room in a control socket, or a worker has to be ended: the driver's business.
    pub(crate) wants_driver: bool,
}

impl Ends {
    /// Publishes what waits.
    #[inline]
    pub(crate) fn flush(&mut self) {
        for end in self.ends.iter_mut().flatten() {
            if end.unpublished > 0 {
                self.rang |= end.publish();
            }
        }
    }

    pub(crate) fn get(&mut self, worker: usize) -> Option<&mut WorkerEnd> {
        self.ends.get_mut(worker)?.as_mut()
    }

    /// Frees a large body from a worker that has not looked at it, because its call goes to another:
    /// the body is copied, since that worker may keep its segment mapped. `None`: there is no memory for
    /// that, or so much to copy that the call had better wait for its worker.
    fn part(&mut self, large: &mut LargeBody) -> Option<()> {
        let owner = large.owner.filter(|_| large.bytes <= MOVABLE)?;
        if let Some(end) = self.get(owner.worker)
            && end.generation == owner.generation
        {
            let copy = large.memory.duplicate(large.bytes)?;
            let segment = std::mem::replace(&mut large.memory, copy);
            end.requests
                .give_back(now_ns(), owner.number, segment, false);
        }
        large.owner = None;
        Some(())
    }

    /// Gives a large body's segment back to the worker it belongs to; one without an owner is freed.
    pub(crate) fn give_back(&mut self, large: LargeBody, seen: bool) {
        let Some(owner) = large.owner else { return };
        if let Some(end) = self.get(owner.worker)
            && end.generation == owner.generation
        {
            end.requests
                .give_back(now_ns(), owner.number, large.memory, seen);
        }
    }
}

impl Lanes<CallData> for Ends {
    #[inline]
    fn push(
        &mut self,
        worker: usize,
        id: u64,
        function: usize,
        deadline: Nanos,
        data: &mut CallData,
    ) -> Option<u64> {
        if let Some(large) = &mut data.large
            && large.owner.is_some_and(|owner| owner.worker != worker)
        {
            self.part(large)?;
        }
        let Self {
            ends, wants_driver, ..
        } = self;
        let end = ends.get_mut(worker)?.as_mut()?;
        let number = end.numbers.get(function).copied().flatten()?;
        let call = Outgoing {
            call: id,
            function: number,
            deadline,
            content: data.content,
            wanted: data.wanted,
            raw_bytes: data.raw_bytes,
        };
        let extension = data.extension.as_deref().unwrap_or_default().as_bytes();
        let pushed = match &mut data.large {
            None => end.lane.push(&call, extension, &data.body),
            Some(large) => {
                let reference = end.lend(worker, large)?;
                *wants_driver |= end.backlogged() || end.violation.is_some();
                end.lane.push_segment(&call, extension, reference)
            }
        };
        if let Ok(Some(_)) = pushed {
            data.seen = true;
            data.worker = worker as u16;
            data.attempts = data.attempts.saturating_add(1);
        }
        pushed.unwrap_or_else(|violation: Violation| {
            end.broke(violation);
            *wants_driver = true;
            None
        })
    }

    #[inline]
    fn publish(&mut self, worker: usize, ahead: usize) {
        if let Some(Some(end)) = self.ends.get_mut(worker) {
            end.unpublished += 1;
            let now = if self.gathers {
                end.unpublished >= TOGETHER
            } else {
                !self.may_wait || end.unpublished >= TOGETHER || ahead < AHEAD + end.unpublished
            };
            if now {
                self.rang |= end.publish();
            }
        }
    }

    fn revoke(&mut self, worker: usize, position: u64) -> bool {
        let Some(end) = self.get(worker) else {
            return false;
        };
        end.lane.revoke(position).unwrap_or_else(|violation| {
            end.broke(violation);
            false
        })
    }
}

/// The reply's content type when the caller leaves it to the function.
pub(crate) const ANY: ContentType = ContentType::None;
