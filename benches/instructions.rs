//! Runs one micro-benchmark so many times: `instructions GROUP/NAME TIMES`; without arguments it lists them.
//! `instructions/run` counts their instructions with it.

#[path = "rules/mod.rs"]
mod cases;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(wanted) = arguments.next() else {
        for case in cases::all() {
            println!("{}/{}", case.group, case.name);
        }
        return;
    };
    let times = arguments.next().and_then(|times| times.parse().ok()).unwrap_or(1);
    let found = cases::all()
        .into_iter()
        .find(|case| wanted == format!("{}/{}", case.group, case.name));
    let mut case = found.expect("the case is one of the list");
    for _ in 0..times {
        (case.run)();
    }
}
