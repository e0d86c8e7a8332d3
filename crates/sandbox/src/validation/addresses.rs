//! IP addresses and networks (`k8s.io/apimachinery/pkg/util/validation/ip.go`, with `StrictIPCIDRValidation`).

use admission::FieldError;
use std::net::IpAddr;

use super::place::Place;

const IP_RULE: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const CIDR_RULE: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// An address in which numbers may have leading zeros (`netutils.ParseIPSloppy`).
pub(crate) fn lenient(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse().ok();
    }
    let part = |part: &str| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .then(|| part.trim_start_matches('0'))
            .and_then(|part| if part.is_empty() { Some(0) } else { part.parse().ok() })
    };
    let parts: Option<Vec<u8>> = text.split('.').map(part).collect();
    let four: [u8; 4] = parts?.try_into().ok()?;
    Some(IpAddr::from(four))
}

/// A network in which numbers may have leading zeros (`netutils.ParseCIDRSloppy`).
fn lenient_network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, length) = text.split_once('/')?;
    let address = lenient(address)?;
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let length: u32 = digits.then(|| length.parse().ok())??;
    (length <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, length))
}

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(six) if six.to_ipv4_mapped().is_some())
}

/// What is wrong with an address.
pub(crate) fn address(place: &Place<'_>) -> Option<FieldError> {
    let text = place.text();
    let problem = match (lenient(text), text.parse::<IpAddr>()) {
        (None, _) => IP_RULE,
        (Some(_), Err(_)) => "must not have leading 0s",
        (Some(_), Ok(address)) if is_mapped(address) => "must not be an IPv4-mapped IPv6 address",
        _ => return None,
    };
    Some(place.invalid_text(problem))
}

/// What is wrong with a network.
pub(crate) fn network(place: &Place<'_>) -> Option<FieldError> {
    let text = place.text();
    let Some((address, length)) = lenient_network(text) else {
        return Some(place.invalid_text(CIDR_RULE));
    };
    let problem = if !is_strict(text) {
        "must not have leading 0s in IP or prefix length"
    } else if is_mapped(address) {
        "must not have an IPv4-mapped IPv6 address"
    } else if !ends_in_zeros(address, length) {
        "must not have bits set beyond the prefix length"
    } else {
        return None;
    };
    Some(place.invalid_text(problem))
}

fn is_strict(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, length)| {
        address.parse::<IpAddr>().is_ok() && (length == "0" || !length.starts_with('0'))
    })
}

fn ends_in_zeros(address: IpAddr, length: u32) -> bool {
    match address {
        IpAddr::V4(four) => u32::from(four).checked_shl(length).unwrap_or(0) == 0,
        IpAddr::V6(six) => u128::from(six).checked_shl(length).unwrap_or(0) == 0,
    }
}

/// Whether there are networks of both families; the first text that is no network is the error.
pub(crate) fn dual_stack(texts: &[&str]) -> Result<bool, String> {
    let mut families = (false, false);
    for (index, text) in texts.iter().enumerate() {
        let (address, _) = lenient_network(text)
            .ok_or_else(|| format!("invalid CIDR[{index}]: <nil> (invalid CIDR address: {text})"))?;
        let four = address.is_ipv4() || is_mapped(address);
        families = (families.0 || four, families.1 || !four);
    }
    Ok(families == (true, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn networks() {
        let cases = [
            ("10.0.0.0/24", None),
            ("fd00::/64", None),
            ("0.0.0.0/0", None),
            ("1.2.3.4/32", None),
            ("x", Some(CIDR_RULE)),
            ("10.0.0.0", Some(CIDR_RULE)),
            ("10.0.0.0/33", Some(CIDR_RULE)),
            ("10.0.0.1/24", Some("must not have bits set beyond the prefix length")),
            ("010.0.0.0/8", Some("must not have leading 0s in IP or prefix length")),
            ("10.0.0.0/08", Some("must not have leading 0s in IP or prefix length")),
            ("::ffff:1.2.3.0/120", Some("must not have an IPv4-mapped IPv6 address")),
        ];
        for (text, expected) in cases {
            let value = json!(text);
            let error = network(&Place::root(&value));
            assert_eq!(error.as_ref().map(FieldError::detail), expected, "{text}");
        }
    }

    #[test]
    fn addresses() {
        let cases = [
            ("1.2.3.4", None),
            ("::1", None),
            ("1.2.3.256", Some(IP_RULE)),
            ("01.2.3.4", Some("must not have leading 0s")),
            ("::ffff:1.2.3.4", Some("must not be an IPv4-mapped IPv6 address")),
        ];
        for (text, expected) in cases {
            let value = json!(text);
            let error = address(&Place::root(&value));
            assert_eq!(error.as_ref().map(FieldError::detail), expected, "{text}");
        }
    }
}
