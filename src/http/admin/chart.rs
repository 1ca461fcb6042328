//! Draws a chart as SVG, by `charts-rs`: no script, no style, nothing from elsewhere; texts are escaped there. A browser shows
//! it as an image, so nothing in it can do anything. The legend is the page's: there it wraps, and is text.

use charts_rs::{BarChart, Color, THEME_DARK, THEME_LIGHT};

/// Where it is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Look {
    pub(super) dark: bool,
    pub(super) narrow: bool,
}

/// What is drawn.
pub(super) struct Drawing {
    /// Names of the steps.
    pub(super) steps: Vec<String>,
    /// Names of the series, the numbers of their colours, and their values.
    pub(super) series: Vec<(String, usize, Vec<Option<u64>>)>,
    /// Whether the series add up.
    pub(super) stacked: bool,
    /// Whether the values are percents.
    pub(super) percent: bool,
}

impl Drawing {
    /// The highest bar.
    fn peak(&self) -> u64 {
        let values = |step: usize| self.series.iter().filter_map(move |(_, _, values)| values.get(step).copied().flatten());
        let bars = (0..self.steps.len()).map(|step| if self.stacked { values(step).sum() } else { values(step).max().unwrap_or(0) });
        bars.max().unwrap_or(0)
    }
}

/// Parts of the axis of values.
const PARTS: usize = 4;
/// Below this, `charts-rs` would divide whole numbers.
const FEW: u64 = 40;

/// Width and height at which it is shown, in pixels.
pub(super) const WIDE: (u16, u16) = (720, 260);
pub(super) const NARROW: (u16, u16) = (360, 240);

/// How many colours there are.
pub(super) const COLOURS: usize = 10;

/// Drawn so many times larger: the space that `charts-rs` leaves between bars is fixed, and too much at the size shown.
const SCALE: f32 = 3.0;

/// The colours of the series, as the stylesheet has them for the legend. Each at least 3:1 against the card it stands on (WCAG 2.2, 1.4.11), and told apart by more than the hue.
const LIGHT: [&str; COLOURS] =
    ["#0e7490", "#b91c1c", "#475569", "#c2570c", "#6d28d9", "#15803d", "#be185d", "#1d4ed8", "#7c6a0a", "#111827"];
const DARK: [&str; COLOURS] =
    ["#67c5d8", "#f58f8f", "#94a7b5", "#f7b267", "#b9a5f8", "#86d8a0", "#f29ac4", "#8fb4fb", "#e3d26f", "#e3eaee"];

/// The image.
pub(super) fn svg(drawing: Drawing, look: Look) -> Result<String, charts_rs::Error> {
    let (width, height) = if look.narrow { NARROW } else { WIDE };
    let peak = drawing.peak();
    let stack = drawing.stacked.then(|| "all".to_owned());
    let palette = if look.dark { DARK } else { LIGHT };
    let colours = drawing.series.iter().map(|(_, colour, _)| Color::from(palette[colour % COLOURS])).collect();
    let series = drawing.series.into_iter().map(|(name, _, values)| charts_rs::Series {
        name,
        data: values.into_iter().map(|value| value.map(|value| value as f32)).collect(),
        stack: stack.clone(),
        ..charts_rs::Series::default()
    });
    let mut chart = BarChart::new_with_theme(series.collect(), drawing.steps, if look.dark { THEME_DARK } else { THEME_LIGHT });
    let text = Color::from(if look.dark { "#a3b2bc" } else { "#52616c" });
    let line = Color::from(if look.dark { "#2a3842" } else { "#dde4e9" });
    (chart.width, chart.height) = (f32::from(width) * SCALE, f32::from(height) * SCALE);
    chart.compact = true;
    chart.font_family = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif".into();
    chart.background_color = Color::transparent();
    chart.series.colors = colours;
    chart.radius = Some(SCALE);
    chart.legend.show = Some(false);
    chart.margin.top = 8.0 * SCALE;
    // Widths are those of another font than the browser may have.
    chart.margin.left = 14.0 * SCALE;
    chart.x_axis.font.color = text;
    chart.x_axis.font.size = 12.0 * SCALE;
    chart.x_axis.stroke_color = line;
    chart.x_axis.stroke_width = Some(SCALE);
    chart.x_axis.height = 28.0 * SCALE;
    chart.x_axis.name_gap *= SCALE;
    chart.grid.stroke_color = line;
    chart.grid.stroke_width = SCALE;
    for axis in &mut chart.y_axis_configs {
        axis.font.color = text;
        axis.font.size = 12.0 * SCALE;
        axis.name_gap *= SCALE;
        axis.split_number = PARTS;
        axis.min = Some(0.0);
        if drawing.percent {
            axis.max = Some(100.0);
            axis.formatter = Some("{c} %".into());
        } else if peak < FEW {
            // Half a mail there is not: each line stands for a whole number.
            axis.max = Some(peak.max(1).next_multiple_of(PARTS as u64) as f32);
        }
    }
    chart.svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(series: Vec<(String, usize, Vec<Option<u64>>)>) -> Drawing {
        Drawing { steps: vec!["1".into(), "2".into()], series, stacked: true, percent: false }
    }

    #[test]
    fn the_legend_has_the_charts_colours() {
        let style = include_str!("../../../templates/admin/style.css");
        let (light, dark) = style.split_once("prefers-color-scheme: dark").expect("has both");
        for (palette, part) in [(LIGHT, light), (DARK, dark)] {
            for (n, colour) in palette.iter().enumerate() {
                assert!(part.contains(&format!("--series-{n}: {colour};")), "{n} {colour}");
                assert!(style.contains(&format!(".series-{n} {{ --own: var(--series-{n}); }}")), "{n}");
            }
        }
    }

    #[test]
    fn few_decisions_are_told_in_whole_numbers() {
        for (stacked, values, top) in [(true, [Some(1), None], 4), (true, [Some(3), Some(2)], 8), (false, [Some(3), Some(2)], 4)] {
            let series = values.map(|value| ("a".to_owned(), 0, vec![value, None])).to_vec();
            let svg = svg(Drawing { stacked, ..drawing(series) }, Look::default()).expect("is drawn");
            let labels: Vec<&str> = svg.split("</text>").filter_map(|text| text.rsplit('>').next()).map(str::trim).collect();
            assert!(labels.contains(&top.to_string().as_str()) && !labels.iter().any(|label| label.contains('.')), "{top}: {labels:?}");
        }
    }

    #[test]
    fn a_chart_holds_numbers_and_names_and_nothing_that_does_anything() {
        let hostile = "</text><script>alert(1)</script>\"' onload=x &";
        let series = vec![(hostile.to_owned(), 0, vec![Some(3), None]), ("b".to_owned(), 11, vec![Some(0), Some(7)])];
        for (dark, narrow) in [(false, false), (true, true)] {
            let svg = svg(drawing(series.clone()), Look { dark, narrow }).expect("is drawn");
            for bad in ["<script", "<style", "style=", " onload=\"", "href", "<image", "url(http", "<foreignObject"] {
                assert!(!svg.contains(bad), "{bad}: {svg}");
            }
            assert!(svg.contains("&lt;script&gt;") && svg.contains(if narrow { "width=\"1080\"" } else { "width=\"2160\"" }), "{svg}");
            assert!(!svg.contains("http://") || svg.matches("http").count() == 1, "only the name space: {svg}");
        }
        assert!(svg(drawing(vec![]), Look::default()).expect("is drawn").starts_with("<svg"));
    }
}
