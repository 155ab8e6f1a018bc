//! `pyproc list`: what a target exposes.

use std::fmt::Write;
use std::time::Duration;

use pyproc::FunctionInfo;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::options::ListOptions;
use crate::output;

/// A function as `--json` and the gateway show it.
#[derive(Serialize)]
pub(crate) struct Listed<'f> {
    name: &'f str,
    signature: &'f str,
    #[serde(rename = "async")]
    is_async: bool,
    timeout: Option<String>,
    doc: Option<&'f str>,
    body: &'f str,
    parameters: Option<&'f RawValue>,
    returns: Option<&'f RawValue>,
}

impl<'f> Listed<'f> {
    pub(crate) fn new(function: &'f FunctionInfo) -> Self {
        Self {
            name: &function.name,
            signature: &function.signature,
            is_async: function.is_async,
            timeout: function.timeout.map(limit),
            doc: function.doc.as_deref(),
            body: &function.body_mapping,
            parameters: function.parameters.as_deref().and_then(schema),
            returns: function.returns.as_deref().and_then(schema),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", format!("    {label}{value}").trim_end());
        };
        for doc in self.doc.unwrap_or_default().lines() {
            line("", doc);
        }
        line("body: ", self.body);
        if let Some(timeout) = &self.timeout {
            line("limit: ", timeout);
        }
        if let Some(parameters) = self.parameters {
            line("takes: ", shown(parameters));
        }
        if let Some(returns) = self.returns {
            line("gives: ", shown(returns));
        }
        let kind = if self.is_async { "async " } else { "" };
        format!("{kind}{}{}\n{text}", self.name, self.signature)
    }
}

pub(crate) fn run(options: ListOptions) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let functions = runtime.block_on(async {
        let pool = crate::start(options.config).await?;
        let functions = pool.functions();
        drop(pool.shutdown().await);
        Ok::<_, Failure>(functions)
    })?;
    let listed: Vec<Listed<'_>> = functions.iter().map(Listed::new).collect();
    if options.json {
        output::json(&listed)
    } else {
        let texts: Vec<String> = listed.iter().map(Listed::text).collect();
        output::text(&texts.join("\n"))
    }
}

/// A schema as text; the one that every value fits has no news in it.
fn shown(schema: &RawValue) -> &str {
    match schema.get() {
        "{}" => "anything",
        schema => schema,
    }
}

/// A schema that came from the worker, if it is JSON.
fn schema(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

fn limit(timeout: Duration) -> String {
    humantime::format_duration(timeout).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_listed_with_everything_that_is_known() {
        let mut function = FunctionInfo::default();
        function.name = "predict".into();
        function.is_async = true;
        function.timeout = Some(Duration::from_secs(600));
        function.signature = "(req: Features) -> float".into();
        function.doc = Some("Predicts.\n\nSlowly.".into());
        function.body_mapping = "the whole body as `req`".into();
        function.parameters = Some(r#"{"type":"object"}"#.into());
        function.returns = Some("not JSON".into());
        assert_eq!(
            Listed::new(&function).text(),
            "async predict(req: Features) -> float\n    Predicts.\n\n    Slowly.\n    \
             body: the whole body as `req`\n    limit: 10m\n    takes: {\"type\":\"object\"}\n"
        );
    }
}
