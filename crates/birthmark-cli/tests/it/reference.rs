//! `docs/reference/cli.md` is made from the program.

use std::path::Path;

#[test]
fn reference_page_is_what_the_program_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    let page = birthmark_cli::reference::page();
    if std::env::var_os("BIRTHMARK_UPDATE_REFERENCE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == page,
        "docs/reference/cli.md is stale: make it anew with\n\
         BIRTHMARK_UPDATE_REFERENCE=1 cargo test -p birthmark-cli reference"
    );
}
