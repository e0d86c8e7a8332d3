//! `quantity()` and its functions.
//!
//! Two oddities of the server are kept. Comparing a quantity with a large one makes it large, and adding to
//! a large one changes it in place; both show where a value is used twice. And the result of `add` and `sub`
//! cannot be compared when it stands on the right of `==`.

use std::any::Any;
use std::cmp::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::cost;
use super::quantity_amount::{Amount, QuantityError};
use crate::cel::environment::KubeVersion;
use crate::cel::error::EvalError;
use crate::cel::overload::Overload;
use crate::cel::types::Type;
use crate::cel::value::{Opaque, Value, same_kind};

/// The type's name on the server.
const NAME: &str = "kubernetes.Quantity";

/// The release whose expressions know quantities first.
const SINCE: KubeVersion = KubeVersion::minor(28);

impl From<QuantityError> for EvalError {
    fn from(error: QuantityError) -> Self {
        Self::new(error.to_string())
    }
}

/// A quantity as expressions hold it.
#[derive(Debug)]
struct Quantity {
    amount: Mutex<Shared>,
    /// Whether it is the result of a sum.
    computed: bool,
}

/// Addition or subtraction.
type Operation = fn(&Amount, &Amount) -> Result<Amount, QuantityError>;

/// An amount that sums of it may share.
#[derive(Clone, Debug)]
enum Shared {
    Small(Amount),
    Large(Arc<Mutex<Amount>>),
}

impl Shared {
    fn new(amount: Amount) -> Self {
        match amount {
            Amount::Small { .. } => Self::Small(amount),
            Amount::Large(_) => Self::Large(Arc::new(Mutex::new(amount))),
        }
    }

    fn get(&self) -> Amount {
        match self {
            Self::Small(amount) => amount.clone(),
            Self::Large(amount) => lock(amount).clone(),
        }
    }

    fn combine(&self, operation: Operation, other: &Amount) -> Result<Self, QuantityError> {
        let result = operation(&self.get(), other)?;
        Ok(match self {
            Self::Small(_) => Self::new(result),
            Self::Large(amount) => {
                *lock(amount) = result;
                Self::Large(Arc::clone(amount))
            }
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Quantity {
    fn parsed(amount: Amount) -> Self {
        Self { amount: Mutex::new(Shared::new(amount)), computed: false }
    }

    fn amount(&self) -> Amount {
        lock(&self.amount).get()
    }

    fn combine(&self, operation: Operation, other: &Amount) -> Result<Self, QuantityError> {
        let result = lock(&self.amount).combine(operation, other)?;
        Ok(Self { amount: Mutex::new(result), computed: true })
    }

    fn compare(&self, other: &Self) -> Result<Ordering, QuantityError> {
        let (left, right) = (self.amount(), other.amount());
        if let (Amount::Small { .. }, Amount::Large(_)) = (&left, &right) {
            *lock(&self.amount) = Shared::new(Amount::Large(left.to_decimal()));
        }
        left.compare(&right)
    }
}

impl Opaque for Quantity {
    fn type_name(&self) -> &'static str {
        NAME
    }

    fn equals(&self, other: &dyn Opaque) -> Result<bool, EvalError> {
        let other = same_kind::<Self>(other)?;
        if other.computed {
            return Err(EvalError::no_such_overload());
        }
        Ok(self.amount().compare(&other.amount()) == Ok(Ordering::Equal))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The overloads of the library.
pub(super) fn overloads() -> Vec<Overload> {
    let all = conversions().into_iter().chain(comparisons()).chain(arithmetic());
    all.map(|overload| overload.since(SINCE)).collect()
}

fn quantity() -> Type {
    Type::opaque(NAME)
}

fn conversions() -> [Overload; 6] {
    [
        Overload::global("quantity", "string_to_quantity", vec![Type::String], quantity(), parse)
            .cost(cost::first_argument),
        Overload::global("isQuantity", "is_quantity_string", vec![Type::String], Type::Bool, is_quantity)
            .cost(cost::first_argument),
        Overload::global("sign", "quantity_sign", vec![quantity()], Type::Int, sign),
        Overload::member("asApproximateFloat", "quantity_get_float", vec![quantity()], Type::Double, approximate),
        Overload::member("asInteger", "quantity_get_int", vec![quantity()], Type::Int, as_integer),
        Overload::member("isInteger", "quantity_is_integer", vec![quantity()], Type::Bool, is_integer),
    ]
}

fn comparisons() -> [Overload; 3] {
    let operands = || vec![quantity(), quantity()];
    [
        Overload::member("isGreaterThan", "quantity_is_greater_than", operands(), Type::Bool, is_greater_than),
        Overload::member("isLessThan", "quantity_is_less_than", operands(), Type::Bool, is_less_than),
        Overload::member("compareTo", "quantity_compare_to", operands(), Type::Int, compare_to),
    ]
}

fn arithmetic() -> [Overload; 4] {
    [
        Overload::member("add", "quantity_add", vec![quantity(), quantity()], quantity(), add),
        Overload::member("add", "quantity_add_int", vec![quantity(), Type::Int], quantity(), add_integer),
        Overload::member("sub", "quantity_sub", vec![quantity(), quantity()], quantity(), subtract),
        Overload::member("sub", "quantity_sub_int", vec![quantity(), Type::Int], quantity(), subtract_integer),
    ]
}

fn operand<'v>(arguments: &'v [Value<'_>], index: usize) -> Result<&'v Quantity, EvalError> {
    arguments.get(index).ok_or_else(EvalError::no_such_overload)?.downcast()
}

fn integer(arguments: &[Value<'_>]) -> Result<Amount, EvalError> {
    arguments.get(1).ok_or_else(EvalError::no_such_overload)?.as_int().map(Amount::integer)
}

fn parse<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let amount = Amount::parse(super::text_argument(arguments, 0)?)?;
    Ok(Value::opaque(Quantity::parsed(amount)))
}

fn is_quantity<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    match Amount::parse(super::text_argument(arguments, 0)?) {
        Err(error @ (QuantityError::Size | QuantityError::Scale)) => Err(error.into()),
        outcome => Ok(Value::Bool(outcome.is_ok())),
    }
}

fn sign<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Ok(Value::Int(operand(arguments, 0)?.amount().sign()))
}

fn approximate<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Ok(Value::Double(operand(arguments, 0)?.amount().approximate()))
}

fn as_integer<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    let integer = operand(arguments, 0)?.amount().as_integer();
    integer.map(Value::Int).ok_or_else(|| EvalError::new("cannot convert value to integer"))
}

fn is_integer<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    Ok(Value::Bool(operand(arguments, 0)?.amount().as_integer().is_some()))
}

fn compare(arguments: &[Value<'_>]) -> Result<Ordering, EvalError> {
    Ok(operand(arguments, 0)?.compare(operand(arguments, 1)?)?)
}

fn is_greater_than<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    compare(arguments).map(|order| Value::Bool(order.is_gt()))
}

fn is_less_than<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    compare(arguments).map(|order| Value::Bool(order.is_lt()))
}

