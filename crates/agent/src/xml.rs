//! XML documents as small trees: no document type, no entities of one's own, bounded in depth and number.
//!
//! Recursion over a tree, its destruction included, is bounded by [`DEEPEST`].

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion, escape};
use thiserror::Error;

use crate::fault::quoted;

/// Deepest nesting; libvirt's documents have less than ten.
const DEEPEST: usize = 32;
/// Most elements; a host with 1,024 CPUs and a hundred machine types has about 2,000.
const MOST_ELEMENTS: usize = 65_536;
/// Most attributes of one element; libvirt's have less than ten.
const MOST_ATTRIBUTES: usize = 32;

/// Why a text is not taken as an XML document.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum XmlError {
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    Encoding,
    /// Not well-formed.
    #[error("{0}")]
    Syntax(String),
    /// A document type: libvirt writes none, and the agent expands none.
    #[error("it has a document type")]
    DocumentType,
    /// An entity that is not one of XML's own five.
    #[error("unknown entity {0}")]
    Entity(String),
    /// Deeper than any document of libvirt.
    #[error("it is nested more than {DEEPEST} deep")]
    Depth,
    /// More elements than any document of libvirt.
    #[error("it has more than {MOST_ELEMENTS} elements")]
    Elements,
    /// More attributes than any element of libvirt.
    #[error("an element has more than {MOST_ATTRIBUTES} attributes")]
    Attributes,
    /// It ends within an element.
    #[error("it ends within <{0}>")]
    Truncated(String),
    /// No element at all.
    #[error("it is empty")]
    Empty,
    /// A second root element.
    #[error("it goes on after its root element")]
    SecondRoot,
}

impl From<quick_xml::Error> for XmlError {
    fn from(error: quick_xml::Error) -> Self {
        Self::Syntax(quoted(&error.to_string()))
    }
}

/// An element with what is in it. Text between children is joined.
#[derive(Debug, Default)]
pub(crate) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The text, without the space around it.
    pub(crate) fn text(&self) -> &str {
        self.text.trim()
    }

    /// The text, if there is any but space.
    pub(crate) fn some_text(&self) -> Option<&str> {
        Some(self.text()).filter(|text| !text.is_empty())
    }

    /// Every element that this path of names leads to, in the order of the document.
    pub(crate) fn all<'a>(&'a self, path: &[&str]) -> Vec<&'a Self> {
        path.iter().fold(vec![self], |found, name| {
            found.into_iter().flat_map(|element| &element.children).filter(|child| child.name == *name).collect()
        })
    }

    /// The first element that this path of names leads to.
    pub(crate) fn first<'a>(&'a self, path: &[&str]) -> Option<&'a Self> {
        self.all(path).into_iter().next()
    }
}

/// Reads a document.
pub(crate) fn parse(bytes: &[u8]) -> Result<Element, XmlError> {
    let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut tree = Tree::default();
    loop {
        match reader.read_event()? {
            Event::Eof => return tree.finish(),
            event => tree.take(&event)?,
        }
    }
}

#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Tree {
    fn take(&mut self, event: &Event<'_>) -> Result<(), XmlError> {
        match event {
            Event::Start(tag) => self.open(tag)?,
            Event::Empty(tag) => {
                self.open(tag)?;
                self.close();
            }
            Event::End(_) => self.close(),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) => self.text(&text.xml10_content()),
            Event::GeneralRef(reference) => self.text(&resolved(reference)?),
            Event::DocType(_) => return Err(XmlError::DocumentType),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn open(&mut self, tag: &BytesStart<'_>) -> Result<(), XmlError> {
        self.elements += 1;
        if self.root.is_some() {
            return Err(XmlError::SecondRoot);
        }
        if self.elements > MOST_ELEMENTS {
            return Err(XmlError::Elements);
        }
        if self.open.len() >= DEEPEST {
            return Err(XmlError::Depth);
        }
        let name = tag.name().into_inner().to_owned();
        self.open.push(Element { name, attributes: attributes(tag)?, ..Element::default() });
        Ok(())
    }

    fn close(&mut self) {
        let Some(element) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(element) = self.open.last_mut() {
            element.text.push_str(text);
        }
    }

    fn finish(self) -> Result<Element, XmlError> {
        match self.open.last() {
            Some(element) => Err(XmlError::Truncated(element.name.chars().take(32).collect())),
            None => self.root.ok_or(XmlError::Empty),
        }
    }
}

