//! jaq, set up for our values and facts.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use jaq_core::data::HasLut;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, DataT, Filter, Lut, Vars};
use jaq_json::Val;

use crate::evaluate::Facts;
use crate::library;
use crate::limits::MAX_FILES;
use crate::syntax::{Def, Term};

/// The name under which a program is the last definition of its library. No function of the library
/// has it, so no program can call it.
const MAIN: &str = "consort_program";

/// Our kind of jaq data: JSON values, and facts for natives.
pub(crate) struct Interpreter;

impl DataT for Interpreter {
    type V<'a> = Val;
    type Data<'a> = Data<'a>;
}

/// What natives see.
#[derive(Clone, Copy)]
pub(crate) struct Data<'a> {
    lut: &'a Lut<Interpreter>,
    run: &'a Run<'a>,
}

impl<'a> HasLut<'a, Interpreter> for Data<'a> {
    fn lut(&self) -> &'a Lut<Interpreter> {
        self.lut
    }
}

/// The state of one evaluation.
pub(crate) struct Run<'a> {
    facts: &'a Facts<'a>,
    /// This is the helper: nothing needs one.
    pub(crate) helper: bool,
    /// Bytes that files may still bring in without leaving this process.
    budget: Cell<usize>,
    bytes_read: Cell<usize>,
    /// Files read so far, for a helper that must see the same.
    pub(crate) files: RefCell<BTreeMap<String, Result<String, String>>>,
    /// Set when the evaluation must be repeated by the helper.
    pub(crate) needs_helper: Cell<bool>,
    /// Set when a bound was exceeded inside a native.
    pub(crate) limit: Cell<Option<&'static str>>,
    /// Set when a fact was missing.
    pub(crate) missing: Cell<Option<&'static str>>,
}

impl<'a> Run<'a> {
    pub(crate) fn new(facts: &'a Facts<'a>, helper: bool, budget: usize) -> Self {
        Self {
            facts,
            helper,
            budget: Cell::new(budget),
            bytes_read: Cell::new(0),
            files: RefCell::default(),
            needs_helper: Cell::new(false),
            limit: Cell::new(None),
            missing: Cell::new(None),
        }
    }

    /// Runs a filter; outputs as they come.
    pub(crate) fn start<'f>(
        &'f self,
        filter: &'f Filter<Interpreter>,
        input: Val,
        variables: Vec<Val>,
    ) -> impl Iterator<Item = Result<Val, jaq_json::Error>> + 'f {
        let data = Data {
            lut: &filter.lut,
            run: self,
        };
        let context = Ctx::<Interpreter>::new(data, Vars::new(variables));
        filter.id.run((context, input)).map(|output| {
            output.map_err(|exception| {
                exception
                    .get_err()
                    .unwrap_or_else(|_| jaq_core::Error::str("the expression left its bounds"))
            })
        })
    }
}

impl<'a> Data<'a> {
    pub(crate) fn run(&self) -> &'a Run<'a> {
        self.run
    }

    pub(crate) fn need_helper(&self, why: &str) -> jaq_json::Error {
        self.run.needs_helper.set(true);
        jaq_core::Error::str(format_args!("{why} needs the helper"))
    }

    pub(crate) fn exceeded(&self, name: &'static str) -> jaq_json::Error {
        self.run.limit.set(Some(name));
        jaq_core::Error::str(format_args!("limit `{name}` exceeded"))
    }

    pub(crate) fn now_ms(&self) -> Result<i64, jaq_json::Error> {
        self.run.facts.now_ms.ok_or_else(|| {
            self.run
                .missing
                .set(Some("`now` was used, but no time was given"));
            jaq_core::Error::str("no time was given")
        })
    }

    /// Charges bytes that a native brings in.
    pub(crate) fn charge(&self, bytes: usize) -> Result<(), jaq_json::Error> {
        if !self.run.helper {
            match self.run.budget.get().checked_sub(bytes) {
                Some(left) => self.run.budget.set(left),
                None => return Err(self.need_helper("so large a file")),
            }
        }
        Ok(())
    }

    /// The text of a file of the bundle.
    pub(crate) fn file(&self, path: &str) -> Result<String, jaq_json::Error> {
        let Some(files) = self.run.facts.files else {
            self.run
                .missing
                .set(Some("a file was asked for, but no files were given"));
            return Err(jaq_core::Error::str("no files were given"));
        };
        let read = read_text(files, path);
        let bytes = read.as_ref().map_or(0, String::len);
        let total = self.run.bytes_read.get().saturating_add(bytes);
        if total > MAX_FILES {
            return Err(self.exceeded("files"));
        }
        self.run.bytes_read.set(total);
        self.run
            .files
            .borrow_mut()
            .insert(path.to_owned(), read.clone());
        self.charge(bytes)?;
        read.map_err(jaq_core::Error::str)
    }
}

/// Reads a file as text; the error is for a user.
pub(crate) fn read_text(files: &dyn crate::Files, path: &str) -> Result<String, String> {
    let bytes = files
        .read(path)
        .map_err(|error| format!("file `{path}`: {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("file `{path}` is not UTF-8 text"))
}

/// Links and compiles a program whose names have been checked.
pub(crate) fn compile(term: Term<'_>, variables: &[String]) -> Result<Filter<Interpreter>, String> {
    let linked = library::link(&term);
    let names: Vec<String> = variables.iter().map(|name| format!("${name}")).collect();
    let main = Def {
        name: MAIN,
        args: Vec::new(),
        body: term,
    };
    let arena = Arena::default();
    let modules = Loader::new(linked.definitions.into_iter().chain([main]))
        .load(
            &arena,
            File {
                code: MAIN,
                path: (),
            },
        )
        .map_err(|_| "the program cannot be loaded".to_owned())?;
    Compiler::default()
        .with_global_vars(names.iter().map(String::as_str))
        .with_funs(linked.natives)
        .compile(modules)
        .map_err(|errors| {
            let names = errors
                .iter()
                .flat_map(|(_, errors)| errors.iter().map(|(name, _)| *name));
            format!("undefined: {}", names.collect::<Vec<_>>().join(", "))
        })
}
