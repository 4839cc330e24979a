//! Finds valid settings that are probably mistakes.

use crate::config::Config;
use crate::google::{Credential, GOOGLES_UNIVERSE, TokenSource};
use crate::jose::Algorithm;
use crate::limits::{DEFAULT_RESERVE_TOKENS, RoleLimits, Window};
use crate::oidc::IssuerConfig;
use crate::policy::{Pattern, Role};
use crate::vertex::{
    Class, Route, is_known_location, is_known_publisher, known_publishers, routes, speaks,
};

/// Issuers whose tokens everybody can get, by the prefix of their URLs.
const PUBLIC_ISSUERS: &[(&str, &str)] = &[
    ("https://accounts.google.com", "Google"),
    ("https://token.actions.githubusercontent.com", "GitHub"),
    ("https://gitlab.com", "GitLab"),
    ("https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/", "Microsoft"),
    ("https://appleid.apple.com", "Apple"),
    ("https://www.facebook.com", "Facebook"),
    ("https://app.terraform.io", "HCP Terraform"),
    ("https://agent.buildkite.com", "Buildkite"),
    ("https://oauth2.sigstore.dev/auth", "Sigstore"),
];

impl Config {
    /// The doubts, one line each.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let roles = self.roles.iter().zip(&self.limits.roles).enumerate();
        let mut doubts: Vec<_> =
            roles.flat_map(|(index, (role, limits))| self.doubts_of(index, role, limits)).collect();
        doubts.extend(signed_before(&self.roles));
        doubts.extend(of_persons(&self.credentials));
        doubts.extend(without_identity(&self.credentials));
        doubts
    }

    fn doubts_of(&self, index: usize, role: &Role, limits: &RoleLimits) -> Vec<String> {
        let at = format!("/roles/{index}");
        let mut doubts: Vec<String> = public(&at, role, &self.issuers).collect();
        if self.universe_domain == GOOGLES_UNIVERSE {
            doubts.extend(locations(&at, role));
        }
        doubts.extend(publishers(&at, role));
        doubts.extend(methods(&at, role));
        doubts.extend(self.unexchangeable(&at, role));
        doubts.extend(self.unfit(role, limits));
        doubts
    }

    /// Doubts callers whose tokens Google does not exchange.
    fn unexchangeable(&self, at: &str, role: &Role) -> Vec<String> {
        let credential = self.credentials.get(role.credential);
        if credential.is_none_or(|credential| credential.source.exchange().is_none()) {
            return Vec::new();
        }
        let issuers: Vec<_> = self
            .issuers
            .iter()
            .filter(|issuer| role.who.iter().any(|who| who.issuer == issuer.name))
            .collect();
        let taken = [Algorithm::Rs256, Algorithm::Es256];
        let unfit = issuers
            .iter()
            .filter(|issuer| !taken.iter().any(|alg| issuer.algorithms.contains(*alg)));
        let mut doubts: Vec<_> = unfit
            .map(|issuer| {
                format!(
                    "{at}/as: Google exchanges tokens signed by RS256 or ES256, and issuer \"{}\" has \
                     neither",
                    issuer.name
                )
            })
            .collect();
        if issuers.len() > 1 {
            doubts.push(format!(
                "{at}/as: a pool's provider trusts one issuer, and `who` names {}: give each a role \
                 and a credential of its own",
                issuers.len()
            ));
        }
        doubts
    }

    /// Doubts a limit on tokens that is smaller than what any request of the role reserves.
    fn unfit(&self, role: &Role, limits: &RoleLimits) -> Vec<String> {
        let costs = |route: &Route| route.is_metered() && !route.is_free();
        if !routes().iter().any(|route| costs(route) && role.may.has_method(&route.method)) {
            return Vec::new();
        }
        // An unread body may set no limit of its own; the role's counts instead.
        let least = match role.may.body {
            None => limits.reserve_tokens.unwrap_or(DEFAULT_RESERVE_TOKENS),
            Some(_) => 1,
        };
        let all = limits.limits.as_slice().iter().chain(self.limits.gateway.as_slice());
        let tokens = all.flat_map(|limit| {
            [Window::Minute, Window::Hour]
                .into_iter()
                .filter_map(move |window| Some((limit, limit.amounts.tokens(window)?)))
        });
        let unfit = tokens.filter(|(_, amount)| *amount < least);
        unfit
            .map(|(limit, amount)| {
                format!(
                    "{}: no request of role \"{}\" fits {amount} tokens, as each reserves \
                     {least} or more: give the role a lower reserve_tokens, or the limit more",
                    limit.pointer, role.name
                )
            })
            .collect()
    }
}

