//! Every name means something: the first that does not is reported, with the nearest that does.

use std::ops::Range;

use crate::error::CompileError;
use crate::library;
use crate::scope::Scope;
use crate::syntax::{BinaryOp, Def, Pattern, Term, TermOf, span_in, visit};

/// Checks functions, variables and labels.
pub(crate) fn check(text: &str, term: &Term<'_>, scope: &Scope) -> Result<(), CompileError> {
    let mut names = Names {
        text,
        scope,
        variables: Vec::new(),
        labels: Vec::new(),
        functions: Vec::new(),
    };
    names.term(term)
}

struct Names<'t, 's> {
    text: &'t str,
    scope: &'s Scope,
    /// Local variables with their `$`, innermost last.
    variables: Vec<String>,
    labels: Vec<String>,
    functions: Vec<(String, usize)>,
}

impl Names<'_, '_> {
    fn term(&mut self, term: &Term<'_>) -> Result<(), CompileError> {
        match term {
            TermOf::Var(name) => self.variable(name),
            TermOf::Break(name) => self.label(name),
            TermOf::Label(name, body) => {
                self.labels.push((*name).to_owned());
                let checked = self.term(body);
                self.labels.pop();
                checked
            }
            TermOf::Call(name, arguments) => {
                self.function(name, arguments.len())?;
                self.children(term)
            }
            TermOf::Str(Some(format), _) => {
                self.function(format, 0)?;
                self.children(term)
            }
            TermOf::BinOp(left, BinaryOp::Pipe(Some(pattern)), right) => {
                self.term(left)?;
                self.pattern(pattern)?;
                self.with_pattern(pattern, |names| names.term(right))
            }
            TermOf::Fold(word, source, pattern, arguments) => {
                self.fold(word, source, pattern, arguments)
            }
            TermOf::Def(definitions, body) => self.definitions(definitions, body),
            _ => self.children(term),
        }
    }

    fn children(&mut self, term: &Term<'_>) -> Result<(), CompileError> {
        let mut checked = Ok(());
        visit::children(term, &mut |child| {
            if checked.is_ok() {
                checked = self.term(child);
            }
        });
        checked
    }

