//! Compiled expressions.

use std::fmt;

use jaq_core::Filter;

use crate::analysis::growth::Growth;
use crate::analysis::projection::Projection;
use crate::analysis::references::{PathPart, Reference, VariableReference};
use crate::analysis::{names, references, rewrite, transparent, whitelist};
use crate::error::{CompileError, EvaluationError};
use crate::evaluate::{self, Evaluation, Facts};
use crate::interpreter::{self, Interpreter};
use crate::scope::Scope;
use crate::syntax::{self, Opt, Part, Term, TermOf, literal_integer, literal_string};
use serde_json::Value;

/// Where an expression may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// In this process, at once.
    Fast,
    /// In the helper, for this reason.
    NeedsHelper(String),
}

/// A compiled expression. It can be shared between threads.
pub struct Program {
    text: String,
    scope: Scope,
    references: Vec<Reference>,
    variable_references: Vec<VariableReference>,
    transparent: bool,
    /// The files that literals name, for the helper.
    pub(crate) literal_files: Vec<String>,
    pub(crate) run: How,
    pub(crate) input_parts: Projection,
    pub(crate) variable_parts: Vec<Projection>,
}

/// How a program runs.
pub(crate) enum How {
    /// Follow the path; what that cannot answer, the filter does.
    Path(Root, Vec<PathPart>, Box<Fast>),
    /// Run the filter here.
    Fast(Box<Fast>),
    /// Ask the helper.
    Helper(String),
}

/// What a path begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Root {
    Input,
    /// By its position in the scope.
    Variable(usize),
}

/// A filter that may run here, and how its values grow.
pub(crate) struct Fast {
    pub(crate) filter: Filter<Interpreter>,
    pub(crate) growth: Growth,
}

/// Reads, checks and compiles an expression.
///
/// # Errors
/// When the text is not jq, or names what does not exist or is not allowed in this scope.
pub fn compile(text: &str, scope: &Scope) -> Result<Program, CompileError> {
    let parsed = syntax::parse(text)?;
    names::check(text, &parsed.term, scope)?;
    let (references, variable_references) = references::find(text, &parsed.term, scope);
    let transparent = transparent::is_transparent(&parsed.term);
    let literal_files = literal_files(&parsed.term);
    let run = match whitelist::check(text, &parsed) {
        Err(reason) => How::Helper(reason),
        Ok(growth) => {
            let path = plain_path(&parsed.term, scope);
            let filter = compile_filter(text, parsed.term, scope, true)?;
            let fast = Box::new(Fast { filter, growth });
            match path {
                Some((root, path)) => How::Path(root, path, fast),
                None => How::Fast(fast),
            }
        }
    };
    let input_parts = Projection::of(references.iter().map(|reference| reference.path.as_slice()));
    let variable_parts = scope.variables.iter().map(|name| {
        let of_name = variable_references
            .iter()
            .filter(|reference| reference.name == *name);
        Projection::of(of_name.map(|reference| reference.path.as_slice()))
    });
    Ok(Program {
        input_parts,
        variable_parts: variable_parts.collect(),
        text: text.to_owned(),
        scope: scope.clone(),
        references,
        variable_references,
        transparent,
        literal_files,
        run,
    })
}

/// Rewrites and compiles a checked program; `guarded` to run it in this process.
pub(crate) fn compile_filter(
    text: &str,
    term: Term<'_>,
    scope: &Scope,
    guarded: bool,
) -> Result<Filter<Interpreter>, CompileError> {
    interpreter::compile(rewrite::rewrite(term, guarded), &scope.variables)
        .map_err(|message| CompileError::new(message, 0..text.len()))
}

/// `.a.b[0]` and `$x.a.b`, the most common of all.
fn plain_path(term: &Term<'_>, scope: &Scope) -> Option<(Root, Vec<PathPart>)> {
    let (head, parts) = match term {
        TermOf::Path(head, path) => (&**head, path.0.as_slice()),
        head => (head, &[][..]),
    };
    let root = match head {
        TermOf::Id => Root::Input,
        TermOf::Var(name) => {
            // Of two variables of one name, the last is seen.
            let position = scope
                .variables
                .iter()
                .rposition(|known| name.strip_prefix('$') == Some(known));
            Root::Variable(position?)
        }
        _ => return None,
    };
    let parts = parts.iter().map(|(part, opt)| match (part, opt) {
        (Part::Index(index), Opt::Essential) => literal_string(index)
            .map(PathPart::Key)
            .or_else(|| literal_integer(index).map(PathPart::Index)),
        _ => None,
    });
    Some((root, parts.collect::<Option<_>>()?))
}

fn literal_files(term: &Term<'_>) -> Vec<String> {
    let mut found = Vec::new();
    collect_files(term, &mut found);
    found.sort();
    found.dedup();
    found
}

fn collect_files(term: &Term<'_>, found: &mut Vec<String>) {
    if let TermOf::Call("file" | "template", arguments) = term {
        found.extend(arguments.first().and_then(literal_string));
    }
    syntax::visit::children(term, &mut |child| collect_files(child, found));
}

impl Program {
    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The scope in which it was compiled.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What it may read of its input, sorted, each once. What cannot be known is reported as the longest
    /// prefix that is.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// What it may read of the variables of its scope.
    pub fn variable_references(&self) -> &[VariableReference] {
        &self.variable_references
    }

    /// Where it may run. A fast program may still need the helper for a very large input.
    pub fn class(&self) -> Class {
        match &self.run {
            How::Path(..) | How::Fast(_) => Class::Fast,
            How::Helper(reason) => Class::NeedsHelper(reason.clone()),
        }
    }

    /// It only selects by paths, builds arrays and objects, and joins text: tokens that stand for
    /// secrets come out whole, wherever they are. A token inside an array or object that is joined into
    /// text is written as JSON there.
    pub fn is_transparent(&self) -> bool {
        self.transparent
    }

    /// Evaluates the expression, or says what the helper must do. `variables` are in the order of the
    /// scope. No output is `null`; several are an array.
    ///
    /// # Errors
    /// What the expression raises, limits, and facts that are missing.
    pub fn evaluate(
        &self,
        input: &Value,
        variables: &[Value],
        facts: &Facts<'_>,
    ) -> Result<Evaluation, EvaluationError> {
        evaluate::evaluate(self, input, variables, facts)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("text", &self.text)
            .field("class", &self.class())
            .finish_non_exhaustive()
    }
}
