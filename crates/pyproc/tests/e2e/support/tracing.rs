//! Collects what the library says through `tracing`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) level: Level,
    pub(crate) target: String,
    pub(crate) message: String,
    pub(crate) fields: BTreeMap<String, String>,
}

/// The events of this process since [`Events::collect`].
#[derive(Clone, Default)]
pub(crate) struct Events {
    events: Arc<Mutex<Vec<Event>>>,
}

impl Events {
    /// Begins to collect, in all threads. Once per process.
    pub(crate) fn collect() -> Self {
        let events = Self::default();
        tracing::subscriber::set_global_default(events.clone()).expect("the only subscriber");
        events
    }

    /// What has been collected.
    pub(crate) fn all(&self) -> Vec<Event> {
        self.events.lock().expect("no panic inside").clone()
    }

    /// The first event that fits.
    pub(crate) fn find(&self, fits: impl Fn(&Event) -> bool) -> Option<Event> {
        self.all().into_iter().find(fits)
    }
}

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("pyproc")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.0.remove("message").unwrap_or_default();
        let metadata = event.metadata();
        self.events.lock().expect("no panic inside").push(Event {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            message,
            fields: fields.0,
        });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What a span or an event carries, as text.
#[derive(Default)]
pub(super) struct Fields(pub(super) BTreeMap<String, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}
