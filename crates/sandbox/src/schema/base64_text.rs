//! Bytes in JSON: base64 as Go's `encoding/base64` reads and writes it.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

/// Go does not mind bits behind the last byte.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The text as the server writes it again, or its complaint. Line breaks are passed over.
pub(super) fn canonical(text: &str) -> Result<String, String> {
    let problem = |at: usize| format!("illegal base64 data at input byte {at}");
    if let Some(at) = corrupt_at(text.as_bytes()) {
        return Err(problem(at));
    }
    let plain: String = text.chars().filter(|character| !matches!(character, '\r' | '\n')).collect();
    LENIENT.decode(plain).map(|bytes| LENIENT.encode(bytes)).map_err(|_| problem(0))
}

/// Bytes that are given as a list of numbers.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    LENIENT.encode(bytes)
}

/// Where Go notices that a text is no base64; none if it is some.
fn corrupt_at(text: &[u8]) -> Option<usize> {
    let mut place = 0;
    let mut letters = text.iter().enumerate().filter(|(_, byte)| !is_break(**byte));
    while let Some((at, byte)) = letters.next() {
        match (byte, place) {
            (b'=', 2) => match letters.next() {
                None => return Some(text.len()),
                Some((_, b'=')) => return letters.next().map(|(at, _)| at),
                Some((next, _)) => return Some(next - 1),
            },
            (b'=', 3) => return letters.next().map(|(at, _)| at),
            (byte, _) if is_letter(*byte) => place = (place + 1) % 4,
            _ => return Some(at),
        }
    }
    (place != 0).then(|| text.len() - place)
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bytes_are_written_in_one_way() {
        for (text, expected) in [("", ""), ("YQ==", "YQ=="), ("YR==", "YQ=="), ("Y\nW\r\nI=", "YWI=")] {
            assert_eq!(canonical(text).as_deref(), Ok(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_found_sound_can_be_decoded(text in "[YQab/+=\n-]{0,12}") {
            if corrupt_at(text.as_bytes()).is_none() {
                let once = canonical(&text).unwrap();
                prop_assert_eq!(canonical(&once), Ok(once.clone()));
                prop_assert!(!once.is_empty() || text.trim().is_empty());
            }
        }
    }
}
