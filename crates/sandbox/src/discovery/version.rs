//! `/version` (`k8s.io/apimachinery/pkg/version/types.go`).

use admission::KubeVersion;
use serde_json::{Value, json};

/// The first minor release that says which release it emulates.
const TELLS_EMULATION: KubeVersion = KubeVersion::minor(33);

/// The document of a release. Its `gitVersion` is a semantic version, as clients expect.
#[must_use]
pub fn version(release: KubeVersion) -> Value {
    let minor = minor(release);
    let mut document = json!({
        "major": "1",
        "minor": minor,
        "gitVersion": format!("v{release}.0"),
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "rustc",
        "platform": platform(),
    });
    if release >= TELLS_EMULATION {
        document["emulationMajor"] = json!("1");
        document["emulationMinor"] = json!(minor);
        document["minCompatibilityMajor"] = json!("1");
        document["minCompatibilityMinor"] = json!(self::minor(release.previous()));
    }
    document
}

fn minor(release: KubeVersion) -> String {
    release.to_string().trim_start_matches("1.").to_owned()
}

/// The platform in the words of the server.
fn platform() -> String {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{}/{architecture}", std::env::consts::OS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_tells_its_own_number() {
        for (release, git, emulation, compatibility) in [
            (28, "v1.28.0", Value::Null, Value::Null),
            (32, "v1.32.0", Value::Null, Value::Null),
            (33, "v1.33.0", json!("33"), json!("32")),
            (36, "v1.36.0", json!("36"), json!("35")),
        ] {
            let document = version(KubeVersion::minor(release));
            assert_eq!(document["minor"], json!(release.to_string()));
            assert_eq!(document["gitVersion"], json!(git));
            assert_eq!(document["emulationMinor"], emulation);
            assert_eq!(document["minCompatibilityMinor"], compatibility);
        }
    }
}
