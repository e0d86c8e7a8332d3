//! Texts of IP addresses and prefixes, read as Go's `net/netip` reads them, with its messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use super::quoting::quote_octets;

/// Why a text is no IP address.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("ParseAddr({}): {reason}{}", quote_octets(.input), position(.rest))]
pub(super) struct AddressError {
    input: Vec<u8>,
    reason: &'static str,
    rest: Vec<u8>,
}

fn position(rest: &[u8]) -> String {
    if rest.is_empty() { String::new() } else { format!(" (at {})", quote_octets(rest)) }
}

/// An address with the zone that its text names, empty for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ZonedAddress {
    /// The address.
    pub(super) address: IpAddr,
    /// Whether a zone follows it.
    pub(super) has_zone: bool,
}

/// Why a text is no prefix.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("netip.ParsePrefix({}): {reason}", quote_octets(.input.as_bytes()))]
pub(super) struct PrefixError {
    input: String,
    reason: String,
}

/// What parts of a text hold: octets and a reason with the rest that it refers to.
type Partial<'t, T> = Result<T, (&'static str, &'t [u8])>;

/// Reads an address, with or without a zone.
pub(super) fn parse_address(input: &[u8]) -> Result<ZonedAddress, AddressError> {
    let kind = input.iter().find(|octet| matches!(octet, b'.' | b':' | b'%'));
    let parsed = match kind {
        Some(b'.') => parse_v4(input).map(|octets| (IpAddr::from(Ipv4Addr::from(octets)), false)),
        Some(b':') => parse_v6(input).map(|(address, has_zone)| (IpAddr::from(address), has_zone)),
        Some(_) => Err(("missing IPv6 address", &[][..])),
        None => Err(("unable to parse IP", &[][..])),
    };
    let (address, has_zone) =
        parsed.map_err(|(reason, rest)| AddressError { input: input.to_vec(), reason, rest: rest.to_vec() })?;
    Ok(ZonedAddress { address, has_zone })
}

/// Reads an address and the length of a prefix of it.
pub(super) fn parse_prefix(input: &str) -> Result<(IpAddr, u8), PrefixError> {
    let fail = |reason: String| PrefixError { input: String::from(input), reason };
    let (address, length) = input.rsplit_once('/').ok_or_else(|| fail(String::from("no '/'")))?;
    let parsed = parse_address(address.as_bytes()).map_err(|error| fail(error.to_string()))?;
    if parsed.has_zone {
        return Err(fail(String::from("IPv6 zones cannot be present in a prefix")));
    }
    let bad = || fail(format!("bad bits after slash: {}", quote_octets(length.as_bytes())));
    let plain = length.bytes().all(|octet| octet.is_ascii_digit()) && (length.len() == 1 || !length.starts_with('0'));
    let bits: i64 = if plain { length.parse().map_err(|_| bad())? } else { return Err(bad()) };
    let bits = u8::try_from(bits).ok().filter(|bits| *bits <= width(parsed.address));
    Ok((parsed.address, bits.ok_or_else(|| fail(String::from("prefix length out of range")))?))
}

/// The bits of an address of this family.
pub(super) fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn parse_v4(text: &[u8]) -> Partial<'_, [u8; 4]> {
    let mut octets = [0; 4];
    let mut fields = octets.iter_mut();
    let mut field = fields.next();
    let mut digits = Digits::default();
    for (index, octet) in text.iter().enumerate() {
        match octet {
            b'0'..=b'9' => digits.push(octet - b'0')?,
            b'.' => {
                let (_, rest) = text.split_at(index);
                if digits.count == 0 || rest.len() == 1 {
                    return Err(("IPv4 field must have at least one digit", rest));
                }
                let next = fields.next().ok_or(("IPv4 address too long", &[][..]))?;
                field.replace(next).into_iter().for_each(|field| *field = digits.value);
                digits = Digits::default();
            }
            _ => return Err(("unexpected character", text.split_at(index).1)),
        }
    }
    field.into_iter().for_each(|field| *field = digits.value);
    if fields.next().is_some() { Err(("IPv4 address too short", &[])) } else { Ok(octets) }
}

#[derive(Default)]
struct Digits {
    count: usize,
    value: u8,
}

