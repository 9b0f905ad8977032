//! The masking of RFC 6455 section 5.3, eight bytes at a time. Knows bytes and a key, nothing else.

/// Unmasks (or masks: it is its own inverse) `data` in place, its first byte with `key[0]` (RFC 6455 section
/// 5.3). For a payload that comes in pieces, rotate the key by the length of each piece: [`rotate`].
#[inline]
pub fn unmask(data: &mut [u8], key: [u8; 4]) {
    let [k0, k1, k2, k3] = key;
    let eight = [k0, k1, k2, k3, k0, k1, k2, k3];
    let word = u64::from_ne_bytes(eight);
    // Unaligned words: the compiler turns this loop into vector instructions, at any address.
    let (words, tail) = data.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(eight) {
        *byte ^= key;
    }
}

/// The key for what follows `taken` bytes that were unmasked with `key`.
#[inline]
pub fn rotate(mut key: [u8; 4], taken: usize) -> [u8; 4] {
    key.rotate_left(taken % 4);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn byte_by_byte(data: &[u8], key: [u8; 4]) -> Vec<u8> {
        data.iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key)
            .collect()
    }

    #[test]
    fn every_length_at_every_alignment() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let source: Vec<u8> = (0..=255).collect();
        for start in 0..9 {
            for len in 0..100 {
                let mut data = source.clone();
                unmask(&mut data[start..start + len], key);
                assert_eq!(data[..start], source[..start]);
                assert_eq!(
                    data[start..start + len],
                    byte_by_byte(&source[start..start + len], key)
                );
                assert_eq!(data[start + len..], source[start + len..]);
            }
        }
    }

    #[test]
    fn in_two_pieces_cut_anywhere() {
        let key = [1, 2, 4, 128];
        let source: Vec<u8> = (0..40).collect();
        let whole = byte_by_byte(&source, key);
        for cut in 0..=source.len() {
            let mut data = source.clone();
            let (left, right) = data.split_at_mut(cut);
            unmask(left, key);
            unmask(right, rotate(key, cut));
            assert_eq!(data, whole, "cut at {cut}");
        }
    }
}
