//! What the gateway does about the pod's cloud identity: it refuses stored keys, waits where it is told to,
//! and logs what the doctor finds offline. Nothing of it holds up a start that does not wait.

use std::time::Duration;

use pyproc_identity::Pod;
use pyproc_identity::startup::{Ready, refuse_static_keys, report, until_ready};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::app::App;
use super::settings::Settings;
use crate::failure::Failure;
use crate::log::IDENTITY;

/// How long an identity that is waited for may take before the log says what is wrong with it: a new
/// pod's metadata server needs some seconds, which is no trouble.
const MOMENT: Duration = Duration::from_secs(15);

/// The identity of the pod as the workers will see it.
pub(super) struct Identity {
    pod: Pod,
    waits: bool,
    /// What is to be known when the wait is over.
    answered: Option<oneshot::Sender<()>>,
    /// The doctor, until it has said everything.
    doctor: JoinSet<()>,
}

impl Identity {
    /// Looks at the environment that workers get.
    ///
    /// # Errors
    /// When they would find a stored key and may not.
    pub(super) fn of_workers(settings: &Settings) -> Result<Self, Failure> {
        let given = settings.pool.env.iter();
        let given = given.map(|(name, value)| (name.clone(), value.clone()));
        let mut pod = Pod::of_this_process().with_variables(given);
        if let Some(folder) = &settings.pool.working_dir {
            pod.directory = pod.directory.join(folder);
        }
        if settings.no_static_credentials {
            refuse_static_keys(&pod).map_err(|found| Failure::Failed(found.to_string()))?;
        }
        let (answered, waited) = oneshot::channel();
        let mut doctor = JoinSet::new();
        let patient = pod.clone();
        doctor.spawn(async move {
            // Either is an end of the wait.
            let _ = tokio::time::timeout(MOMENT, waited).await;
            report(&patient).await;
        });
        Ok(Self {
            pod,
            waits: settings.wait_for_identity,
            answered: Some(answered),
            doctor,
        })
    }

    /// Waits for the identity where that was asked for.
    ///
    /// # Cancel safety
    /// Dropping the future ends the try that is under way.
    pub(super) async fn ready(&mut self, app: &App) {
        if self.waits {
            let ready = until_ready(&self.pod, |reason| {
                tracing::warn!(target: IDENTITY, "workers wait for the cloud identity: {reason}");
                app.waiting(Some(reason.to_owned()));
            });
            match ready.await {
                Ready::Answered {
                    mechanism,
                    principal,
                } => {
                    let principal = principal.as_deref().or(mechanism.principal());
                    let principal = principal.unwrap_or("an identity without a name");
                    tracing::info!(target: IDENTITY, "cloud identity: {principal}, by {}", mechanism.title());
                }
                Ready::NotExpected => tracing::warn!(
                    target: IDENTITY,
                    "`wait_for_identity` has nothing to wait for: nothing here expects a cloud identity"
                ),
            }
            app.waiting(None);
        }
        // The doctor may begin.
        self.answered = None;
    }

    /// Waits until the doctor has said everything.
    pub(super) async fn told(&mut self) {
        while self.doctor.join_next().await.is_some() {}
    }
}