fn compare_to<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    compare(arguments).map(|order| Value::Int(order as i64))
}

fn combine<'a>(arguments: &[Value<'a>], operation: Operation, other: &Amount) -> Result<Value<'a>, EvalError> {
    Ok(Value::opaque(operand(arguments, 0)?.combine(operation, other)?))
}

fn add<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    combine(arguments, Amount::plus, &operand(arguments, 1)?.amount())
}

fn add_integer<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    combine(arguments, Amount::plus, &integer(arguments)?)
}

fn subtract<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    combine(arguments, Amount::minus, &operand(arguments, 1)?.amount())
}

fn subtract_integer<'a>(arguments: &[Value<'a>]) -> Result<Value<'a>, EvalError> {
    combine(arguments, Amount::minus, &integer(arguments)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value<'static> {
        Value::opaque(Quantity::parsed(Amount::parse(text).unwrap()))
    }

    fn same(left: &Value<'_>, right: &Value<'_>) -> bool {
        left.downcast::<Quantity>().unwrap().equals(right.downcast::<Quantity>().unwrap()) == Ok(true)
    }

    #[test]
    fn comparing_with_a_large_amount_makes_a_small_one_large() {
        let small = value("1");
        assert!(matches!(is_integer(std::slice::from_ref(&small)), Ok(Value::Bool(true))));
        assert!(matches!(is_less_than(&[small.clone(), value("12345678901234567890")]), Ok(Value::Bool(true))));
        assert!(matches!(is_integer(&[small]), Ok(Value::Bool(false))));
    }

    #[test]
    fn adding_to_a_large_amount_changes_it() {
        let large = value("12345678901234567890");
        let sum = add(&[large.clone(), value("1")]).unwrap();
        assert!(same(&sum, &large));
        assert!(same(&value("12345678901234567891"), &large));
        let small = value("1");
        add_integer(&[small.clone(), Value::Int(1)]).unwrap();
        assert!(same(&value("1"), &small));
    }

    #[test]
    fn a_sum_is_equal_only_from_the_left() {
        let sum = add(&[value("50k"), value("20k")]).unwrap();
        assert!(same(&sum, &value("70k")));
        assert!(!same(&value("70k"), &sum));
    }

    #[test]
    fn a_quantity_can_be_added_to_itself() {
        let large = value("12345678901234567890");
        let sum = add(&[large.clone(), large]).unwrap();
        assert!(same(&sum, &value("24691357802469135780")));
    }
}
