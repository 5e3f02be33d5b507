//! The task graph in compressed rows, both directions, with its order and levels.

use crate::spec::Micros;

/// A neighbour and the time that its data take between two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arc {
    /// The index of the other task.
    pub task: u32,
    /// The transfer between different nodes; on the same node it is free.
    pub transfer: Micros,
}

/// The graph. Its arcs are in rows: those of task `t` lie between `offset[t]` and `offset[t + 1]`.
#[derive(Debug, Clone)]
pub struct Graph {
    parents: Rows,
    children: Rows,
    order: Vec<u32>,
    level: Vec<u32>,
}

#[derive(Debug, Clone)]
struct Rows {
    offset: Vec<u32>,
    arcs: Vec<Arc>,
}

impl Rows {
    /// `links` are (row, other, transfer).
    fn new(rows: usize, links: impl Iterator<Item = (u32, u32, Micros)> + Clone) -> Self {
        let mut offset = vec![0_u32; rows + 1];
        for (row, ..) in links.clone() {
            offset[row as usize + 1] += 1;
        }
        for row in 0..rows {
            offset[row + 1] += offset[row];
        }
        let mut next = offset.clone();
        let mut arcs = vec![
            Arc {
                task: 0,
                transfer: 0
            };
            offset[rows] as usize
        ];
        for (row, task, transfer) in links {
            let at = &mut next[row as usize];
            arcs[*at as usize] = Arc { task, transfer };
            *at += 1;
        }
        Self { offset, arcs }
    }

    fn row(&self, row: u32) -> &[Arc] {
        let row = row as usize;
        &self.arcs[self.offset[row] as usize..self.offset[row + 1] as usize]
    }
}

impl Graph {
    /// Builds the graph from links (from, to, transfer) whose ends are below `tasks` and which are
    /// sorted and free of repetitions.
    ///
    /// # Errors
    /// The tasks of one cycle, in its order.
    pub(crate) fn new(tasks: usize, links: &[(u32, u32, Micros)]) -> Result<Self, Vec<u32>> {
        let children = Rows::new(tasks, links.iter().copied());
        let parents = Rows::new(
            tasks,
            links.iter().map(|&(from, to, time)| (to, from, time)),
        );
        let mut missing: Vec<usize> = (0..tasks as u32).map(|t| parents.row(t).len()).collect();
        let mut order: Vec<u32> = (0..tasks as u32)
            .filter(|&t| missing[t as usize] == 0)
            .collect();
        let mut level = vec![0; tasks];
        let mut at = 0;
        while let Some(&task) = order.get(at) {
            at += 1;
            for arc in children.row(task) {
                let child = arc.task as usize;
                level[child] = level[child].max(level[task as usize] + 1);
                missing[child] -= 1;
                if missing[child] == 0 {
                    order.push(arc.task);
                }
            }
        }
        if order.len() < tasks {
            return Err(cycle(&parents, &missing));
        }
        Ok(Self {
            parents,
            children,
            order,
            level,
        })
    }

    /// Those that this task needs.
    #[must_use]
    pub fn parents(&self, task: u32) -> &[Arc] {
        self.parents.row(task)
    }

    /// Those that need this task.
    #[must_use]
    pub fn children(&self, task: u32) -> &[Arc] {
        self.children.row(task)
    }

    /// All tasks, each after those that it needs.
    #[must_use]
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// The number of tasks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no task.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The number of tasks in the largest level: a fleet of that size is rarely too small.
    #[must_use]
    pub fn width(&self) -> usize {
        let mut counts = vec![0_usize; self.level.iter().max().map_or(0, |&l| l as usize + 1)];
        for &level in &self.level {
            counts[level as usize] += 1;
        }
        counts.into_iter().max().unwrap_or(0)
    }
}

/// Every task that still misses a parent has one that misses a parent too: walking back among them
/// must come round.
fn cycle(parents: &Rows, missing: &[usize]) -> Vec<u32> {
    let open = |task: u32| missing[task as usize] > 0;
    let Some(mut task) = (0..missing.len() as u32).find(|&t| open(t)) else {
        return Vec::new();
    };
    let mut seen = vec![usize::MAX; missing.len()];
    let mut path = Vec::new();
    while seen[task as usize] == usize::MAX {
        seen[task as usize] = path.len();
        path.push(task);
        match parents.row(task).iter().find(|arc| open(arc.task)) {
            Some(arc) => task = arc.task,
            None => break,
        }
    }
    let mut found = path.split_off(seen[task as usize]);
    found.reverse();
    found
}
