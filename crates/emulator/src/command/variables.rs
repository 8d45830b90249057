//! The environment variables of the options.

use std::ffi::OsString;

use clap::{
    Command, CommandFactory, FromArgMatches,
    builder::Resettable,
    error::{ContextKind, ContextValue},
};

use super::args::Args;

/// Reads the arguments, and for options that are not among them the environment.
///
/// An empty variable counts as none: it is what a Compose file or a job makes of one that is not set.
pub(crate) fn read(arguments: &[OsString]) -> Result<Args, clap::Error> {
    let mut command = without_empty(Args::command());
    let matches = command.try_get_matches_from_mut(arguments)?;
    Args::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

fn without_empty(command: Command) -> Command {
    let command = command.mut_args(|argument| {
        let value = argument.get_env().and_then(std::env::var_os);
        match value.is_some_and(|value| value.is_empty()) {
            true => argument.env(Resettable::Reset),
            false => argument,
        }
    });
    command.mut_subcommands(without_empty)
}

/// The variable that holds what an error is about, since no argument does.
pub(crate) fn named_by(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let ContextValue::String(shown) = error.get(ContextKind::InvalidArg)? else {
        return None;
    };
    // As `--port <PORT>`.
    let option = shown.split([' ', '=']).next()?;
    let is_given = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        let rest = argument.strip_prefix(option);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    if arguments.iter().any(is_given) {
        return None;
    }
    let command = Args::command();
    let argument = command
        .get_arguments()
        .find(|argument| argument.get_long() == option.strip_prefix("--"))?;
    let name = argument.get_env()?;
    std::env::var_os(name)?;
    Some(name.to_string_lossy().into_owned())
}
