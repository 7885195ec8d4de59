//! Values by their types.

use std::net::IpAddr;
use std::time::Duration;

use super::Item;
use crate::config::keys::Kind;
use crate::config::values;
use crate::units::{Priority, Vrid};

/// A type of value that a key can have.
pub trait FromItem: Sized {
    /// Reads one value; reports what is wrong with it.
    fn from_item(item: &Item<'_>, kind: Kind) -> Option<Self>;

    /// Reads a list of such values; those that are wrong are left out.
    fn from_list(item: &Item<'_>, kind: Kind) -> Option<Vec<Self>> {
        Some(item.list(|item| Self::from_item(item, kind)))
    }
}

impl<T: FromItem> FromItem for Vec<T> {
    fn from_item(item: &Item<'_>, kind: Kind) -> Option<Self> {
        T::from_list(item, kind)
    }
}

impl<T: FromItem> FromItem for Option<T> {
    fn from_item(item: &Item<'_>, kind: Kind) -> Option<Self> {
        T::from_item(item, kind).map(Some)
    }
}

impl FromItem for bool {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        item.bool()
    }
}

/// Whole numbers have the range of their key, which is within that of their type.
macro_rules! whole {
    ($($type:ty),*) => { $(
        impl FromItem for $type {
            fn from_item(item: &Item<'_>, kind: Kind) -> Option<Self> {
                whole(item, kind).and_then(|number| Self::try_from(number).ok())
            }
        }
    )* };
}

whole!(u8, u16, u32, i8, i16, i32);

fn whole(item: &Item<'_>, kind: Kind) -> Option<i64> {
    let Kind::Whole(low, high) = kind else { return item.integer(i64::MIN, i64::MAX) };
    item.integer(low, high)
}

impl FromItem for Priority {
    fn from_item(item: &Item<'_>, kind: Kind) -> Option<Self> {
        u8::from_item(item, kind).map(Self)
    }
}

impl FromItem for Vrid {
    fn from_item(item: &Item<'_>, kind: Kind) -> Option<Self> {
        u8::from_item(item, kind).and_then(Self::new)
    }
}

impl FromItem for Duration {
    fn from_item(item: &Item<'_>, kind: Kind) -> Option<Self> {
        let Kind::Time(low, high) = kind else { return item.duration(Self::ZERO, Self::MAX) };
        item.duration(low, high)
    }
}

impl FromItem for Box<str> {
    fn from_item(item: &Item<'_>, kind: Kind) -> Option<Self> {
        if kind == Kind::Interface { item.interface() } else { item.text() }
    }
}

impl FromItem for IpAddr {
    fn from_item(item: &Item<'_>, _: Kind) -> Option<Self> {
        item.parse(values::address)
    }
}
