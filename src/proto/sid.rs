//! Session ids. A sid is a bearer secret: whoever knows it is the client. It never appears whole in a log.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The id of a session: 1 to [`Sid::MAX_LEN`] bytes of `[A-Za-z0-9_.~-]`.
///
/// Up to 30 bytes lie in the value itself, so that the ids made here (24) and those of engine.io (20) cost no
/// allocation and no counter on clone: 32 bytes per copy. Longer ones are shared.
#[derive(Clone)]
pub struct Sid(Repr);

/// Canonical: whatever fits is inline, so equal ids have equal forms.
#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE] },
    Shared(Arc<str>),
}

const INLINE: usize = 30;
/// Random bytes of a generated id: 144 bits.
const ENTROPY: usize = 18;
/// Their length in base64url.
const GENERATED: usize = ENTROPY / 3 * 4;

/// By byte, whether an id may hold it. A table, since every request is asked.
static ALLOWED: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        allowed[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'~' | b'-');
        byte += 1;
    }
    allowed
};

/// A text that cannot be a session id: empty, too long, or with a byte outside `[A-Za-z0-9_.~-]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid session id")]
pub struct InvalidSid;

impl Sid {
    /// The longest id, in bytes.
    pub const MAX_LEN: usize = 64;

    /// A new id: 24 base64url characters of 144 random bits (the thread's CSPRNG, seeded by the system).
    pub fn generate() -> Self {
        let mut bytes = [0; INLINE];
        let written = URL_SAFE_NO_PAD.encode_slice(rand::random::<[u8; ENTROPY]>(), &mut bytes);
        debug_assert_eq!(written, Ok(GENERATED));
        Sid(Repr::Inline {
            len: GENERATED as u8,
            bytes,
        })
    }

    /// Takes an id from a query or from the application.
    ///
    /// # Errors
    /// [`InvalidSid`] if it is empty, longer than [`Sid::MAX_LEN`] bytes, or has other bytes than `[A-Za-z0-9_.~-]`.
    pub fn parse(text: &str) -> Result<Self, InvalidSid> {
        let allowed = |byte: u8| ALLOWED[usize::from(byte)];
        if text.is_empty() || text.len() > Self::MAX_LEN || !text.bytes().all(allowed) {
            return Err(InvalidSid);
        }
        let mut bytes = [0; INLINE];
        Ok(Sid(match bytes.get_mut(..text.len()) {
            Some(room) => {
                room.copy_from_slice(text.as_bytes());
                Repr::Inline {
                    len: text.len() as u8,
                    bytes,
                }
            }
            None => Repr::Shared(text.into()),
        }))
    }

    /// The whole id. Not for logs.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Shared(text) => text,
            // Always ASCII: both constructors see to it.
            Repr::Inline { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Shared(text) => text.as_bytes(),
        }
    }
}

impl PartialEq for Sid {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Sid {}

impl Hash for Sid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

/// Shows the first four characters at most, and never more than half: enough to tell sessions apart in a log.
impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.as_str();
        let shown = text.len().div_euclid(2).min(4);
        write!(f, "Sid({}\u{2026})", text.get(..shown).unwrap_or_default())
    }
}

impl std::str::FromStr for Sid {
    type Err = InvalidSid;

    fn from_str(text: &str) -> Result<Self, InvalidSid> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for Sid {
    type Error = InvalidSid;

    fn try_from(text: &str) -> Result<Self, InvalidSid> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn generated_ids_are_24_url_safe_characters_and_differ() {
        let ids: HashSet<Sid> = (0..10_000).map(|_| Sid::generate()).collect();
        assert_eq!(ids.len(), 10_000);
        for sid in &ids {
            assert_eq!(sid.as_str().len(), 24);
            assert_eq!(Sid::parse(sid.as_str()).as_ref(), Ok(sid));
        }
    }

    #[test]
    fn every_length_is_kept_and_bounded() {
        let long = "aB3_.~-x".repeat(10);
        for len in 1..=Sid::MAX_LEN {
            let sid = Sid::parse(&long[..len]).unwrap();
            assert_eq!(sid.as_str(), &long[..len]);
            assert_eq!(sid, sid.clone());
        }
        assert_eq!(Sid::parse(&long[..65]), Err(InvalidSid));
        assert_ne!(Sid::parse("a"), Sid::parse("b"));
        assert_ne!(Sid::parse(&long[..30]), Sid::parse(&long[..31]));
    }

    #[test]
    fn other_characters_are_refused() {
        for text in [
            "", "a b", "a/b", "a+b", "a=", "a\0", "é", "a\n", "a,b", "a\"", "../",
        ] {
            assert_eq!(Sid::parse(text), Err(InvalidSid), "{text:?}");
        }
        // Strange, but no more than unknown.
        assert!(Sid::parse("__proto__").is_ok());
    }

    #[test]
    fn debug_hides_the_secret() {
        let sid = Sid::parse("lv_VI97HAXpY6yYWAAAC").unwrap();
        assert_eq!(format!("{sid:?}"), "Sid(lv_V\u{2026})");
        assert_eq!(format!("{:?}", Sid::parse("ab").unwrap()), "Sid(a\u{2026})");
    }

    #[test]
    fn a_copy_is_32_bytes() {
        assert_eq!(size_of::<Sid>(), 32);
    }
}
