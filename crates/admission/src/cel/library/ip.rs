//! `ip()`, `cidr()` and their functions.

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::cost::{self, Outcome};
use super::ip_syntax::{parse_address, parse_prefix, width};
use super::quoting::quote;
use super::text_argument;
use crate::cel::environment::KubeVersion;
use crate::cel::error::EvalError;
use crate::cel::overload::{Implementation, Overload};
use crate::cel::types::Type;
use crate::cel::value::{Opaque, Value, same_kind};

/// The release whose expressions know addresses first.
const SINCE: KubeVersion = KubeVersion::minor(30);

/// An IP address, never with a zone and never an IPv4 address in IPv6 form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address(IpAddr);

/// An address and the length of its network prefix. Bits behind the prefix count for equality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Opaque for Address {
    fn type_name(&self) -> &'static str {
        "net.IP"
    }

    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError> {
        same_kind(other).map(|other| self == other)
    }

    fn cost_size(&self) -> Option<u64> {
        Some(u64::from(width(self.0) / 8))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Opaque for Prefix {
    fn type_name(&self) -> &'static str {
        "net.CIDR"
    }

    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError> {
        same_kind(other).map(|other| self == other)
    }

    fn cost_size(&self) -> Option<u64> {
        Some(u64::from(self.length.div_ceil(8)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Address {
    fn parse(text: &str) -> Result<Self, EvalError> {
        let parsed = parse_address(text.as_bytes()).map_err(|error| {
            EvalError::new(format!("IP Address {} parse error during conversion from string: {error}", quote(text)))
        })?;
        if parsed.has_zone {
            return Err(EvalError::new(format!("IP address {} with zone value is not allowed", quote(text))));
        }
        refuse_mapped(parsed.address, text)?;
        Ok(Self(parsed.address))
    }

    fn is_unspecified(self) -> bool {
        self.0.is_unspecified()
    }

    fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }

    fn is_link_local_multicast(self) -> bool {
        match self.0 {
            IpAddr::V4(address) => matches!(address.octets(), [224, 0, 0, _]),
            IpAddr::V6(address) => first_group(address) & 0xff0f == 0xff02,
        }
    }

    fn is_link_local_unicast(self) -> bool {
        match self.0 {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => first_group(address) & 0xffc0 == 0xfe80,
        }
    }

    fn is_global_unicast(self) -> bool {
        let broadcast = self.0 == IpAddr::V4(Ipv4Addr::BROADCAST);
        let elsewhere = self.is_unspecified() || self.is_loopback() || self.is_link_local_unicast();
        !(broadcast || elsewhere || self.0.is_multicast())
    }
}

fn first_group(address: Ipv6Addr) -> u16 {
    let [first, ..] = address.segments();
    first
}

fn refuse_mapped(address: IpAddr, text: &str) -> Result<(), EvalError> {
    match address {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
            Err(EvalError::new(format!("IPv4-mapped IPv6 address {} is not allowed", quote(text))))
        }
        _ => Ok(()),
    }
}

impl Prefix {
    fn parse(text: &str) -> Result<Self, EvalError> {
        let cause = "network address parse error during conversion from string";
        let (address, length) =
            parse_prefix(text).map_err(|error| EvalError::new(format!("{cause}: {cause}: {error}")))?;
        refuse_mapped(address, text).map_err(|error| EvalError::new(format!("{cause}: {error}")))?;
        Ok(Self { address, length })
    }

    fn masked(self) -> Self {
        Self { address: mask(self.address, self.length), ..self }
    }

    fn contains_address(self, other: IpAddr) -> bool {
        width(self.address) == width(other) && mask(self.address, self.length) == mask(other, self.length)
    }

    fn contains_prefix(self, other: Self) -> bool {
        self.length <= other.length && self.contains_address(other.address)
    }

    fn to_text(self) -> String {
        format!("{}/{}", self.address, self.length)
    }
}

fn mask(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let bits = u32::MAX.checked_shl(u32::from(32_u8.saturating_sub(length))).unwrap_or(0);
            IpAddr::from(Ipv4Addr::from(u32::from(address) & bits))
        }
        IpAddr::V6(address) => {
            let bits = u128::MAX.checked_shl(u32::from(128_u8.saturating_sub(length))).unwrap_or(0);
            IpAddr::from(Ipv6Addr::from(u128::from(address) & bits))
        }
    }
}

