//! Values of components as JSON, in the shape that the bindings of the host give them.

use serde_json::{Map, Number, Value};
use wasmtime::component::{Type, Val};

/// Words that the bindings cannot use as names of fields; they get an underscore.
const KEYWORDS: [&str; 20] = [
    "abstract", "as", "async", "await", "box", "const", "else", "enum", "final", "for", "if", "in",
    "loop", "match", "mod", "move", "ref", "static", "type", "use",
];

/// A value that has no shape in JSON, or not the expected one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Resources, streams and 64-bit integers are no part of any interface.
    #[error("the interfaces of this host have no values of the type {0}")]
    Foreign(String),
    /// The answer is of another type.
    #[error("the host answered `{found}` where {expected} belongs")]
    Unexpected {
        /// What came.
        found: String,
        /// What was meant to come.
        expected: &'static str,
    },
}

/// Returns the name of a field in the bindings: `server-type` is `server_type`.
fn field(name: &str) -> String {
    let name = name.replace('-', "_");
    if KEYWORDS.contains(&name.as_str()) { format!("{name}_") } else { name }
}

/// Returns the name of a case in the bindings: `not-found` is `NotFound`.
fn case(name: &str) -> String {
    let parts = name.split('-').map(|part| {
        let (first, rest) = part.split_at(part.len().min(1));
        first.to_uppercase() + rest
    });
    parts.collect()
}

/// Writes a value that a guest passed.
pub fn encode(value: &Val) -> Result<Value, ValueError> {
    let boxed = |inner: &Option<Box<Val>>| match inner {
        Some(inner) => encode(inner),
        None => Ok(Value::Null),
    };
    Ok(match value {
        Val::Bool(it) => Value::Bool(*it),
        Val::S8(it) => Value::from(*it),
        Val::U8(it) => Value::from(*it),
        Val::S16(it) => Value::from(*it),
        Val::U16(it) => Value::from(*it),
        Val::S32(it) => Value::from(*it),
        Val::U32(it) => Value::from(*it),
        Val::String(it) => Value::from(it.as_str()),
        Val::List(items) | Val::Tuple(items) => {
            Value::Array(items.iter().map(encode).collect::<Result<_, _>>()?)
        }
        Val::Record(fields) => {
            let fields = fields.iter().map(|(name, it)| Ok((field(name), encode(it)?)));
            Value::Object(fields.collect::<Result<_, _>>()?)
        }
        Val::Enum(name) | Val::Variant(name, None) => Value::from(case(name)),
        Val::Variant(name, Some(inner)) => only(&case(name), encode(inner)?),
        Val::Option(inner) => boxed(inner)?,
        Val::Result(Ok(inner)) => only("Ok", boxed(inner)?),
        Val::Result(Err(inner)) => only("Err", boxed(inner)?),
        other => return Err(ValueError::Foreign(format!("{other:?}"))),
    })
}

