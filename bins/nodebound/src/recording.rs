//! Inputs of any size: text files with a bound, and recordings in pieces.

use anyhow::{Context, bail};
use serde::de::IgnoredAny;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// One recorded review is never longer: an API server takes no object above 3 MiB.
const MAX_LINE: u64 = 64 << 20;
/// A recording that does not hold one review a line is read whole, up to here.
const MAX_WHOLE: u64 = 1 << 30;
/// Reviews are judged in pieces of about this size.
const PIECE: usize = 2 << 20;

/// The text of a file.
pub(crate) fn text(path: &Path, limit: u64) -> anyhow::Result<String> {
    let source = path.display();
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).with_context(|| format!("{source}: cannot be read"))?;
    if bytes.len() as u64 > limit {
        bail!("{source}: is larger than {} MiB", limit >> 20);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count();
            bail!("{source}: line {line}: the text is not UTF-8")
        }
    }
}

/// Opens a file. A folder opens too, but cannot be read.
pub(crate) fn open(path: &Path) -> anyhow::Result<File> {
    let source = path.display();
    let file = File::open(path).with_context(|| format!("{source}: cannot be read"))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        bail!("{source}: is a folder");
    }
    Ok(file)
}

/// A piece of a recording that begins and ends with a review.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// The lines before it.
    pub(crate) lines: usize,
}

/// A recording in pieces: of whole lines, if its first line is a whole document, else all of it.
pub(crate) struct Pieces<'a> {
    reader: BufReader<&'a mut dyn Read>,
    state: State,
    lines: usize,
}

enum State {
    Begin,
    Lines(Vec<u8>),
    End,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(input: &'a mut dyn Read) -> Self {
        Self { reader: BufReader::with_capacity(1 << 18, input), state: State::Begin, lines: 0 }
    }

    fn begin(&mut self) -> anyhow::Result<Option<Piece>> {
        let first = self.line()?;
        if is_document(&first) {
            return self.lines(first).map(Some);
        }
        let mut bytes = first;
        self.reader.by_ref().take(MAX_WHOLE).read_to_end(&mut bytes).context("cannot be read")?;
        if bytes.len() as u64 >= MAX_WHOLE {
            bail!("is larger than {} MiB; write one review a line", MAX_WHOLE >> 20);
        }
        Ok(Some(Piece { bytes, lines: 0 }))
    }

    /// A piece that begins with a line.
    fn lines(&mut self, mut bytes: Vec<u8>) -> anyhow::Result<Piece> {
        let before = self.lines;
        self.lines += 1;
        while bytes.len() < PIECE {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(Piece { bytes, lines: before });
            }
            bytes.extend(line);
            self.lines += 1;
        }
        self.state = State::Lines(self.line()?);
        Ok(Piece { bytes, lines: before })
    }

    fn line(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut line = Vec::new();
        let read = self.reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line);
        let read = read.with_context(|| format!("line {}: cannot be read", self.lines + 1))?;
        if read as u64 == MAX_LINE {
            bail!("line {}: is longer than {} MiB, which no AdmissionReview is", self.lines + 1, MAX_LINE >> 20);
        }
        Ok(line)
    }
}

impl Iterator for Pieces<'_> {
    type Item = anyhow::Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        match std::mem::replace(&mut self.state, State::End) {
            State::Begin => self.begin().transpose(),
            State::Lines(line) if !line.is_empty() => Some(self.lines(line)),
            State::Lines(_) | State::End => None,
        }
    }
}

fn is_document(line: &[u8]) -> bool {
    line.first() == Some(&b'{') && serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

/// Counts what is read.
pub(crate) struct Counted<'a, R> {
    pub(crate) inner: R,
    pub(crate) bar: &'a indicatif::ProgressBar,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bar.inc(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(mut text: &[u8]) -> Vec<Piece> {
        Pieces::new(&mut text).map(Result::unwrap).collect()
    }

    #[test]
    fn one_document_a_line_is_cut_between_lines() {
        let line = format!("{{\"a\": \"{}\"}}\n", "x".repeat(PIECE / 3));
        let text = line.repeat(10);
        let pieces = pieces(text.as_bytes());
        assert!(pieces.len() > 2, "{}", pieces.len());
        let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.clone()).collect();
        assert_eq!(joined, text.as_bytes());
        let mut lines = 0;
        for piece in &pieces {
            assert_eq!(piece.lines, lines);
            lines += piece.bytes.iter().filter(|byte| **byte == b'\n').count();
        }
    }

    #[test]
    fn anything_else_stays_whole() {
        for text in ["", "{\n}\n", "[{}]\n", "a: b\n---\nc: d\n", "{}"] {
            let pieces = pieces(text.as_bytes());
            assert_eq!(pieces, [Piece { bytes: text.as_bytes().to_vec(), lines: 0 }], "{text}");
        }
    }

    #[test]
    fn a_text_file_has_a_bound_and_an_encoding() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let error = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            text(&path, 1 << 20).unwrap_err().to_string()
        };
        assert!(error(&vec![b'a'; (1 << 20) + 1]).ends_with("f: is larger than 1 MiB"));
        assert!(error(b"a\nb\n\xff").ends_with("f: line 3: the text is not UTF-8"));
        assert!(text(folder.path(), 1).unwrap_err().to_string().ends_with("is a folder"));
    }
}
