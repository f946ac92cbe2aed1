//! What a widespread browser sends: Chrome on Windows.

/// The browser's `User-Agent`. Browsers have frozen all of it but the main version.
pub(super) const USER_AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36";

/// The browser's ciphers of TLS 1.3, in its order.
#[cfg(not(engine = "isahc"))]
pub(super) const TLS13_CIPHERS: &str =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/// The browser's ciphers of TLS 1.2, in its order, by OpenSSL's names.
#[cfg(not(engine = "isahc"))]
pub(super) const TLS12_CIPHERS: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:\
    ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
    ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-SHA:\
    ECDHE-RSA-AES256-SHA:AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA:AES256-SHA";
