//! The certificate authority of the stand-in and the TLS server configurations.

use crate::pem;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;

const IDP_NAMES: [&str; 3] = ["idp.example", "localhost", "127.0.0.1"];
const GOOGLE_NAMES: [&str; 5] = [
    "aiplatform.googleapis.com",
    "*.googleapis.com",
    "us-central1-aiplatform.googleapis.com",
    // A wildcard covers one label only.
    "aiplatform.us.rep.googleapis.com",
    "aiplatform.eu.rep.googleapis.com",
];

/// The last two are for clients that cannot be led elsewhere.
const IDENTITY_NAMES: [&str; 5] = [
    "oauth2.googleapis.com",
    "sts.googleapis.com",
    "iamcredentials.googleapis.com",
    "localhost",
    "127.0.0.1",
];

pub struct Acceptors {
    pub idp: TlsAcceptor,
    pub google: TlsAcceptor,
    pub identity: TlsAcceptor,
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "vertex-standin test CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2044, 1, 1);
    params
}

/// Takes the authority from `dir`, or makes it; server certificates are new at every start.
pub fn prepare(dir: &Path) -> Result<Acceptors, String> {
    let key_path = dir.join("keys").join("ca.key.pem");
    let ca_path = dir.join("ca.pem");
    let params = ca_params();
    let failed = |e: rcgen::Error| format!("certificate: {e}");
    let key = match (std::fs::read_to_string(&key_path), ca_path.exists()) {
        (Ok(text), true) => KeyPair::from_pem(&text).map_err(failed)?,
        _ => {
            let key = KeyPair::generate().map_err(failed)?;
            let ca = params.self_signed(&key).map_err(failed)?;
            pem::write_private(&key_path, &key.serialize_pem())?;
            pem::write_public(&ca_path, &ca.pem())?;
            key
        }
    };
    // Name and key are the same at every start, so ca.pem verifies what this issuer signs.
    let issuer = Issuer::from_params(&params, &key);
    Ok(Acceptors {
        idp: server(&issuer, &IDP_NAMES)?,
        google: server(&issuer, &GOOGLE_NAMES)?,
        identity: server(&issuer, &IDENTITY_NAMES)?,
    })
}

fn server(issuer: &Issuer<'_, &KeyPair>, names: &[&str]) -> Result<TlsAcceptor, String> {
    let failed = |e: rcgen::Error| format!("certificate: {e}");
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let common_name = names.first().cloned().unwrap_or_default();
    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2044, 1, 1);
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, issuer).map_err(failed)?;
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], private.into())
        })
        .map_err(|e| format!("TLS: {e}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
