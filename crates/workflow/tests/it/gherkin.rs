//! Reads feature files: scenarios, steps, doc strings.

#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) text: String,
    pub(crate) doc: String,
}

pub(crate) fn read(text: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix("Scenario:") {
            scenarios.push(Scenario {
                name: name.trim().to_owned(),
                steps: Vec::new(),
            });
        } else if trimmed.starts_with("\"\"\"") {
            let doc: Vec<&str> = lines
                .by_ref()
                .take_while(|line| !line.trim().starts_with("\"\"\""))
                .collect();
            if let Some(step) = scenarios
                .last_mut()
                .and_then(|scenario| scenario.steps.last_mut())
            {
                step.doc = unindented(&doc);
            }
        } else if let Some(text) = ["Given ", "When ", "Then ", "And ", "But "]
            .iter()
            .find_map(|word| trimmed.strip_prefix(word))
            && let Some(scenario) = scenarios.last_mut()
        {
            scenario.steps.push(Step {
                text: text.trim().to_owned(),
                doc: String::new(),
            });
        }
    }
    scenarios
}

fn unindented(lines: &[&str]) -> String {
    let filled = lines.iter().filter(|line| !line.trim().is_empty());
    let indent = filled
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    lines
        .iter()
        .map(|line| line.get(indent..).unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}
