//! The operator. Everything is in the library; here is the process's exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    operator_program::main(std::env::args_os())
}
