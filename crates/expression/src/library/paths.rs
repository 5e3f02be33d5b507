//! Updates of what is not there yet, as jq has them: `{} | .a.b = 1` and `del(.a.b)`. jaq refuses both.

use jaq_core::{Error, ValT};
use jaq_json::{Map, Num, Val, ValR};

/// jq's own bound is larger; no document of ours has so many items.
const MAX_ITEMS: usize = 1_000_000;

/// The value with an empty object, array or null wherever the path finds nothing, so that the end of the
/// path can be assigned. Where the path cannot lead, the value is as it was and the update says so.
pub(super) fn ensure(value: Val, path: &[Val]) -> ValR {
    let Some((step, rest)) = path.split_first() else {
        return Ok(value);
    };
    let value = match (value, step) {
        (Val::Null, Val::TStr(_)) => Val::obj(Map::default()),
        (Val::Null, Val::Num(_)) => std::iter::empty::<Val>().collect(),
        (value, _) => value,
    };
    match (value, step) {
        (Val::Obj(mut entries), Val::TStr(_)) => {
            let inner = entries.get(step).cloned().unwrap_or_default();
            if rest.is_empty() || is_there(&inner, rest) {
                return Ok(Val::Obj(entries));
            }
            let inner = ensure(inner, rest)?;
            jaq_json::Rc::make_mut(&mut entries).insert(step.clone(), inner);
            Ok(Val::Obj(entries))
        }
        (Val::Arr(mut items), Val::Num(Num::Int(at))) if *at >= 0 => {
            let at = at.unsigned_abs();
            if at >= MAX_ITEMS {
                return Err(Error::str(format_args!("index {at} is too large")));
            }
            let inner = items.get(at).cloned().unwrap_or_default();
            if at < items.len() && (rest.is_empty() || is_there(&inner, rest)) {
                return Ok(Val::Arr(items));
            }
            let inner = ensure(inner, rest)?;
            let items_mut = jaq_json::Rc::make_mut(&mut items);
            if at >= items_mut.len() {
                items_mut.resize(at + 1, Val::Null);
            }
            items_mut[at] = inner;
            Ok(Val::Arr(items))
        }
        (value, _) => Ok(value),
    }
}

/// All containers of the path are there: nothing needs a copy.
fn is_there(value: &Val, path: &[Val]) -> bool {
    let Some((step, rest)) = path.split_first() else {
        return true;
    };
    match (value, step) {
        (Val::Null, Val::TStr(_) | Val::Num(_)) => false,
        (Val::Obj(entries), Val::TStr(_)) => {
            rest.is_empty() || entries.get(step).is_some_and(|inner| is_there(inner, rest))
        }
        (Val::Arr(items), Val::Num(Num::Int(at))) if *at >= 0 => items
            .get(at.unsigned_abs())
            .is_some_and(|inner| is_there(inner, rest)),
        // Slices and what cannot be indexed: for the update itself.
        _ => true,
    }
}

/// The value without what is at the path; as it was if nothing is there.
pub(super) fn delete(value: Val, path: &[Val]) -> ValR {
    let Some((step, rest)) = path.split_first() else {
        return Ok(Val::Null);
    };
    let inner = value.clone().index(step)?;
    if matches!(inner, Val::Null) && !rest.is_empty() {
        return Ok(value);
    }
    if !rest.is_empty() {
        let inner = delete(inner, rest)?;
        return replace(value, step, Some(inner));
    }
    replace(value, step, None)
}

fn replace(value: Val, step: &Val, by: Option<Val>) -> ValR {
    match (value, step) {
        (Val::Obj(mut entries), Val::TStr(_)) => {
            let map = jaq_json::Rc::make_mut(&mut entries);
            match by {
                Some(inner) => drop(map.insert(step.clone(), inner)),
                None => drop(map.shift_remove(step)),
            }
            Ok(Val::Obj(entries))
        }
        (Val::Arr(mut items), Val::Num(Num::Int(at))) => {
            let length = items.len();
            let at = if *at < 0 {
                length.checked_sub(at.unsigned_abs())
            } else {
                Some(at.unsigned_abs())
            };
            if let Some(at) = at.filter(|at| *at < length) {
                let list = jaq_json::Rc::make_mut(&mut items);
                match by {
                    Some(inner) => list[at] = inner,
                    None => drop(list.remove(at)),
                }
            }
            Ok(Val::Arr(items))
        }
        (Val::Arr(items), Val::Obj(bounds)) if by.is_none() => {
            let bound = |name: &str| bounds.get(&Val::from(name.to_owned())).cloned();
            let (start, end) = (bound("start"), bound("end"));
            let (null, first) = (Val::Null, Val::from(0isize));
            let before =
                Val::Arr(items.clone()).range(None..Some(start.as_ref().unwrap_or(&first)))?;
            let after = match &end {
                Some(end) if *end != null => Val::Arr(items).range(Some(end)..None)?,
                _ => std::iter::empty::<Val>().collect(),
            };
            before + after
        }
        (Val::Null, _) => Ok(Val::Null),
        (value, _) => Err(Error::typ(value, "iterable (array or object)")),
    }
}
