//! The local relay from the command line.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program speaks to its terminal"
)]

use std::{env, process::ExitCode};

use hyco_emulator::{Emulator, EmulatorOptions, HybridConnectionOptions, TlsOptions};
use hyco_protocol::names::EMULATOR_PORT;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (options, paths) = match parse(env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(message) => {
            eprintln!("{message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let emulator = match Emulator::bind(options).await {
        Ok(emulator) => emulator,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    println!(
        "listening on {} ({})",
        emulator.local_addr(),
        emulator.namespace()
    );
    for path in &paths {
        println!("{}", emulator.connection_string(Some(path)));
    }
    if let Some(certificate) = emulator.certificate() {
        println!("{certificate}");
    }
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("{error}");
    }
    emulator.close().await;
    ExitCode::SUCCESS
}

fn parse(
    arguments: impl Iterator<Item = String>,
) -> Result<(EmulatorOptions, Vec<String>), String> {
    let mut arguments = arguments;
    let mut options = EmulatorOptions {
        port: EMULATOR_PORT,
        ..EmulatorOptions::default()
    };
    let mut paths = Vec::new();
    while let Some(flag) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{flag} needs a value"))
        };
        match flag.as_str() {
            "--host" => options.host = value()?,
            "--port" => options.port = value()?.parse().map_err(|_| "--port needs a port")?,
            "--path" => paths.push(value()?),
            "--tls" => options.tls = Some(TlsOptions::Generated),
            _ => return Err(format!("unknown argument {flag}")),
        }
    }
    if paths.is_empty() {
        paths.push("hyco".to_owned());
    }
    options.hybrid_connections = paths.iter().map(HybridConnectionOptions::new).collect();
    Ok((options, paths))
}

const USAGE: &str = "usage: hyco-relay [--host HOST] [--port PORT] [--path PATH]... [--tls]";
