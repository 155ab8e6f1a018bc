//! One worker process from its start to its end, as the driver thread sees it.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyproc_ipc::clock::now_ns;
use pyproc_ipc::control::{ControlSocket, pair};
use pyproc_ipc::lane::HostLane;
use pyproc_ipc::message::{
    FunctionInfo, LogStream, MAX_MESSAGE, PROTOCOL, ToHost, ToWorker, Welcome,
};
use pyproc_ipc::process::{Process, Spawn, Spawned};

use super::output::{Source, Stream, Tail};
use crate::config::{Settings, Target};
use crate::error::StartError;
use crate::oom::Counter;
use crate::scheduler::Nanos;

/// A stack that is being written to stderr counts as complete after a pause of this length.
const DUMP_PAUSE_NS: Nanos = 50_000_000;

/// What makes a worker: the same for every worker of a pool.
pub(crate) struct Recipe {
    pub(crate) python: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
    ring: usize,
    max_concurrency: u32,
    max_body: u64,
    spin_ns: u64,
}

impl Recipe {
    pub(crate) fn new(settings: &Settings, python: PathBuf, spin_ns: u64) -> Self {
        let mut args: Vec<OsString> = match &settings.target {
            Target::Script(script) => vec![script.into()],
            Target::Module { .. } => vec![
                "-m".into(),
                "pyproc_worker".into(),
                settings.target.to_string().into(),
            ],
        };
        args.extend(settings.args.iter().map(OsString::from));
        let env = settings
            .env
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect();
        Self {
            python,
            args,
            env,
            directory: settings.working_dir.clone(),
            ring: settings.ring,
            max_concurrency: settings.max_concurrency,
            max_body: settings.max_body as u64,
            spin_ns,
        }
    }

    /// Starts a process and sends it its welcome.
    pub(crate) fn start(&self, worker: usize, generation: u32) -> Result<Running, StartError> {
        let (lane, bells) = HostLane::create(self.ring).map_err(|source| self.no_lane(source))?;
        let (control, inherited) = pair().map_err(|source| refused("create a socket", source))?;
        let welcome = ToWorker::Welcome(Welcome {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            lane_bytes: lane.memory().bytes() as u64,
            worker: worker as u32,
            generation,
            max_concurrency: self.max_concurrency,
            spin_ns: self.spin_ns,
            max_body: self.max_body,
        });
        let mut bytes = Vec::new();
        welcome.encode(&mut bytes);
        control
            .send(
                &bytes,
                &[lane.memory().fd(), bells.bell.as_fd(), bells.ringer.as_fd()],
            )
            .map_err(|source| refused("greet a worker", source))?;
        let out_of_memory = Counter::read();
        let spawn = Spawn {
            program: &self.python,
            args: &self.args,
            env: &self.env,
            current_dir: self.directory.as_deref(),
            control: inherited,
        };
        let Spawned {
            process,
            stdout,
            stderr,
        } = spawn.spawn().map_err(|source| self.no_process(source))?;
        Ok(Running {
            source: Source {
                worker,
                pid: process.pid(),
            },
            process,
            control: Arc::new(control),
            stdout: Some(Stream::new(stdout, LogStream::Stdout)),
            stderr: Some(Stream::new(stderr, LogStream::Stderr)),
            tail: Tail::default(),
            generation,
            out_of_memory,
            since: now_ns(),
            stage: Stage::Handshake {
                lane: Box::new(lane),
                functions: Vec::new(),
                bytes: 0,
            },
            ends_by: Nanos::MAX,
            verdict: None,
        })
    }

    fn no_lane(&self, source: io::Error) -> StartError {
        if is_descriptors(&source) {
            StartError::Descriptors { source }
        } else {
            StartError::SharedMemory {
                needed: 2 * self.ring as u64,
                source,
            }
        }
    }

    fn no_process(&self, source: io::Error) -> StartError {
        if is_descriptors(&source) {
            StartError::Descriptors { source }
        } else {
            StartError::Spawn {
                program: self.python.clone(),
                source,
            }
        }
    }

    pub(crate) fn python(&self) -> &Path {
        &self.python
    }
}

