//! Finds what a text names: every word of 64 hexadecimal digits may be a digest. What only looks
//! like one keeps a blob in vain; that is better than the other way round.

use std::collections::BTreeSet;

use consort_model::Digest;

const DIGITS: usize = 64;

/// Adds every digest in these bytes.
pub(crate) fn collect(text: &[u8], found: &mut BTreeSet<Digest>) {
    for word in text.split(|byte| !byte.is_ascii_hexdigit()) {
        if word.len() == DIGITS
            && let Ok(word) = std::str::from_utf8(word)
            && let Ok(digest) = word.parse()
        {
            found.insert(digest);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_digest_is_found_in_any_text(before in "[^0-9a-fA-F]{0,9}", after in "[^0-9a-fA-F]{0,9}", seed: u64) {
            let digest = Digest::of(&seed.to_le_bytes());
            let mut found = BTreeSet::new();
            collect(format!("{before}{digest}{after}").as_bytes(), &mut found);
            prop_assert_eq!(found.into_iter().collect::<Vec<_>>(), [digest]);
        }
    }
}
