//! Which lines of a script were run: for its tests, never for live decisions.
//!
//! The script is parsed once as it is. Where a statement begins, a call is put into its text that notes that the statement
//! was reached, and that text is what runs. The call answers `()` and touches nothing, so verdicts stay what they are;
//! whoever asks compares them all the same. Statements that stand alone get the call before them; what cannot have a
//! statement before it, such as an arm of a `switch` or the condition of an `else if`, becomes `call ?? what was there`.

use rhai::{AST, ASTNode, Engine, Expr, INT, Position, Stmt};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many times as many operations a script takes that notes where it has been, at most: a call, its argument and the
/// statement around it for each statement.
pub const COVERED_OPERATIONS_FACTOR: u64 = 5;

/// What a script's calls have reached so far.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// Line of each mark.
    lines: Arc<[u32]>,
    reached: Arc<[AtomicBool]>,
}

/// Lines on which a statement begins, and what became of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinesRun {
    pub lines: u32,
    /// Of these, lines of which at least one statement was run.
    pub run: u32,
    /// First and last line of each stretch in which no statement was run.
    pub never_run: Vec<(u32, u32)>,
    /// Lines of which some statements were run and some were not, such as `if tired { return; }`.
    pub run_in_part: Vec<u32>,
}

impl LinesRun {
    /// All of it where there is nothing to run.
    pub fn percent(&self) -> f64 {
        match self.lines {
            0 => 100.0,
            lines => f64::from(self.run) / f64::from(lines) * 100.0,
        }
    }
}

impl std::fmt::Display for LinesRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not rounded up: 100 % is all of them.
        write!(f, "{:.0} % of {} lines", self.percent().floor(), self.lines)?;
        let stretch = |(first, last): &(u32, u32)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        if !self.never_run.is_empty() {
            let stretches: Vec<String> = self.never_run.iter().map(stretch).collect();
            write!(f, "; never run: {}", stretches.join(", "))?;
        }
        if !self.run_in_part.is_empty() {
            let lines: Vec<String> = self.run_in_part.iter().map(u32::to_string).collect();
            write!(f, "; run in part: {}", lines.join(", "))?;
        }
        Ok(())
    }
}

impl Coverage {
    pub fn lines_run(&self) -> LinesRun {
        // Statements and those that were run, by line.
        let mut lines: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        for (line, reached) in self.lines.iter().zip(self.reached.iter()) {
            let (all, run) = lines.entry(*line).or_default();
            *all += 1;
            *run += u32::from(reached.load(Ordering::Relaxed));
        }
        let mut found = LinesRun {
            lines: lines.len() as u32,
            run: 0,
            never_run: Vec::new(),
            run_in_part: Vec::new(),
        };
        let mut open = false;
        for (line, (all, run)) in lines {
            if run == 0 {
                match found.never_run.last_mut().filter(|_| open) {
                    Some((_, last)) => *last = line,
                    None => found.never_run.push((line, line)),
                }
            } else {
                found.run += 1;
                if run < all {
                    found.run_in_part.push(line);
                }
            }
            open = run == 0;
        }
        found
    }
}

/// The script with its marks, and what they reach. `parsed` is the script as it is; the engine learns the mark's name.
pub(crate) fn instrumented(engine: &mut Engine, source: &str, parsed: &AST) -> (AST, Coverage) {
    let mut name = "__reached".to_string();
    while source.contains(&name) {
        name.push('_');
    }
    let places = places(source, parsed);
    let (ast, kept) = match engine.compile(text(source, &name, &places)) {
        Ok(ast) => (ast, places),
        // Text tells less than a parser knows: what cannot stand at one of the places is left out, and its line not counted.
        Err(_) => without_misfits(engine, source, &name, places, parsed),
    };
    let coverage = Coverage {
        lines: kept.iter().map(|place| place.line).collect(),
        reached: kept.iter().map(|_| AtomicBool::new(false)).collect(),
    };
    let reached = coverage.reached.clone();
    engine.register_fn(name.as_str(), move |mark: INT| {
        if let Some(reached) = usize::try_from(mark).ok().and_then(|mark| reached.get(mark)) {
            reached.store(true, Ordering::Relaxed);
        }
    });
    (ast, coverage)
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// `mark; statement`
    Before,
    /// `mark ?? expression`
    Within,
}

#[derive(Clone, Copy)]
struct MarkPlace {
    /// In bytes from the begin of the source.
    at: usize,
    line: u32,
    form: Form,
}

