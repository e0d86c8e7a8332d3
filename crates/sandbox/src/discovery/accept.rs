//! Which form of a document an `Accept` header asks for
//! (`k8s.io/apiserver/pkg/endpoints/handlers/negotiation/negotiate.go`).

/// A form of discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A document per group and version.
    Plain,
    /// Everything in one document.
    Aggregated,
}

/// What is sent to a client that accepts this; nothing if it accepts nothing that there is. JSON is the only encoding.
pub(super) fn form(accept: &str, may_aggregate: bool) -> Option<Form> {
    if accept.trim().is_empty() {
        return Some(Form::Plain);
    }
    let mut clauses: Vec<Clause<'_>> = accept.split(',').map(Clause::read).collect();
    clauses.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    clauses.iter().find_map(|clause| clause.form(may_aggregate))
}

struct Clause<'a> {
    media: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    weight: f64,
}

impl<'a> Clause<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let parameters: Vec<_> = parts.filter_map(|part| part.split_once('=')).collect();
        let weight = parameters.iter().find(|(name, _)| *name == "q").and_then(|(_, weight)| weight.parse().ok());
        Self { media, parameters, weight: weight.unwrap_or(1.0) }
    }

    fn parameter(&self, name: &str) -> &'a str {
        self.parameters.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    fn form(&self, may_aggregate: bool) -> Option<Form> {
        if !matches!(self.media, "application/json" | "application/*" | "*/*") {
            return None;
        }
        let wanted = ["g", "v", "as"].map(|name| self.parameter(name));
        match wanted {
            [_, _, ""] => Some(Form::Plain),
            ["apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList"] if may_aggregate => Some(Form::Aggregated),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_best_clause_that_can_be_met_wins() {
        let v2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let v2beta1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        let cases = [
            (String::new(), Some(Form::Plain)),
            ("application/json".to_owned(), Some(Form::Plain)),
            ("*/*".to_owned(), Some(Form::Plain)),
            ("text/html, application/*;q=0.5".to_owned(), Some(Form::Plain)),
            (v2.to_owned(), Some(Form::Aggregated)),
            (format!("{v2},{v2beta1},application/json"), Some(Form::Aggregated)),
            (format!("application/json;q=0.9, {v2}"), Some(Form::Aggregated)),
            (format!("{v2};q=0.1, application/json"), Some(Form::Plain)),
            (v2beta1.to_owned(), None),
            (format!("{v2beta1}, application/json"), Some(Form::Plain)),
            ("application/vnd.kubernetes.protobuf".to_owned(), None),
            ("application/vnd.kubernetes.protobuf, application/json".to_owned(), Some(Form::Plain)),
            ("application/xml".to_owned(), None),
        ];
        for (accept, expected) in cases {
            assert_eq!(form(&accept, true), expected, "{accept}");
        }
        assert_eq!(form(v2, false), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read(accept in "\\PC*") {
            let _ = form(&accept, true);
        }
    }
}
