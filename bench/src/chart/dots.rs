//! One row per contender: a mark at the median, a line to the 99th percentile.

use super::scale::Log;
use super::{Look, Place, Svg};

/// A row.
pub(crate) struct Dot {
    pub(crate) name: String,
    pub(crate) look: Look,
    pub(crate) middle: f64,
    /// How far the line reaches, if there is one.
    pub(crate) far: Option<f64>,
    /// The middle as text.
    pub(crate) label: String,
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 300.0;
const RIGHT: f64 = 80.0;
const TOP: f64 = 64.0;
const ROW: f64 = 27.0;
const BOTTOM: f64 = 48.0;

/// `tick` writes a power of ten.
pub(crate) fn dots(title: &str, axis: &str, rows: &[Dot], tick: impl Fn(f64) -> String) -> String {
    let bottom = TOP + ROW * rows.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + BOTTOM, title);
    let values = rows
        .iter()
        .flat_map(|row| [row.middle, row.far.unwrap_or(row.middle)]);
    let scale = Log::around(values, LEFT, WIDTH - RIGHT);
    for power in scale.powers() {
        let x = scale.place(power);
        svg.line(Place(x, TOP - 8.0), Place(x, bottom), "grid thin");
        svg.label(Place(x, bottom + 16.0), "muted small middle", &tick(power));
    }
    svg.label(
        Place(f64::midpoint(LEFT, WIDTH - RIGHT), bottom + 36.0),
        "muted small middle",
        axis,
    );
    for (number, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (number as f64 + 0.5);
        let x = scale.place(row.middle);
        let class = format!("{} end", row.look.name_class());
        svg.label(Place(LEFT - 14.0, y + 4.5), &class, &row.name);
        let mut end = x;
        if let Some(far) = row.far {
            end = scale.place(far);
            svg.line(
                Place(x, y),
                Place(end, y),
                &format!("{} line", row.look.class()),
            );
        }
        svg.mark(Place(x, y), row.look);
        svg.label(Place(end + 10.0, y + 4.5), "small", &row.label);
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_drawn() {
        let rows = [("pyproc", 0, 0.8, None), ("Pipe", 1, 44.0, Some(60.0))].map(
            |(name, colour, middle, far)| Dot {
                name: name.into(),
                look: Look { colour, mark: 0 },
                middle,
                far,
                label: format!("{middle} µs"),
            },
        );
        let svg = dots("One call", "µs", &rows, |power| format!("{power} µs"));
        for text in [
            ">pyproc<",
            ">Pipe<",
            ">0.8 µs<",
            ">44 µs<",
            ">0.1 µs<",
            ">100 µs<",
        ] {
            assert!(svg.contains(text), "{text} is not in {svg}");
        }
        assert_eq!(svg.matches("c1 line").count(), 1);
        assert!(!svg.contains("NaN"));
    }
}
