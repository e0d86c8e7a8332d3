//! Which type fits where: assignment between types with inference variables.

use super::types::Type;

/// What is known about the inference variables of one check.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    bound: Vec<Option<Type>>,
    trail: Vec<(usize, Option<Type>)>,
}

impl Bindings {
    /// A variable about which nothing is known.
    pub fn fresh(&mut self) -> Type {
        self.bound.push(None);
        Type::Variable(u32::try_from(self.bound.len() - 1).unwrap_or(u32::MAX))
    }

    /// Whether every type of one list can be assigned to its counterpart; variables are bound only if so.
    pub fn assignable_all(&mut self, from: &[Type], to: &[Type]) -> bool {
        let mark = self.trail.len();
        let fits = self.all_assign(from, to);
        if !fits {
            self.undo(mark);
        }
        fits
    }

    /// Whether a type can be assigned to another; variables are bound only if so.
    pub fn assignable(&mut self, from: &Type, to: &Type) -> bool {
        self.assignable_all(std::slice::from_ref(from), std::slice::from_ref(to))
    }

    /// The type with bound variables replaced, and unbound ones by `dyn` if asked.
    pub fn substitute(&self, of: &Type, unbound_to_dyn: bool) -> Type {
        of.map_parts(&|part| match part {
            Type::Variable(_) => match self.find(part) {
                Some(bound) => Some(self.substitute(bound, unbound_to_dyn)),
                None => unbound_to_dyn.then_some(Type::Dyn),
            },
            _ => None,
        })
    }

    fn undo(&mut self, mark: usize) {
        while self.trail.len() > mark {
            let Some((index, before)) = self.trail.pop() else { return };
            if let Some(slot) = self.bound.get_mut(index) {
                *slot = before;
            }
        }
    }

    fn find(&self, variable: &Type) -> Option<&Type> {
        match variable {
            Type::Variable(number) => self.bound.get(*number as usize).and_then(Option::as_ref),
            _ => None,
        }
    }

    fn bind(&mut self, variable: &Type, to: Type) {
        let Type::Variable(number) = variable else { return };
        let index = *number as usize;
        if let Some(slot) = self.bound.get_mut(index) {
            self.trail.push((index, slot.replace(to)));
        }
    }

    fn all_assign(&mut self, from: &[Type], to: &[Type]) -> bool {
        from.len() == to.len() && from.iter().zip(to).all(|(from, to)| self.assign(from, to))
    }

    fn assign(&mut self, from: &Type, to: &Type) -> bool {
        if let Type::Variable(_) = to {
            match self.substitutes(from, to) {
                Substitution::Fits => return true,
                Substitution::Conflicts => return false,
                Substitution::Circular => {}
            }
        }
        if let Type::Variable(_) = from {
            return self.substitutes(to, from) == Substitution::Fits;
        }
        self.assign_known(from, to)
    }

    fn assign_known(&mut self, from: &Type, to: &Type) -> bool {
        match (from, to) {
            (Type::Dyn | Type::Error, _) | (_, Type::Dyn | Type::Error) => true,
            (Type::Null, other) | (other, Type::Null) => is_nullable(other),
            (Type::Type(_), Type::Type(_)) => true,
            (Type::List(from), Type::List(to)) => self.assign(from, to),
            (Type::Map(from_key, from_value), Type::Map(to_key, to_value)) => {
                self.assign(from_key, to_key) && self.assign(from_value, to_value)
            }
            (Type::Opaque(from_name, from), Type::Opaque(to_name, to)) => {
                from_name == to_name && self.all_assign(from, to)
            }
            (from, to) => from == to,
        }
    }

    /// Tries to let a variable stand for a type.
    fn substitutes(&mut self, kind: &Type, variable: &Type) -> Substitution {
        if kind == variable {
            return Substitution::Fits;
        }
        if let Some(bound) = self.find(variable).cloned() {
            return self.widen(kind, variable, &bound);
        }
        if !self.is_absent_in(variable, kind) {
            return Substitution::Circular;
        }
        self.bind(variable, kind.clone());
        Substitution::Fits
    }

    fn widen(&mut self, kind: &Type, variable: &Type, bound: &Type) -> Substitution {
        if kind == bound {
            return Substitution::Fits;
        }
        if !self.assign(kind, bound) {
            return Substitution::Conflicts;
        }
        let wider = most_general(kind, bound).clone();
        if self.is_absent_in(variable, &wider) {
            self.bind(variable, wider);
        }
        Substitution::Fits
    }

    fn is_absent_in(&self, variable: &Type, within: &Type) -> bool {
        if variable == within {
            return false;
        }
        match within {
            Type::Variable(_) => self.find(within).is_none_or(|bound| self.is_absent_in(variable, bound)),
            Type::List(part) | Type::Type(part) => self.is_absent_in(variable, part),
            Type::Map(key, value) => self.is_absent_in(variable, key) && self.is_absent_in(variable, value),
            Type::Opaque(_, parts) => parts.iter().all(|part| self.is_absent_in(variable, part)),
            _ => true,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Substitution {
    Fits,
    Conflicts,
    Circular,
}

fn is_nullable(kind: &Type) -> bool {
    matches!(kind, Type::Null | Type::Opaque(..) | Type::Struct(_) | Type::Duration | Type::Timestamp)
}

/// The more general of two types that are known to fit.
pub(super) fn most_general<'t>(one: &'t Type, other: &'t Type) -> &'t Type {
    if is_at_most_as_specific(one, other) { one } else { other }
}

fn is_at_most_as_specific(one: &Type, other: &Type) -> bool {
    match (one, other) {
        (Type::Dyn | Type::Variable(_) | Type::Param(_), _) => true,
        (_, Type::Dyn | Type::Variable(_) | Type::Param(_)) => false,
        (Type::List(one), Type::List(other)) => is_at_most_as_specific(one, other),
        (Type::Map(key, value), Type::Map(other_key, other_value)) => {
            is_at_most_as_specific(key, other_key) && is_at_most_as_specific(value, other_value)
        }
        (Type::Opaque(name, one), Type::Opaque(other_name, other)) => {
            name == other_name
                && one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_at_most_as_specific(one, other))
        }
        (Type::Type(_), Type::Type(_)) => true,
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_takes_the_more_general_type() {
        let mut bindings = Bindings::default();
        let variable = bindings.fresh();
        assert!(bindings.assignable(&Type::Int, &variable));
        assert!(bindings.assignable(&Type::Dyn, &variable));
        assert_eq!(bindings.substitute(&variable, false), Type::Dyn);
    }

    #[test]
    fn a_failed_attempt_leaves_no_binding() {
        let mut bindings = Bindings::default();
        let variable = bindings.fresh();
        let pair = [variable.clone(), variable.clone()];
        assert!(!bindings.assignable_all(&[Type::Int, Type::String], &pair));
        assert_eq!(bindings.substitute(&variable, false), variable);
    }

    #[test]
    fn null_fits_structs_but_not_primitives() {
        let mut bindings = Bindings::default();
        assert!(bindings.assignable(&Type::Null, &Type::Timestamp));
        assert!(!bindings.assignable(&Type::Null, &Type::String));
    }
}
