//! The part of a shim that keeps descriptors.

use std::collections::BTreeMap;
use std::io::{IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::Value;

pub(crate) struct Shim {
    path: PathBuf,
    kept: Arc<Mutex<BTreeMap<String, OwnedFd>>>,
}

impl Shim {
    pub(crate) fn start(path: PathBuf) -> Self {
        let listener = UnixListener::bind(&path).unwrap();
        let kept = Arc::new(Mutex::default());
        let store = Arc::clone(&kept);
        std::thread::spawn(move || {
            listener
                .incoming()
                .for_each(|stream| serve(stream.unwrap(), &store))
        });
        Self { path, kept }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Duplicates of what is kept.
    pub(crate) fn kept(&self) -> Vec<(String, OwnedFd)> {
        let kept = self.kept.lock().unwrap();
        kept.iter()
            .map(|(name, fd)| (name.clone(), fd.try_clone().unwrap()))
            .collect()
    }

    /// Loses everything.
    pub(crate) fn kept_clear(&self) {
        self.kept.lock().unwrap().clear();
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.kept.lock().unwrap().keys().cloned().collect()
    }
}

fn serve(mut stream: UnixStream, store: &Mutex<BTreeMap<String, OwnedFd>>) {
    let mut bytes = vec![0; 65536];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        &stream,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )
    .unwrap();
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    let request: Value = serde_json::from_slice(&bytes[..received.bytes]).unwrap();
    let names = request["names"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned());
    let mut store = store.lock().unwrap();
    match request["request"].as_str().unwrap() {
        "store_fds" => store.extend(names.zip(fds)),
        "remove_fds" => names.for_each(|name| drop(store.remove(&name))),
        other => panic!("unknown request {other}"),
    }
    drop(store);
    stream.write_all(b"{\"result\":\"ok\"}\n").unwrap();
}
