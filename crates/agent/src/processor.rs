//! What `/proc/cpuinfo` says of the processor, for hosts on which libvirt says nothing.

/// The file.
pub const FILE: &str = "/proc/cpuinfo";

/// The vendors of x86 processors: their name in CPUID, and libvirt's (`x86_vendors.xml`).
const VENDORS: [(&str, &str); 3] = [("GenuineIntel", "Intel"), ("AuthenticAMD", "AMD"), ("HygonGenuine", "Hygon")];

/// The vendor of the first processor, by libvirt's name, where both have one.
#[must_use]
pub fn vendor(text: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(text);
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| name.trim() == "vendor_id")?;
    VENDORS.into_iter().find(|(id, _)| *id == value.trim()).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::vendor;

    #[test]
    fn vendors_have_libvirts_names() {
        let table = [
            ("processor\t: 0\nvendor_id\t: AuthenticAMD\nvendor_id\t: GenuineIntel\n", Some("AMD")),
            ("vendor_id : GenuineIntel", Some("Intel")),
            ("vendor_id:HygonGenuine", Some("Hygon")),
            ("vendor_id : IBM/S390", None),
            ("model name : vendor_id : GenuineIntel", None),
            ("vendor_id", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(vendor(text.as_bytes()), expected, "{text}");
        }
    }
}
