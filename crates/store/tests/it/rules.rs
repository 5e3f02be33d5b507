use std::sync::{Arc, Mutex};

use consort_journal::{Store, conformance};

use crate::support::fresh;

#[tokio::test]
async fn the_store_on_sqlite_keeps_every_rule() {
    let dirs = Mutex::new(Vec::new());
    conformance::run(async || {
        let (dir, store) = fresh();
        dirs.lock().unwrap().push(dir);
        let store: Arc<dyn Store> = store;
        store
    })
    .await;
}
