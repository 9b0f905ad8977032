"""The parts of `benches/compare/run`: servers, scenarios, rounds, the report and its plot."""
