// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Keys of cache entries: a hash of named parts.

use sha2::{Digest as _, Sha256};

/// Collects the parts of a key. The hash includes the name and the length of each part, so that two
/// different sequences of parts have different keys.
#[derive(Clone, Debug, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// Adds a part.
    pub fn add(&mut self, name: &str, part: impl AsRef<[u8]>) {
        for bytes in [name.as_bytes(), part.as_ref()] {
            self.0.update((bytes.len() as u64).to_le_bytes());
            self.0.update(bytes);
        }
    }

    /// The key: 24 hexadecimal digits, enough for a cache and short enough for a path.
    pub fn key(&self) -> String {
        let hash = self.0.clone().finalize();
        hash[..12]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[(&str, &str)]) -> String {
        let mut digest = Digest::default();
        for (name, part) in parts {
            digest.add(name, part);
        }
        digest.key()
    }

    #[test]
    fn different_parts_have_different_keys() {
        let one = key(&[("base", "6.12"), ("arch", "arm64")]);
        assert_eq!(one, key(&[("base", "6.12"), ("arch", "arm64")]));
        assert_eq!(one.len(), 24);
        assert_ne!(one, key(&[("arch", "arm64"), ("base", "6.12")]));
        assert_ne!(one, key(&[("base", "6.12arch"), ("", "arm64")]));
        assert_ne!(key(&[("a", "bc")]), key(&[("ab", "c")]));
    }
}
