//! `virsh hypervisor-cpu-baseline --features`: the features that guests may ask for on this host.

use std::collections::BTreeSet;

use super::root;
use crate::architecture::Architecture;
use crate::fault::Problem;

/// Reads the document on a host of this architecture.
///
/// # Errors
/// Another document, or one of which no feature counts on this architecture.
pub fn parse(text: &[u8], architecture: Architecture) -> Result<BTreeSet<String>, Problem> {
    let root = root(text, "cpu")?;
    let features = root.all(&["feature"]);
    let counting = features.iter().filter(|feature| architecture.accepts_policy(feature.attribute("policy")));
    let names: BTreeSet<String> = counting.filter_map(|feature| feature.attribute("name")).map(str::to_owned).collect();
    if names.is_empty() && !features.is_empty() {
        let found = format!("{} features, none of them as {} has them", features.len(), architecture.kernel_name());
        return Err(Problem::Malformed(found));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "<cpu><feature policy='require' name='a'/><feature name='b'/><feature policy='' name='c'/>
                        <feature policy='disable' name='d'/><feature policy='require'/></cpu>";

    #[test]
    fn features_count_by_their_policy() {
        let table: [(Architecture, &[&str]); 2] =
            [(Architecture::Amd64, &["a"]), (Architecture::S390x, &["a", "b", "c"])];
        for (architecture, expected) in table {
            let found = parse(BOTH.as_bytes(), architecture).unwrap();
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_document_without_features_is_none_of_another_architecture() {
        assert_eq!(parse(b"<cpu/>", Architecture::Amd64), Ok(BTreeSet::new()));
    }

    #[test]
    fn a_document_of_s390x_says_nothing_on_amd64() {
        let problem = parse(b"<cpu><feature name='aen'/></cpu>", Architecture::Amd64).expect_err("is of s390x");
        assert_eq!(problem.to_string(), "1 features, none of them as x86_64 has them");
    }
}
