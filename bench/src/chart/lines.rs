//! Lines over a logarithmic width and height, one panel under another.

use super::scale::{Log, apart};
use super::{Look, Place, Svg};

/// A line, named at its right end.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) look: Look,
    /// A reference is dashed and has no marks.
    pub(crate) reference: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// One drawing.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) height: f64,
    pub(crate) lines: Vec<Series>,
}

/// How both axes are written.
pub(crate) struct Ticks<'a> {
    /// Under the width: the values that have a tick, and their texts.
    pub(crate) across: &'a [(f64, String)],
    /// What the width is.
    pub(crate) axis: &'a str,
    /// Writes a power of ten of the height.
    pub(crate) up: fn(f64) -> String,
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 260.0;
const TOP: f64 = 48.0;
const BETWEEN: f64 = 64.0;
const LABEL: f64 = 16.0;

pub(crate) fn panels(title: &str, panels: &[Panel], ticks: &Ticks<'_>) -> String {
    let height: f64 = panels.iter().map(|panel| panel.height + BETWEEN).sum();
    let mut svg = Svg::new(WIDTH, TOP + height, title);
    let mut top = TOP;
    for panel in panels {
        draw(&mut svg, panel, ticks, top + 14.0, top + panel.height);
        top += panel.height + BETWEEN;
    }
    svg.finish()
}

fn draw(svg: &mut Svg, panel: &Panel, ticks: &Ticks<'_>, top: f64, bottom: f64) {
    let right = WIDTH - RIGHT;
    let ends = (ticks.across.first(), ticks.across.last());
    let (Some((first, _)), Some((last, _))) = ends else {
        return;
    };
    let across = Log::new(*first, *last, LEFT, right);
    let values = panel
        .lines
        .iter()
        .flat_map(|line| line.points.iter().map(|(_, y)| *y));
    let up = Log::around(values, bottom, top);
    svg.label(Place(LEFT, top - 10.0), "strong", &panel.title);
    for power in up.powers() {
        let y = up.place(power);
        svg.line(Place(LEFT, y), Place(right, y), "grid thin");
        svg.label(
            Place(LEFT - 10.0, y + 4.0),
            "muted small end",
            &(ticks.up)(power),
        );
    }
    for (value, text) in ticks.across {
        let x = across.place(*value);
        svg.line(Place(x, bottom), Place(x, bottom + 5.0), "grid thin");
        svg.label(Place(x, bottom + 20.0), "muted small middle", text);
    }
    svg.label(
        Place(f64::midpoint(LEFT, right), bottom + 38.0),
        "muted small middle",
        ticks.axis,
    );

    for line in &panel.lines {
        let places: Vec<Place> = line
            .points
            .iter()
            .map(|(x, y)| Place(across.place(*x), up.place(*y)))
            .collect();
        let points: Vec<String> = places
            .iter()
            .map(|Place(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let dashed = if line.reference { " dashed" } else { "" };
        svg.push(format_args!(
            "<polyline points=\"{}\" class=\"{} line{dashed}\"/>",
            points.join(" "),
            line.look.class()
        ));
        if !line.reference {
            for place in places {
                svg.mark(place, line.look);
            }
        }
    }
    let lasts: Vec<f64> = panel
        .lines
        .iter()
        .map(|line| line.points.last().map_or(bottom, |(_, y)| up.place(*y)))
        .collect();
    for (line, y) in panel.lines.iter().zip(apart(&lasts, LABEL, bottom)) {
        if line.reference {
            let class = format!("{} line dashed", line.look.class());
            svg.line(Place(right + 9.0, y), Place(right + 25.0, y), &class);
        } else {
            svg.mark(Place(right + 18.0, y), line.look);
        }
        svg.label(
            Place(right + 30.0, y + 4.5),
            line.look.name_class(),
            &line.name,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_drawn_and_named() {
        let line = |name: &str, colour, reference| Series {
            name: name.into(),
            look: Look { colour, mark: 0 },
            reference,
            points: vec![(1.0, 1e6), (256.0, 3e6)],
        };
        let panel = Panel {
            title: "calls".into(),
            height: 300.0,
            lines: vec![line("pyproc", 0, false), line("loop", 6, true)],
        };
        let across = [(1.0, "1".to_owned()), (256.0, "256".to_owned())];
        let ticks = Ticks {
            across: &across,
            axis: "at once",
            up: |power| format!("{power}/s"),
        };
        let svg = panels("Rates", &[panel], &ticks);
        for text in [">pyproc<", ">loop<", ">256<", ">1000000/s<", ">at once<"] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
        assert_eq!(svg.matches("<polyline").count(), 2);
        // The reference and its key.
        assert_eq!(svg.matches("dashed\"").count(), 2);
        // A mark at each point of the line that is no reference, and one beside its name.
        assert_eq!(svg.matches("<path").count(), 3);
    }
}
