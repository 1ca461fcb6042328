//! Draws a chart as SVG, by `charts-rs`: no script, no style, nothing from elsewhere; texts are escaped there. A browser shows
//! it as an image, so nothing in it can do anything.

use charts_rs::{Align, BarChart, Color, LegendCategory, THEME_DARK, THEME_LIGHT};

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
    /// Said where there is nothing to draw.
    pub(super) nothing: String,
}

/// Width and height in pixels.
pub(super) const WIDE: (u16, u16) = (720, 280);
pub(super) const NARROW: (u16, u16) = (360, 280);

/// Each at least 3:1 against the card it stands on (WCAG 2.2, 1.4.11), and told apart by more than the hue.
const LIGHT: [&str; 10] = ["#0e7490", "#b91c1c", "#475569", "#c2570c", "#6d28d9", "#15803d", "#be185d", "#1d4ed8", "#7c6a0a", "#111827"];
const DARK: [&str; 10] = ["#67c5d8", "#f58f8f", "#94a7b5", "#f7b267", "#b9a5f8", "#86d8a0", "#f29ac4", "#8fb4fb", "#e3d26f", "#e3eaee"];

/// The image.
pub(super) fn svg(drawing: Drawing, look: Look) -> Result<String, charts_rs::Error> {
    let (width, height) = if look.narrow { NARROW } else { WIDE };
    let stack = drawing.stacked.then(|| "all".to_owned());
    let is_empty = drawing.series.is_empty();
    let palette = if look.dark { DARK } else { LIGHT };
    let colours = drawing.series.iter().map(|(_, colour, _)| Color::from(palette[colour % palette.len()])).collect();
    let series = drawing.series.into_iter().map(|(name, _, values)| charts_rs::Series {
        name,
        data: values.into_iter().map(|value| value.map(|value| value as f32)).collect(),
        stack: stack.clone(),
        ..charts_rs::Series::default()
    });
    let mut chart = BarChart::new_with_theme(series.collect(), drawing.steps, if look.dark { THEME_DARK } else { THEME_LIGHT });
    let text = Color::from(if look.dark { "#a3b2bc" } else { "#52616c" });
    let line = Color::from(if look.dark { "#2a3842" } else { "#dde4e9" });
    (chart.width, chart.height) = (f32::from(width), f32::from(height));
    chart.compact = true;
    chart.font_family = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif".into();
    chart.background_color = Color::transparent();
    chart.series.colors = colours;
    chart.radius = Some(1.0);
    chart.legend.align = Align::Left;
    chart.legend.category = LegendCategory::RoundRect;
    chart.legend.show = Some(!is_empty);
    chart.legend.font.color = text;
    chart.legend.font.size = 13.0;
    chart.x_axis.font.color = text;
    chart.x_axis.font.size = 12.0;
    chart.x_axis.stroke_color = line;
    chart.grid.stroke_color = line;
    chart.empty_text = Some(drawing.nothing);
    for axis in &mut chart.y_axis_configs {
        axis.font.color = text;
        axis.font.size = 12.0;
        axis.split_number = 4;
        axis.min = Some(0.0);
        if drawing.percent {
            axis.max = Some(100.0);
            axis.formatter = Some("{c} %".into());
        }
    }
    chart.svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(series: Vec<(String, usize, Vec<Option<u64>>)>) -> Drawing {
        Drawing { steps: vec!["1".into(), "2".into()], series, stacked: true, percent: false, nothing: "nothing".into() }
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
            assert!(svg.contains("&lt;script&gt;") && svg.contains(if narrow { "width=\"360\"" } else { "width=\"720\"" }), "{svg}");
            assert!(!svg.contains("http://") || svg.matches("http").count() == 1, "only the name space: {svg}");
        }
        assert!(svg(drawing(vec![]), Look::default()).expect("is drawn").contains("nothing"));
    }
}