/// The overloads of both libraries.
pub(super) fn overloads() -> Vec<Overload> {
    let addresses = address_parsers().into_iter().chain(predicates());
    let all = addresses.chain(prefix_parsers()).chain(containment());
    all.map(|overload| overload.since(SINCE)).collect()
}

fn address() -> Type {
    Type::opaque("net.IP")
}

fn prefix() -> Type {
    Type::opaque("net.CIDR")
}

fn address_parsers() -> [Overload; 5] {
    [
        Overload::global("ip", "string_to_ip", vec![Type::String], address(), parse_ip).cost(cost::first_argument),
        Overload::global("isIP", "is_ip", vec![Type::String], Type::Bool, is_ip).cost(cost::first_argument),
        Overload::global("ip.isCanonical", "ip_is_canonical", vec![Type::String], Type::Bool, is_canonical)
            .cost(cost::first_argument_twice),
        Overload::global("string", "ip_to_string", vec![address()], Type::String, ip_to_string),
        Overload::member("family", "ip_family", vec![address()], Type::Int, family),
    ]
}

fn predicates() -> [Overload; 5] {
    let predicate = |name, id, test: Implementation| Overload::member(name, id, vec![address()], Type::Bool, test);
    [
        predicate("isUnspecified", "ip_is_unspecified", |arguments| test(arguments, Address::is_unspecified)),
        predicate("isLoopback", "ip_is_loopback", |arguments| test(arguments, Address::is_loopback)),
        predicate("isLinkLocalMulticast", "ip_is_link_local_multicast", |arguments| {
            test(arguments, Address::is_link_local_multicast)
        }),
        predicate("isLinkLocalUnicast", "ip_is_link_local_unicast", |arguments| {
            test(arguments, Address::is_link_local_unicast)
        }),
        predicate("isGlobalUnicast", "ip_is_global_unicast", |arguments| test(arguments, Address::is_global_unicast)),
    ]
}

fn prefix_parsers() -> [Overload; 6] {
    [
        Overload::global("cidr", "string_to_cidr", vec![Type::String], prefix(), parse_cidr).cost(cost::first_argument),
        Overload::global("isCIDR", "is_cidr", vec![Type::String], Type::Bool, is_cidr).cost(cost::first_argument),
        Overload::global("string", "cidr_to_string", vec![prefix()], Type::String, cidr_to_string),
        Overload::member("ip", "cidr_ip", vec![prefix()], address(), cidr_ip),
        Overload::member("masked", "cidr_masked", vec![prefix()], prefix(), masked),
        Overload::member("prefixLength", "cidr_prefix_length", vec![prefix()], Type::Int, prefix_length),
    ]
}

fn containment() -> [Overload; 4] {
    [
        Overload::member(
            "containsIP",
            "cidr_contains_ip_string",
            vec![prefix(), Type::String],
            Type::Bool,
            contains_ip_text,
        )
        .cost(contains_ip_text_cost),
        Overload::member("containsIP", "cidr_contains_ip_ip", vec![prefix(), address()], Type::Bool, contains_ip)
            .cost(contains_ip_cost),
        Overload::member(
            "containsCIDR",
            "cidr_contains_cidr_string",
            vec![prefix(), Type::String],
            Type::Bool,
            contains_cidr_text,
        )
        .cost(contains_cidr_text_cost),
        Overload::member("containsCIDR", "cidr_contains_cidr", vec![prefix(), prefix()], Type::Bool, contains_cidr)
            .cost(contains_cidr_cost),
    ]
}

