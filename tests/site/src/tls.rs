//! The test CA, and the certificates it signs.
//!
//! Clients rightly refuse a `*.test` certificate, too wide: so each name ending in `.test` gets
//! its own one, signed when it is first asked for. Any other name (but localhost) gets the one of
//! localhost, which will not do: that is how a wrong certificate is met. Three names have one that
//! is wrong in another way: `expired.test`, `early.test` (not yet valid) and `self-signed.test`.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber, date_time_ymd,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::{CertifiedKey, SigningKey};

/// A new CA: what accepts connections with certificates of it, and its own in PEM.
pub(crate) fn authority() -> io::Result<(TlsAcceptor, String)> {
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
        .distinguished_name
        .push(DnType::CommonName, "rouet test CA");
    let pem = params.self_signed(&key).map_err(io::Error::other)?.pem();

    let leaf = KeyPair::generate().map_err(io::Error::other)?;
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.serialize_der()));
    let names = Names {
        issuer: Issuer::new(params, key),
        signer: ring::sign::any_supported_type(&der).map_err(io::Error::other)?,
        leaf,
        made: Mutex::default(),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(names));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), pem))
}

/// The certificates, by name.
struct Names {
    issuer: Issuer<'static, KeyPair>,
    leaf: KeyPair,
    signer: Arc<dyn SigningKey>,
    made: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Names")
    }
}

impl Names {
    fn sign(&self, name: &str, serial: u64) -> Result<CertifiedKey, rcgen::Error> {
        let mut subjects = vec!["localhost", "127.0.0.1", "*.test"];
        if name != "localhost" {
            subjects.push(name);
        }
        let subjects: Vec<String> = subjects.into_iter().map(str::to_owned).collect();
        let mut params = CertificateParams::new(subjects)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        match name {
            "expired.test" => params.not_after = date_time_ymd(2000, 1, 1),
            "early.test" => params.not_before = date_time_ymd(4000, 1, 1),
            _ => {}
        }
        let certificate = match name {
            "self-signed.test" => params.self_signed(&self.leaf)?,
            _ => params.signed_by(&self.leaf, &self.issuer)?,
        };
        let chain = vec![certificate.der().clone()];
        Ok(CertifiedKey::new(chain, self.signer.clone()))
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = match hello.server_name() {
            Some(name) if name.ends_with(".test") => name,
            _ => "localhost",
        };
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(certificate) = made.get(name) {
            return Some(certificate.clone());
        }
        let certificate = Arc::new(self.sign(name, made.len() as u64 + 2).ok()?);
        made.insert(name.to_owned(), certificate.clone());
        Some(certificate)
    }
}
