//! Whoever comes from engine.io finds every name of its documentation in the table.

use std::collections::HashSet;

/// The headings of the table's parts, and what each part must have: the names of the documentation of engine.io 3.
const NAMES: &[(&str, &str)] = &[
    (
        "The module",
        "flush drain protocol Server Socket Transport transports () listen attach",
    ),
    (
        "Server",
        "EventEmitter connection clients clientsCount constructor close handleRequest handleUpgrade attach \
         generateId http.Server http.ServerRequest http.ServerResponse net.Stream",
    ),
    (
        "Options",
        "pingTimeout pingInterval upgradeTimeout maxHttpBufferSize allowRequest transports allowUpgrades \
         perMessageDeflate perMessageDeflate.threshold httpCompression httpCompression.threshold cookie \
         cookiePath cookieHttpOnly wsEngine ws uws path destroyUpgrade destroyUpgradeTimeout",
    ),
    (
        "Socket",
        "EventEmitter close message error flush drain packet packetCreate type data id server request \
         upgraded readyState opening open closing closed transport send compress",
    ),
    (
        "The client",
        "eio eio.Socket open message close require('engine.io-client') engine.io.js",
    ),
    (
        "Around it",
        "DEBUG engine* polling websocket upgrade request engine.io-conflation Socket.IO",
    ),
];

/// The rows below a heading, without the table's head.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let page = include_str!("migrating.md");
    let part = page
        .split("\n# ")
        .find_map(|part| part.strip_prefix(heading)?.strip_prefix('\n'))
        .unwrap_or_else(|| panic!("no part {heading:?}"));
    part.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'))
        .skip(1)
        .map(|row| row.split(" |").map(str::trim).collect())
        .collect()
}

/// What stands between backticks.
fn codes(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_name_has_its_line() {
    for (heading, names) in NAMES {
        let rows = rows(heading);
        let found: HashSet<&str> = rows.iter().flat_map(|row| codes(row[0])).collect();
        for name in names.split_whitespace() {
            assert!(found.contains(name), "{heading}: no line for `{name}`");
        }
    }
}

/// And each line says what stands for it here, or why nothing does.
#[test]
fn every_line_has_an_answer() {
    for (heading, _) in NAMES {
        for row in rows(heading) {
            let [theirs, ours, note, ..] = row[..] else {
                panic!("{heading}: too short: {row:?}");
            };
            assert!(!theirs.is_empty() && !ours.is_empty(), "{heading}: {row:?}");
            let is_told = ours.contains('`') || !note.is_empty();
            assert!(is_told, "{heading}: nothing is told of {theirs}");
        }
    }
}