fn text(source: &str, name: &str, places: &[MarkPlace]) -> String {
    let mut text = String::with_capacity(source.len() + places.len() * 20);
    let mut from = 0;
    for (mark, MarkPlace { at, line: _, form }) in places.iter().enumerate() {
        text.push_str(&source[from..*at]);
        // As in `if(tired)`.
        if text.ends_with(char::is_alphanumeric) {
            text.push(' ');
        }
        text.push_str(&match form {
            Form::Before => format!("{name}({mark}); "),
            Form::Within => format!("{name}({mark}) ?? "),
        });
        from = *at;
    }
    text.push_str(&source[from..]);
    text
}

/// All marks that the text can have, found one by one.
fn without_misfits(engine: &Engine, source: &str, name: &str, places: Vec<MarkPlace>, parsed: &AST) -> (AST, Vec<MarkPlace>) {
    let mut kept: Vec<MarkPlace> = places
        .into_iter()
        .filter(|place| engine.compile(text(source, name, std::slice::from_ref(place))).is_ok())
        .collect();
    match engine.compile(text(source, name, &kept)) {
        Ok(ast) => (ast, kept),
        Err(_) => {
            kept.clear();
            (parsed.clone(), kept)
        }
    }
}

/// Where statements begin, in the order of the text.
fn places(source: &str, ast: &AST) -> Vec<MarkPlace> {
    let lines: Vec<usize> = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut found: BTreeMap<usize, MarkPlace> = BTreeMap::new();
    let mut add = |at: Option<Position>, form: Form| {
        let Some((line, at)) = at.and_then(|at| offset(source, &lines, at)) else {
            return;
        };
        let line = line as u32;
        found.entry(at).or_insert(MarkPlace { at, line, form });
    };
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        let Some((ASTNode::Stmt(statement), around)) = path.split_last() else {
            return true;
        };
        let in_text = around
            .iter()
            .any(|node| matches!(node, ASTNode::Expr(Expr::InterpolatedString(..))));
        if in_text || matches!(statement, Stmt::Noop(..) | Stmt::Block(..)) {
            return true;
        }
        match (stands(statement, around.last()), statement) {
            (Stands::Alone, _) => add(begin(statement), Form::Before),
            // Before its value, since nothing can stand before the word.
            (Stands::Arm, Stmt::Return(value, ..)) => add(value.as_ref().and_then(|value| begin_of_expr(value)), Form::Within),
            (Stands::Arm, Stmt::Expr(..) | Stmt::FnCall(..) | Stmt::If(..) | Stmt::Switch(..)) => add(begin(statement), Form::Within),
            (Stands::ElseIf, Stmt::If(flow, _)) => add(begin_of_expr(&flow.expr), Form::Within),
            (Stands::Arm | Stands::ElseIf, _) => {}
        }
        true
    });
    found.into_values().collect()
}

enum Stands {
    /// Within braces.
    Alone,
    /// Without braces, where an expression may stand: the arm of a `switch`, the value of a `let`.
    Arm,
    ElseIf,
}

fn stands(statement: &Stmt, around: Option<&ASTNode<'_>>) -> Stands {
    match around {
        Some(ASTNode::Stmt(Stmt::If(flow, _))) => {
            let is_branch = flow.branch.iter().any(|inner| std::ptr::eq(inner, statement));
            // A block without an end was made of the `if` that follows an `else`.
            match is_branch && flow.branch.end_position().is_none() {
                true => Stands::ElseIf,
                false => Stands::Alone,
            }
        }
        Some(ASTNode::Expr(Expr::Stmt(block))) if block.end_position().is_none() => Stands::Arm,
        Some(_) | None => Stands::Alone,
    }
}

/// Where a statement begins, as far as the parser has noted it.
fn begin(statement: &Stmt) -> Option<Position> {
    let mut first = None;
    statement.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
        first = earlier(first, path.last());
        true
    });
    first
}

fn begin_of_expr(expression: &Expr) -> Option<Position> {
    let mut first = None;
    expression.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
        first = earlier(first, path.last());
        true
    });
    first
}

fn earlier(first: Option<Position>, node: Option<&ASTNode<'_>>) -> Option<Position> {
    let place = |at: &Position| (at.line(), at.position());
    let at = node.map(ASTNode::position).filter(|at| !at.is_none());
    match (first, at) {
        (Some(first), Some(at)) if place(&at) < place(&first) => Some(at),
        (first, at) => first.or(at),
    }
}

