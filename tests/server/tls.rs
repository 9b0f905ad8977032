//! TLS for the test server: an authority of its own that lives as long as the process, a certificate for
//! `localhost` and 127.0.0.1, and one for a client that shall prove who it is. Nothing of it touches the disk.

use std::error::Error;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};

use crate::options::ClientCertificates;

/// The server's side of TLS, and what a client needs for its side.
pub(crate) struct Tls {
    /// For `HttpServer::listen_rustls_0_23`.
    pub(crate) config: ServerConfig,
    /// The event `tls`, with `ca`, `cert` and `key`, each PEM: the authority, and a client's certificate and key.
    pub(crate) client: Value,
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Authority {
    fn new() -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::<String>::new())?;
        params
            .distinguished_name
            .push(DnType::CommonName, "the test server's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key)?;
        Ok(Authority {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        })
    }

    fn issue(&self, names: &[&str], purpose: ExtendedKeyUsagePurpose) -> Result<Identity, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        // a name that is not the authority's: else this would pass for a self-signed certificate
        if let Some(name) = names.first() {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Identity {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            key,
        })
    }
}

/// Makes certificates and keys, and the server's configuration from them.
///
/// # Errors
/// When a certificate cannot be made, which does not happen.
pub(crate) fn set_up(clients: ClientCertificates) -> Result<Tls, Box<dyn Error + Send + Sync>> {
    let authority = Authority::new()?;
    let server = authority.issue(&["localhost", "127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth)?;
    let client = authority.issue(&["client.example"], ExtendedKeyUsagePurpose::ClientAuth)?;

    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = match clients {
        ClientCertificates::None => builder.with_no_client_auth(),
        ClientCertificates::Optional | ClientCertificates::Required => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.certificate.clone())?;
            let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            if clients == ClientCertificates::Optional {
                verifier = verifier.allow_unauthenticated();
            }
            builder.with_client_cert_verifier(verifier.build()?)
        }
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server.key.serialize_der()));
    Ok(Tls {
        config: builder.with_single_cert(vec![server.certificate], key)?,
        client: json!({ "event": "tls", "ca": authority.pem, "cert": client.pem, "key": client.key.serialize_pem() }),
    })
}