impl Digits {
    fn push(&mut self, digit: u8) -> Partial<'static, ()> {
        if self.count == 1 && self.value == 0 {
            return Err(("IPv4 field has octet with leading zero", &[]));
        }
        self.count += 1;
        let value = self.value.checked_mul(10).and_then(|value| value.checked_add(digit));
        self.value = value.ok_or(("IPv4 field has value >255", &[][..]))?;
        Ok(())
    }
}

/// The groups read so far, and where the `::` stands among them.
#[derive(Default)]
struct Groups {
    octets: Vec<u8>,
    gap: Option<usize>,
}

fn parse_v6(input: &[u8]) -> Partial<'_, (Ipv6Addr, bool)> {
    let zone = input.iter().position(|octet| *octet == b'%');
    let (text, zone) = zone.map_or((input, None), |index| (input.split_at(index).0, Some(index + 1 == input.len())));
    if zone == Some(true) {
        return Err(("zone must be a non-empty string", &[]));
    }
    let mut groups = Groups::default();
    let text = match text.strip_prefix(b"::") {
        Some(rest) => {
            groups.gap = Some(0);
            rest
        }
        None => text,
    };
    let rest = if groups.gap.is_some() && text.is_empty() { text } else { groups.read(text)? };
    if !rest.is_empty() {
        return Err(("trailing garbage after address", rest));
    }
    Ok((groups.expanded()?, zone.is_some()))
}

impl Groups {
    /// Reads groups until the address is full or the text ends; gives what is left.
    fn read<'t>(&mut self, mut text: &'t [u8]) -> Partial<'t, &'t [u8]> {
        while self.octets.len() < 16 {
            let (group, after) = hexadecimal(text)?;
            if after.first() == Some(&b'.') {
                self.read_v4(text)?;
                return Ok(&[]);
            }
            self.octets.extend(group.to_be_bytes());
            let Some((colon, following)) = after.split_first() else { return Ok(after) };
            text = self.after_colon(*colon, following, after)?;
            if text.is_empty() {
                break;
            }
        }
        Ok(text)
    }

    fn after_colon<'t>(&mut self, colon: u8, following: &'t [u8], after: &'t [u8]) -> Partial<'t, &'t [u8]> {
        if colon != b':' {
            return Err(("unexpected character, want colon", after));
        }
        match following.split_first() {
            None => Err(("colon must be followed by more characters", after)),
            Some((b':', _)) if self.gap.is_some() => Err(("multiple :: in address", following)),
            Some((b':', rest)) => {
                self.gap = Some(self.octets.len());
                Ok(rest)
            }
            Some(_) => Ok(following),
        }
    }

    fn read_v4<'t>(&mut self, text: &'t [u8]) -> Partial<'t, ()> {
        if self.gap.is_none() && self.octets.len() != 12 {
            return Err(("embedded IPv4 address must replace the final 2 fields of the address", text));
        }
        if self.octets.len() > 12 {
            return Err(("too many hex fields to fit an embedded IPv4 at the end of the address", text));
        }
        self.octets.extend(parse_v4(text)?);
        Ok(())
    }

    fn expanded(mut self) -> Partial<'static, Ipv6Addr> {
        let missing = 16_usize.saturating_sub(self.octets.len());
        match self.gap {
            None if missing > 0 => return Err(("address string too short", &[])),
            Some(_) if missing == 0 => return Err(("the :: must expand to at least one field of zeros", &[])),
            Some(gap) => drop(self.octets.splice(gap..gap, std::iter::repeat_n(0, missing))),
            None => {}
        }
        let octets = <[u8; 16]>::try_from(self.octets).map_err(|_| ("trailing garbage after address", &[][..]))?;
        Ok(Ipv6Addr::from(octets))
    }
}

