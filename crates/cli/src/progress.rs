//! Shows how a run goes: on a terminal the steps that are under way with their seconds, elsewhere a
//! plain line for each thing that happened.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use consort_engine::control::RunEvent;
use consort_model::run::RunStatus;
use consort_model::text;

use crate::output::Output;

/// So many steps under way are shown at once.
const SHOWN: usize = 8;

/// The view of one run.
pub(crate) struct Progress {
    output: Output,
    total: Option<usize>,
    under_way: BTreeMap<String, Instant>,
    done: usize,
    failed: usize,
    drawn: usize,
    begun: Instant,
}

impl Progress {
    pub(crate) fn new(output: &Output, total: Option<usize>) -> Self {
        Self {
            output: output.clone(),
            total,
            under_way: BTreeMap::new(),
            done: 0,
            failed: 0,
            drawn: 0,
            begun: Instant::now(),
        }
    }

    /// Takes an event in.
    pub(crate) fn event(&mut self, event: &RunEvent) {
        let Some(step) = &event.step else {
            if event.kind == "CancelAsked" {
                self.say(&event.text);
            }
            return;
        };
        match event.kind.as_str() {
            "StepPlanned" => {
                self.under_way.insert(step.clone(), Instant::now());
                if !self.output.live {
                    self.say(&event.text);
                }
            }
            "StepEnded" => {
                let took = self
                    .under_way
                    .remove(step)
                    .map(|begun| begun.elapsed().as_secs_f64())
                    .unwrap_or_default();
                let failed = event
                    .body
                    .get("outcome")
                    .and_then(|outcome| outcome.get("result"))
                    .and_then(|r| r.as_str())
                    == Some("failed");
                if failed {
                    self.failed += 1;
                    self.say(&format!("✗ {}", event.text));
                } else {
                    self.done += 1;
                    self.say(&format!("✓ {step} ({took:.1}s)"));
                }
            }
            "StepInDoubt" | "QuestionAsked" | "RetryPlanned" | "StepResolved" => {
                self.say(&event.text)
            }
            _ => {}
        }
        self.draw();
    }

    fn say(&mut self, line: &str) {
        self.clear();
        self.output.note(text::printable(line, false));
    }

    /// Draws what is under way again; called now and then, for the seconds.
    pub(crate) fn draw(&mut self) {
        if !self.output.live {
            return;
        }
        self.clear();
        let mut out = std::io::stderr().lock();
        let total = self
            .total
            .map_or_else(String::new, |total| format!("/{total}"));
        let seconds = self.begun.elapsed().as_secs();
        let failed = if self.failed > 0 {
            format!(", {} failed", self.failed)
        } else {
            String::new()
        };
        let _ = writeln!(out, "[{}{total} done{failed}] {seconds}s", self.done);
        self.drawn = 1;
        for (step, begun) in self.under_way.iter().take(SHOWN) {
            let step = text::printable(step, false);
            let _ = writeln!(out, "  … {step} {}s", begun.elapsed().as_secs());
            self.drawn += 1;
        }
        let _ = out.flush();
    }

    fn clear(&mut self) {
        if self.output.live && self.drawn > 0 {
            let mut out = std::io::stderr().lock();
            let _ = write!(out, "\u{1b}[{}A\u{1b}[J", self.drawn);
            self.drawn = 0;
        }
    }

    /// The last line.
    pub(crate) fn end(&mut self, status: RunStatus) {
        self.clear();
        let failed = if self.failed > 0 {
            format!(", {} failed", self.failed)
        } else {
            String::new()
        };
        let seconds = self.begun.elapsed().as_secs_f64();
        self.output.note(format!(
            "{}: {} done{failed} in {seconds:.1}s",
            status.word(),
            self.done
        ));
    }
}
