//! A worker that lies: it does the handshake and serves one function, `echo`, like any other worker,
//! until the moment at which it does what the environment variable `HOSTILE` says.
//!
//! Only the first process of the pool's first worker lies (all of them do with `HOSTILE_ALL`), so that
//! a test can see the honest rest of the pool go on. Raw shared memory is written through its
//! descriptor, as any process could.

mod control;
mod handshake;
mod lane;
mod raw;

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use pyproc_ipc::control::{ControlSocket, inherited};
use pyproc_ipc::doorbell::{Bell, Ringer, doorbell};
use pyproc_ipc::message::{
    Direction, FunctionInfo, MAX_MESSAGE, PROTOCOL, Ready, ToHost, ToWorker, Welcome,
};
use pyproc_ipc::record::{ContentType, Kind, SegmentRef};
use pyproc_ipc::shm::Memory;
use pyproc_ipc::store::SegmentStore;
use pyproc_ipc::worker::{Incoming, IncomingBody, Response, WorkerLane};

use raw::Raw;
use rustix::event::{PollFd, PollFlags, Timespec};

/// A worker's ends of everything, and what it needs for lying.
struct Worker {
    welcome: Welcome,
    control: Option<ControlSocket>,
    lane: WorkerLane,
    /// The bell that the host hears. The lane rings another one.
    ringer: Option<OwnedFd>,
    raw: Raw,
    segments: SegmentStore,
    lie: String,
    /// Calls that this process has claimed.
    calls: u64,
}

fn main() -> io::Result<()> {
    let Some(control) = inherited() else {
        return Err(io::Error::other("this program is started by a pool"));
    };
    let lie = std::env::var("HOSTILE").unwrap_or_default();
    let mut worker = Worker::open(control, lie)?;
    let honest = worker.welcome.worker > 0 || worker.welcome.generation > 1;
    if honest && std::env::var_os("HOSTILE_ALL").is_none() {
        worker.lie = "none".to_owned();
    }
    handshake::shake(&mut worker)?;
    worker.serve()
}

impl Worker {
    fn open(control: ControlSocket, lie: String) -> io::Result<Self> {
        let mut buffer = vec![0; MAX_MESSAGE];
        let mut fds = Vec::new();
        let length = control.recv_with_fds(&mut buffer, &mut fds)?;
        let Ok(ToWorker::Welcome(welcome)) = ToWorker::decode(&buffer[..length]) else {
            return Err(io::Error::other("no welcome"));
        };
        let mut fds = fds.into_iter();
        let (Some(memory), Some(bell), Some(ringer)) = (fds.next(), fds.next(), fds.next()) else {
            return Err(io::Error::other("descriptors are missing"));
        };
        let raw = Raw::new(memory.try_clone()?, welcome.lane_bytes);
        let (unheard, _) = doorbell()?;
        let lane = WorkerLane::open(
            memory,
            welcome.lane_bytes as usize,
            Bell::from(bell),
            unheard,
        )?;
        Ok(Self {
            welcome,
            control: Some(control),
            lane,
            ringer: Some(ringer),
            raw,
            segments: SegmentStore::default(),
            lie,
            calls: 0,
        })
    }

