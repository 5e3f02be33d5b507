//! Embeds the small programs, where `CONSORT_EMBED_DIR` says that they were built.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=CONSORT_EMBED_DIR");
    let folder = std::env::var_os("CONSORT_EMBED_DIR");
    let embed = |name: &str| match &folder {
        Some(folder) => {
            let path = Path::new(folder).join(name);
            println!("cargo::rerun-if-changed={}", path.display());
            assert!(path.is_file(), "{} was not built", path.display());
            format!("Some(include_bytes!({path:?}))")
        }
        None => "None".to_owned(),
    };
    let code = format!(
        "/// The shim, if it is embedded.\nconst SHIM: Option<&[u8]> = {};\n/// The port holder, if it is embedded.\nconst PORTHOLDER: Option<&[u8]> = {};\n",
        embed("consort-shim"),
        embed("consort-portholder"),
    );
    let out = std::env::var_os("OUT_DIR").unwrap_or_default();
    std::fs::write(Path::new(&out).join("embedded.rs"), code)
        .expect("the build folder can be written to");
}