/// The system refused something; descriptors that have run out are a cause of their own.
pub(super) fn refused(action: &'static str, source: io::Error) -> StartError {
    if is_descriptors(&source) {
        StartError::Descriptors { source }
    } else {
        StartError::System { action, source }
    }
}

/// Have descriptors run out, those of the process (EMFILE) or of the system (ENFILE)?
pub(super) fn is_descriptors(error: &io::Error) -> bool {
    matches!(
        rustix::io::Errno::from_io_error(error),
        Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE)
    )
}

/// How far a process is.
pub(crate) enum Stage {
    /// Started; its functions are coming in.
    Handshake {
        lane: Box<HostLane>,
        functions: Vec<FunctionInfo>,
        bytes: usize,
    },
    /// It takes calls; its lane is with the scheduler.
    Up,
    /// To be killed at `kill_at`; its stack is being written meanwhile. As long as that goes on the
    /// time moves, up to `latest`.
    Dying { kill_at: Nanos, latest: Nanos },
}

/// What a look at the control socket found.
pub(crate) enum Heard {
    /// Nothing at the moment.
    Nothing,
    /// A message of so many bytes.
    Message(ToHost, usize),
    /// What is no message.
    Nonsense(String),
    /// The worker has closed its end.
    End,
}

/// Why the pool ended a process itself, or what it said before it ended.
pub(crate) enum Verdict {
    /// It broke the protocol.
    Violation(String),
    /// It said why it cannot serve.
    Refused(ToHost),
    /// It was not ready in time.
    Late,
}

/// A process that has not been reaped.
pub(crate) struct Running {
    pub(crate) source: Source,
    pub(crate) process: Process,
    pub(crate) control: Arc<ControlSocket>,
    pub(crate) stdout: Option<Stream>,
    pub(crate) stderr: Option<Stream>,
    pub(crate) tail: Tail,
    pub(crate) generation: u32,
    pub(crate) out_of_memory: Counter,
    pub(crate) since: Nanos,
    pub(crate) stage: Stage,
    /// It is about to end by itself; past this time it is ended.
    pub(crate) ends_by: Nanos,
    pub(crate) verdict: Option<Verdict>,
}

impl Running {
    /// The next control message and its length.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Heard {
        match self.control.recv(buffer) {
            Ok(0) => Heard::End,
            Ok(bytes) => match ToHost::decode(&buffer[..bytes]) {
                Ok(message) => Heard::Message(message, bytes),
                Err(error) => Heard::Nonsense(error.to_string()),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Heard::Nothing,
            Err(error) => Heard::Nonsense(error.to_string()),
        }
    }

    pub(crate) fn read_stdout(&mut self) {
        let Self {
            stdout,
            tail,
            source,
            ..
        } = self;
        if let Some(stream) = stdout
            && !stream.read(*source, tail)
        {
            stream.finish(*source, tail);
            *stdout = None;
        }
    }

    pub(crate) fn read_stderr(&mut self) {
        let Self {
            stderr,
            tail,
            source,
            ..
        } = self;
        if let Some(stream) = stderr
            && !stream.read(*source, tail)
        {
            stream.finish(*source, tail);
            *stderr = None;
        }
        if let Stage::Dying { kill_at, latest } = &mut self.stage {
            *kill_at = now_ns().saturating_add(DUMP_PAUSE_NS).min(*latest);
        }
    }

    /// Reads what a process that has ended left in its pipes. A child of it that still writes gets
    /// no more than one look.
    pub(crate) fn read_rest(&mut self) {
        self.read_stdout();
        self.read_stderr();
        let Self {
            stdout,
            stderr,
            tail,
            source,
            ..
        } = self;
        for stream in [stdout, stderr].into_iter().flatten() {
            stream.finish(*source, tail);
        }
    }

    /// The descriptors of the process that the driver waits on.
    pub(crate) fn fds(&self) -> [Option<&OwnedFd>; 2] {
        [
            self.stdout.as_ref().map(Stream::fd),
            self.stderr.as_ref().map(Stream::fd),
        ]
    }
}

/// Room for one control message.
pub(crate) fn message_buffer() -> Vec<u8> {
    vec![0; MAX_MESSAGE]
}