/// Line and place in bytes, with the parentheses and signs before it: the parser has no position for them.
fn offset(source: &str, lines: &[usize], at: Position) -> Option<(usize, usize)> {
    let line = at.line()?;
    let begin = *lines.get(line - 1)?;
    let (column, _) = source[begin..].char_indices().nth(at.position()?.checked_sub(1)?)?;
    let end = begin + column;
    let before = source[begin..end].trim_end_matches(|letter: char| matches!(letter, '(' | '!' | '-' | '+') || letter.is_whitespace());
    let skipped = &source[begin + before.len()..end];
    let blank = skipped.len() - skipped.trim_start().len();
    Some((line, begin + before.len() + blank))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hooks, Script};

    const QUIET: Hooks = Hooks { look: None, log: |_| {} };

    fn marked(body: &str) -> String {
        let source = format!("fn describe() {{ #{{}} }}\nfn decide(ctx) {{\n{body}\n}}");
        let engine = crate::engine::engine(QUIET);
        let ast = engine.compile(&source).expect("it parses");
        let marked = text(&source, "at", &places(&source, &ast));
        engine.compile(&marked).unwrap_or_else(|error| panic!("{error}\n{marked}"));
        let from = marked.find("decide(ctx) {\n").expect("it is there") + "decide(ctx) {\n".len();
        // Without the numbers, which count on from function to function.
        let body = &marked[from..marked.len() - 2];
        body.split("at(")
            .enumerate()
            .map(|(index, part)| match index {
                0 => part.to_string(),
                _ => part
                    .trim_start_matches(|letter: char| letter.is_ascii_digit())
                    .replacen(')', "@", 1),
            })
            .collect()
    }

    #[test]
    fn marks_stand_where_statements_begin() {
        for (body, expected) in [
            ("let a = 1;\na += 2;\na", "@; let a = 1;\n@; a += 2;\n@; a"),
            ("(1 + 2) * 3", "@; (1 + 2) * 3"),
            ("!ctx.a && -1 > 2", "@; !ctx.a && -1 > 2"),
            ("ctx.list[0].x = 4;", "@; ctx.list[0].x = 4;"),
            (
                "if ctx.a { 1 } else if !ctx.b { 2 } else { 3 }",
                "@; if ctx.a { @; 1 } else if @ ?? !ctx.b { @; 2 } else { @; 3 }",
            ),
            (
                "switch ctx.a {\n1 => 7,\n2 | 3 => { 8 }\n_ => return 9,\n}",
                "@; switch ctx.a {\n1 => @ ?? 7,\n2 | 3 => { @; 8 }\n_ => return @ ?? 9,\n}",
            ),
            (
                "let a = if ctx.b { 1 } else { 2 };",
                "@; let a = @ ?? if ctx.b { @; 1 } else { @; 2 };",
            ),
            (
                "for x in ctx.list { log(`${x + 1}`); }",
                "@; for x in ctx.list { @; log(`${x + 1}`); }",
            ),
            ("if ctx.a {} else if(ctx.b) {}", "@; if ctx.a {} else if @ ?? (ctx.b) {}"),
            ("while ctx.a { break; }", "@; while ctx.a { @; break; }"),
            ("let e = \"äö\"; e", "@; let e = \"äö\"; @; e"),
        ] {
            assert_eq!(marked(body), expected, "{body}");
        }
    }

    #[test]
    fn lines_that_no_call_reached_are_told() {
        let source = "fn describe() {\n  #{}\n}\nfn decide(ctx) {\n  let a = 1;\n  if a > 1 {\n    a = 2;\n    // nothing\n    a = 3;\n  }\n  if a > 5 { a = 4; }\n  a\n}\nfn unused() {\n  1\n}";
        let (script, coverage) = Script::load_covered(source.as_bytes(), QUIET).expect("it loads");
        let none = coverage.lines_run();
        assert_eq!((none.run, none.lines), (0, 8));
        let _ = script.call("decide", ((),), |value| Ok(value.as_int().unwrap_or_default()));
        let run = coverage.lines_run();
        assert_eq!(
            run,
            LinesRun {
                lines: 8,
                run: 4,
                never_run: vec![(2, 2), (7, 9), (15, 15)],
                run_in_part: vec![11],
            }
        );
        assert_eq!(run.to_string(), "50 % of 8 lines; never run: 2, 7-9, 15; run in part: 11");
    }
}
