//! Pure: which node type runs which task when
