//! Workload and workforce pools, whose providers take tokens of other issuers
//! (<https://cloud.google.com/iam/docs/workload-identity-federation>).

/// A pool, one of its providers and what is exchanged there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its full name, without `//`.
    pub name: String,
    /// The provider's id in it.
    pub provider: String,
    /// The type of the tokens that are exchanged, as a URN.
    pub token_type: String,
}

impl Pool {
    /// That of a provider's full name.
    pub(super) fn of(provider: &str, token_type: &str) -> Option<Self> {
        let (name, id) = provider.strip_prefix("//")?.rsplit_once("/providers/")?;
        let parts: Vec<&str> = name.split('/').collect();
        let pool = match parts.as_slice() {
            ["iam.googleapis.com", place @ .., "locations", "global", kind, pool] => {
                let is_one = match (place, *kind) {
                    (["projects", number], "workloadIdentityPools") => is_number(number),
                    ([], "workforcePools") => true,
                    _ => false,
                };
                is_one.then_some(*pool)?
            }
            _ => return None,
        };
        let (name, provider, token_type) = (name.into(), id.into(), token_type.into());
        (is_id(pool) && is_id(id)).then_some(Self { name, provider, token_type })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }

    /// Whether it is for people (a workforce pool), which belong to an organization.
    #[must_use]
    pub fn is_of_workforce(&self) -> bool {
        self.project().is_none()
    }

    /// The number of the project that it is in.
    #[must_use]
    pub fn project(&self) -> Option<&str> {
        self.name.split_once("/projects/")?.1.split('/').next()
    }
}

/// Whether a text may be the id of a pool, a provider or a project.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}