/// Doubts credentials that a person's login is behind.
fn of_persons(credentials: &[Credential]) -> impl Iterator<Item = String> {
    let is_of_person = |credential: &Credential| {
        credential.source.now().token_source().is_some_and(TokenSource::is_of_person)
    };
    let theirs = credentials.iter().enumerate().filter(move |(_, one)| is_of_person(one));
    theirs.map(|(index, credential)| {
        format!(
            "/credentials/{index}: \"{}\" is a person's own login (authorized_user): callers act \
             with that person's rights, and it ends when the person leaves or logs out: use a service \
             account",
            credential.name
        )
    })
}

fn without_identity(credentials: &[Credential]) -> impl Iterator<Item = String> {
    let keys = credentials.iter().enumerate().filter(|(_, one)| one.source.is_api_key());
    keys.map(|(index, credential)| {
        format!(
            "/credentials/{index}: \"{}\" is an API key: Google's IAM and audit log see no identity \
             behind it, and whoever has it can use it anywhere: use a service account where you can",
            credential.name
        )
    })
}

/// Doubts roles that a body may need which another role has signed.
fn signed_before(roles: &[Role]) -> impl Iterator<Item = String> {
    roles.iter().enumerate().flat_map(move |(index, later)| {
        let before = roles.iter().take(index).filter(|role| role.signs_before(later));
        before.map(move |role| {
            format!(
                "/roles/{index}: a request whose body is longer than HAProxy's buffer is signed before \
                 its body is read; one that only \"{}\" allows is refused, as \"{}\" before it signs as \
                 another identity: give both one \"as\", or put \"{}\" first",
                later.name, role.name, later.name
            )
        })
    })
}

fn public<'d>(
    at: &'d str,
    role: &'d Role,
    issuers: &'d [IssuerConfig],
) -> impl Iterator<Item = String> + 'd {
    let open = role.who.iter().filter(|who| who.is_for_anyone() && who.certificate.is_none());
    open.filter_map(move |who| {
        let issuer = issuers.iter().find(|issuer| issuer.name == who.issuer)?;
        let (_, owner) = PUBLIC_ISSUERS.iter().find(|(start, _)| is_of(&issuer.issuer, start))?;
        Some(format!(
            "{at}/who: anyone of {} is everybody with an account at {owner}, who can get a token \
             for any audience there: name subjects, groups or claims",
            issuer.issuer
        ))
    })
}

fn is_of(issuer: &str, start: &str) -> bool {
    match issuer.strip_prefix(start) {
        Some(rest) => rest.is_empty() || rest == "/" || start.ends_with('/'),
        None => false,
    }
}

fn locations<'d>(at: &'d str, role: &'d Role) -> impl Iterator<Item = String> + 'd {
    let named = role.may.locations.iter().enumerate();
    named.filter_map(move |(index, pattern)| {
        let name = pattern.exact().filter(|name| !is_known_location(name))?;
        Some(format!(
            "{at}/may/locations/{index}: no location of Google's is known here as {name}: is it \
             spelled like us-central1, europe-west4, global, us or eu?"
        ))
    })
}

/// The publisher that a pattern of `publisher/model` names, if any.
fn publisher(pattern: &Pattern) -> Option<String> {
    let text = pattern.to_string();
    let (publisher, _) = text.split_once('/')?;
    (!publisher.contains('*')).then(|| publisher.to_owned())
}

fn publishers<'d>(at: &'d str, role: &'d Role) -> impl Iterator<Item = String> + 'd {
    let named = role.may.models.iter().enumerate();
    named.filter_map(move |(index, pattern)| {
        let name = publisher(pattern).filter(|name| !is_known_publisher(name))?;
        let known = known_publishers().join(", ");
        Some(format!(
            "{at}/may/models/{index}: no publisher of Google's is known here as {name}; known are \
             {known}"
        ))
    })
}

/// Doubts methods that none of the publishers has.
fn methods<'d>(at: &'d str, role: &'d Role) -> impl Iterator<Item = String> + 'd {
    let publishers: Option<Vec<String>> = role.may.models.iter().map(publisher).collect();
    let named = role.may.methods.iter().enumerate();
    named.filter_map(move |(index, pattern)| {
        let publishers = publishers.as_ref()?;
        let name = pattern.exact()?;
        let route = routes().iter().find(|route| route.method == name)?;
        let is_spoken = publishers.iter().any(|publisher| speaks(publisher, route));
        (route.class == Class::Inference && !is_spoken).then(|| {
            format!(
                "{at}/may/methods/{index}: models of {} are not called by {name}, but by {}",
                publishers.join(", "),
                spoken(publishers).join(", ")
            )
        })
    })
}

/// The methods that models of some of these publishers have.
fn spoken(publishers: &[String]) -> Vec<&'static str> {
    let inference = routes().iter().filter(|route| route.class == Class::Inference);
    let spoken = inference.filter(|route| publishers.iter().any(|one| speaks(one, route)));
    let mut names: Vec<&str> = spoken.map(|route| route.method.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}
