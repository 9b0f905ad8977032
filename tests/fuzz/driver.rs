//! Feeds a target from its corpus by mutation for a while, and reports what broke it: a panic, or an input that
//! takes too long. The seed is printed; the environment chooses seed, time, and a single input.

use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, mpsc};
use std::time::{Duration, Instant};

use crate::corpus;
use crate::mutate::{Random, mutate, repeat};
use crate::targets::Seen;

type Target = fn(&[u8], &mut Seen);

/// An input that takes longer is a failure. The longest inputs have 64 KiB.
const MAX_TIME: Duration = Duration::from_secs(1);
/// An input that takes so long will not end.
const STUCK: Duration = Duration::from_secs(30);
/// How many inputs that did something new are kept to go on from.
const MAX_POOL: usize = 4096;

/// Fuzzes `target` for `ENGINEIO_FUZZ_SECONDS` (default 2) with `ENGINEIO_FUZZ_SEED` (default: another each time).
///
/// `ENGINEIO_FUZZ_INPUT` names a file: it is the only input then.
pub fn run(name: &'static str, target: Target) {
    quiet_panics();
    if let Some(folder) = path("ENGINEIO_FUZZ_EXPORT") {
        return corpus::export(name, &folder);
    }
    if let Some(folder) = path("ENGINEIO_FUZZ_IMPORT") {
        let mut known = HashSet::new();
        return corpus::import(name, &folder, |input| {
            let mut seen = Seen::default();
            target(input, &mut seen);
            seen.features()
                .fold(false, |new, feature| known.insert(feature) | new)
        });
    }
    if let Some(file) = path("ENGINEIO_FUZZ_INPUT") {
        let input = std::fs::read(file).expect("the input can be read");
        return target(&input, &mut Seen::default());
    }
    let seconds = number("ENGINEIO_FUZZ_SECONDS").unwrap_or(2);
    let seed = number("ENGINEIO_FUZZ_SEED").unwrap_or_else(|| {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        now.as_micros() as u64
    });
    println!("{name}: ENGINEIO_FUZZ_SEED={seed}");

    let shared = Arc::new(Shared::default());
    let (done, end) = mpsc::channel();
    let fuzzer = Fuzzer {
        target,
        shared: Arc::clone(&shared),
        random: Random(seed),
        pool: Vec::new(),
        seen: HashSet::new(),
        slowest: (0.0, 0),
    };
    std::thread::Builder::new()
        .name(QUIET.to_owned())
        .stack_size(2 << 20)
        .spawn(move || done.send(fuzzer.run(name, Duration::from_secs(seconds))))
        .expect("a thread starts");
    let mut runs = u64::MAX;
    let report = loop {
        match end.recv_timeout(STUCK) {
            Ok(report) => break report,
            Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{name}: the fuzzer itself has died"),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let now = shared.runs.load(Ordering::Relaxed);
                if now == runs {
                    let input = shared.input.lock().expect("no panic under this lock").clone();
                    break Err(failure(name, &input, "does not end"));
                }
                runs = now;
            }
        }
    };
    match report {
        Ok(report) => println!("{report}"),
        Err(report) => panic!("{report}\nENGINEIO_FUZZ_SEED={seed}"),
    }
}

/// What the test's thread may look at.
#[derive(Default)]
struct Shared {
    input: Mutex<Vec<u8>>,
    runs: AtomicU64,
}

struct Fuzzer {
    target: Target,
    shared: Arc<Shared>,
    random: Random,
    pool: Vec<Vec<u8>>,
    seen: HashSet<u64>,
    /// Of inputs of 1 KiB and more: nanoseconds per byte, and the length.
    slowest: (f64, usize),
}

