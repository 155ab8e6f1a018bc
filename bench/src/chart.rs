//! Charts as SVG, readable in light and in dark: the colours follow the reader's scheme, and every
//! series has a mark of its own, so that colour never carries meaning alone.

mod dots;
mod lines;
mod scale;

use std::fmt::Write;

pub(crate) use dots::{Dot, dots};
pub(crate) use lines::{Panel, Series, Ticks, panels};

/// The colours of series: the first is for pyproc, the last for references.
const LIGHT: [&str; 7] = [
    "#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#7d6608", "#59636e",
];
const DARK: [&str; 7] = [
    "#58a6ff", "#f0883e", "#3fb950", "#bc8cff", "#f778ba", "#d4b106", "#9198a1",
];

/// A picture that is being drawn.
struct Svg {
    text: String,
}

impl Svg {
    /// `title` is what the picture shows, for those who cannot see it as well.
    fn new(width: f64, height: f64, title: &str) -> Self {
        let mut svg = Self {
            text: format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
                 width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n",
                escape(title)
            ),
        };
        svg.style();
        svg.push(format_args!(
            "<rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"6\"/>"
        ));
        svg.label(Place(20.0, 28.0), "title", title);
        svg
    }

    fn style(&mut self) {
        let scheme = |paper: &str, ink: &str, muted: &str, grid: &str, colours: &[&str]| {
            let mut rules = format!(
                ".paper{{fill:{paper}}}text{{fill:{ink}}}.muted{{fill:{muted}}}.grid{{stroke:{grid}}}"
            );
            for (number, colour) in colours.iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = write!(rules, ".c{number}{{stroke:{colour};fill:{colour}}}");
            }
            rules
        };
        let light = scheme("#ffffff", "#1f2328", "#59636e", "#d1d9e0", &LIGHT);
        let dark = scheme("#0d1117", "#f0f6fc", "#9198a1", "#3d444d", &DARK);
        self.push(format_args!(
            "<style>text{{font:13px system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif;stroke:none}}\
             .title{{font-size:15px;font-weight:600}}.strong{{font-weight:600}}.small{{font-size:11px}}\
             .end{{text-anchor:end}}.middle{{text-anchor:middle}}\
             .line{{fill:none;stroke-width:2}}.thin{{stroke-width:1}}.dashed{{stroke-dasharray:5 4}}\
             {light}@media(prefers-color-scheme:dark){{{dark}}}.line{{fill:none}}</style>"
        ));
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{element}");
    }

    fn label(&mut self, Place(x, y): Place, class: &str, text: &str) {
        let text = escape(text);
        self.push(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>"
        ));
    }

    fn line(&mut self, from: Place, to: Place, class: &str) {
        let (Place(x1, y1), Place(x2, y2)) = (from, to);
        self.push(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" class=\"{class}\"/>"
        ));
    }

    fn mark(&mut self, Place(x, y): Place, look: Look) {
        let shape = match look.mark % 4 {
            0 => "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
            1 => "M-4 -4h8v8h-8z",
            2 => "M0 -5.5l5.5 9.5h-11z",
            _ => "M0 -5.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z",
        };
        let colour = look.class();
        self.push(format_args!(
            "<path d=\"{shape}\" transform=\"translate({x:.1} {y:.1})\" class=\"{colour} thin\"/>"
        ));
    }

    fn finish(mut self) -> String {
        self.text += "</svg>\n";
        self.text
    }
}

/// Where something is: to the right, and down.
#[derive(Clone, Copy)]
struct Place(f64, f64);

/// How a series looks: its colour and its mark, by number.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Look {
    pub(crate) colour: usize,
    pub(crate) mark: usize,
}

/// The colour of pyproc.
pub(crate) const OURS: usize = 0;
/// The colour of what is only a reference.
pub(crate) const REFERENCE: usize = LIGHT.len() - 1;

impl Look {
    fn class(self) -> String {
        format!("c{}", self.colour % LIGHT.len())
    }

    /// Of a text that names it.
    fn name_class(self) -> &'static str {
        if self.colour == OURS {
            "strong"
        } else {
            "plain"
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemes_are_in_the_picture_and_text_is_escaped() {
        let svg = Svg::new(10.0, 10.0, "a < b & c").finish();
        assert!(svg.contains("<title>a &lt; b &amp; c</title>"));
        assert!(svg.contains(&format!(".c0{{stroke:{0};fill:{0}}}", LIGHT[0])));
        let (_, dark) = svg.split_once("@media(prefers-color-scheme:dark)").unwrap();
        assert!(dark.contains(DARK[0]) && !dark.contains(LIGHT[0]));
    }
}
