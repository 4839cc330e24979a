//! The commands of `gcloud` that grant each credential what it needs, and nothing more.

use std::fmt::{self, Write as _};

use crate::cli::iam::{Needs, Who};
use crate::google::{Federated, GOOGLES_UNIVERSE, Pool, Principal};

/// Impersonates a service account.
/// Source: <https://cloud.google.com/iam/docs/service-account-permissions>.
const TOKEN_CREATOR: &str = "roles/iam.serviceAccountTokenCreator";

/// The same, for a federated identity: it signs nothing in the account's name.
const WORKLOAD_IDENTITY_USER: &str = "roles/iam.workloadIdentityUser";

/// A script for a shell.
pub(super) fn script(all: &[Needs<'_>], universe: &str) -> String {
    let mut script = String::from(
        "# What Google has to grant, for a shell with gcloud. Read it before you run it; what exists\n\
         # already fails and can be skipped.\nset -u\n",
    );
    if universe != GOOGLES_UNIVERSE {
        let _ = writeln!(script, "export CLOUDSDK_CORE_UNIVERSE_DOMAIN={universe}");
    }
    for needs in all {
        // A text takes all that is written.
        let _ = for_one(needs, &mut script);
    }
    script
}

/// The members of bindings; none if the configuration does not tell.
pub(super) fn members(needs: &Needs<'_>, principal: &Principal) -> Vec<String> {
    match principal {
        Principal::ServiceAccount(account) => vec![format!("serviceAccount:{account}")],
        Principal::Federated(Federated { pool, subject, .. }) => {
            let subject = subject.iter();
            subject.map(|subject| format!("principal://{}/subject/{subject}", pool.name)).collect()
        }
        Principal::Callers(Pool { name, .. }) => {
            let member = |who: &Who<'_>| match who {
                Who::Subject(subject) => format!("principal://{name}/subject/{subject}"),
                Who::Group(group) => format!("principalSet://{name}/group/{group}"),
                Who::Anyone => format!("principalSet://{name}/*"),
            };
            needs.callers.iter().map(member).collect()
        }
        Principal::Machine | Principal::Nobody | Principal::Unknown => Vec::new(),
    }
}

fn for_one(needs: &Needs<'_>, script: &mut String) -> fmt::Result {
    let name = &needs.credential.name;
    writeln!(script, "\n# Credential {name}, used by roles: {}.", needs.roles.join(", "))?;
    if needs.seen() == &Principal::Nobody {
        return script.write_str(
            "# It is an API key, which IAM does not know: there is nothing to grant. KEY is its id, and this \
             keeps it\n# to Vertex AI:\n\
             #   gcloud services api-keys update KEY --api-target=service=aiplatform.googleapis.com\n",
        );
    }
    for principal in &needs.principals {
        create(needs, principal, script)?;
    }
    for pair in needs.principals.windows(2) {
        if let [impersonator, Principal::ServiceAccount(account)] = pair {
            let role = match impersonator {
                Principal::Federated(_) | Principal::Callers(_) => WORKLOAD_IDENTITY_USER,
                _ => TOKEN_CREATOR,
            };
            let account = quoted(account);
            for member in shell_members(needs, impersonator) {
                writeln!(
                    script,
                    "gcloud iam service-accounts add-iam-policy-binding {account} \\"
                )?;
                writeln!(script, "  --role={role} --member={member}")?;
            }
        }
    }
    if !needs.unknown.is_empty() {
        let unknown: Vec<_> = needs.unknown.iter().copied().collect();
        writeln!(script, "# Google does not say what these need: {}.", unknown.join(", "))?;
    }
    for project in &needs.projects {
        grant(needs, project, script)?;
    }
    Ok(())
}

/// A custom role of a project, and its binding.
fn grant(needs: &Needs<'_>, project: &str, script: &mut String) -> fmt::Result {
    let name = &needs.credential.name;
    let role = role_id(name);
    let project = match project.contains('*') {
        true => {
            writeln!(script, "# PROJECT is one of {project}; once for each of them.")?;
            "\"${PROJECT:?one that its roles allow}\"".to_owned()
        }
        false => quoted(project),
    };
    let permissions: Vec<_> = needs.permissions.iter().copied().collect();
    writeln!(script, "gcloud services enable aiplatform.googleapis.com --project={project}")?;
    writeln!(script, "gcloud iam roles create {role} --project={project} --stage=GA \\")?;
    writeln!(script, "  --title={} \\", quoted(&format!("haproxy-vertex {name}")))?;
    writeln!(script, "  --permissions={}", permissions.join(","))?;
    for member in shell_members(needs, needs.seen()) {
        writeln!(script, "gcloud projects add-iam-policy-binding {project} --condition=None \\")?;
        writeln!(script, "  --role=projects/{project}/roles/{role} --member={member}")?;
    }
    Ok(())
}

