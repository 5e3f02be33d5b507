//! Pure planner: graph, recorded and observed state in; plan out
