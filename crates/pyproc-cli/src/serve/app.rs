//! What all requests share: the pool, how far the gateway is, and its bounds.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use pyproc::{Health, Pool};
use tokio_util::sync::CancellationToken;

use super::connections::Connections;
use super::load::Load;
use super::memory::Memory;
use super::openapi;
use super::outage::Outage;
use super::problem::Problem;
use super::recorder::Recorder;
use super::settings::Settings;
use super::tokens::Tokens;

/// The gateway.
pub(super) struct App {
    pub(super) settings: Settings,
    pub(super) connections: Arc<Connections>,
    pub(super) tokens: Option<Arc<Tokens>>,
    /// What the bodies of requests take.
    pub(super) memory: Arc<Memory>,
    /// What answers take that are on their way.
    pub(super) answers: Arc<Memory>,
    pub(super) load: Load,
    pub(super) recorder: Recorder,
    pool: OnceLock<Pool>,
    /// The document at `/openapi.json`.
    openapi: OnceLock<Bytes>,
    phase: AtomicU8,
    /// What the workers wait for before they are started.
    waiting: Mutex<Option<String>>,
    /// Functions that never return bytes.
    without_bytes: OnceLock<HashSet<String>>,
    pub(super) outage: Outage,
    /// Cancelled when bodies that still come are waited for no longer.
    pub(super) closing: CancellationToken,
}

/// How far the gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The workers come up.
    Starting,
    /// Calls are made.
    Serving,
    /// The signal to stop has come; requests are still taken and answered.
    Stopping,
}

/// What there is to say while the workers come up.
const NOT_UP: &str = "the workers are not up yet";

/// How long a start takes is not known: it is asked for again soon.
const SOON: Duration = Duration::from_secs(1);

impl App {
    pub(super) fn new(
        settings: Settings,
        connections: Arc<Connections>,
        tokens: Option<Arc<Tokens>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            memory: Memory::new(settings.request_memory),
            answers: Memory::new(settings.request_memory),
            connections,
            tokens,
            load: Load::default(),
            recorder: Recorder::default(),
            pool: OnceLock::new(),
            openapi: OnceLock::new(),
            phase: AtomicU8::new(Phase::Starting as u8),
            waiting: Mutex::new(None),
            without_bytes: OnceLock::new(),
            outage: Outage::default(),
            closing: CancellationToken::new(),
            settings,
        })
    }

    /// The pool, once it is up.
    pub(super) fn pool(&self) -> Option<&Pool> {
        self.pool.get()
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            phase if phase == Phase::Starting as u8 => Phase::Starting,
            phase if phase == Phase::Serving as u8 => Phase::Serving,
            _ => Phase::Stopping,
        }
    }

    /// What the workers wait for, or that they wait no longer.
    pub(super) fn waiting(&self, reason: Option<String>) {
        *self.waiting.lock() = reason;
    }

    /// The workers are up.
    pub(super) fn started(self: &Arc<Self>, pool: &Pool) {
        let functions = pool.functions();
        let document = openapi::document(&functions, &self.target(), self.tokens.is_some());
        let without_bytes = functions.iter().filter(|it| !openapi::may_give_bytes(it));
        let without_bytes = without_bytes.map(|function| function.name.clone());
        // There is one start.
        let _ = self.without_bytes.set(without_bytes.collect());
        self.recorder
            .functions(functions.into_iter().map(|function| function.name));
        let _ = self.openapi.set(document.to_string().into());
        let _ = self.pool.set(pool.clone());
        self.phase.store(Phase::Serving as u8, Relaxed);
        let app = Arc::clone(self);
        let mut watch = pool.watch();
        tokio::spawn(async move {
            while let Some(health) = watch.changed().await {
                app.outage.note(&health);
            }
        });
    }

    /// The signal to stop has come.
    pub(super) fn stopping(&self) {
        self.phase.store(Phase::Stopping as u8, Relaxed);
    }

    /// What the workers run, without the folder that it is in.
    pub(super) fn target(&self) -> String {
        let target = &self.settings.pool.target;
        let name = Path::new(target).file_name();
        name.map_or_else(|| target.clone(), |name| name.to_string_lossy().into())
    }

    /// The pool, or what a request is told until it is up.
    pub(super) fn running(&self) -> Result<&Pool, Problem> {
        self.pool.get().ok_or_else(|| {
            let detail = format!("{NOT_UP}; try again soon");
            Problem::unavailable("not_ready", detail, SOON)
        })
    }

    /// The document at `/openapi.json`.
    pub(super) fn openapi(&self) -> Result<Bytes, Problem> {
        self.running()?;
        Ok(self.openapi.get().cloned().unwrap_or_default())
    }

    /// Why no call has a chance, or should be sent here, when the pool is in this state.
    pub(super) fn not_ready(&self, health: Option<&Health>) -> Option<String> {
        match self.phase() {
            Phase::Starting => self.not_started(),
            Phase::Stopping => Some("the gateway is shutting down".to_owned()),
            Phase::Serving => health.and_then(|health| health.reason.clone()),
        }
    }

    /// Why the workers have not come up yet, until they have once.
    pub(super) fn not_started(&self) -> Option<String> {
        let reason = || match &*self.waiting.lock() {
            Some(reason) => format!("{NOT_UP}, since they wait for the cloud identity: {reason}"),
            None => NOT_UP.to_owned(),
        };
        self.pool().is_none().then(reason)
    }

    /// Whether a function never returns bytes, as it says of itself.
    pub(super) fn is_without_bytes(&self, function: &str) -> bool {
        let names = self.without_bytes.get();
        names.is_some_and(|names| names.contains(function))
    }
}