fn contains_ip_cost<'a>(arguments: &[Value<'a>], _: &Outcome<'a>) -> u64 {
    cost::traversal(cost::size_of(arguments, 0).saturating_mul(2))
}

fn contains_ip_text_cost<'a>(arguments: &[Value<'a>], outcome: &Outcome<'a>) -> u64 {
    contains_ip_cost(arguments, outcome).saturating_add(cost::traversal(cost::size_of(arguments, 1)))
}

fn contains_cidr_cost<'a>(arguments: &[Value<'a>], outcome: &Outcome<'a>) -> u64 {
    let masking = cost::traversal(cost::size_of(arguments, 0)).saturating_add(1);
    contains_ip_cost(arguments, outcome).saturating_add(masking)
}

fn contains_cidr_text_cost<'a>(arguments: &[Value<'a>], outcome: &Outcome<'a>) -> u64 {
    contains_cidr_cost(arguments, outcome).saturating_add(cost::traversal(cost::size_of(arguments, 1)))
}

fn operand<T: Copy + 'static>(arguments: &[Value<'_>], index: usize) -> Result<T, EvalError> {
    arguments.get(index).ok_or_else(EvalError::no_such_overload)?.downcast().copied()
}

fn test<'a>(arguments: &[Value<'a>], test: fn(Address) -> bool) -> Result<Value<'a>, EvalError> {
    operand(arguments, 0).map(|address| Value::Bool(test(address)))
}

fn parse_ip<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Address::parse(text_argument(arguments, 0)?).map(Value::opaque)
}

fn is_ip<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Ok(Value::Bool(Address::parse(text_argument(arguments, 0)?).is_ok()))
}

fn is_canonical<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let text = text_argument(arguments, 0)?;
    Address::parse(text).map(|Address(address)| Value::Bool(address.to_string() == text))
}

fn ip_to_string<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    operand(arguments, 0).map(|Address(address)| Value::text(address.to_string()))
}

fn family<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    operand(arguments, 0).map(|Address(address)| Value::Int(if address.is_ipv4() { 4 } else { 6 }))
}

fn parse_cidr<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Prefix::parse(text_argument(arguments, 0)?).map(Value::opaque)
}

fn is_cidr<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Ok(Value::Bool(Prefix::parse(text_argument(arguments, 0)?).is_ok()))
}

fn cidr_to_string<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    operand(arguments, 0).map(|prefix: Prefix| Value::text(prefix.to_text()))
}

fn cidr_ip<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    operand(arguments, 0).map(|prefix: Prefix| Value::opaque(Address(prefix.address)))
}

fn masked<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    operand(arguments, 0).map(|prefix: Prefix| Value::opaque(prefix.masked()))
}

fn prefix_length<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    operand(arguments, 0).map(|prefix: Prefix| Value::Int(i64::from(prefix.length)))
}

fn contains_ip<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let (prefix, Address(address)): (Prefix, _) = (operand(arguments, 0)?, operand(arguments, 1)?);
    Ok(Value::Bool(prefix.contains_address(address)))
}

/// The server loses the reason why the text is no address.
fn contains_ip_text<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let prefix: Prefix = operand(arguments, 0)?;
    let address = Address::parse(text_argument(arguments, 1)?).map_err(|_| EvalError::no_such_overload())?;
    Ok(Value::Bool(prefix.contains_address(address.0)))
}

fn contains_cidr<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let (prefix, other): (Prefix, Prefix) = (operand(arguments, 0)?, operand(arguments, 1)?);
    Ok(Value::Bool(prefix.contains_prefix(other)))
}

fn contains_cidr_text<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let prefix: Prefix = operand(arguments, 0)?;
    Ok(Value::Bool(prefix.contains_prefix(Prefix::parse(text_argument(arguments, 1)?)?)))
}
