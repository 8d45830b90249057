//! What the program itself says on standard error, beside the log of the relay.

use super::{args::Args, eprint, log};

/// Says something, unless the program is to be silent.
pub(crate) fn say(args: &Args, message: &str) {
    line(args, "info", message);
}

/// Warns, unless the program is to be silent.
pub(crate) fn warn(args: &Args, message: &str) {
    line(args, "warn", message);
}

fn line(args: &Args, level: &'static str, message: &str) {
    if !args.silent {
        eprint(&log::own(level, message, args.log));
    }
}
