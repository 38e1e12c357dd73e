//! Names that do not exist, found before the script runs, also in branches that no test context reaches.

use crate::nearest::nearest;
use crate::outcome::{Failure, Mistake, Refusal};
use crate::{context, functions};
use pointsman_model::policy::{FaultClass, PolicyKind, SettingSpec};
use rhai::{AST, ASTNode, Expr, Position, Stmt};
use std::collections::BTreeSet;

/// Functions of the language itself that policies may use.
const OF_THE_LANGUAGE: [&str; 1] = ["type_of"];

/// Properties that a script reads, and the names that it makes itself.
pub(crate) struct Properties {
    read: Vec<(String, Position)>,
    made: BTreeSet<String>,
}

/// Functions: those that must be there, and those that are called.
pub(crate) fn check(ast: &AST) -> Result<Properties, Refusal> {
    let defined: Vec<(String, usize)> = ast
        .iter_functions()
        .map(|function| (function.name.to_string(), function.params.len()))
        .collect();
    for (name, parameters, form) in [("describe", 0, "fn describe()"), ("decide", 1, "fn decide(ctx)")] {
        if !defined.iter().any(|(defined, count)| defined == name && *count == parameters) {
            let refusal = Refusal::new(Mistake::MissingFunction, format!("`{form}` is missing"));
            return Err(refusal.fix(format!("define `{form} {{ ... }}`")));
        }
    }
    if let Some(statement) = ast.statements().first() {
        let at = statement.position();
        let (line, column) = place(at);
        return Err(Refusal::new(Mistake::Syntax, "code outside functions is never run")
            .at(line, column)
            .fix("move it into a function"));
    }

    let mut properties = Properties {
        read: Vec::new(),
        made: BTreeSet::new(),
    };
    // `migrate` reads what an older version of the script made.
    let mut reading = ast.clone();
    reading.retain_functions(|_, _, name, _| name != "migrate");
    reading.walk(&mut |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Expr(Expr::Property(property, at))) = path.last() {
            properties.read.push((property.2.to_string(), *at));
        }
        true
    });
    let mut unknown: Option<(String, Position)> = None;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        let called = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at) | Expr::MethodCall(call, at))) => Some((call, *at)),
            Some(ASTNode::Stmt(Stmt::FnCall(call, at))) => Some((call, *at)),
            Some(ASTNode::Expr(Expr::Map(entries, _))) => {
                properties.made.extend(entries.0.iter().map(|(name, _)| name.name.to_string()));
                None
            }
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                properties.made.extend(last_property(&assignment.1.lhs));
                None
            }
            _ => None,
        };
        if let Some((call, at)) = called
            && !call.is_operator_call()
            && !functions::NAMES.contains(&call.name.as_str())
            && !OF_THE_LANGUAGE.contains(&call.name.as_str())
            && !defined.iter().any(|(name, _)| *name == call.name.as_str())
        {
            unknown = Some((call.name.to_string(), at));
        }
        unknown.is_none()
    });
    match unknown {
        None => Ok(properties),
        Some((name, at)) => {
            let known = functions::NAMES
                .iter()
                .copied()
                .chain(defined.iter().map(|(name, _)| name.as_str()));
            let fix = match name.as_str() {
                "print" | "debug" => "use log(text)".to_string(),
                "timestamp" | "now" => "the time is ctx.now_ms".to_string(),
                "rand" | "random" => "chance comes from seeded(ctx.seed, index), a number in 0..1".to_string(),
                "sort" | "sort_by" => "order(list) returns the indexes that put a list of numbers in order".to_string(),
                _ => match nearest(&name, known) {
                    Some(meant) => format!("did you mean '{meant}'?"),
                    None => format!("policies have {}", functions::NAMES.join(", ")),
                },
            };
            let message = format!("'{name}' is not a function of this script or of policies");
            let (line, column) = place(at);
            Err(Refusal::new(Mistake::UnknownFunction, message).at(line, column).fix(fix))
        }
    }
}

/// Line and column, where there are some.
pub(crate) fn place(at: Position) -> (Option<u32>, Option<u32>) {
    (at.line().map(|line| line as u32), at.position().map(|column| column as u32))
}

/// The field that an assignment makes: `x` of `a.b.x = 1`.
fn last_property(target: &Expr) -> Option<String> {
    match target {
        Expr::Property(property, _) => Some(property.2.to_string()),
        Expr::Dot(parts, _, _) | Expr::Index(parts, _, _) => last_property(&parts.rhs),
        _ => None,
    }
}

impl Properties {
    /// Every property that is read must be a field of the kind's context, a setting, or a name that the script makes.
    pub(crate) fn check(&self, kind: PolicyKind, settings: &[SettingSpec]) -> Result<(), Failure> {
        let fields = context::fields(kind);
        let known = || {
            let made = self.made.iter().map(String::as_str);
            fields
                .iter()
                .copied()
                .chain(settings.iter().map(|spec| spec.name.as_str()))
                .chain(made)
        };
        let Some((name, at)) = self.read.iter().find(|(name, _)| !known().any(|known| known == name)) else {
            return Ok(());
        };
        let mut failure = Failure::new(
            FaultClass::Trap,
            format!("'{name}' is not a field of a {kind} context, nor of this script"),
        );
        failure.mistake = Some(Mistake::UnknownField);
        failure.fix = nearest(name, known()).map(|meant| format!("did you mean '{meant}'?"));
        (failure.line, failure.column) = place(*at);
        Err(failure)
    }
}
