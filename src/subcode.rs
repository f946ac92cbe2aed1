//! What in particular failed, where a code covers several things.

#![forbid(unsafe_code)]

use std::fmt;

/// What in particular it was, of a code that covers several things: so far of
/// [`ErrorCode::Ssl`](crate::ErrorCode::Ssl).
///
/// [`Subcode::as_str`] gives the slug that C, Go and Node see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Subcode {
    /// The server's certificate, or one that vouches for it, has expired (RFC 5280, section
    /// 4.1.2.5).
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// It is for other names (RFC 9110, section 4.3.4).
    WrongName,
    /// It is signed by itself, or by nobody who is trusted (RFC 5280, section 6.1).
    UnknownAuthority,
    /// It is wrong in another way: malformed, too weak, for another purpose.
    BadCertificate,
    /// The file of authorities can't be read.
    CaFile,
    /// The server asks for a certificate of the client's.
    ClientCertificate,
    /// The handshake failed: no TLS is spoken there, or no version or cipher that both know.
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
