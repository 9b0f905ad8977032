//! Counting, and running a scenario for a time beside the server's CPU.

use std::io;
use std::time::{Duration, Instant};

use mio::Events;

use crate::net::{Driver, Net};
use crate::process::{Cpu, resident_kib};
use crate::{Common, Span};

/// How long all sessions may take to open.
const OPENING: Duration = Duration::from_secs(60);
/// How long the echoes that are due at the end may take.
const DRAINING: Duration = Duration::from_secs(5);
/// Longest wait for an event, so that the end of a phase is not missed.
const WAIT: Duration = Duration::from_millis(10);
/// Latencies kept per run; later ones are not recorded.
const SAMPLES: usize = 2_000_000;

/// What a scenario counts.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Sessions that are open and in use.
    pub(crate) ready: usize,
    /// Echoes that came back whole and in order.
    pub(crate) messages: u64,
    /// Everything that went wrong.
    pub(crate) errors: u64,
    /// Times from sending a message to its echo, of a sample.
    latencies: Vec<Duration>,
}

impl Tally {
    /// Counts an error; the first one is described on standard error.
    pub(crate) fn error(&mut self, what: String) {
        self.errors += 1;
        if self.errors == 1 {
            eprintln!("loader: {what}");
        }
    }

    /// Records how long ago a message was sent whose echo has just come.
    pub(crate) fn latency(&mut self, sent: Instant) {
        if self.latencies.len() < SAMPLES {
            self.latencies.push(sent.elapsed());
        }
    }

    /// The latency that `share` (0 to 1) of the sample does not exceed, in microseconds. The sample is sorted.
    fn percentile(&self, share: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.latencies
            .get(at)
            .map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    }
}

/// Turns the loop until `done`, or fails after `most`.
pub(crate) fn until<D: Driver>(
    net: &mut Net,
    driver: &mut D,
    most: Duration,
    mut done: impl FnMut(&mut D) -> bool,
) -> io::Result<()> {
    let mut events = Events::with_capacity(1024);
    let start = Instant::now();
    while !done(driver) {
        if start.elapsed() > most {
            let (ready, errors) = (driver.tally().ready, driver.tally().errors);
            return Err(io::Error::other(format!(
                "not done after {most:?}: {ready} sessions, {errors} errors"
            )));
        }
        net.turn(driver, &mut events, WAIT)?;
    }
    Ok(())
}

/// Turns the loop for `length`.
pub(crate) fn run_for(net: &mut Net, driver: &mut impl Driver, length: Duration) -> io::Result<()> {
    let end = Instant::now() + length;
    until(net, driver, Duration::MAX, |_| Instant::now() >= end)
}

/// Waits until `sessions` are open (or have failed).
pub(crate) fn open(net: &mut Net, driver: &mut impl Driver, sessions: usize) -> io::Result<()> {
    until(net, driver, OPENING, |driver| {
        let tally = driver.tally();
        tally.ready as u64 + tally.errors >= sessions as u64
    })
}

/// Opens `sessions`, loads the server for the span, and returns the result as fields of a JSON object.
pub(crate) fn throughput(
    common: &Common,
    span: &Span,
    net: &mut Net,
    driver: &mut impl Driver,
    sessions: usize,
) -> io::Result<String> {
    open(net, driver, sessions)?;
    run_for(net, driver, Duration::from_secs_f64(span.warmup))?;

    driver.tally().latencies.clear();
    let messages_before = driver.tally().messages;
    let (server_before, own_before, start) = (Cpu::of_tree(common.pid)?, Cpu::of("self")?, Instant::now());
    run_for(net, driver, Duration::from_secs_f64(span.seconds))?;
    let seconds = start.elapsed().as_secs_f64();
    let (cpu, own) = (
        Cpu::of_tree(common.pid)?.since(server_before),
        Cpu::of("self")?.since(own_before),
    );

    let messages = driver.tally().messages - messages_before;
    // What never came back shows only now: a connection that stands still makes no error by itself.
    let patience = Instant::now() + DRAINING;
    until(net, driver, Duration::MAX, |driver| {
        driver.drain() == 0 || Instant::now() >= patience
    })?;
    let lost = driver.drain();
    if lost > 0 {
        driver.tally().error(format!("{lost} echoes never came"));
        driver.tally().errors += lost - 1;
    }

    let tally = driver.tally();
    tally.latencies.sort_unstable();
    let count = messages as f64;
    Ok(format!(
        r#""messages":{messages},"errors":{},"seconds":{seconds:.3},"per_second":{:.0},"per_cpu_second":{:.0},"server_user":{:.2},"server_system":{:.2},"server_busy":{:.3},"loader_busy":{:.3},"p50_us":{:.0},"p99_us":{:.0},"samples":{},"resident_kib":{}"#,
        tally.errors,
        count / seconds,
        count / cpu.total().max(0.01),
        cpu.user,
        cpu.system,
        cpu.total() / seconds,
        own.total() / seconds,
        tally.percentile(0.5),
        tally.percentile(0.99),
        tally.latencies.len(),
        resident_kib(common.pid)?,
    ))
}
