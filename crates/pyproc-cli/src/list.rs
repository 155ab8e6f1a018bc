//! `pyproc list`: what a target exposes.

use std::fmt::Write;
use std::time::Duration;

use pyproc::FunctionInfo;
use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::options::ListOptions;
use crate::output;
use crate::schema::Schema;

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
    parameters: Value,
    returns: Value,
    /// Which parts of the two schemas are `{}` because they could not be described.
    warnings: Vec<String>,
}

impl<'f> Listed<'f> {
    pub(crate) fn new(function: &'f FunctionInfo) -> Self {
        let parameters = Schema::read(function.parameters.as_deref(), "the body");
        let returns = Schema::read(function.returns.as_deref(), "the result");
        let mut warnings = parameters.warnings;
        for warning in returns.warnings {
            // A type that is taken and given is in both.
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        Self {
            name: &function.name,
            signature: &function.signature,
            is_async: function.is_async,
            timeout: function.timeout.map(limit),
            doc: function.doc.as_deref(),
            body: &function.body_mapping,
            parameters: parameters.value,
            returns: returns.value,
            warnings,
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
        line("takes: ", &shown(&self.parameters));
        line("gives: ", &shown(&self.returns));
        for warning in &self.warnings {
            line("warning: ", warning);
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
fn shown(schema: &Value) -> String {
    match schema.as_object() {
        Some(members) if members.is_empty() => "anything".to_owned(),
        _ => schema.to_string(),
    }
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
        function.returns = Some(r#"{"$comment":"pyproc: no annotation"}"#.into());
        assert_eq!(
            Listed::new(&function).text(),
            "async predict(req: Features) -> float\n    Predicts.\n\n    Slowly.\n    \
             body: the whole body as `req`\n    limit: 10m\n    takes: {\"type\":\"object\"}\n    gives: anything\n    \
             warning: the result is not described: no annotation\n"
        );
    }
}
