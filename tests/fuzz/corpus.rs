//! The inputs to begin with: one file per target, one input per line, written as in Rust's byte strings. Lines that
//! begin with `#` are remarks.

use std::path::{Path, PathBuf};

fn file(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(format!("{target}.txt"))
}

/// The inputs of a target. A line that cannot be read is a mistake in the file.
pub fn load(target: &str) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(file(target)).expect("the target has a corpus");
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| unescape(line).unwrap_or_else(|| panic!("{target}: not an input: {line}")))
        .collect()
}

/// Writes a target's inputs to a folder, each to a file: what libFuzzer begins with.
pub fn export(target: &str, folder: &Path) {
    let folder = folder.join(target);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    for (index, input) in load(target).iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{index:03}")), input).expect("the file can be written");
    }
}

/// Appends the files of a folder (libFuzzer's corpus) to a target's inputs: those of up to 300 bytes that do something
/// which no shorter one does, by what `is_new` says of each.
pub fn import(target: &str, folder: &Path, mut is_new: impl FnMut(&[u8]) -> bool) {
    for input in load(target) {
        is_new(&input);
    }
    let mut inputs: Vec<_> = std::fs::read_dir(folder.join(target))
        .expect("the folder can be read")
        .map(|entry| std::fs::read(entry.expect("an entry").path()).expect("the file can be read"))
        .filter(|input| input.len() <= 300)
        .collect();
    inputs.sort_by_key(|input| (input.len(), input.clone()));
    let mut text = std::fs::read_to_string(file(target)).expect("the target has a corpus");
    for input in inputs.iter().filter(|input| is_new(input)) {
        text += &escape(input);
        text.push('\n');
    }
    std::fs::write(file(target), text).expect("the corpus can be written");
}

/// As in a byte string; never empty, and no remark.
pub fn escape(input: &[u8]) -> String {
    let text = input.escape_ascii().to_string();
    match text.strip_prefix('#') {
        Some(rest) => format!("\\x23{rest}"),
        None if text.is_empty() => "\\".to_owned(),
        None => text,
    }
}

fn unescape(line: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = line.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match bytes.next() {
            // A single backslash: the empty input.
            None => return out.is_empty().then_some(out),
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(byte @ (b'\\' | b'"' | b'\'')) => byte,
            Some(b'x') => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            Some(_) => return None,
        });
    }
    Some(out)
}

#[test]
fn what_is_escaped_reads_back() {
    let all: Vec<u8> = (0..=255).collect();
    for input in [&b""[..], b"#", b"\\", b"'\"", &all] {
        assert_eq!(unescape(&escape(input)).as_deref(), Some(input));
    }
}
