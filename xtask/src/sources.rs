//! Rules on source files.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Names that say nothing about what a module holds.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "manager"];

/// Longest source file without its tests, in lines.
const LONGEST: usize = 600;

/// What a library may not do: end the process, or look at its surroundings.
const SURROUNDINGS: [&str; 4] = ["std::process::exit", "std::env::var", "env::var_os", "std::env::args"];

pub(crate) fn findings(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for folder in ["crates", "bins", "tests", "xtask"] {
        for file in rust_files(&root.join(folder))? {
            let text = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
            let path = file.strip_prefix(root).unwrap_or(&file);
            findings.extend(of_file(path, &text).into_iter().map(|finding| format!("{}: {finding}", path.display())));
        }
    }
    Ok(findings)
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn of_file(path: &Path, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if EMPTY_NAMES.contains(&stem) {
        findings.push("name the module for what it holds".to_owned());
    }
    let is_test = path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "benches")));
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    if !is_test && code.lines().count() > LONGEST {
        findings.push(format!("{} lines before its tests: is it one thing?", code.lines().count()));
    }
    let library = path.starts_with("crates") && !is_test;
    findings.extend(
        SURROUNDINGS
            .iter()
            .filter(|call| library && code.contains(*call))
            .map(|call| format!("a library may not use {call}")),
    );
    findings
}