fn only(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

/// Reads an answer of the host as a value of `wanted`.
pub fn decode(value: Value, wanted: &Type) -> Result<Val, ValueError> {
    match (wanted, value) {
        (Type::Bool, Value::Bool(it)) => Ok(Val::Bool(it)),
        (Type::S8, Value::Number(it)) => integer(&it).map(Val::S8),
        (Type::U8, Value::Number(it)) => integer(&it).map(Val::U8),
        (Type::S16, Value::Number(it)) => integer(&it).map(Val::S16),
        (Type::U16, Value::Number(it)) => integer(&it).map(Val::U16),
        (Type::S32, Value::Number(it)) => integer(&it).map(Val::S32),
        (Type::U32, Value::Number(it)) => integer(&it).map(Val::U32),
        (Type::String, Value::String(it)) => Ok(Val::String(it)),
        (Type::List(list), Value::Array(items)) => {
            let items = items.into_iter().map(|item| decode(item, &list.ty()));
            Ok(Val::List(items.collect::<Result<_, _>>()?))
        }
        (Type::Tuple(tuple), Value::Array(items)) if items.len() == tuple.types().len() => {
            let items = items.into_iter().zip(tuple.types()).map(|(item, ty)| decode(item, &ty));
            Ok(Val::Tuple(items.collect::<Result<_, _>>()?))
        }
        (Type::Record(record), Value::Object(mut fields)) => {
            let fields = record.fields().map(|it| {
                let given = fields.remove(&field(it.name)).unwrap_or(Value::Null);
                Ok((it.name.to_owned(), decode(given, &it.ty)?))
            });
            Ok(Val::Record(fields.collect::<Result<_, _>>()?))
        }
        (Type::Option(_), Value::Null) => Ok(Val::Option(None)),
        (Type::Option(option), some) => {
            Ok(Val::Option(Some(Box::new(decode(some, &option.ty())?))))
        }
        (Type::Enum(names), Value::String(given)) => {
            let name = names.names().find(|name| case(name) == given);
            let name = name.ok_or_else(|| unexpected(&Value::from(given), "a case of an enum"))?;
            Ok(Val::Enum(name.to_owned()))
        }
        (Type::Variant(variant), given) => {
            let (name, payload) = named(given)?;
            let found = variant.cases().find(|it| case(it.name) == name);
            let found = found.ok_or_else(|| unexpected(&Value::from(name), "a case"))?;
            Ok(Val::Variant(found.name.to_owned(), inner(payload, found.ty.as_ref())?))
        }
        (Type::Result(result), given) => match named(given)? {
            (name, payload) if name == "Ok" => {
                Ok(Val::Result(Ok(inner(payload, result.ok().as_ref())?)))
            }
            (_, payload) => Ok(Val::Result(Err(inner(payload, result.err().as_ref())?))),
        },
        (_, other) => Err(unexpected(&other, "a value of another type")),
    }
}

fn integer<T: TryFrom<i64>>(number: &Number) -> Result<T, ValueError> {
    let fits = number.as_i64().and_then(|number| T::try_from(number).ok());
    fits.ok_or_else(|| unexpected(&Value::Number(number.clone()), "a smaller integer"))
}

/// Takes a variant apart: a bare name, or one name with its value.
fn named(given: Value) -> Result<(String, Value), ValueError> {
    match given {
        Value::String(name) => Ok((name, Value::Null)),
        Value::Object(map) if map.len() == 1 => Ok(map.into_iter().next().unwrap_or_default()),
        other => Err(unexpected(&other, "one case with its value")),
    }
}

fn inner(payload: Value, wanted: Option<&Type>) -> Result<Option<Box<Val>>, ValueError> {
    wanted.map(|wanted| decode(payload, wanted).map(Box::new)).transpose()
}

fn unexpected(found: &Value, expected: &'static str) -> ValueError {
    /// More of an answer helps nobody to see what is wrong.
    const SHOWN_BYTES_MAX: usize = 80;
    let found = runwrit_model::text::truncate(&found.to_string(), SHOWN_BYTES_MAX);
    ValueError::Unexpected { found, expected }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_those_of_the_bindings() {
        assert_eq!(field("server-type"), "server_type");
        assert_eq!(field("type"), "type_");
        assert_eq!(case("not-found"), "NotFound");
        assert_eq!(case("ipv4"), "Ipv4");
    }

    #[test]
    fn what_a_guest_passes_is_written_as_serde_writes_it() {
        let name = |text: &str| Val::String(text.to_owned());
        let rows = [
            (Val::U8(7), json!(7)),
            (Val::Option(None), json!(null)),
            (Val::Option(Some(Box::new(name("a")))), json!("a")),
            (Val::Enum("ipv4".into()), json!("Ipv4")),
            (Val::Variant("not-found".into(), Some(Box::new(name("a")))), json!({"NotFound": "a"})),
            (Val::Result(Ok(None)), json!({"Ok": null})),
            (Val::List(vec![Val::Bool(true)]), json!([true])),
            (
                Val::Record(vec![("ip-range".into(), name("10.0.0.0/16"))]),
                json!({"ip_range": "10.0.0.0/16"}),
            ),
        ];
        for (value, expected) in rows {
            assert_eq!(encode(&value).unwrap(), expected, "{value:?}");
        }
    }

    #[test]
    fn what_no_interface_has_is_refused() {
        assert!(matches!(encode(&Val::U64(1)), Err(ValueError::Foreign(_))));
        assert!(decode(json!(256), &Type::U8).is_err());
        assert!(decode(json!("a"), &Type::Bool).is_err());
    }
}
