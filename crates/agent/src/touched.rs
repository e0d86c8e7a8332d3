//! Whether files have changed, by what the file system notes about them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What is noted about a file: where it is, and of a regular one its length and time. A device changes neither when it
/// is used.
pub(crate) type Mark = Option<(u64, u64, u64, i64, i64)>;

/// Files that are looked at now and then.
#[derive(Debug, Default)]
pub struct Files {
    marks: Vec<(PathBuf, Mark)>,
}

impl Files {
    /// Whether any of these files is another than at the last look. The first look at a file sees no change.
    pub fn have_changed(&mut self, paths: Vec<PathBuf>) -> bool {
        let known = std::mem::take(&mut self.marks);
        self.marks = paths.into_iter().map(|path| (mark(&path), path)).map(|(mark, path)| (path, mark)).collect();
        let differs = |(path, mark): &(PathBuf, Mark)| known.iter().any(|(old, was)| old == path && was != mark);
        self.marks.iter().any(differs)
    }
}

pub(crate) fn mark(path: &Path) -> Mark {
    let found = fs::metadata(path).ok()?;
    let place = (found.dev(), found.ino());
    let (length, seconds, nanoseconds) =
        if found.is_file() { (found.len(), found.mtime(), found.mtime_nsec()) } else { (0, 0, 0) };
    Some((place.0, place.1, length, seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut files = Files::default();
        let mut look = || files.have_changed(vec![path.clone(), "/dev/null".into()]);
        assert_eq!((look(), look()), (false, false));
        fs::write(&path, "1").unwrap();
        assert_eq!((look(), look()), (true, false), "it is there now");
        fs::write(&path, "12").unwrap();
        assert_eq!((look(), look()), (true, false), "it is longer");
        fs::remove_file(&path).unwrap();
        assert_eq!((look(), look()), (true, false), "it is gone");
    }

    #[test]
    fn a_file_that_is_looked_at_for_the_first_time_has_not_changed() {
        let mut files = Files::default();
        assert!(!files.have_changed(vec!["/dev/null".into()]));
        assert!(!files.have_changed(vec!["/dev/zero".into(), "/nowhere".into()]));
    }
}
