//! Collects the spans that the library opens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::tracing::Fields;

/// The fields of every span that has ended.
#[derive(Clone, Default)]
pub(crate) struct Spans {
    ended: Arc<Mutex<Vec<BTreeMap<String, String>>>>,
}

impl Spans {
    /// Begins to collect, in all threads. Once per process.
    pub(crate) fn collect() -> Self {
        let spans = Self::default();
        let subscriber = tracing_subscriber::registry().with(spans.clone());
        tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
        spans
    }

    /// Those that have ended since the last time.
    pub(crate) fn take(&self) -> Vec<BTreeMap<String, String>> {
        std::mem::take(&mut self.ended.lock().expect("no panic inside"))
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let metadata = attributes.metadata();
        if metadata.target() == "pyproc" {
            assert_eq!(
                (*metadata.level(), metadata.name()),
                (Level::DEBUG, "pyproc.call")
            );
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            let span = context.span(id).expect("a new span");
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).expect("an open span");
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).expect("an open span");
        if let Some(fields) = span.extensions_mut().remove::<Fields>() {
            self.ended.lock().expect("no panic inside").push(fields.0);
        }
    }
}
