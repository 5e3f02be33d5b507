//! `!reset` and `!override`: what they take away from what was loaded before (Compose merge rules).

use crate::node::{Node, Value};

/// Deletes every noted path from a tree. An entry of a list cannot be deleted, as in Compose.
pub fn apply(target: &mut Node, tagged: &[Vec<String>]) {
    for path in tagged {
        remove(target, path);
    }
}

fn remove(node: &mut Node, path: &[String]) {
    let Value::Map(map) = &mut node.value else {
        return;
    };
    match path {
        [] => {}
        [last] => {
            map.shift_remove(last);
        }
        [first, rest @ ..] => {
            if let Some(entry) = map.get_mut(first) {
                remove(&mut entry.node, rest);
            }
        }
    }
}
