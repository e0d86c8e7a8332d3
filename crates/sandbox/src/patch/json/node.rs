//! The document that a JSON patch works on.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

use super::Fault;
use crate::patch::go_text;
use crate::patch::limits::{MAX_DEPTH, is_deeper};
use crate::patch::written::{Written, plain_value};

/// A part of a document. Parts that no operation reached stay as they were.
///
/// There are three nulls, because the API server tells apart where they came from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// A part of the object as it was.
    Kept(Value),
    /// A null within an object or a value, or the absence of a value.
    Nil,
    /// The null that an operation has for its value.
    Null,
    /// The copy of such a null: like an object without fields that nothing can be put into.
    NullObject,
    /// A plain value, in its own text.
    Plain(Box<[u8]>),
    List(Vec<Node>),
    Object(BTreeMap<String, Node>),
}

impl Node {
    /// The value of an operation.
    pub fn given(written: Written) -> Self {
        match written {
            Written::Null => Self::Null,
            other => Self::inner(other),
        }
    }

    /// The copy of a part that was written as this text.
    pub fn copied(text: &[u8]) -> Result<Self, Fault> {
        match Written::parse(text).map_err(|_| Fault::Rejected)? {
            Written::Null => Ok(Self::NullObject),
            other => Ok(Self::inner(other)),
        }
    }

    fn inner(written: Written) -> Self {
        match written {
            Written::Null => Self::Nil,
            Written::Plain(text) => Self::Plain(text),
            Written::List(items) => Self::List(items.into_iter().map(Self::inner).collect()),
            Written::Object(fields) => {
                Self::Object(fields.into_iter().map(|(name, field)| (name, Self::inner(field))).collect())
            }
        }
    }

    /// Takes a kept part one level apart.
    pub fn unfold(&mut self) {
        let Self::Kept(value) = self else { return };
        *self = match std::mem::take(value) {
            Value::Null => Self::Nil,
            Value::Array(items) => Self::List(items.into_iter().map(Self::Kept).collect()),
            Value::Object(fields) => {
                Self::Object(fields.into_iter().map(|(name, field)| (name, Self::Kept(field))).collect())
            }
            plain => {
                let mut text = Vec::new();
                go_text::write_json(&plain, &mut text);
                Self::Plain(text.into())
            }
        };
    }