fn attributes(tag: &BytesStart<'_>) -> Result<Vec<(String, String)>, XmlError> {
    let mut found = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(quick_xml::Error::from)?;
        if found.len() == MOST_ATTRIBUTES {
            return Err(XmlError::Attributes);
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
        found.push((attribute.key.into_inner().to_owned(), value.into_owned()));
    }
    Ok(found)
}

fn resolved(reference: &BytesRef<'_>) -> Result<String, XmlError> {
    if let Some(character) = reference.resolve_char_ref()? {
        return Ok(character.to_string());
    }
    let entity = escape::resolve_predefined_entity(reference);
    entity.map(str::to_owned).ok_or_else(|| XmlError::Entity(quoted(reference)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> XmlError {
        parse(text.as_bytes()).expect_err("is no acceptable document")
    }

    #[test]
    fn a_document_is_a_tree() {
        let text = "\u{feff}<?xml version='1.0'?>\n<!-- c --><a x='1' y='&lt;&#x41;'> t<b/><c>&amp;<![CDATA[<u>]]></c><b z=''>\n2</b> </a>\n";
        let root = parse(text.as_bytes()).unwrap();
        assert_eq!((root.name(), root.text()), ("a", "t"));
        assert_eq!((root.attribute("x"), root.attribute("y"), root.attribute("z")), (Some("1"), Some("<A"), None));
        assert_eq!(root.all(&["b"]).iter().map(|b| b.text()).collect::<Vec<_>>(), ["", "2"]);
        assert_eq!(root.first(&["c"]).and_then(Element::some_text), Some("&<u>"));
        assert!(root.first(&["b"]).is_some_and(|b| b.some_text().is_none()));
        assert!(root.first(&["b", "c"]).is_none());
    }

    #[test]
    fn what_is_no_acceptable_document_is_refused() {
        let table = [
            ("", XmlError::Empty),
            ("plain text", XmlError::Empty),
            ("<a><b>", XmlError::Truncated("b".to_owned())),
            ("<a/><b/>", XmlError::SecondRoot),
            ("<!DOCTYPE a><a/>", XmlError::DocumentType),
            ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", XmlError::DocumentType),
            ("<a>&x;</a>", XmlError::Entity("\"x\"".to_owned())),
        ];
        for (text, expected) in table {
            assert_eq!(error(text), expected, "{text}");
        }
        for text in ["<a></b>", "</a>", "<a", "<a x=1/>", "<a x='&x;'/>", "<a x='1' x='2'/>", "<a>&#0;</a>", "<a>&</a>"]
        {
            assert!(matches!(error(text), XmlError::Syntax(_)), "{text}: {:?}", error(text));
        }
        assert_eq!(parse(b"<a>\xff</a>").expect_err("is not UTF-8"), XmlError::Encoding);
    }

    #[test]
    fn depth_number_and_attributes_are_bounded() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(parse(nested(DEEPEST).as_bytes()).is_ok());
        assert_eq!(error(&nested(DEEPEST + 1)), XmlError::Depth);
        assert_eq!(error(&"<a>".repeat(1_000_000)), XmlError::Depth);

        let wide = |number: usize| format!("<a>{}</a>", "<b/>".repeat(number - 1));
        assert!(parse(wide(MOST_ELEMENTS).as_bytes()).is_ok());
        assert_eq!(error(&wide(MOST_ELEMENTS + 1)), XmlError::Elements);

        let many = |number: usize| {
            let attributes: String = (0..number).map(|index| format!(" a{index}=''")).collect();
            format!("<a{attributes}/>")
        };
        assert!(parse(many(MOST_ATTRIBUTES).as_bytes()).is_ok());
        assert_eq!(error(&many(100_000)), XmlError::Attributes);
    }

    #[test]
    fn a_syntax_error_is_no_longer_than_a_line() {
        let error = error(&format!("<a></{}>", "b".repeat(1_000_000)));
        assert!(error.to_string().len() < 200, "{error}");
    }
}
