//! What an application sees of a message. Knows bytes and nothing else.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;

/// The content of a message: text stays text and binary stays binary, whatever the transport.
///
/// Cloning is cheap: both variants share their bytes.
///
/// ```
/// use engineio::Data;
///
/// let greeting = Data::from("hello");
/// assert_eq!(greeting.as_text(), Some("hello"));
/// assert_eq!(Data::from(&format!("{greeting:?}")[..4]), Data::from_static("Text"));
/// assert_eq!(Data::from(vec![1, 2, 3]), Data::from(b"\x01\x02\x03"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Data {
    /// UTF-8 text.
    Text(ByteString),
    /// Bytes as they are.
    Binary(Bytes),
}

impl Data {
    /// Text that the program holds anyway, without a copy.
    pub const fn from_static(text: &'static str) -> Self {
        Data::Text(ByteString::from_static(text))
    }

    /// The length in bytes (not in characters).
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether there is no byte in it. An empty message is still a message.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this is [`Data::Text`].
    pub fn is_text(&self) -> bool {
        matches!(self, Data::Text(_))
    }

    /// The text, if this is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Data::Text(text) => Some(text),
            Data::Binary(_) => None,
        }
    }

    /// The bytes, of text and binary alike.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Data::Text(text) => text.as_bytes(),
            Data::Binary(bytes) => bytes,
        }
    }
}

impl Default for Data {
    /// Empty text.
    fn default() -> Self {
        Data::Text(ByteString::new())
    }
}

/// Shows the kind and the length only: messages may hold what no log should.
impl std::fmt::Debug for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.is_text() { "Text" } else { "Binary" };
        write!(f, "{kind}({} bytes)", self.len())
    }
}

/// Copies the text; [`Data::from_static`] need not.
impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Data::Text(text.into())
    }
}

/// Copies the text.
impl From<&String> for Data {
    fn from(text: &String) -> Self {
        Data::from(text.as_str())
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Data::Text(text.into())
    }
}

/// Copies the text if it is borrowed.
impl From<Cow<'_, str>> for Data {
    fn from(text: Cow<'_, str>) -> Self {
        Data::from(text.into_owned())
    }
}

impl From<ByteString> for Data {
    fn from(text: ByteString) -> Self {
        Data::Text(text)
    }
}

impl From<Bytes> for Data {
    fn from(bytes: Bytes) -> Self {
        Data::Binary(bytes)
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Data::Binary(bytes.into())
    }
}

/// Copies the bytes.
impl From<&[u8]> for Data {
    fn from(bytes: &[u8]) -> Self {
        Data::Binary(Bytes::copy_from_slice(bytes))
    }
}

/// Copies the bytes.
impl<const N: usize> From<&[u8; N]> for Data {
    fn from(bytes: &[u8; N]) -> Self {
        Data::from(bytes.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_may_be_borrowed_is_text() {
        for text in [Cow::Borrowed("name"), Cow::Owned("name".to_owned())] {
            assert_eq!(Data::from(text).as_text(), Some("name"));
        }
    }
}
