//! The configuration as a JSON schema (2020-12): from the types that read it, and by hand for the
//! few that read themselves.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::raw;
use crate::google::JwtForm;
use crate::policy::{Day, Scalar};

/// The schema of the configuration.
#[must_use]
pub fn schema() -> Schema {
    schemars::schema_for!(raw::Config)
}

/// A type that is written as one of these.
macro_rules! described {
    ($type:ty, $name:literal, $schema:tt) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

described!(raw::Yes, "Yes", { "const": true });
described!(Scalar, "Scalar", { "type": ["string", "integer", "boolean"] });
described!(Day, "Day", { "enum": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] });
described!(JwtForm, "JwtForm", { "enum": ["aud", "scope"] });
