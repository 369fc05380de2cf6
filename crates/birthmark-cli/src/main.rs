//! The program `birthmark`: see the library of this crate.

fn main() -> std::process::ExitCode {
    birthmark_cli::main()
}
