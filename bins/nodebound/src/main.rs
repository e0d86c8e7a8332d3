//! The tool for people. Everything is in the library; here are the process's streams and its exit code.

use std::io::{self, BufWriter, IsTerminal};
use std::process::ExitCode;

use nodebound::{Console, Look};

fn main() -> ExitCode {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let terminal = stdout.is_terminal();
    let look = Look::new(terminal, stderr.is_terminal(), |name| std::env::var_os(name));
    let (mut input, mut out, mut err) = (stdin.lock(), BufWriter::new(stdout.lock()), stderr.lock());
    let mut console = Console { input: &mut input, out: &mut out, err: &mut err, look };
    nodebound::run(std::env::args_os(), &mut console).into()
}
