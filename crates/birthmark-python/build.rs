//! Links every question of this library to the environment to `src/environ.rs`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if linux() {
        println!("cargo::rustc-cdylib-link-arg=-Wl,--wrap=getenv");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells what is built for by a variable"
)]
fn linux() -> bool {
    std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux")
}
