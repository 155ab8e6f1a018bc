//! The page at `/` and the API page at `/docs`: static files of the program, which ask for their data.
//!
//! Without a framework and without a build step: together they are smaller than the smallest of the
//! libraries that render OpenAPI, and they share the form that calls a function.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};

/// Nothing from elsewhere, nothing inline, and in no other page's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, content type, content.
const FILES: [(&str, &str, &str); 8] = [
    ("/", HTML, include_str!("page/index.html")),
    ("/docs", HTML, include_str!("page/docs.html")),
    ("/assets/common.js", SCRIPT, include_str!("page/common.js")),
    ("/assets/docs.js", SCRIPT, include_str!("page/docs.js")),
    (
        "/assets/icon.svg",
        "image/svg+xml",
        include_str!("page/icon.svg"),
    ),
    ("/assets/status.js", SCRIPT, include_str!("page/status.js")),
    (
        "/assets/style.css",
        "text/css; charset=utf-8",
        include_str!("page/style.css"),
    ),
    ("/assets/try.js", SCRIPT, include_str!("page/try.js")),
];

/// The routes of the files.
pub(super) fn files<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES
        .into_iter()
        .fold(Router::new(), |router, (path, content_type, content)| {
            router.route(
                path,
                get(move || async move { file(content_type, content) }),
            )
        })
}

fn file(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // The next version of the program has others under the same names.
        (CACHE_CONTROL, "no-cache"),
    ]
    .map(|(name, value)| (name, HeaderValue::from_static(value)));
    (headers, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_ask_nothing_of_other_places_and_have_nothing_inline() {
        for (path, content_type, content) in FILES {
            // Names of XML namespaces are no addresses.
            let content = content.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !content.contains("http:") && !content.contains("https:"),
                "{path}"
            );
            assert!(
                !content.contains("innerHTML") && !content.contains("eval("),
                "{path}"
            );
            if content_type == HTML {
                assert!(
                    !content.contains("<style") && !content.contains(" style="),
                    "{path}"
                );
                for script in content.split("<script").skip(1) {
                    assert!(script.contains("src=\"assets/"), "{path}");
                }
            }
        }
    }

    #[test]
    fn every_file_that_is_named_is_there() {
        for (path, _, content) in FILES {
            let (names, folder) = match path.starts_with("/assets/") {
                true => (content.split("from \"./").skip(1), "/assets/"),
                false => (content.split("\"assets/").skip(1), "/assets/"),
            };
            for name in names {
                let name = name.split('"').next().unwrap_or_default();
                let full = format!("{folder}{name}");
                assert!(
                    FILES.iter().any(|(path, ..)| *path == full),
                    "{path}: {name}"
                );
            }
        }
    }
}
