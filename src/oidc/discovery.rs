//! OpenID Connect Discovery 1.0: where an issuer's discovery document is, and what it says.

use crate::fetch::Endpoint;
use crate::json::{Json, syntax_fault};

/// The discovery document of an issuer (section 4).
///
/// # Errors
/// Says what is wrong with the issuer's URL.
pub fn discovery(issuer: &str) -> Result<Endpoint, &'static str> {
    if issuer.contains('?') {
        return Err("an issuer without query is wanted");
    }
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    Endpoint::parse(&format!("{base}/.well-known/openid-configuration"))
}

/// The key set of the issuer whose discovery document this is, on one of these hosts. The document
/// must be the issuer's own (section 4.3).
///
/// # Errors
/// Says what is wrong with the document.
pub(super) fn jwks_uri(
    document: &[u8],
    issuer: &str,
    hosts: &[String],
) -> Result<Endpoint, String> {
    let json = Json::parse(document)
        .map_err(|why| format!("not JSON: {}", syntax_fault(&why, document)))?;
    if json.get("issuer").and_then(Json::as_str) != Some(issuer) {
        return Err(format!("the discovery document's issuer is not {issuer}"));
    }
    let jwks_uri = json.get("jwks_uri").and_then(Json::as_str).ok_or("no jwks_uri")?;
    let endpoint = Endpoint::parse(jwks_uri).map_err(|why| format!("jwks_uri: {why}"))?;
    if !hosts.contains(&endpoint.authority) {
        return Err(format!(
            "jwks_uri is on {}, which is not the issuer's host: list it in jwks_hosts",
            endpoint.authority
        ));
    }
    Ok(endpoint)
}
