//! `pyproc serve`: a pool behind HTTP.
//!
//! A listener hands its connections to tasks ([`connection`]); each request goes to [`answer`], which
//! sends calls straight to [`call`] and everything else to axum's router ([`pages`]). Bounds on what
//! clients may do stand in [`settings`]; [`connections`] enforces those of time.

mod announce;
mod answer;
mod app;
mod body;
mod call;
mod connection;
mod connections;
mod descriptors;
mod identity;
pub(crate) mod init;
mod listener;
mod load;
mod lookout;
mod media;
mod memory;
mod openapi;
mod origin;
mod outage;
mod page;
mod pages;
mod problem;
mod prometheus;
mod recorder;
mod sample;
pub(crate) mod settings;
mod status;
mod stop;
mod streams;
mod timeout;
mod tokens;
mod trace;
mod turned_away;

use std::sync::Arc;
use std::time::Duration;

use pyproc::Pool;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::failure::Failure;
use crate::log;
use crate::otlp::Traces;
use answer::Site;
use app::App;
use connection::Protocol;
use connections::Connections;
use identity::Identity;
use listener::Listener;
use settings::Settings;
use stop::Signals;
use tokens::Tokens;
pub(crate) use trace::REQUESTS;
use turned_away::TurnedAway;

/// Connections for metrics.
const METRICS_CONNECTIONS: usize = 32;

/// Serves until a signal comes, then until everything has its answer.
pub(crate) fn run(mut settings: Settings, traces: Option<Traces>) -> Result<(), Failure> {
    // Bodies and tokens pass through this process too; a pool's workers never have any.
    pyproc_identity::startup::no_core_dumps();
    if let Some(traces) = &traces {
        traces.tell_workers(&mut settings.pool);
    }
    let runtime = if settings.threads == 1 {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
    } else {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(settings.threads)
            .enable_all()
            .build()?
    };
    let served = runtime.block_on(serve(settings));
    // Before the last spans are sent, everything that makes some has ended.
    drop(runtime);
    if let Some(traces) = traces {
        traces.finish();
    }
    served
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    // Before anything that somebody may want to stop.
    let mut signals = Signals::new()?;
    let mut identity = Identity::of_workers(&settings)?;
    let recorder = prometheus::install()?;
    let upkeep = prometheus::keep_up(recorder.clone(), prometheus::UPKEEP);
    let tokens = settings.token_file.clone().map(Tokens::load).transpose()?;
    let connections = Connections::new(&settings, descriptors::connections(&settings));
    let app = App::new(settings, connections, tokens);
    let mut tasks = background(&app);
    tasks.spawn(upkeep);

    let protocol = Arc::new(connection::protocol(&app.settings));
    let listener = Listener::bind("listen", &app.settings.listen)?;
    let bound = listener.bound().clone();
    let site = Site {
        connections: Arc::clone(&app.connections),
        app: Arc::clone(&app),
        pages: pages::gateway(Arc::clone(&app)),
        calls: true,
    };
    let mut listeners = JoinSet::new();
    listeners.spawn(accept(listener, site, Arc::clone(&protocol)));
    let mut metrics = None;
    if let Some(listen) = &app.settings.metrics_listen {
        let listener = Listener::bind("metrics_listen", listen)?;
        metrics = Some(listener.bound().clone());
        // Of its own, so that a scraper holds up no shutdown and is served when clients have taken
        // all others.
        let connections = Connections::new(&app.settings, METRICS_CONNECTIONS);
        tasks.spawn(watch(Arc::clone(&connections)));
        let site = Site {
            connections,
            app: Arc::clone(&app),
            pages: pages::metrics(Arc::clone(&app), recorder),
            calls: false,
        };
        // It answers to the end: what happens while the gateway stops is to be seen.
        tasks.spawn(accept(listener, site, protocol));
    }

    let mut config = app.settings.pool.clone();
    // The gateway waits for calls itself; when that is over, none may go on.
    config.shutdown_timeout = Duration::ZERO.into();
    let started = async {
        identity.ready(&app).await;
        match Pool::start(config).await {
            Ok(pool) => Ok(pool),
            Err(error) => {
                // What is wrong with the identity may be why.
                identity.told().await;
                Err(error)
            }
        }
    };
    let pool = tokio::select! {
        pool = started => pool?,
        signal = signals.next() => {
            log::release();
            tracing::info!("{signal}: stopping before the workers were up");
            return Ok(());
        }
        never = slow_start(&bound) => match never {},
    };
    tasks.spawn(lookout::keep(pool.clone()));
    app.started(&pool);
    log::release();
    announce::ready(&app, &pool, &bound, metrics.as_ref());

    let signal = signals.next().await;
    app.stopping();
    tracing::info!("{signal}: shutting down");
    let stopping = async {
        sleep(app.settings.shutdown_delay).await;
        listeners.shutdown().await;
        stop::drain(&app, &pool).await
    };
    tokio::select! {
        ended = stopping => ended,
        signal = signals.next() => Err(Failure::Failed(format!(
            "{signal} once more: ended at once; what was under way has no answer"
        ))),
    }
}

/// Says that the workers take their time, and shows what they have said, once they do.
async fn slow_start(bound: &settings::Listen) -> std::convert::Infallible {
    /// What people wait for without a word.
    const LONG: Duration = Duration::from_secs(5);
    sleep(LONG).await;
    log::release();
    tracing::info!("the workers are still starting; {bound} answers 503 until they are up");
    std::future::pending().await
}

/// What goes on beside requests, until the set is dropped.
fn background(app: &Arc<App>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(watch(Arc::clone(&app.connections)));
    if let Some(tokens) = app.tokens.clone() {
        tasks.spawn(tokens.watch());
    }
    tasks
}

/// Closes connections that take too long, for ever.
async fn watch(connections: Arc<Connections>) {
    connections.watch().await;
}

/// Takes connections, for ever.
async fn accept(listener: Listener, site: Site, protocol: Arc<Protocol>) {
    /// Out of descriptors: some are given back soon.
    const PAUSE: Duration = Duration::from_millis(100);
    let mut complained = false;
    let mut turned_away = TurnedAway::default();
    loop {
        match listener.accept().await {
            Ok(stream) => {
                complained = false;
                match site.connections.open() {
                    Some(open) => {
                        let serving =
                            connection::serve(stream, open, site.clone(), Arc::clone(&protocol));
                        tokio::spawn(serving);
                    }
                    None => turned_away.tell(stream).await,
                }
            }
            // The client has gone meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !complained {
                    complained = true;
                    tracing::warn!("connections cannot be accepted: {error}");
                }
                sleep(PAUSE).await;
            }
        }
    }
}
