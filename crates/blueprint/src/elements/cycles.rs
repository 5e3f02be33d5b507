//! Circles of references and dependencies, each reported as its path.

use std::collections::HashSet;

use consort_model::Address;

use super::Build;
use crate::diagnostic::{Code, Diagnostic};
use crate::span::Span;

impl Build<'_> {
    /// Reports circles of the graph. Depth first with a stack of its own: a chain may be as long as there are
    /// elements.
    pub(super) fn check_cycles(&mut self) {
        let mut done: HashSet<&Address> = HashSet::new();
        let mut found = Vec::new();
        for start in self.graph.edges.keys() {
            if !done.insert(start) {
                continue;
            }
            let mut path: Vec<(&Address, usize)> = vec![(start, 0)];
            let mut inside: HashSet<&Address> = HashSet::from([start]);
            while let Some((address, next)) = path.last_mut() {
                let edge = self
                    .graph
                    .edges
                    .get(*address)
                    .and_then(|edges| edges.get(*next));
                *next += 1;
                let Some((on, _)) = edge else {
                    if let Some((left, _)) = path.pop() {
                        inside.remove(left);
                    }
                    continue;
                };
                if inside.contains(on) {
                    let from = path
                        .iter()
                        .position(|(address, _)| *address == on)
                        .unwrap_or(0);
                    found.push(
                        path[from..]
                            .iter()
                            .map(|(address, _)| (*address).clone())
                            .collect::<Vec<_>>(),
                    );
                } else if done.insert(on) {
                    path.push((on, 0));
                    inside.insert(on);
                }
            }
        }
        for circle in found {
            let diagnostic = self.circle(&circle);
            self.say(diagnostic);
        }
    }

    fn circle(&self, path: &[Address]) -> Diagnostic {
        let at = |from: &Address, to: &Address| {
            let edges = self.graph.edges.get(from).into_iter().flatten();
            edges
                .filter(|(on, _)| on == to)
                .map(|(_, span)| *span)
                .next()
                .unwrap_or(Span::NONE)
        };
        let (first, last) = (&path[0], &path[path.len() - 1]);
        let message = if path.len() == 1 {
            format!("`{first}` refers to itself")
        } else {
            let names: Vec<String> = path.iter().map(Address::to_string).collect();
            format!(
                "elements need each other in a circle: {} -> {first}",
                names.join(" -> ")
            )
        };
        let mut diagnostic = Diagnostic::new(Code::ElementCycle, at(last, first), message)
            .label(format!("`{last}` needs `{first}`"));
        for pair in path.windows(2).take(4) {
            diagnostic = diagnostic.also(
                at(&pair[0], &pair[1]),
                format!("`{}` needs `{}`", pair[0], pair[1]),
            );
        }
        diagnostic.help("nothing of it can be made first; remove one of these references")
    }
}
