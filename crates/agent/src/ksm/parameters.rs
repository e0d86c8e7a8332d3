//! How fast merging grows and shrinks; each number can be overridden by an annotation of the Node.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::fault::{Fault, Problem, Source, quoted};
use crate::keys::KSM_OVERRIDE as PREFIX;

/// How fast merging grows and shrinks.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// Pages more at each step under pressure.
    pub boost: u64,
    /// Pages less at each step without.
    pub decay: u64,
    /// Below this merging stops.
    pub pages_min: u64,
    /// Never more than this.
    pub pages_max: u64,
    /// Where merging starts.
    pub pages_init: u64,
    /// The pause in milliseconds at 16 GiB of used memory.
    pub pause_baseline: u64,
    /// Pressure is when no more than this share of the memory is available.
    pub free_share: f32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self::from_annotations(&BTreeMap::new()).0
    }
}

impl Parameters {
    /// The numbers of virt-handler, with the overrides of a Node, each of which counts if it is within its bounds.
    #[must_use]
    pub fn from_annotations(annotations: &BTreeMap<String, String>) -> (Self, Vec<Fault>) {
        let mut read = Overrides { annotations, faults: Vec::new() };
        let any = i64::MAX;
        let pages_min = read.number("pages-min", 64, 0, any);
        let pages_max = read.number("pages-max", 1250, pages_min, any);
        let parameters = Self {
            boost: read.number("pages-boost", 300, 0, any).unsigned_abs(),
            decay: read.number("pages-decay", -50, i64::MIN, 0).unsigned_abs(),
            pages_min: pages_min.unsigned_abs(),
            pages_max: pages_max.unsigned_abs(),
            pages_init: read.number("pages-init", 100, pages_min, pages_max).unsigned_abs(),
            pause_baseline: read.number("sleep-ms-baseline", 100, 1, any).unsigned_abs(),
            free_share: read.number("free-percent", 0.2, 0.0, 1.0),
        };
        (parameters, read.faults)
    }
}

struct Overrides<'a> {
    annotations: &'a BTreeMap<String, String>,
    faults: Vec<Fault>,
}

impl Overrides<'_> {
    /// The override, if it is a number within the bounds; else the default, if that is strictly within them; else the
    /// lower bound.
    fn number<T: FromStr + PartialOrd + Copy>(&mut self, name: &str, default: T, low: T, high: T) -> T {
        let key = format!("{PREFIX}{name}-override");
        let overriding = self.annotations.get(&key).map(|text| (text, text.parse::<T>().ok()));
        let within = |number: &T| low <= *number && *number <= high;
        let chosen = overriding.and_then(|(_, number)| number.filter(within));
        if let (Some((text, _)), None) = (overriding, chosen) {
            let said = format!("annotation {key}: {} is no number within its bounds", quoted(text));
            self.faults.push(Fault::new(Source::Node, Problem::Malformed(said)));
        }
        chosen.unwrap_or(if low < default && default < high { default } else { low })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(overrides: &[(&str, &str)]) -> (Parameters, usize) {
        let key = |name: &str| format!("kubevirt.io/ksm-{name}-override");
        let annotations = overrides.iter().map(|(name, value)| (key(name), (*value).to_owned())).collect();
        let (parameters, faults) = Parameters::from_annotations(&annotations);
        (parameters, faults.len())
    }

    #[test]
    fn the_defaults_are_virt_handlers() {
        let expected = Parameters {
            boost: 300,
            decay: 50,
            pages_min: 64,
            pages_max: 1250,
            pages_init: 100,
            pause_baseline: 100,
            free_share: 0.2,
        };
        assert_eq!(Parameters::default(), expected);
        assert_eq!(read(&[("pages-boosted", "1")]), (expected, 0));
    }

    #[test]
    fn overrides_count_within_their_bounds() {
        let (parameters, faults) = read(&[
            ("pages-boost", "5"),
            ("pages-decay", "-7"),
            ("pages-min", "10"),
            ("pages-max", "20"),
            ("pages-init", "15"),
            ("sleep-ms-baseline", "30"),
            ("free-percent", "1.0"),
        ]);
        let expected = Parameters {
            boost: 5,
            decay: 7,
            pages_min: 10,
            pages_max: 20,
            pages_init: 15,
            pause_baseline: 30,
            free_share: 1.0,
        };
        assert_eq!((parameters, faults), (expected, 0));
    }

    #[test]
    fn beyond_the_bounds_are_the_default_or_the_lower_bound() {
        type Case = (&'static [(&'static str, &'static str)], fn(&Parameters) -> u64, u64, usize);
        let table: [Case; 9] = [
            (&[("pages-decay", "45")], |p| p.decay, 50, 1),
            (&[("pages-init", "1011"), ("pages-max", "1000")], |p| p.pages_init, 100, 1),
            (&[("pages-init", "1011"), ("pages-max", "100")], |p| p.pages_init, 64, 1),
            (&[("pages-boost", "-1")], |p| p.boost, 300, 1),
            (&[("pages-max", "63")], |p| p.pages_max, 1250, 1),
            // Where the default itself is beyond the bounds of another override.
            (&[("pages-min", "2000")], |p| p.pages_max, 2000, 0),
            (&[("pages-min", "2000")], |p| p.pages_init, 2000, 0),
            (&[("sleep-ms-baseline", "0")], |p| p.pause_baseline, 100, 1),
            (&[("pages-boost", "9223372036854775808")], |p| p.boost, 300, 1),
        ];
        for (overrides, field, expected, faults) in table {
            let (parameters, found) = read(overrides);
            assert_eq!((field(&parameters), found), (expected, faults), "{overrides:?}");
        }
    }

    #[test]
    fn what_is_no_number_is_named_and_the_default_holds() {
        for text in ["", "x", "1e3", "0x10", " 5", "١"] {
            assert_eq!(read(&[("pages-boost", text)]), (Parameters::default(), 1), "{text}");
        }
        for text in ["NaN", "inf", "-0.1", "1.1", "20%"] {
            assert_eq!(read(&[("free-percent", text)]), (Parameters::default(), 1), "{text}");
        }
    }
}
