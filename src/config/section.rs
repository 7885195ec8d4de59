//! Sections of the configuration: the fields of the model and the keys that they are read from, in
//! one row each.

use super::keys::Keys;
use super::reader::Given;

/// A part of the model that is read from the keys of a table.
pub trait Section: PartialEq + Sized {
    /// Its keys.
    const KEYS: &'static Keys;

    /// Takes the value of a key, when this is one of its keys that are read by their type.
    fn set(&mut self, name: &str, given: &Given<'_>) -> bool;

    /// Adds the names of the keys whose values differ, each with `prefix` before it.
    fn changed(&self, new: &Self, prefix: &str, names: &mut Vec<String>);

    /// Whether it asks for anything that is not built yet: another value than the default.
    fn needs_unbuilt(&self) -> bool;
}

/// A section that most tables have no key of: it takes memory only where one is written.
impl<S: Section + Default> Section for Option<Box<S>> {
    const KEYS: &'static Keys = S::KEYS;

    fn set(&mut self, name: &str, given: &Given<'_>) -> bool {
        let mut section = self.take().unwrap_or_default();
        let known = section.set(name, given);
        *self = (*section != S::default()).then_some(section);
        known
    }

    fn changed(&self, new: &Self, prefix: &str, names: &mut Vec<String>) {
        if self == new {
            return;
        }
        let none = S::default();
        let old = self.as_deref().unwrap_or(&none);
        old.changed(new.as_deref().unwrap_or(&none), prefix, names);
    }

    fn needs_unbuilt(&self) -> bool {
        self.as_deref().is_some_and(S::needs_unbuilt)
    }
}

/// Adds the name of a key.
pub fn add(names: &mut Vec<String>, prefix: &str, name: &str) {
    names.push([prefix, name].concat());
}

/// Declares a struct of the model together with the keys that its fields are read from.
///
/// A field is one row: its help as doc comment, name and type, default, and where it comes from:
///
/// - `key KEY`: from this key, as its type is [read](crate::config::reader::FromItem);
/// - `own KEY`: from this key, by code of the reader's that also looks at other keys;
/// - `part PREFIX`: a section whose keys stand in the same table, with this prefix;
/// - `from PREFIX`: a section that another table has given, whose keys have this prefix there;
/// - nothing: the field has no key.
macro_rules! section {
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($derive:ident),*)])?
        pub struct $name:ident {
            $(
                $(#[doc = $help:literal])+
                $field:ident: $type:ty = $default:expr
                $(, key $key:expr)?
                $(, own $own:expr)?
                $(, part $part:literal)?
                $(, from $from:literal)?
                ;
            )*
        }
    ) => {
        $(#[doc = $doc])*
        $(#[derive($($derive),*)])?
        pub struct $name {
            $(
                $(#[doc = $help])+
                pub $field: $type,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $crate::config::section::Section for $name {
            const KEYS: &'static $crate::config::keys::Keys = {
                const OWN: &[Option<($crate::config::keys::Key, &str)>] = &[
                    $($crate::config::section::row!(
                        $($help)+ $(=> $key)? $(=> $own)?
                    ),)*
                ];
                &$crate::config::keys::Keys {
                    own: OWN,
                    parts: &[
                        $($(($part, <$type as $crate::config::section::Section>::KEYS),)?)*
                    ],
                }
            };

            #[allow(unused_variables, reason = "no field may be read by its type")]
            fn set(&mut self, name: &str, given: &$crate::config::reader::Given<'_>) -> bool {
                $($(
                    if name == const { $key.name } {
                        given.write(&mut self.$field);
                        return true;
                    }
                )?)*
                $($(
                    if let Some(rest) = name.strip_prefix($part)
                        && $crate::config::section::Section::set(&mut self.$field, rest, given)
                    {
                        return true;
                    }
                )?)*
                false
            }

            #[allow(unused_variables, reason = "no field may have a key of its own")]
            fn changed(&self, new: &Self, prefix: &str, names: &mut Vec<String>) {
                $($(
                    if self.$field != new.$field {
                        $crate::config::section::add(names, prefix, const { $key.name });
                    }
                )?)*
                $($(
                    if self.$field != new.$field {
                        $crate::config::section::add(names, prefix, const { $own.name });
                    }
                )?)*
                $($(
                    $crate::config::section::Section::changed(
                        &self.$field,
                        &new.$field,
                        $part,
                        names,
                    );
                )?)*
                $($(
                    $crate::config::section::Section::changed(
                        &self.$field,
                        &new.$field,
                        $from,
                        names,
                    );
                )?)*
            }

            fn needs_unbuilt(&self) -> bool {
                $($(
                    if const { $key.unbuilt.is_some() } {
                        let default: $type = $default;
                        if self.$field != default {
                            return true;
                        }
                    }
                )?)*
                $($(
                    if const { $own.unbuilt.is_some() } {
                        let default: $type = $default;
                        if self.$field != default {
                            return true;
                        }
                    }
                )?)*
                $($(
                    {
                        const _: &str = $part;
                        if $crate::config::section::Section::needs_unbuilt(&self.$field) {
                            return true;
                        }
                    }
                )?)*
                false
            }
        }
    };
}

/// What [`section`] makes of the row of a field: its key, if it has one, and its help.
macro_rules! row {
    ($($help:literal)+) => { None };
    ($($help:literal)+ => $key:expr) => { Some(($key, concat!($($help),+))) };
}

pub(crate) use {row, section};
