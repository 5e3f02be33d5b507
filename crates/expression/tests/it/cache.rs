//! The cache of programs.

use std::sync::Arc;

use consort_expression::{ProgramCache, Scope};

use crate::support::scope;

#[test]
fn the_same_text_in_the_same_scope_is_compiled_once() {
    let cache = ProgramCache::new(8);
    let first = cache.get(".a", &Scope::default()).unwrap();
    let second = cache.get(".a", &Scope::default()).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let other = cache.get(".a", &scope(&["x"])).unwrap();
    assert!(!Arc::ptr_eq(&first, &other));
    assert_eq!(cache.len(), 2);
}

#[test]
fn what_was_not_used_for_longest_is_forgotten_first() {
    let cache = ProgramCache::new(4);
    let kept = cache.get(".kept", &Scope::default()).unwrap();
    for text in [".a", ".b", ".c", ".d", ".e", ".f"] {
        cache.get(text, &Scope::default()).unwrap();
        cache.get(".kept", &Scope::default()).unwrap();
        assert!(cache.len() <= 4);
    }
    assert!(Arc::ptr_eq(
        &kept,
        &cache.get(".kept", &Scope::default()).unwrap()
    ));
}

#[test]
fn failures_are_not_kept() {
    let cache = ProgramCache::new(4);
    assert!(cache.get("nope", &Scope::default()).is_err());
    assert!(cache.is_empty());
}

#[test]
fn many_threads_may_use_it_at_once() {
    let cache = ProgramCache::new(16);
    std::thread::scope(|threads| {
        for thread in 0..4 {
            let cache = &cache;
            threads.spawn(move || {
                for i in 0..40 {
                    cache
                        .get(&format!(".a{}", (i + thread) % 20), &Scope::default())
                        .unwrap();
                }
            });
        }
    });
    assert!(cache.len() <= 16);
}
