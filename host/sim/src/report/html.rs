//! The page: figures, charts, and what of it is modelled.

use super::{ChartError, Report, charts, table};
use crate::simulate::Figures;
use plotters::style::RGBColor;
use std::fmt::Write;

pub(super) fn page(report: &Report) -> Result<String, ChartError> {
    let Report {
        model,
        notes,
        real,
        modelled,
        not_modelled,
        courses,
    } = report;
    let mut out = String::new();
    let title = courses.iter().map(|course| course.label.as_str()).collect::<Vec<_>>().join(" and ");
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Simulation: {title}</title>\n<style>{}</style></head><body><main>\n",
        style(),
        title = escaped(&title)
    );
    let _ = writeln!(out, "<h1>Simulation</h1>");
    if let Some(course) = courses.first() {
        let _ = writeln!(out, "<p>{} simulated hours, seed {}.</p>", course.hours, course.seed);
    }
    let _ = writeln!(
        out,
        "<section class=\"claim\"><p><strong>Nothing on this page was measured.</strong></p><dl>\
         <dt>Real</dt><dd>{}.</dd><dt>Modelled</dt><dd>{}.</dd><dt>Not modelled</dt><dd>{}.</dd><dt>The model</dt><dd>{}.</dd></dl>",
        escaped(real),
        escaped(modelled),
        escaped(not_modelled),
        escaped(model)
    );
    if !notes.is_empty() {
        let items: String = notes.iter().map(|note| format!("<li>{}</li>", escaped(note))).collect();
        let _ = writeln!(out, "<ul>{items}</ul>");
    }
    out.push_str("</section>\n");
    out.push_str(&legend(courses));

    let per_hour = |course: &Figures| {
        let bucket_h = course.hours / course.curves.hours.len().max(1) as f64;
        // Four neighbours together, so that the curve shows the course and not each run.
        let successes = &course.curves.successes;
        (0..successes.len())
            .map(|at| {
                let window = &successes[at.saturating_sub(3)..=at];
                window.iter().sum::<f64>() / (window.len() as f64 * bucket_h)
            })
            .collect()
    };
    let figures = [
        (
            "Successful runs per hour",
            charts::curves(courses, "successes per hour", true, &per_hour)?,
        ),
        (
            "Sources that wait in the queue",
            charts::curves(courses, "sources", true, &|course| course.curves.waiting.clone())?,
        ),
        (
            "True mean loss of the live model (modelled)",
            charts::curves(courses, "bits per byte", false, &|course| course.curves.loss.clone())?,
        ),
        (
            "Wait for the first attempt by host: bar up to p95, line at p50",
            charts::waits(courses)?,
        ),
        (
            "Candidates by their true gain (modelled): full were applied, hollow were not",
            charts::candidates(courses)?,
        ),
    ];
    for (title, svg) in figures {
        let svg = svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{}\" ", escaped(title)), 1);
        let _ = writeln!(out, "<figure><figcaption>{}</figcaption>{svg}</figure>", escaped(title));
    }

    let labels: String = courses
        .iter()
        .map(|course| format!("<th scope=\"col\">{}</th>", escaped(&course.label)))
        .collect();
    for section in table::sections(courses) {
        let _ = write!(
            out,
            "<h2>{}</h2><div class=\"scroll\"><table><thead><tr><th></th>{labels}</tr></thead><tbody>",
            escaped(section.title)
        );
        for row in section.rows {
            let values: String = row.values.iter().map(|value| format!("<td>{}</td>", escaped(value))).collect();
            let _ = write!(out, "<tr><th scope=\"row\">{}</th>{values}</tr>", escaped(row.name.trim_start()));
        }
        out.push_str("</tbody></table></div>\n");
    }
    out.push_str("</main></body></html>\n");
    Ok(out)
}

fn legend(courses: &[Figures]) -> String {
    let item = |(index, course): (usize, &Figures)| format!("<li><span class=\"key key{index}\"></span>{}</li>", escaped(&course.label));
    let items: String = courses.iter().enumerate().map(item).collect();
    format!("<ul class=\"legend\">{items}</ul>\n")
}

/// The charts' placeholder colours get their tone here.
fn style() -> String {
    let tone = |colour: RGBColor, name: &str| {
        let RGBColor(r, g, b) = colour;
        let hex = format!("#{r:02X}{g:02X}{b:02X}");
        format!("svg [fill=\"{hex}\"]{{fill:var(--{name})}}svg [stroke=\"{hex}\"]{{stroke:var(--{name})}}")
    };
    let [one, two] = charts::SERIES;
    let tones = [
        tone(charts::INK, "ink"),
        tone(charts::FAINT, "faint"),
        tone(one, "one"),
        tone(two, "two"),
    ];
    format!(
        ":root{{color-scheme:light dark;--ink:#1a1c1f;--paper:#fff;--faint:#d9dce1;--one:#1f6feb;--two:#c2590a}}\
         @media (prefers-color-scheme:dark){{:root{{--ink:#e6e8eb;--paper:#14161a;--faint:#3a3f47;--one:#6ea8fe;--two:#f5a623}}}}\
         body{{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}}\
         main{{max-width:820px;margin:0 auto;padding:24px 16px}}h1{{font-size:24px}}h2{{font-size:17px;margin:28px 0 6px}}\
         .claim{{border:1px solid var(--faint);border-left:4px solid var(--two);padding:4px 14px}}\
         dt{{font-weight:600}}dd{{margin:0 0 6px}}\
         .legend{{list-style:none;padding:0;display:flex;gap:20px;flex-wrap:wrap}}\
         .key{{display:inline-block;width:14px;height:14px;margin-right:6px;vertical-align:-2px}}\
         .key0{{background:var(--one)}}.key1{{background:var(--two)}}\
         figure{{margin:22px 0}}figcaption{{font-weight:600}}svg{{width:100%;height:auto}}\
         .scroll{{overflow-x:auto}}table{{border-collapse:collapse;width:100%}}\
         th,td{{text-align:left;vertical-align:top;padding:4px 14px 4px 0;border-bottom:1px solid var(--faint)}}\
         tbody th{{font-weight:400}}td{{font-variant-numeric:tabular-nums}}{}",
        tones.concat()
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