    pub fn into_value(self) -> Value {
        match self {
            Self::Kept(value) => value,
            Self::Nil | Self::Null | Self::NullObject => Value::Null,
            Self::Plain(text) => plain_value(&text),
            Self::List(items) => items.into_iter().map(Self::into_value).collect(),
            Self::Object(fields) => {
                let fields = fields.into_iter().map(|(name, field)| (name, field.into_value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// The part as the server would write it.
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.write(&mut text);
        text
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Kept(value) => go_text::write_json(value, out),
            Self::Nil | Self::Null | Self::NullObject => out.extend_from_slice(b"null"),
            Self::Plain(text) => go_text::write_raw(text, out),
            Self::List(items) => go_text::write_list(items, out, Self::write),
            Self::Object(fields) => go_text::write_fields(fields, out, Self::write),
        }
    }

    /// Refuses what would be too deep at this level.
    pub fn check_depth(&self, level: usize) -> Result<(), Fault> {
        match MAX_DEPTH.checked_sub(level) {
            Some(left) if !self.is_deeper(left) => Ok(()),
            _ => Err(Fault::Rejected),
        }
    }

    fn is_deeper(&self, limit: usize) -> bool {
        match self {
            Self::Kept(value) => is_deeper(value, limit),
            Self::List(items) => limit == 0 || items.iter().any(|item| item.is_deeper(limit - 1)),
            Self::Object(fields) => limit == 0 || fields.values().any(|field| field.is_deeper(limit - 1)),
            _ => false,
        }
    }

    /// The container that a path leads to, and the key in it. What stands before the first slash does not matter.
    pub fn find(&mut self, path: &str) -> Result<(&mut Self, String), Fault> {
        let mut parts = path.split('/').skip(1);
        let mut key = unescaped(parts.next().ok_or(Fault::Rejected)?);
        let mut container = self;
        for part in parts {
            container = container.get(&key)?.filter(|node| node.is_container()).ok_or(Fault::Rejected)?;
            key = unescaped(part);
        }
        Ok((container, key))
    }

    fn is_container(&self) -> bool {
        matches!(self, Self::List(_) | Self::Object(_) | Self::NullObject)
    }

    /// What is at a key, unfolded; nothing if it is not there or null.
    pub fn get(&mut self, key: &str) -> Result<Option<&mut Self>, Fault> {
        let found = match self {
            Self::Object(fields) => fields.get_mut(key),
            Self::List(items) => {
                let index = existing(key, items.len())?;
                items.get_mut(index)
            }
            _ => None,
        };
        Ok(found.and_then(|node| {
            node.unfold();
            (*node != Self::Nil).then_some(node)
        }))
    }

    /// Puts something at a key; in a list, it takes the place of what is there.
    pub fn set(&mut self, key: String, value: Self) -> Result<(), Fault> {
        match self {
            Self::Object(fields) => {
                fields.insert(key, value);
            }
            Self::List(items) => {
                let index = existing(&key, items.len())?;
                *items.get_mut(index).ok_or(Fault::Rejected)? = value;
            }
            _ => return Err(Fault::Crashed),
        }
        Ok(())
    }

    /// Puts something at a key; in a list, what is there moves on.
    pub fn add(&mut self, key: String, value: Self) -> Result<(), Fault> {
        match self {
            Self::List(items) if key == "-" => items.push(value),
            Self::List(items) => {
                let index = existing(&key, items.len() + 1)?;
                items.insert(index, value);
            }
            object => return object.set(key, value),
        }
        Ok(())
    }

    /// Removes what is at a key.
    pub fn take(&mut self, key: &str) -> Result<Self, Fault> {
        match self {
            Self::Object(fields) => fields.remove(key).ok_or(Fault::Rejected),
            Self::List(items) => {
                let index = existing(key, items.len())?;
                Ok(items.remove(index))
            }
            _ => Err(Fault::Rejected),
        }
    }

    /// Whether it is the same as the value of an operation.
    pub fn is(&mut self, other: &Self) -> Result<bool, Fault> {
        self.unfold();
        match (self, other) {
            (Self::Object(fields), Self::Object(others)) => same_fields(fields, others),
            (Self::List(items), Self::List(others)) if items.len() == others.len() => {
                let mut pairs = items.iter_mut().zip(others);
                pairs.try_fold(true, |same, (item, other)| Ok(same && item.is_in_list(other)?))
            }
            (Self::NullObject, Self::Object(fields)) => Ok(fields.is_empty()),
            (Self::Plain(text), Self::Plain(other)) => Ok(text == other),
            (Self::Null, Self::Null) => Ok(true),
            _ => Ok(false),
        }
    }

    /// Nulls in lists are more than the server can compare.
    fn is_in_list(&mut self, other: &Self) -> Result<bool, Fault> {
        self.unfold();
        if *self == Self::Nil || *other == Self::Nil { Err(Fault::Crashed) } else { self.is(other) }
    }
}

fn same_fields(fields: &mut BTreeMap<String, Node>, others: &BTreeMap<String, Node>) -> Result<bool, Fault> {
    if fields.len() != others.len() {
        return Ok(false);
    }
    for (name, field) in fields {
        field.unfold();
        let same = match (field, others.get(name)) {
            (_, None) => false,
            (Node::Nil, Some(other)) => *other == Node::Nil,
            (field, Some(other)) => *other != Node::Nil && field.is(other)?,
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// An index of a list; negative ones count from the end.
fn existing(key: &str, len: usize) -> Result<usize, Fault> {
    let index: i64 = key.parse().map_err(|_| Fault::Rejected)?;
    let index = if index < 0 { i64::try_from(len).ok().and_then(|len| len.checked_add(index)) } else { Some(index) };
    let index = index.and_then(|index| usize::try_from(index).ok());
    index.filter(|index| *index < len).ok_or(Fault::Rejected)
}

/// A part of a path without its escapes (RFC 6901, section 4).
fn unescaped(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('~') {
        out.push_str(before);
        let (c, skip) = match after.as_bytes().first() {
            Some(b'0') => ('~', 1),
            Some(b'1') => ('/', 1),
            _ => ('~', 0),
        };
        out.push(c);
        rest = after.get(skip..).unwrap_or_default();
    }
    out + rest
}
