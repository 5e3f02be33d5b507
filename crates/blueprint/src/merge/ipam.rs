//! Address pools of a network: paired by subnet, in the order that compose-go's loop gives.
//!
//! For each base pool in turn, each later pool: one with another subnet that is not in the result yet is
//! added as it is; else the later one is laid over the base pool, and the outcome takes the place of the
//! pool with that subnet, or is added. So a single base pool whose subnet the later file lacks is dropped.

use crate::diagnostic::Sink;
use crate::node::{Node, Value};

pub(super) fn merge_pools(base: Node, over: Node, path: &mut Vec<String>, sink: &mut Sink) -> Node {
    let span = base.span;
    let (pools, later) = match (base.value, over.value) {
        (Value::Seq(pools), Value::Seq(later)) => (pools, later),
        (value @ Value::Seq(_), Value::Null) => return Node::new(value, span),
        (base_value, over_value) => {
            return super::plain(
                Node::new(base_value, span),
                Node::new(over_value, over.span),
                path,
                sink,
            );
        }
    };
    let mut result: Vec<Node> = Vec::new();
    for pool in pools {
        // The loop of compose-go changes the base pool while it goes over the later ones.
        let mut pool = pool;
        for new in &later {
            let found = position(&result, new);
            if subnet(new) != subnet(&pool) && found.is_none() {
                result.push(new.clone());
                continue;
            }
            let merged = super::mappings(pool, new.clone(), path, sink);
            match position(&result, &merged) {
                Some(index) => result[index] = merged.clone(),
                None => result.push(merged.clone()),
            }
            pool = merged;
        }
    }
    Node::new(Value::Seq(result), span)
}

fn subnet(pool: &Node) -> Option<&Node> {
    pool.get("subnet")
}

fn position(pools: &[Node], wanted: &Node) -> Option<usize> {
    pools.iter().position(|pool| subnet(pool) == subnet(wanted))
}
