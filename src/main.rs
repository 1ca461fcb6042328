//! The `consentry` binary: arguments, logging, exit code. Everything else is in the library.

use std::process::ExitCode;

use clap::Parser;
use consentry::cli::{Arguments, run};
use rustix::process::{Resource, Rlimit, setrlimit};
use tracing_subscriber::EnvFilter;

/// sysexits(3): the configuration or the command line is at fault.
const EX_CONFIG: u8 = 78;
/// sysexits(3): something else failed.
const EX_SOFTWARE: u8 = 70;

/// The error and its causes, each once: some errors already tell their cause.
fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told {
        told if told.is_empty() => cause,
        told if told.contains(&cause) => told,
        told => format!("{told}: {cause}"),
    })
}

/// A core dump would hold every key and the mails at hand.
fn forbid_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        eprintln!("consentry: core dumps cannot be turned off: {error}");
    }
}

fn main() -> ExitCode {
    forbid_core_dumps();
    let arguments = Arguments::parse();
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        // It would tell of a failed write by another one, and panic at that: a full log disk must not stop withdrawals.
        .log_internal_errors(false)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("consentry: the runtime cannot start: {error}");
            return ExitCode::from(EX_SOFTWARE);
        }
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("consentry: {}", told(&error));
            let config = error.is::<consentry::config::ConfigError>()
                || error.is::<consentry::compose::ComposeError>()
                || error.is::<consentry::cli::RulesRefused>();
            ExitCode::from(if config { EX_CONFIG } else { EX_SOFTWARE })
        }
    }
}
