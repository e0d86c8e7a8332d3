//! Reads and writes the kernel's control files.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Control, Memory, Readings};
use crate::fault::{self, Fault, Problem, Source};

/// Where the control files are: in the host's `/sys`, since a container's may be mounted read-only; then in our own.
pub const FOLDERS: [&str; 2] = ["/proc/1/root/sys/kernel/mm/ksm", "/sys/kernel/mm/ksm"];

pub use super::memory::FILE as MEMORY;

/// Longest content of a control file.
const LONGEST: usize = 4096;
/// Longest `/proc/meminfo`.
const LONGEST_MEMORY: usize = 64 << 10;

/// The first of the folders whose control files can be read, else the first.
#[must_use]
pub fn readable(folders: &[PathBuf]) -> Option<&Path> {
    let found = folders.iter().find(|folder| number(folder, Control::Run).is_ok());
    found.or(folders.first()).map(PathBuf::as_path)
}

/// Reads the control files in a folder, and the file `memory`.
#[must_use]
pub fn read(folder: &Path, memory: &Path) -> (Readings, Vec<Fault>) {
    let mut faults = Vec::new();
    let running = sift(Source::Ksm, number(folder, Control::Run), &mut faults).map(|run| run == 1);
    let mut readings = Readings { running, pages: None, memory: None };
    // A kernel without merging has none of the files, and that is one fault.
    if running.is_some() {
        readings.pages = sift(Source::Ksm, number(folder, Control::PagesToScan), &mut faults);
        let memory = fault::read(memory, LONGEST_MEMORY).and_then(|text| Memory::parse(&text));
        readings.memory = sift(Source::Memory, memory, &mut faults);
    }
    (readings, faults)
}

/// Writes to the control files in a folder, up to the first that cannot be written.
///
/// # Errors
/// A file could not be written.
pub fn write(folder: &Path, writes: &[(Control, u64)]) -> Result<(), Fault> {
    for (control, value) in writes {
        let file = OpenOptions::new().write(true).open(folder.join(control.file_name()));
        let written = file.and_then(|mut file| file.write_all(value.to_string().as_bytes()));
        written.map_err(|error| Fault::new(Source::Ksm, Problem::from(error)))?;
    }
    Ok(())
}

fn number(folder: &Path, control: Control) -> Result<u64, Problem> {
    let text = fault::read(&folder.join(control.file_name()), LONGEST)?;
    let text = String::from_utf8_lossy(&text);
    let said = format!("{} is no number", control.file_name());
    text.trim().parse().map_err(|_| Problem::malformed(&said, text.trim()))
}

fn sift<T>(source: Source, read: Result<T, Problem>, faults: &mut Vec<Fault>) -> Option<T> {
    read.map_err(|problem| faults.push(Fault::new(source, problem))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    fn host(files: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    fn read_all(folder: &TempDir) -> (Readings, Vec<String>) {
        let (readings, faults) = read(folder.path(), &folder.path().join("meminfo"));
        (readings, faults.iter().map(ToString::to_string).collect())
    }

    const MEMINFO: (&str, &str) = ("meminfo", "MemTotal: 8 kB\nMemAvailable: 4 kB\n");

    #[test]
    fn what_the_kernel_says_is_read() {
        for (run, running) in [("0\n", false), ("1\n", true), ("2\n", false)] {
            let folder = host(&[("run", run), ("pages_to_scan", "100\n"), MEMINFO]);
            let memory = Some(Memory { total: 8, available: 4 });
            let expected = Readings { running: Some(running), pages: Some(100), memory };
            assert_eq!(read_all(&folder), (expected, vec![]));
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_once() {
        let none = Readings { running: None, pages: None, memory: None };
        type Case = (&'static [(&'static str, &'static str)], Option<bool>, &'static [&'static str]);
        let table: [Case; 3] = [
            (&[MEMINFO], None, &["ksm: is not there"]),
            (&[("run", "on"), MEMINFO], None, &["ksm: run is no number: \"on\""]),
            (
                &[("run", "1"), ("meminfo", "")],
                Some(true),
                &["ksm: is not there", "meminfo: has no number for MemTotal"],
            ),
        ];
        for (files, running, expected) in table {
            let (readings, faults) = read_all(&host(files));
            assert_eq!(
                (readings, faults),
                (Readings { running, ..none.clone() }, expected.iter().map(|f| (*f).to_owned()).collect())
            );
        }
    }

    #[test]
    fn the_first_folder_that_can_be_read_counts() {
        let (none, one, two) = (host(&[]), host(&[("run", "0")]), host(&[("run", "1")]));
        let table: [(&[&TempDir], Option<&TempDir>); 4] =
            [(&[&none, &one, &two], Some(&one)), (&[&two, &one], Some(&two)), (&[&none], Some(&none)), (&[], None)];
        for (folders, expected) in table {
            let folders: Vec<PathBuf> = folders.iter().map(|folder| folder.path().to_owned()).collect();
            assert_eq!(readable(&folders), expected.map(TempDir::path));
        }
    }

    #[test]
    fn writes_go_to_files_that_exist() {
        let folder = host(&[("run", "0"), ("sleep_millisecs", "20")]);
        write(folder.path(), &[(Control::SleepMillisecs, 100), (Control::Run, 1)]).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("run")).unwrap(), "1");
        let fault = write(folder.path(), &[(Control::PagesToScan, 1), (Control::Run, 0)]).expect_err("is not there");
        assert!(fault.is_missing());
        assert_eq!(fs::read_to_string(folder.path().join("run")).unwrap(), "1", "nothing after the first failure");
    }
}
