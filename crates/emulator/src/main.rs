//! The local relay as a program.
#![forbid(unsafe_code)]

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    ExitCode::from(hyco_emulator::command::run(env::args_os()))
}
