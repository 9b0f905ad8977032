//! The masking of RFC 6455 section 5.3, sixteen bytes at a time. Knows bytes and a key, nothing else.

/// Unmasks (or masks: it is its own inverse) `data` in place, its first byte with `key[0]` (RFC 6455 section
/// 5.3). For a payload that comes in pieces, rotate the key by the length of each piece: [`rotate`].
#[inline]
pub fn unmask(data: &mut [u8], key: [u8; 4]) {
    let four = u128::from(u32::from_le_bytes(key));
    let word = four | four << 32 | four << 64 | four << 96;
    let xor = |chunk: [u8; 16], word: u128| (u128::from_le_bytes(chunk) ^ word).to_le_bytes();
    // The last word overlaps the one before it: cheaper than up to fifteen bytes one by one.
    let turned = word.rotate_right(8 * (data.len() % 4) as u32);
    let last = data.last_chunk().map(|last| xor(*last, turned));
    // Unaligned words: the compiler turns this into vector instructions, at any address.
    for chunk in data.as_chunks_mut::<16>().0 {
        *chunk = xor(*chunk, word);
    }
    match (last, data.last_chunk_mut()) {
        (Some(last), Some(end)) => *end = last,
        _ => data
            .iter_mut()
            .zip(word.to_le_bytes())
            .for_each(|(byte, key)| *byte ^= key),
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
