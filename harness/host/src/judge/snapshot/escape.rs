// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//! Lossless text for the bytes of a stream.
//!
//! A stream need not be UTF-8. The normalisation rules run between two steps: [`decode`] maps a byte
//! that is not UTF-8 to a private-use character, [`escape`] writes that character as `\xNN`. A
//! backslash of the program is doubled, so an escape sequence never comes from the program.

use std::fmt::Write;

/// A byte that is not UTF-8 becomes the character with this code plus the byte.
const STAND_IN: u32 = 0xF_0000;

/// A longer run of one character is written as its length.
const LONGEST_RUN: usize = 64;

/// A blank at a position where it is invisible.
const BLANK: &str = "\\x20";

/// `bytes` as a string; bytes that are not UTF-8, and characters in the range of the stand-ins, become
/// stand-ins byte by byte.
pub(super) fn decode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match stand_in_value(letter) {
                None => out.push(letter),
                Some(_) => letter
                    .encode_utf8(&mut [0; 4])
                    .bytes()
                    .for_each(|byte| out.push(stand_in(byte))),
            }
        }
        out.extend(chunk.invalid().iter().map(|&byte| stand_in(byte)));
    }
    out
}

/// One line without its newline, as written to a snapshot.
pub(super) fn escape(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(letter) = rest.next() {
        let mut run = 1;
        while rest.next_if_eq(&letter).is_some() {
            run += 1;
        }
        let written = escape_char(letter);
        if run > LONGEST_RUN {
            // Writing to a String cannot fail.
            let shown = if letter == ' ' { BLANK } else { &written };
            let _ = write!(out, "\\{{{run} x {shown}}}");
        } else {
            (0..run).for_each(|_| out.push_str(&written));
        }
    }
    // A blank at the end of a line is invisible, and editors remove it.
    if let Some(visible) = out.strip_suffix(' ') {
        out = format!("{visible}{BLANK}");
    }
    out
}

fn escape_char(letter: char) -> String {
    match (letter, stand_in_value(letter)) {
        (_, Some(byte)) => format!("\\x{byte:02x}"),
        ('\\', _) => "\\\\".to_owned(),
        ('\t', _) => "\\t".to_owned(),
        ('\r', _) => "\\r".to_owned(),
        _ if letter.is_ascii_control() => format!("\\x{:02x}", u32::from(letter)),
        _ if invisible(letter) => format!("\\u{{{:x}}}", u32::from(letter)),
        _ => letter.to_string(),
    }
}

/// Characters beyond ASCII that are invisible or change the direction of text.
fn invisible(letter: char) -> bool {
    letter.is_control()
        || (letter.is_whitespace() && letter != ' ')
        || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn stand_in(byte: u8) -> char {
    char::from_u32(STAND_IN + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn stand_in_value(letter: char) -> Option<u8> {
    u32::from(letter)
        .checked_sub(STAND_IN)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> String {
        escape(&decode(bytes))
    }

    #[test]
    fn bytes_that_are_not_text_are_escaped() {
        let table: &[(&[u8], &str)] = &[
            (b"plain", "plain"),
            ("größe".as_bytes(), "größe"),
            (b"a\xffb\xc3", "a\\xffb\\xc3"),
            (b"nul\0bell\x07esc\x1b", "nul\\x00bell\\x07esc\\x1b"),
            (b"tab\tcr\r", "tab\\tcr\\r"),
            (b"back\\slash", "back\\\\slash"),
            (b"blank ", "blank\\x20"),
            (
                "\u{200b}\u{202e}\u{85}".as_bytes(),
                "\\u{200b}\\u{202e}\\u{85}",
            ),
        ];
        for (bytes, want) in table {
            assert_eq!(&shown(bytes), want);
        }
    }

    #[test]
    fn different_bytes_never_look_the_same() {
        let stand_in_of_ff = stand_in(0xff).to_string();
        let texts: &[&[u8]] = &[
            b"\xff",
            b"\\xff",
            stand_in_of_ff.as_bytes(),
            "\u{ff}".as_bytes(),
            b"\\{65 x a}",
            &[b'a'; 65],
            &[b'a'; 66],
            b" ",
            b"\\x20",
        ];
        for (i, one) in texts.iter().enumerate() {
            for other in &texts[i + 1..] {
                assert_ne!(shown(one), shown(other));
            }
        }
    }

    #[test]
    fn a_long_run_is_written_as_its_length() {
        assert_eq!(shown(&[b'a'; 64]), "a".repeat(64));
        assert_eq!(shown(&[b'a'; 1023]), "\\{1023 x a}");
        assert_eq!(shown(&[0xff; 100]), "\\{100 x \\xff}");
        assert_eq!(shown(&[b' '; 100]), "\\{100 x \\x20}");
    }
}
