//! The program: what `hyco-relay` does, and `npx hyco-rs emulator` just so.
//!
//! Standard output has what is to be pasted, standard error the log.

mod args;
mod ask;
mod certificate;
mod checked;
mod config;
mod entry;
mod fault;
mod folder;
mod log;
mod made_keys;
mod milliseconds;
mod ready;
mod reload;
mod rule;
mod say;
mod signals;
mod variables;

use std::ffi::OsString;

use hyco_log::Log;
use tokio::runtime::Builder;
use tracing::Level;

use crate::{emulator::Emulator, error::Error};
use args::{Args, Command, Output};

/// Runs the program with arguments, the first of which is the program's name; gives its exit code: 0
/// after an end that was asked for, 1 after a failure, 2 when an argument or the configuration is wrong.
pub fn run<I, T>(arguments: I) -> u8
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let args = match variables::read(&arguments) {
        Ok(args) => args,
        Err(error) => {
            // Help and version go to standard output and are no failures.
            let printed = error.print();
            if let Some(name) = variables::named_by(&error, &arguments) {
                eprint(&format!(
                    "\nIt is the environment variable {name} that says so."
                ));
            }
            return match printed {
                _ if error.use_stderr() => WRONG_USE,
                // A reader that leaves has read enough.
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    fail(&format!("standard output takes no more: {error}"), FAILED)
                }
                _ => 0,
            };
        }
    };
    let log = tell(&args);
    let _telling = log.watch();
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string(), FAILED),
    };
    let code = runtime.block_on(async {
        match args.command {
            Some(Command::Fault(fault)) => fault::run(&fault).await,
            Some(Command::Health(relay)) => ask::ask(relay.port, "GET", "health", "").await,
            None => serve(&args).await,
        }
    });
    // Not waiting for a name look-up that is under way: it has no end to speak of.
    runtime.shutdown_background();
    code.unwrap_or_else(|(message, code)| fail(&message, code))
}

/// A message and the exit code that goes with it.
pub(crate) type Failure = (String, u8);

/// Lets warnings of the relay be seen, or whatever it traces, unless it is to be silent.
fn tell(args: &Args) -> Log {
    let format = args.log;
    let log = Log::new(move |line| eprint(&log::inner(&line, format)));
    let level = match args.verbose {
        true => Level::DEBUG,
        false => Level::WARN,
    };
    log.level().set((!args.silent).then_some(level));
    log
}

async fn serve(args: &Args) -> Result<u8, Failure> {
    // They are heard from the first moment: as process 1 of a container nobody else would.
    let mut signals = signals::Signals::new().map_err(|error| (error.to_string(), FAILED))?;
    let content = args
        .config
        .as_ref()
        .and_then(|file| std::fs::read(file).ok());
    let mut made = made_keys::MadeKeys::default();
    let settings =
        config::Settings::read(args, &mut made).map_err(|message| (message, WRONG_USE))?;
    let emulator = Emulator::bind(settings.options.clone())
        .await
        .map_err(|error| match error {
            Error::InvalidOption { .. } => (error.to_string(), WRONG_USE),
            error => (advice(&error, settings.authority.is_some()), FAILED),
        })?;
    for fault in &settings.faults {
        emulator
            .set_fault(fault.clone())
            .map_err(|error| (error.to_string(), WRONG_USE))?;
    }
    let handle = emulator.handle();
    let logging = (!args.silent)
        .then(|| handle.subscribe())
        .flatten()
        .map(|events| tokio::spawn(log::write(events, args.log)));
    ready::tell(&emulator, &settings, args).map_err(|message| (message, FAILED))?;
    let reloading = args.config.clone().map(|file| {
        let (handle, settings) = (handle.clone(), settings.clone());
        let reload = reload::Reload {
            file,
            args: args.clone(),
            handle,
            settings,
            made,
        };
        tokio::spawn(reload.watch(content))
    });
    signals.end().await;
    if let Some(reloading) = reloading {
        reloading.abort();
    }
    emulator.close().await;
    // The log ends with the relay.
    if let Some(logging) = logging {
        let _ = logging.await;
    }
    Ok(0)
}

/// The error, and what helps; whether a certificate is made decides what does.
fn advice(error: &Error, makes_certificate: bool) -> String {
    match error {
        Error::Bind { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => format!(
            "{error}\nIs the relay running already? --port PORT takes another port, and 0 a free one."
        ),
        Error::Tls(_) if makes_certificate => format!(
            "{error}\n--cert-dir FOLDER keeps what certificates need elsewhere, and --no-tls needs none."
        ),
        error => error.to_string(),
    }
}

fn fail(message: &str, code: u8) -> u8 {
    eprint(&format!("hyco-relay: {message}"));
    code
}

/// Writes a line to standard output; one that nobody reads any more is no failure.
fn print(line: &str) {
    use std::io::Write as _;

    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Writes a line to standard error.
fn eprint(line: &str) {
    use std::io::Write as _;

    let _ = writeln!(std::io::stderr(), "{line}");
}

const FAILED: u8 = 1;
const WRONG_USE: u8 = 2;
