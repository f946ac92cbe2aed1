//! The particular cause of a failure, where a code covers several.

#![forbid(unsafe_code)]

use std::fmt;

/// The particular cause of a failure whose code covers several: so far only
/// [`ErrorCode::Ssl`](crate::ErrorCode::Ssl).
///
/// [`Subcode::as_str`] gives the slug that C, Go and Node see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subcode {
    /// The server's certificate, or one that vouches for it, has expired (RFC 5280, section 4.1.2.5).
    Expired,
    /// The certificate is not valid yet.
    NotYetValid,
    /// The certificate is for other names (RFC 9110, section 4.3.4).
    WrongName,
    /// The certificate is signed by itself, or by nobody who is trusted (RFC 5280, section 6.1).
    UnknownAuthority,
    /// The certificate is wrong in another way: malformed, too weak, for another purpose.
    BadCertificate,
    /// The file of authorities can't be read.
    CaFile,
    /// The server asks for a client certificate.
    ClientCertificate,
    /// The handshake failed: the peer does not speak TLS, or shares no version or cipher.
    Protocol,
}

impl Subcode {
    /// The subcode's slug, stable over versions: `"expired"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::WrongName => "wrong-name",
            Self::UnknownAuthority => "unknown-authority",
            Self::BadCertificate => "bad-certificate",
            Self::CaFile => "ca-file",
            Self::ClientCertificate => "client-certificate",
            Self::Protocol => "protocol",
        }
    }
}

impl fmt::Display for Subcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
