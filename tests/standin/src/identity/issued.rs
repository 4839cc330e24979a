//! The access tokens that the identity endpoints have given out, which Google's APIs then take.

use crate::keys::{b64, random};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Above this the expired ones go.
const MANY: usize = 50_000;

/// What a token is to stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The flow that grants it.
    pub by: &'static str,
    pub principal: String,
    pub scopes: Vec<String>,
    /// Seconds.
    pub lifetime: i64,
}

#[derive(Clone, Debug)]
pub struct Issued {
    pub grant: Grant,
    pub iat: i64,
    pub exp: i64,
}

impl Issued {
    pub fn to_json(&self) -> Value {
        json!({"by": self.grant.by, "principal": self.grant.principal,
            "scopes": self.grant.scopes, "iat": self.iat, "exp": self.exp})
    }
}

#[derive(Default)]
pub struct Tokens(RwLock<HashMap<String, Issued>>);

impl Tokens {
    /// A new token, at least `length` bytes long.
    pub fn issue(&self, grant: Grant, length: usize, now: i64) -> String {
        let mut token = format!("ya29.{}", b64(random::<48>()));
        token.push_str(&"x".repeat(length.saturating_sub(token.len())));
        let exp = now.saturating_add(grant.lifetime);
        let mut tokens = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MANY {
            tokens.retain(|_, issued| issued.exp > now);
        }
        tokens.insert(token.clone(), Issued { grant, iat: now, exp });
        token
    }

    pub fn find(&self, token: &str) -> Option<Issued> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }

    /// One of them, or all; says how many.
    pub fn revoke(&self, token: Option<&str>) -> usize {
        let mut tokens = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match token {
            Some(token) => usize::from(tokens.remove(token).is_some()),
            None => std::mem::take(&mut *tokens).len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_and_revoked() {
        let tokens = Tokens::default();
        let grant = Grant {
            by: "sts",
            principal: "principal://x".to_owned(),
            scopes: vec!["a".to_owned()],
            lifetime: 60,
        };
        let long = tokens.issue(grant.clone(), 12_288, 100);
        let short = tokens.issue(grant.clone(), 0, 100);
        assert_eq!((long.len(), short.len()), (12_288, 69));
        let found = tokens.find(&long).unwrap();
        assert_eq!((found.grant, found.iat, found.exp), (grant, 100, 160));
        assert_eq!((tokens.revoke(Some(&long)), tokens.revoke(Some(&long))), (1, 0));
        assert!(tokens.find(&long).is_none() && tokens.find(&short).is_some());
        assert_eq!(tokens.revoke(None), 1);
        assert!(tokens.find(&short).is_none());
    }
}