fn hexadecimal(text: &[u8]) -> Partial<'_, (u16, &[u8])> {
    let end = text.iter().position(|octet| !octet.is_ascii_hexdigit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    match digits.len() {
        0 => Err(("each colon-separated field must have at least one digit", text)),
        1..=4 => {
            let value = digits.iter().fold(0_u16, |value, digit| (value << 4) | u16::from(nibble(*digit)));
            Ok((value, rest))
        }
        _ => Err(("each group must have 4 or less digits", text)),
    }
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20).wrapping_sub(b'a' - 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(input: &str) -> String {
        parse_address(input.as_bytes()).expect_err(input).to_string()
    }

    const REFUSED: &[(&str, &str)] = &[
        ("1.2.3", "IPv4 address too short"),
        ("1.2.3.256", "IPv4 field has value >255"),
        ("01.2.3.4", "IPv4 field has octet with leading zero"),
        ("1.2.3.4.5", "IPv4 address too long"),
        ("1..2.3", r#"IPv4 field must have at least one digit (at ".2.3")"#),
        (".1.2.3", r#"IPv4 field must have at least one digit (at ".1.2.3")"#),
        ("1.2.3.", r#"IPv4 field must have at least one digit (at ".")"#),
        ("é.1", r#"unexpected character (at "é.1")"#),
        ("a", "unable to parse IP"),
        ("", "unable to parse IP"),
        ("%eth0", "missing IPv6 address"),
        ("fe80::1%", "zone must be a non-empty string"),
        ("::1::", r#"multiple :: in address (at ":")"#),
        ("12345::", r#"each group must have 4 or less digits (at "12345::")"#),
        ("1:2:3:4:5:6:7:8:9", r#"trailing garbage after address (at "9")"#),
        ("1:2:3:4:5:6:7", "address string too short"),
        ("1:2:3:4:5:6:7:", r#"colon must be followed by more characters (at ":")"#),
        ("1:2:3:4:5:6:7::8", "the :: must expand to at least one field of zeros"),
        ("1:2:3:4:5:6::1.2.3.4", "the :: must expand to at least one field of zeros"),
        ("::x", r#"each colon-separated field must have at least one digit (at "x")"#),
        ("1:1.2.3.4", r#"embedded IPv4 address must replace the final 2 fields of the address (at "1.2.3.4")"#),
        (
            "::1:2:3:4:5:6:7:1.2.3.4",
            r#"too many hex fields to fit an embedded IPv4 at the end of the address (at "1.2.3.4")"#,
        ),
        ("::1.2.3", "IPv4 address too short"),
        ("1::2!", r#"unexpected character, want colon (at "!")"#),
    ];

    #[test]
    fn refusals_name_reason_and_place() {
        for (input, reason) in REFUSED {
            assert_eq!(message(input), format!("ParseAddr({}): {reason}", quote_octets(input.as_bytes())));
        }
    }

    #[test]
    fn addresses_are_read() {
        let cases = [
            ("1.2.3.4", "1.2.3.4"),
            ("0.0.0.0", "0.0.0.0"),
            ("::", "::"),
            ("::1.2.3.4", "::102:304"),
            ("2001:DB8::0", "2001:db8::"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
            ("1::", "1::"),
        ];
        for (input, expected) in cases {
            let parsed = parse_address(input.as_bytes()).unwrap();
            assert_eq!(parsed.address.to_string(), expected, "{input}");
        }
        assert!(parse_address(b"fe80::1%eth0").unwrap().has_zone);
    }

    #[test]
    fn prefixes_are_read_or_refused_with_the_reason() {
        let cases = [
            ("1.2.3.4", "no '/'"),
            ("1.2.3.4/33", "prefix length out of range"),
            ("1.2.3.4/-1", r#"bad bits after slash: "-1""#),
            ("1.2.3.4/08", r#"bad bits after slash: "08""#),
            ("1.2.3.4/", r#"bad bits after slash: """#),
            ("1.2.3.4/é", r#"bad bits after slash: "é""#),
            ("fe80::1%e/64", "IPv6 zones cannot be present in a prefix"),
            ("x/1", r#"ParseAddr("x"): unable to parse IP"#),
            ("1.2.3.4/99999999999999999999", r#"bad bits after slash: "99999999999999999999""#),
        ];
        for (input, reason) in cases {
            let error = parse_prefix(input).expect_err(input);
            assert_eq!(error.to_string(), format!("netip.ParsePrefix({input:?}): {reason}"));
        }
        assert_eq!(parse_prefix("1.2.3.4/0").unwrap().1, 0);
        assert_eq!(parse_prefix("::/128").unwrap().1, 128);
    }
}
