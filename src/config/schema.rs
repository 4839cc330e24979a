//! The JSON schema (2020-12) of the configuration: derived from the types that read it, and written
//! by hand for the few that read themselves.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::raw;
use crate::oidc::TokenHeader;
use crate::policy::{Day, Scalar};

/// The schema of the configuration.
#[must_use]
pub fn schema() -> Schema {
    schemars::schema_for!(raw::Config)
}

/// Writes the schema of a type by hand.
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
described!(TokenHeader, "TokenHeader", { "enum": ["authorization", "x-api-key", "x-goog-api-key"] });
