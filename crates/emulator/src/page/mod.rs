//! The page for browsers: four files without a build, which the binary holds.

/// A file of the page: its type and its text. The page itself has the empty name.
pub(crate) fn file(name: &str) -> Option<(&'static str, &'static str)> {
    match name {
        "" => Some(("text/html; charset=utf-8", include_str!("index.html"))),
        "page.js" => Some(("text/javascript; charset=utf-8", include_str!("page.js"))),
        "dom.js" => Some(("text/javascript; charset=utf-8", include_str!("dom.js"))),
        "page.css" => Some(("text/css; charset=utf-8", include_str!("page.css"))),
        _ => None,
    }
}
