//! Micro-benchmarks of the rules: `cargo bench --bench rules`, or one group of them: `... --bench rules -- frame`.

#[path = "rules/mod.rs"]
mod cases;

use criterion::{Criterion, criterion_group, criterion_main};

fn rules(criterion: &mut Criterion) {
    for mut case in cases::all() {
        criterion
            .benchmark_group(case.group)
            .bench_function(case.name, |bencher| bencher.iter(|| (case.run)()));
    }
}

criterion_group!(benches, rules);
criterion_main!(benches);
