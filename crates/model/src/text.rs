//! Text for people: the nearest name to a wrong one, and text that is safe on a terminal.

/// The candidate that is nearest to `word`, if one is near enough to be meant. Case does not count;
/// the distance is optimal string alignment (Damerau–Levenshtein of neighbours).
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().take(64).collect();
    let right: Vec<char> = right.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let mut best = (last[j] + usize::from(a != b))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            if i > 0 && j > 0 && *a == right[j - 1] && left[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

/// The text with control characters made visible, so that a name or a log line cannot steer a
/// terminal. Tabs and line ends stay when `lines` is set.
pub fn printable(text: &str, lines: bool) -> String {
    text.chars()
        .flat_map(|c| {
            let keep = !c.is_control() || (lines && matches!(c, '\n' | '\t'));
            let plain = keep.then_some(c);
            let escaped = (!keep).then(|| c.escape_unicode()).into_iter().flatten();
            plain.into_iter().chain(escaped)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_one_that_was_meant() {
        let names = ["environment", "entrypoint", "ports", "expose"];
        assert_eq!(nearest("enviroment", names), Some("environment"));
        assert_eq!(nearest("prots", names), Some("ports"));
        assert_eq!(nearest("xyzzy", names), None);
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(printable("a\u{1b}[2Jb\n", false), "a\\u{1b}[2Jb\\u{a}");
        assert_eq!(printable("a\tb\n", true), "a\tb\n");
    }
}
