//! JSONP: a payload as a script, and a form with a payload in it. For browsers without CORS.

use bytes::Bytes;

use crate::proto::Jsonp;

/// The payload as a call that the page's script waits for: `___eio[0]("...");`.
pub(super) fn script(jsonp: &Jsonp, payload: &str) -> String {
    // JSON may hold these two raw, JavaScript before 2019 may not.
    let json = serde_json::Value::from(payload)
        .to_string()
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    format!("___eio[{}]({json});", jsonp.digits())
}

/// The payload in a form's field `d`, if there is one.
///
/// A textarea would turn newlines into CRLF, so clients escape them: a newline as `\n`, and what was `\n`
/// before as `\\n`.
pub(super) fn form_payload(body: &[u8]) -> Option<Bytes> {
    let (_, payload) = form_urlencoded::parse(body).find(|(name, _)| name == "d")?;
    Some(Bytes::from(unescape(&payload)))
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix("\\\\n") {
            plain.push_str("\\n");
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix("\\n") {
            plain.push('\n');
            rest = behind;
        } else {
            plain.push('\\');
            rest = &rest[1..];
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_a_call_with_a_string() {
        assert_eq!(script(&Jsonp::new("0"), "4hi"), r#"___eio[0]("4hi");"#);
        assert_eq!(
            script(&Jsonp::new("1);alert("), "4\"\n\\"),
            r#"___eio[1]("4\"\n\\");"#
        );
        assert_eq!(
            script(&Jsonp::new(""), "4\u{2028}\u{2029}"),
            r#"___eio[]("4\u2028\u2029");"#
        );
    }

    #[test]
    fn newlines_are_unescaped_as_engine_io_does() {
        for (escaped, plain) in [
            ("4a\\nb", "4a\nb"),
            ("4a\\\\nb", "4a\\nb"),
            ("4\\n\\n", "4\n\n"),
            ("4\\x\\", "4\\x\\"),
            ("4é\\n", "4é\n"),
        ] {
            assert_eq!(unescape(escaped), plain);
        }
        assert_eq!(
            form_payload(b"d=4hello%20w&x=1").as_deref(),
            Some(&b"4hello w"[..])
        );
        assert_eq!(form_payload(b"x=1"), None);
    }
}
