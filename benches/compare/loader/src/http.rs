//! The client's half of HTTP/1.1, as far as polling needs it.

/// Headers that engine.io-client's requests carry under Node.
const HEADERS: &str = "User-Agent: node-XMLHttpRequest\r\nAccept: */*\r\nConnection: keep-alive\r\n";

/// A GET of `target` (path and query).
pub(crate) fn get(host: &str, target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{HEADERS}\r\n").into_bytes()
}

/// A POST of `body` to `target`; the body is the end of what is returned.
pub(crate) fn post(host: &str, target: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut request = format!(
        "POST {target} HTTP/1.1\r\nHost: {host}\r\n{HEADERS}Content-Type: text/plain;charset=UTF-8\r\n\
         Content-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// Where the head ends, its empty line included.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|part| part == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// The response at the start of `bytes`, once it is whole: its body, and its length altogether.
pub(crate) fn response(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, String> {
    let Some(start) = head_end(bytes) else {
        return Ok(None);
    };
    let head = &bytes[..start];
    let refused = |what: &str| Err(format!("{what}: {}", String::from_utf8_lossy(bytes)));
    if !head.starts_with(b"HTTP/1.1 200 ") {
        return refused("response");
    }
    if header(head, b"connection").is_some_and(|value| value.eq_ignore_ascii_case(b"close")) {
        return refused("the server closes a keep-alive connection");
    }
    if header(head, b"transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked")) {
        return one_chunk(bytes, start);
    }
    let length = header(head, b"content-length")
        .and_then(|value| std::str::from_utf8(value).ok())
        .and_then(|value| value.parse::<usize>().ok());
    let Some(length) = length else {
        return refused("response without Content-Length");
    };
    Ok(bytes
        .get(start..start + length)
        .map(|body| (body, start + length)))
}

/// The response whose chunked body begins at `start`, once it is whole. Bodies of two chunks or more are refused: no
/// server here sends them.
fn one_chunk(bytes: &[u8], start: usize) -> Result<Option<(&[u8], usize)>, String> {
    let Some(line) = bytes[start..].windows(2).position(|part| part == b"\r\n") else {
        return Ok(None);
    };
    let size = std::str::from_utf8(&bytes[start..start + line])
        .ok()
        .and_then(|size| usize::from_str_radix(size, 16).ok())
        .ok_or("chunk without a size")?;
    let body = start + line + 2;
    let end = body + size;
    match bytes.get(end..end + 7) {
        Some(b"\r\n0\r\n\r\n") => Ok(Some((&bytes[body..end], end + 7))),
        Some(_) => Err("a body of more than one chunk".to_owned()),
        None => Ok(None),
    }
}

/// The value of the header `name`, which is given in lower case.
pub(crate) fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|&byte| byte == b'\n').find_map(|line| {
        let (field, value) = line.split_at_checked(name.len())?;
        (field.eq_ignore_ascii_case(name) && value.first() == Some(&b':')).then(|| value[1..].trim_ascii())
    })
}

/// The sid in an open packet, `0{"sid":"...",...}`.
pub(crate) fn sid(packet: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(packet);
    text.strip_prefix('0')
        .and_then(|json| json.split_once(r#""sid":""#))
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(sid, _)| sid.to_owned())
        .ok_or_else(|| format!("no open packet: {text}"))
}
