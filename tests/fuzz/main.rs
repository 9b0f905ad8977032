//! Fuzzing on stable: each target is a plain function over bytes (`targets/`), fed from a small corpus by seeded
//! mutation. libFuzzer drives the same functions; see `fuzz/README.md`, also for the environment variables.

// The modules are shared with the crate in `fuzz/`, where they are public.
#![allow(unreachable_pub)]

mod corpus;
mod driver;
mod found;
mod memory;
mod mutate;
mod targets;

macro_rules! fuzz {
    ($($target:ident)*) => {
        $(
            #[test]
            fn $target() {
                driver::run(stringify!($target), targets::$target);
            }
        )*
    };
}

fuzz! { query payload_v3 payload_v4 packet frame handshake extensions websocket inflate session }
