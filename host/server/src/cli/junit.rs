//! Results as JUnit XML, which build servers show.

use crate::wire::ReplayReport;
use pointsman_authoring::CaseOutcome;
use std::fmt::Write;

/// A test case: its name, and why it failed, if it did.
pub(crate) struct Case {
    pub name: String,
    pub failure: Option<String>,
}

/// One suite with its cases.
pub(crate) fn suite(name: &str, cases: &[Case]) -> String {
    let failures = cases.iter().filter(|case| case.failure.is_some()).count();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "<testsuites><testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\">",
        escaped(name),
        cases.len()
    );
    for Case { name: case, failure } in cases {
        let _ = write!(text, "  <testcase classname=\"{}\" name=\"{}\"", escaped(name), escaped(case));
        let _ = match failure {
            None => writeln!(text, "/>"),
            Some(why) => writeln!(text, "><failure message=\"{0}\">{0}</failure></testcase>", escaped(why)),
        };
    }
    text.push_str("</testsuite></testsuites>\n");
    text
}

/// A case for each budget that holds, and one for each sentence about one that is broken.
pub(crate) fn of_replay(report: &ReplayReport) -> String {
    let budgets = &report.budgets;
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |name: &str, marker: &str| {
        let failure = report.broken.iter().find(|sentence| sentence.contains(marker)).cloned();
        cases.push(Case {
            name: name.to_string(),
            failure,
        });
    };
    add(&format!("at most {} new errors", budgets.new_errors_max), "(new_errors_max)");
    if let Some(share) = budgets.changed_share_max {
        add(&format!("at most {:.1} % changed", share * 100.0), "(changed_share_max)");
    }
    if let Some(factor) = budgets.fuel_factor_max {
        add(&format!("at most {factor} times the fuel"), "(fuel_factor_max)");
    }
    for change in &budgets.forbidden {
        add(&format!("no {change}"), &format!("'{change}'"));
    }
    suite(&format!("dry run of {}", report.policy), &cases)
}

/// A case for each test case; one that failed says what was expected and what was answered.
pub(crate) fn of_cases(policy: &str, outcomes: &[CaseOutcome]) -> String {
    let cases: Vec<Case> = outcomes
        .iter()
        .map(|outcome| Case {
            name: outcome.name.clone(),
            failure: (!outcome.passed).then(|| outcome.problems.join("; ")),
        })
        .collect();
    suite(&format!("cases of {policy}"), &cases)
}

/// Text within XML: what has a meaning there is escaped, and what must not be there is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(' '),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_policy_says_cannot_break_the_file() {
        let cases = [
            Case {
                name: "a <b> & \"c\"".into(),
                failure: Some("no \u{1b}[31m]]>".into()),
            },
            Case {
                name: "fine".into(),
                failure: None,
            },
        ];
        let text = suite("s", &cases);
        assert!(text.contains("name=\"a &lt;b&gt; &amp; &quot;c&quot;\""), "{text}");
        assert!(text.contains("<failure message=\"no [31m]]&gt;\">"), "{text}");
        assert!(text.contains("tests=\"2\" failures=\"1\""), "{text}");
    }
}