/// What makes an identity.
fn create(needs: &Needs<'_>, principal: &Principal, script: &mut String) -> fmt::Result {
    match principal {
        Principal::ServiceAccount(account) => {
            let domain = account.split_once('@').and_then(|(name, domain)| {
                Some((name, domain.strip_suffix(".iam.gserviceaccount.com")?))
            });
            match domain {
                Some((name, project)) => {
                    // The id of a project of a domain or a partner is `scope:project`.
                    let project = match project.split_once('.') {
                        Some((project, scope)) => format!("{scope}:{project}"),
                        None => project.to_owned(),
                    };
                    let (name, project) = (quoted(name), quoted(&project));
                    writeln!(
                        script,
                        "gcloud iam service-accounts create {name} --project={project}"
                    )
                }
                // Google makes those of machines itself.
                None => Ok(()),
            }
        }
        Principal::Federated(Federated { pool, issuer, subject }) => {
            create_pool(pool, script)?;
            let mut trusted = String::from("  --attribute-mapping=google.subject=assertion.sub");
            if let Some(subject) = subject.as_deref().filter(|subject| !subject.contains('\'')) {
                let condition = quoted(&format!("assertion.sub == '{subject}'"));
                let _ = write!(trusted, " \\\n  --attribute-condition={condition}");
            }
            create_provider(pool, issuer.as_deref(), &trusted, script)
        }
        Principal::Callers(pool) => {
            create_pool(pool, script)?;
            let claims = needs.issuer.map(|issuer| &issuer.claims);
            let mapped = claims.map(|claims| {
                let (subject, groups) = (&claims.subject, &claims.groups);
                format!("google.subject=assertion.{subject},google.groups=assertion.{groups}")
            });
            let audiences = needs.issuer.map(|issuer| issuer.audiences.join(","));
            let trusted = format!(
                "  --attribute-mapping={} \\\n  --allowed-audiences={}",
                quoted(&mapped.unwrap_or_default()),
                quoted(&audiences.unwrap_or_default())
            );
            let issuer = needs.issuer.map(|issuer| issuer.issuer.as_str());
            create_provider(pool, issuer, &trusted, script)
        }
        Principal::Machine => writeln!(
            script,
            "# MACHINE is the service account of the machine that HAProxy runs on, on which this tells it:\n\
             #   curl -H 'Metadata-Flavor: Google' http://metadata.google.internal/computeMetadata/v1/\
             instance/service-accounts/default/email"
        ),
        Principal::Nobody => Ok(()),
        Principal::Unknown => writeln!(
            script,
            "# MEMBER is whom its token is for: serviceAccount:… or user:…; the configuration does not tell."
        ),
    }
}

/// How `gcloud` names a pool's commands, where it is, and the pool for its providers.
fn places(pool: &Pool) -> (&'static str, String, String) {
    let id = quoted(pool.id());
    match pool.project() {
        Some(project) => (
            "gcloud iam workload-identity-pools",
            format!("--location=global --project={}", quoted(project)),
            format!("--workload-identity-pool={id}"),
        ),
        None => (
            "gcloud iam workforce-pools",
            "--location=global".to_owned(),
            format!("--workforce-pool={id}"),
        ),
    }
}

fn create_pool(pool: &Pool, script: &mut String) -> fmt::Result {
    let (pools, place, _) = places(pool);
    let owner = match pool.is_of_workforce() {
        true => " --organization=\"${ORGANIZATION:?its number}\"",
        false => "",
    };
    writeln!(script, "{pools} create {} {place}{owner}", quoted(pool.id()))
}

/// `trusted` are the options of a provider of OpenID Connect.
fn create_provider(
    pool: &Pool,
    issuer: Option<&str>,
    trusted: &str,
    script: &mut String,
) -> fmt::Result {
    let (pools, place, of_pool) = places(pool);
    let kind = match pool.token_type.as_str() {
        kind if kind.ends_with(":saml2") => "create-saml",
        kind if kind.ends_with(":aws4_request") => "create-aws",
        _ => "create-oidc",
    };
    let provider = quoted(&pool.provider);
    writeln!(script, "{pools} providers {kind} {provider} {place} {of_pool} \\")?;
    match kind {
        "create-aws" => writeln!(script, "  --account-id=\"${{AWS_ACCOUNT:?its number}}\""),
        "create-saml" => {
            writeln!(script, "  --idp-metadata-path=\"${{METADATA:?a file of the issuer's}}\" \\")?;
            writeln!(script, "  --attribute-mapping=google.subject=assertion.subject")
        }
        _ => {
            let unknown = || "\"${ISSUER:?the URL of the issuer}\"".to_owned();
            let issuer = issuer.map_or_else(unknown, quoted);
            writeln!(script, "  --issuer-uri={issuer} \\")?;
            if pool.is_of_workforce() {
                let client = "\"${CLIENT_ID:?the audience of its tokens}\"";
                writeln!(script, "  --client-id={client} --web-sso-response-type=id-token \\")?;
                let claims = "--web-sso-assertion-claims-behavior=only-id-token-claims";
                writeln!(script, "  {claims} \\")?;
            }
            writeln!(script, "{trusted}")
        }
    }
}

/// Members as words of the script; one that is not known is a variable to be set.
fn shell_members(needs: &Needs<'_>, principal: &Principal) -> Vec<String> {
    let unknown = match principal {
        Principal::Federated(Federated { pool, .. }) => {
            let pool = quoted(&format!("principal://{}/subject/", pool.name));
            format!("{pool}\"${{SUBJECT:?the subject of its tokens}}\"")
        }
        Principal::Machine => {
            "\"serviceAccount:${MACHINE:?the machine's service account}\"".to_owned()
        }
        _ => "\"${MEMBER:?whom the token is for}\"".to_owned(),
    };
    match members(needs, principal).as_slice() {
        [] => vec![unknown],
        members => members.iter().map(|member| quoted(member)).collect(),
    }
}

/// An id for a custom role: letters, digits and `_`, 64 at most.
fn role_id(credential: &str) -> String {
    let id = credential.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    "haproxyVertex_".chars().chain(id).take(64).collect()
}

/// A word of a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:/@%+=".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}