    fn fold(
        &mut self,
        word: &str,
        source: &Term<'_>,
        pattern: &Pattern<'_>,
        arguments: &[Term<'_>],
    ) -> Result<(), CompileError> {
        let fits = if word == "reduce" {
            arguments.len() == 2
        } else {
            matches!(arguments.len(), 2 | 3)
        };
        if !fits {
            let takes = if word == "reduce" {
                "(init; update)"
            } else {
                "(init; update) or (init; update; extract)"
            };
            return Err(CompileError::new(
                format!("`{word}` takes {takes}"),
                self.span(word),
            ));
        }
        self.term(source)?;
        self.pattern(pattern)?;
        let mut arguments = arguments.iter();
        arguments.next().map_or(Ok(()), |init| self.term(init))?;
        self.with_pattern(pattern, |names| {
            arguments.try_for_each(|argument| names.term(argument))
        })
    }

    fn pattern(&mut self, pattern: &Pattern<'_>) -> Result<(), CompileError> {
        let mut checked = Ok(());
        visit::pattern_terms(pattern, &mut |key| {
            if checked.is_ok() {
                checked = self.term(key);
            }
        });
        checked
    }

    fn with_pattern<T>(&mut self, pattern: &Pattern<'_>, then: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.variables.len();
        visit::pattern_variables(pattern, &mut |name| self.variables.push(name.to_owned()));
        let result = then(self);
        self.variables.truncate(before);
        result
    }

    fn definitions(
        &mut self,
        definitions: &[Def<'_>],
        body: &Term<'_>,
    ) -> Result<(), CompileError> {
        let before = self.functions.len();
        let mut checked = Ok(());
        for definition in definitions {
            self.functions
                .push((definition.name.to_owned(), definition.args.len()));
            checked = self.definition(definition);
            if checked.is_err() {
                break;
            }
        }
        let checked = checked.and_then(|()| self.term(body));
        self.functions.truncate(before);
        checked
    }

    fn definition(&mut self, definition: &Def<'_>) -> Result<(), CompileError> {
        let (functions, variables) = (self.functions.len(), self.variables.len());
        for argument in &definition.args {
            if argument.starts_with('$') {
                self.variables.push((*argument).to_owned());
            } else {
                self.functions.push(((*argument).to_owned(), 0));
            }
        }
        let checked = self.term(&definition.body);
        self.functions.truncate(functions);
        self.variables.truncate(variables);
        checked
    }

    fn span(&self, name: &str) -> Range<usize> {
        span_in(self.text, name).unwrap_or(0..self.text.len())
    }

    fn variable(&self, name: &str) -> Result<(), CompileError> {
        let global = name.strip_prefix('$').unwrap_or(name);
        if self.variables.iter().any(|known| known == name)
            || self.scope.variables.iter().any(|known| known == global)
        {
            return Ok(());
        }
        if let Some(reason) = library::withheld_variable(name) {
            return Err(CompileError::new(
                format!("`{name}` is not allowed: {reason}"),
                self.span(name),
            ));
        }
        let error = CompileError::new(
            format!("there is no variable `{name}` here"),
            self.span(name),
        );
        let locals = self
            .variables
            .iter()
            .filter_map(|known| known.strip_prefix('$'));
        let all = locals.chain(self.scope.variables.iter().map(String::as_str));
        Err(match library::nearest(global, all) {
            Some(near) => error.hint(format!("Did you mean `${near}`?")),
            None if self.scope.variables.is_empty() => error,
            None => {
                let names: Vec<String> = self
                    .scope
                    .variables
                    .iter()
                    .map(|name| format!("${name}"))
                    .collect();
                error.hint(format!("There are: {}.", names.join(", ")))
            }
        })
    }

    fn label(&self, name: &str) -> Result<(), CompileError> {
        if self.labels.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(CompileError::new(
            format!("there is no label `{name}` round this `break`"),
            self.span(name),
        ))
    }

    fn function(&self, name: &str, arity: usize) -> Result<(), CompileError> {
        if self
            .functions
            .iter()
            .any(|(known, arguments)| known == name && *arguments == arity)
        {
            return Ok(());
        }
        let span = self.span(name);
        if let Some((reason, hint)) = library::withheld_function(name, self.scope) {
            let error = CompileError::new(format!("`{name}` is not allowed: {reason}"), span);
            return Err(match hint {
                Some(hint) => error.hint(hint),
                None => error,
            });
        }
        if library::exists(name, arity) {
            return Ok(());
        }
        Err(self.unknown_function(name, arity, span))
    }

    fn unknown_function(&self, name: &str, arity: usize, span: Range<usize>) -> CompileError {
        let arities: Vec<String> = library::user_names(self.scope)
            .filter(|(known, _)| *known == name)
            .map(|(_, arity)| arity.to_string())
            .collect();
        if !arities.is_empty() {
            let message = format!(
                "`{name}` does not take {arity} arguments but {}",
                arities.join(" or ")
            );
            return CompileError::new(message, span).hint("Arguments are separated by `;`.");
        }
        let error = CompileError::new(format!("there is no function `{name}`"), span.clone());
        let before = self.text[..span.start].trim_end();
        if span.start == before.len()
            && before.ends_with('-')
            && !before.trim_end_matches('-').ends_with(' ')
        {
            return error.hint(
                "A key with a dash is written in brackets and quotes: `.resources[\"my-api\"]`.",
            );
        }
        if name.contains("::") {
            return error.hint("Expressions have no modules.");
        }
        let known = library::user_names(self.scope).map(|(known, _)| known);
        let locals = self.functions.iter().map(|(known, _)| known.as_str());
        match library::nearest(name, locals.chain(known)) {
            Some(near) => error.hint(format!("Did you mean `{near}`?")),
            None => error.hint(format!(
                "For a key write `.{}`, for text `\"{name}\"`.",
                name.trim_start_matches('@')
            )),
        }
    }
}