    fn say(&self, message: &ToHost) -> io::Result<()> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.say_bytes(&bytes)
    }

    fn say_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        self.control
            .as_ref()
            .map_or(Ok(()), |control| control.send_blocking(bytes))
    }

    /// The next message from the host and its descriptors.
    fn hear(&self) -> io::Result<(ToWorker, Vec<OwnedFd>)> {
        let mut buffer = vec![0; MAX_MESSAGE];
        let mut fds = Vec::new();
        let Some(control) = &self.control else {
            return Err(io::Error::other("closed"));
        };
        match control.recv_with_fds(&mut buffer, &mut fds)? {
            0 => std::process::exit(0),
            length => match ToWorker::decode(&buffer[..length]) {
                Ok(ToWorker::Shutdown) => std::process::exit(0),
                Ok(message) => Ok((message, fds)),
                Err(error) => Err(io::Error::other(error)),
            },
        }
    }

    fn ring(&self) {
        if let Some(ringer) = &self.ringer
            && let Ok(ringer) = ringer.try_clone()
        {
            Ringer::from(ringer).ring();
        }
    }

    /// Takes what the host has said: segments, and that this process should end, which it does at once
    /// so that no test waits for it.
    fn heed(&self) {
        let Some(control) = &self.control else { return };
        let mut fds = [PollFd::new(control, PollFlags::IN)];
        while rustix::event::poll(&mut fds, Some(&Timespec::default())) == Ok(1) {
            if let Ok((message, fds)) = self.hear() {
                self.obey(message, fds);
            }
        }
    }

    fn obey(&self, message: ToWorker, mut fds: Vec<OwnedFd>) {
        match (message, fds.pop()) {
            (
                ToWorker::SegmentGrant {
                    number,
                    bytes,
                    direction: Direction::Request,
                    ..
                },
                Some(fd),
            ) => {
                if let Ok(memory) = Memory::open(fd, bytes as usize, false) {
                    self.segments.add_request(number, memory);
                }
            }
            (
                ToWorker::SegmentDrop {
                    number,
                    direction: Direction::Request,
                    ..
                },
                _,
            ) => {
                self.segments.drop_request(number);
                let _ = self.say(&ToHost::SegmentDropped {
                    number,
                    direction: Direction::Request,
                });
            }
            _ => {}
        }
    }

    fn serve(&mut self) -> io::Result<()> {
        lane::before_serving(self);
        loop {
            // Segments come over the control socket; this worker knows one way to wait for them.
            if !self.lie.starts_with("control-unread") && !self.lie.starts_with("segment") {
                self.heed();
            }
            match self.lane.poll() {
                Ok(Some(incoming)) => {
                    self.calls += 1;
                    if !lane::lies(self, &incoming)? && !control::lies(self, &incoming)? {
                        self.echo(&incoming)?;
                    }
                }
                Ok(None) => self.lane.sleep(Some(Duration::from_millis(2)))?,
                Err(violation) => return Err(io::Error::other(violation)),
            }
        }
    }

    fn body(&self, incoming: &Incoming) -> Vec<u8> {
        match self.lane.body(incoming) {
            Ok(IncomingBody::Inline(body)) => body.to_vec(),
            Ok(IncomingBody::Segment(segment)) => self.large_body(segment).unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }

    /// Of a large body, an array of a number and a text, what fits into the ring: the number.
    fn large_body(&self, segment: SegmentRef) -> io::Result<Vec<u8>> {
        let memory = loop {
            if let Some(memory) = self.segments.request(segment.number, Duration::ZERO) {
                break memory;
            }
            let (message, fds) = self.hear()?;
            self.obey(message, fds);
        };
        let view = self
            .lane
            .view(segment, memory)
            .ok_or_else(|| io::Error::other("past the end"))?;
        let bytes = view.bytes();
        let number = match bytes.get(1) {
            Some(0xcc) => 2,
            Some(0xcd) => 3,
            _ => 1,
        };
        Ok([bytes.get(..1 + number).unwrap_or_default(), b"\xa5large"].concat())
    }

    /// The honest answer.
    fn echo(&mut self, incoming: &Incoming) -> io::Result<()> {
        let body = self.body(incoming);
        self.lane.done_reading();
        self.answer(incoming.call(), &body)
    }

    fn answer(&mut self, call: u64, body: &[u8]) -> io::Result<()> {
        let response = Response {
            kind: Kind::Result,
            call,
            content: ContentType::MsgPack,
            run_ns: 1_000,
        };
        while !self
            .lane
            .respond(&response, body)
            .map_err(io::Error::other)?
        {
            self.ring();
            std::thread::sleep(Duration::from_micros(100));
            self.heed();
        }
        self.ring();
        Ok(())
    }

    fn ready(&self) -> io::Result<()> {
        let function = FunctionInfo {
            name: "echo".to_owned(),
            is_async: true,
            ..FunctionInfo::default()
        };
        self.say(&ToHost::Function(function))?;
        self.say(&ready(PROTOCOL, env!("CARGO_PKG_VERSION")))
    }

    /// Does nothing more, until it is ended.
    fn hang(&self) -> ! {
        loop {
            std::thread::sleep(Duration::from_millis(5));
            self.heed();
        }
    }
}

fn ready(protocol: u32, version: &str) -> ToHost {
    ToHost::Ready(Ready {
        protocol,
        version: version.to_owned(),
        python: "3.99".to_owned(),
        pid: std::process::id(),
    })
}
