//! The commands of `gcloud` that grant each credential what it needs, and nothing more.

use std::fmt::{self, Write as _};

use crate::cli::iam::Needs;
use crate::google::{Federated, Principal};

/// Impersonates a service account.
/// Source: <https://cloud.google.com/iam/docs/service-account-permissions>.
const TOKEN_CREATOR: &str = "roles/iam.serviceAccountTokenCreator";

/// The same, for a federated identity: it signs nothing in the account's name.
const WORKLOAD_IDENTITY_USER: &str = "roles/iam.workloadIdentityUser";

/// A script for a shell.
pub(super) fn script(all: &[Needs<'_>]) -> String {
    let mut script = String::from(
        "# What Google has to grant, for a shell with gcloud. Read it before you run it; what exists\n\
         # already fails and can be skipped.\nset -u\n",
    );
    for needs in all {
        // A text takes all that is written.
        let _ = for_one(needs, &mut script);
    }
    script
}

/// The member of a binding; `None` if the configuration does not tell.
pub(super) fn member(principal: &Principal) -> Option<String> {
    match principal {
        Principal::ServiceAccount(account) => Some(format!("serviceAccount:{account}")),
        Principal::Federated(Federated { pool, subject, .. }) => {
            subject.as_ref().map(|subject| format!("principal://{pool}/subject/{subject}"))
        }
        Principal::Machine | Principal::Unknown => None,
    }
}

fn for_one(needs: &Needs<'_>, script: &mut String) -> fmt::Result {
    let name = &needs.credential.name;
    writeln!(script, "\n# Credential {name}, used by roles: {}.", needs.roles.join(", "))?;
    for principal in &needs.principals {
        create(principal, script)?;
    }
    for pair in needs.principals.windows(2) {
        if let [impersonator, account] = pair {
            let (from, to) = (shell_member(impersonator), shell_member(account));
            let role = match impersonator {
                Principal::Federated(_) => WORKLOAD_IDENTITY_USER,
                _ => TOKEN_CREATOR,
            };
            let to = to.replace("serviceAccount:", "");
            writeln!(script, "gcloud iam service-accounts add-iam-policy-binding {to} \\")?;
            writeln!(script, "  --role={role} --member={from}")?;
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
    writeln!(script, "gcloud projects add-iam-policy-binding {project} --condition=None \\")?;
    writeln!(
        script,
        "  --role=projects/{project}/roles/{role} --member={}",
        shell_member(needs.seen())
    )
}

/// What makes an identity.
fn create(principal: &Principal, script: &mut String) -> fmt::Result {
    match principal {
        Principal::ServiceAccount(account) => {
            let domain = account.split_once('@').and_then(|(name, domain)| {
                Some((name, domain.strip_suffix(".iam.gserviceaccount.com")?))
            });
            match domain {
                Some((name, project)) => {
                    let (name, project) = (quoted(name), quoted(project));
                    writeln!(
                        script,
                        "gcloud iam service-accounts create {name} --project={project}"
                    )
                }
                // Google makes those of machines itself.
                None => Ok(()),
            }
        }
        Principal::Federated(federated) => create_pool(federated, script),
        Principal::Machine => writeln!(
            script,
            "# MACHINE is the service account of the machine that HAProxy runs on, on which this tells it:\n\
             #   curl -H 'Metadata-Flavor: Google' http://metadata.google.internal/computeMetadata/v1/\
             instance/service-accounts/default/email"
        ),
        Principal::Unknown => writeln!(
            script,
            "# MEMBER is whom its token is for: serviceAccount:… or user:…; the configuration does not tell."
        ),
    }
}

fn create_pool(federated: &Federated, script: &mut String) -> fmt::Result {
    let Federated { pool, provider, token_type, issuer, subject } = federated;
    let id = quoted(pool.rsplit('/').next().unwrap_or_default());
    let provider = quoted(provider);
    let project = pool.split_once("/projects/").and_then(|(_, rest)| rest.split('/').next());
    let (pools, place, owner) = match project {
        Some(project) => {
            let place = format!("--location=global --project={}", quoted(project));
            ("gcloud iam workload-identity-pools", place.clone(), place)
        }
        None => {
            let place = "--location=global".to_owned();
            let owner = format!("{place} --organization=\"${{ORGANIZATION:?its number}}\"");
            ("gcloud iam workforce-pools", place, owner)
        }
    };
    let of_pool = match project {
        Some(_) => format!("--workload-identity-pool={id}"),
        None => format!("--workforce-pool={id}"),
    };
    writeln!(script, "{pools} create {id} {owner}")?;
    let kind = match token_type.as_str() {
        kind if kind.ends_with(":saml2") => "create-saml",
        kind if kind.ends_with(":aws4_request") => "create-aws",
        _ => "create-oidc",
    };
    writeln!(script, "{pools} providers {kind} {provider} {place} {of_pool} \\")?;
    match kind {
        "create-aws" => writeln!(script, "  --account-id=\"${{AWS_ACCOUNT:?its number}}\""),
        "create-saml" => {
            writeln!(script, "  --idp-metadata-path=\"${{METADATA:?a file of the issuer's}}\" \\")?;
            writeln!(script, "  --attribute-mapping=google.subject=assertion.subject")
        }
        _ => {
            let issuer = issuer
                .as_deref()
                .map_or_else(|| "\"${ISSUER:?the URL of the issuer}\"".to_owned(), quoted);
            writeln!(script, "  --issuer-uri={issuer} \\")?;
            if project.is_none() {
                writeln!(
                    script,
                    "  --client-id=\"${{CLIENT_ID:?the audience of its tokens}}\" \\"
                )?;
                writeln!(
                    script,
                    "  --web-sso-response-type=id-token --web-sso-assertion-claims-behavior=only-id-token-claims \\"
                )?;
            }
            write!(script, "  --attribute-mapping=google.subject=assertion.sub")?;
            match subject.as_deref().filter(|subject| !subject.contains('\'')) {
                Some(subject) => {
                    let condition = format!("assertion.sub == '{subject}'");
                    writeln!(script, " \\\n  --attribute-condition={}", quoted(&condition))
                }
                None => writeln!(script),
            }
        }
    }
}

/// A member as a word of the script; one that is not known is a variable to be set.
fn shell_member(principal: &Principal) -> String {
    match (member(principal), principal) {
        (Some(member), _) => quoted(&member),
        (None, Principal::Federated(Federated { pool, .. })) => {
            let pool = quoted(&format!("principal://{pool}/subject/"));
            format!("{pool}\"${{SUBJECT:?the subject of its tokens}}\"")
        }
        (None, Principal::Machine) => {
            "\"serviceAccount:${MACHINE:?the machine's service account}\"".to_owned()
        }
        (None, _) => "\"${MEMBER:?whom the token is for}\"".to_owned(),
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