impl Fuzzer {
    fn run(mut self, name: &str, time: Duration) -> Result<String, String> {
        let start = Instant::now();
        let corpus = corpus::load(name);
        for input in &corpus {
            self.once(name, input.clone())?;
        }
        if self.pool.is_empty() {
            self.pool.push(Vec::new());
        }
        while start.elapsed() < time {
            let from = self.random.below(self.pool.len());
            let other = self.random.below(self.pool.len());
            let input = match self.random.below(500) {
                0 => repeat(&mut self.random, &self.pool[from]),
                _ => mutate(&mut self.random, &self.pool[from], &self.pool[other]),
            };
            self.once(name, input)?;
        }
        let runs = self.shared.runs.load(Ordering::Relaxed);
        Ok(format!(
            "{name}: {runs} runs, {:.0}/s, {} seeds, pool of {}, {} kinds of behaviour, slowest {:.0} ns/byte ({} bytes)",
            runs as f64 / start.elapsed().as_secs_f64(),
            corpus.len(),
            self.pool.len(),
            self.seen.len(),
            self.slowest.0,
            self.slowest.1,
        ))
    }

    fn once(&mut self, name: &str, input: Vec<u8>) -> Result<(), String> {
        {
            let mut current = self.shared.input.lock().expect("no panic under this lock");
            current.clear();
            current.extend_from_slice(&input);
        }
        let mut seen = Seen::default();
        let elapsed = match attempt(self.target, &input, &mut seen) {
            Ok(elapsed) => elapsed,
            Err(message) => {
                let (input, message) = shrink(self.target, input, message);
                return Err(failure(name, &input, &message));
            }
        };
        self.shared.runs.fetch_add(1, Ordering::Relaxed);
        self.time(name, &input, elapsed)?;
        let new = seen
            .features()
            .fold(false, |new, feature| self.seen.insert(feature) | new);
        if new && self.pool.len() < MAX_POOL && input.len() <= 4096 {
            self.pool.push(input);
        }
        Ok(())
    }

    /// Wall time is the scheduler's too: what looks slow is measured twice more, and the least counts.
    fn time(&mut self, name: &str, input: &[u8], elapsed: Duration) -> Result<(), String> {
        let per_byte = |elapsed: Duration| elapsed.as_nanos() as f64 / input.len() as f64;
        let record = input.len() >= 1024 && per_byte(elapsed) > self.slowest.0;
        if !record && elapsed < MAX_TIME {
            return Ok(());
        }
        let least = (0..2)
            .filter_map(|_| attempt(self.target, input, &mut Seen::default()).ok())
            .fold(elapsed, Duration::min);
        if least > MAX_TIME {
            return Err(failure(name, input, &format!("takes {least:?}")));
        }
        if record && per_byte(least) > self.slowest.0 {
            self.slowest = (per_byte(least), input.len());
        }
        Ok(())
    }
}

/// How long it took, or what the panic said.
fn attempt(target: Target, input: &[u8], seen: &mut Seen) -> Result<Duration, String> {
    let start = Instant::now();
    match catch_unwind(AssertUnwindSafe(|| target(input, seen))) {
        Ok(()) => Ok(start.elapsed()),
        Err(_) => Err(LAST_PANIC.take()),
    }
}

/// The same panic (in its place) from fewer bytes.
fn shrink(target: Target, mut input: Vec<u8>, mut message: String) -> (Vec<u8>, String) {
    let place = |message: &str| message.lines().next().unwrap_or_default().to_owned();
    let wanted = place(&message);
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut size = input.len().next_power_of_two();
    while size > 0 && Instant::now() < deadline {
        let mut at = 0;
        while at < input.len() {
            let mut fewer = input.clone();
            fewer.drain(at..(at + size).min(input.len()));
            match attempt(target, &fewer, &mut Seen::default()) {
                Err(found) if place(&found) == wanted => (input, message) = (fewer, found),
                _ => at += size,
            }
        }
        size /= 2;
    }
    (input, message)
}

fn failure(name: &str, input: &[u8], message: &str) -> String {
    let file = std::env::temp_dir().join(format!("engineio-fuzz-{name}-{}", std::process::id()));
    let _ = std::fs::write(&file, input);
    let shown = corpus::escape(&input[..input.len().min(1000)]);
    format!(
        "{name}: {message}\ninput of {} bytes, also in {}:\n{shown}",
        input.len(),
        file.display()
    )
}

const QUIET: &str = "fuzzer";

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A panic on a fuzzer's thread is kept for the report: shrinking makes hundreds.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().name() == Some(QUIET) {
                LAST_PANIC.set(info.to_string());
            } else {
                usual(info);
            }
        }));
    });
}

fn path(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}
