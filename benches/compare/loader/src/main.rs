//! A load generator for Engine.IO servers: raw TCP, one thread, every echo verified.
//!
//! Each scenario is a `net::Driver`; `measure` runs it for a time and relates its messages to the CPU that the server
//! took. One run prints one line of JSON. Any error (an echo that is wrong, late, lost or out of order) is counted,
//! and the first one is described on standard error.

mod deflated;
mod fanout;
mod gzipped;
mod handshake;
mod http;
mod idle;
mod json;
mod measure;
mod net;
mod payload;
mod polling;
mod process;
mod upgrade;
mod websocket;
mod ws;

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Loads an Engine.IO server and prints what it cost, as one line of JSON.
#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    scenario: Scenario,
}

/// What every scenario needs to know.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The server's address.
    #[arg(long)]
    addr: SocketAddr,
    /// The server's process, whose CPU and memory are read.
    #[arg(long)]
    pid: u32,
    /// The path under which the server speaks Engine.IO.
    #[arg(long, default_value = "/engine.io/")]
    path: String,
    /// Number of loopback source addresses (127.0.0.1, 127.0.0.2, ...) that connections come from in turn.
    #[arg(long, default_value_t = 1)]
    sources: u8,
    /// Never sleep in epoll: takes the cost of waking the loader off the server, at a core's full use.
    #[arg(long)]
    spin: bool,
}

/// How long a throughput scenario runs.
#[derive(Debug, Args)]
pub(crate) struct Span {
    /// Seconds measured.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Seconds of load before the measurement starts.
    #[arg(long, default_value_t = 0.7)]
    warmup: f64,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// Echo over WebSocket, without polling before it.
    Websocket {
        #[command(flatten)]
        span: Span,
        #[command(flatten)]
        load: websocket::Load,
    },
    /// Echo over HTTP long-polling: two keep-alive connections per session.
    Polling {
        #[command(flatten)]
        span: Span,
        #[command(flatten)]
        load: polling::Load,
    },
    /// Text sent to all WebSocket clients.
    Fanout {
        #[command(flatten)]
        span: Span,
        #[command(flatten)]
        load: fanout::Load,
    },
    /// Sessions opened over polling, and nothing more.
    Handshake {
        #[command(flatten)]
        span: Span,
        #[command(flatten)]
        load: handshake::Load,
    },
    /// Whole cycles: polling, probe, upgrade to WebSocket, one echo, close.
    Upgrade {
        #[command(flatten)]
        span: Span,
        #[command(flatten)]
        load: upgrade::Load,
    },
    /// Memory per idle session, after one echo each.
    Idle(idle::Load),
    /// Echo of JSON over WebSocket, compressed both ways.
    Deflated {
        #[command(flatten)]
        span: Span,
        #[command(flatten)]
        load: deflated::Load,
    },
    /// Echo of JSON over HTTP long-polling, its responses compressed.
    Gzipped {
        #[command(flatten)]
        span: Span,
        #[command(flatten)]
        load: gzipped::Load,
    },
    /// Memory per idle session, after one compressed echo each.
    DeflatedIdle(deflated::Idle),
}

fn main() -> ExitCode {
    let Cli { common, scenario } = Cli::parse();
    let outcome = match scenario {
        Scenario::Websocket { span, load } => websocket::run(&common, &span, &load),
        Scenario::Polling { span, load } => polling::run(&common, &span, &load),
        Scenario::Fanout { span, load } => fanout::run(&common, &span, &load),
        Scenario::Handshake { span, load } => handshake::run(&common, &span, &load),
        Scenario::Upgrade { span, load } => upgrade::run(&common, &span, &load),
        Scenario::Idle(load) => idle::run(&common, &load),
        Scenario::Deflated { span, load } => deflated::run(&common, &span, &load),
        Scenario::Gzipped { span, load } => gzipped::run(&common, &span, &load),
        Scenario::DeflatedIdle(load) => deflated::idle(&common, &load),
    };
    match outcome {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("loader: {error}");
            ExitCode::FAILURE
        }
    }
}
