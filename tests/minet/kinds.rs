//! How the kinds of differences of `docs/minet-differences.md` are recognised, in its order: the
//! first that fits is the one. A kind is known by what both came to, and where that could be
//! something else too, by the names of the cases as well.

use rouet::Kind as JobKind;
use url::Url;

use crate::Difference;

type Recognise = fn(&Difference<'_>) -> bool;

pub const KINDS: &[(&str, Recognise)] = &[
    // What both call the same
    ("ascii-is-utf-8", |d| {
        let is_ascii = |text: &Option<String>| text.as_ref().is_some_and(|text| text.is_ascii());
        d.field == "encoding"
            && d.minet.encoding.as_deref() == Some("ascii")
            && is_ascii(&d.minet.text)
            && d.ours.encoding.as_deref() == Some("utf-8")
    }),
    // URLs
    ("urls-normalised", |d| {
        let written = |url: &str| {
            let url = Url::parse(url).map_or_else(|_| url.to_owned(), String::from);
            // The crate leaves `^` in a path; the URL Standard does not.
            let path = url.find(['?', '#']).unwrap_or(url.len());
            url[..path].replace('^', "%5E") + &url[path..]
        };
        match d.field {
            "end_url" => written(&d.minet.end_url) == d.ours.end_url,
            "stack" => {
                let minet = d.minet.stack.iter();
                let minet: Vec<_> = minet
                    .map(|hop| (written(&hop.0), hop.1.clone(), hop.2))
                    .collect();
                minet == d.ours.stack
            }
            _ => false,
        }
    }),
    ("urls-encoded", |d| {
        let asked = |text: &Option<String>| {
            let text = text
                .as_deref()
                .filter(|text| text.starts_with("GET /dir/"))?;
            // minet writes what is encoded in upper case.
            let mut text = text.to_owned();
            let codes: Vec<usize> = text.match_indices('%').map(|(at, _)| at).collect();
            for at in codes {
                let code = text.get_mut(at + 1..at + 3);
                let is_hex = |code: &&mut str| code.bytes().all(|byte| byte.is_ascii_hexdigit());
                if let Some(code) = code.filter(is_hex) {
                    code.make_ascii_uppercase();
                }
            }
            Some(
                ["%7C=|", "%5E=^", "%60=`", "%7B={", "%7D=}", "%25=%"]
                    .iter()
                    .fold(text, |text, pair| {
                        let (from, to) = pair.split_once('=').expect("a pair");
                        text.replace(from, to)
                    }),
            )
        };
        let bytes = !d.case.name.contains("raw ") && !d.case.name.contains("caf");
        d.field == "text"
            && bytes
            && asked(&d.minet.text).is_some()
            && asked(&d.minet.text) == asked(&d.ours.text)
    }),
    ("urls-of-browsers", |d| {
        named(
            d,
            &[
                "location: no host but a path",
                "refresh to \"http:///x\"",
                "url: no host but a path",
            ],
        ) || named(
            d,
            &[
                "location: one slash too many",
                "location: backslash",
                "url: a backslash",
            ],
        ) || named(d, &["location: encoded host", "location: short address"])
            || named(d, &["location: number as address", "location: hex address"])
    }),
    ("hosts-not-asked", |d| {
        let tried = [
            "unknown-host",
            "name-resolution-failure",
            "connection-refused",
        ];
        d.minet.error == "invalid-url" && tried.contains(&&*d.ours.error)
    }),
    ("urls-with-tabs", |d| named(d, &["url: a tab"])),
    ("scheme-put-before", |d| named(d, &["url: mailto"])),
    ("fragments-kept", |d| named(d, &["fragment kept"])),
    // Redirections
    ("not-following-fails", |d| {
        d.minet.error == "raised TypeError" && !d.case.options.follow_redirects
    }),
    ("last-redirection", |d| {
        let followed = d
            .ours
            .stack
            .iter()
            .filter(|hop| hop.1 != "hit" && hop.1 != "canonical");
        let usual = match d.case.job.kind {
            JobKind::Request => 10,
            JobKind::Resolve => 20,
        };
        let most = d.case.options.max_redirects.unwrap_or(usual);
        d.minet.error == "max-redirects"
            && d.ours.error == "ok"
            && followed.count() == most as usize
    }),
    ("redirect-without-location", |d| {
        let status = d.ours.stack.first().map_or(0, |hop| hop.2);
        d.minet.error == "invalid-redirect"
            && matches!(status, 301 | 302 | 303 | 307 | 308)
            && d.ours.error != "self-redirect"
    }),
    ("location-empty", |d| {
        errors(d, "invalid-redirect", "self-redirect")
    }),
    ("location-twice", |d| {
        errors(d, "ok", "protocol-error") && named(d, &["two locations"])
    }),
    ("location-that-leads-nowhere", |d| {
        errors(d, "invalid-url", "invalid-redirect")
            || errors(d, "self-redirect", "invalid-redirect")
    }),
    ("location-raw", |d| {
        let is_raw = d.case.name.contains("raw ") || d.case.name.contains("caf\u{e9}");
        let mangled = |url: &str| url.contains(|letter: char| !letter.is_ascii());
        is_raw
            && d.ours.error == "ok"
            && !named(d, &["canonical"])
            && mangled(&d.minet.end_url)
            && d.ours.end_url.is_ascii()
    }),
    ("method-after-redirect", |d| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        d.field == "text"
            && (text(&d.minet.text).starts_with("POST /echo")
                || text(&d.minet.text).starts_with("PUT /echo"))
            && text(&d.ours.text).starts_with("GET /echo")
    }),
    ("head-refused", |d| {
        named(d, &["HEAD refused"]) && d.minet.stack[0].2 == 405
    }),
    ("url-met-twice", |d| {
        named(d, &["cookies asked"]) && d.minet.stack.len() + 1 == d.ours.stack.len()
    }),
    ("refresh-target-unfit", |d| {
        let unfit = ["mailto:", "javascript:", "ftp:", "\"http://\""];
        let minet = ["invalid-url", "invalid-redirect", "self-redirect"];
        named(d, &["refresh to ", "meta to "])
            && unfit.iter().any(|target| d.case.name.contains(target))
            && minet.contains(&&*d.minet.error)
            && d.ours.error == "ok"
    }),
    ("refresh-in-noscript", |d| {
        named(d, &["meta in noscript, with scripts"]) && only_minet(d)
    }),
    ("page-to-itself", |d| {
        let here = named(d, &["refresh to ", "meta to ", "script "]);
        let unfit = ["http://\"", "mailto:", "javascript:", "ftp:"];
        let is_unfit = unfit.iter().any(|target| d.case.name.contains(target));
        errors(d, "self-redirect", "ok") && here && !is_unfit
    }),
    ("pages-in-turn", |d| {
        errors(d, "infinite-redirects", "ok") && named(d, &["refresh loop"])
    }),
    ("refresh-forms", |d| {
        let form = named(d, &["refresh \"", "meta \"", "meta in quotes"]);
        form && d.case.options.follow_refresh_header
    }),
    ("script-target-unfit", |d| {
        let unfit = ["invalid-url", "invalid-redirect", "self-redirect"];
        named(d, &["script "]) && unfit.contains(&&*d.minet.error) && d.ours.error == "ok"
    }),
    ("meta-in-other-types", |d| {
        named(
            d,
            &[
                "meta in plain",
                "meta in json",
                "meta in xml",
                "meta in an image",
            ],
        ) && only_minet(d)
    }),
    ("meta-depth", |d| named(d, &["meta after"]) && only_minet(d)),
    ("meta-not-markup", |d| {
        named(d, &["meta in a", "meta unclosed"]) && only_minet(d)
    }),
    ("meta-markup", |d| {
        named(d, &["meta "]) && d.ours.stack.len() == 2 && d.ours.stack[0].1 == "meta-refresh"
    }),
    ("script-in-other-types", |d| {
        named(
            d,
            &["script in plain", "script in javascript", "script in json"],
        ) && only_minet(d)
    }),
    ("script-not-run", |d| {
        named(d, &["script "]) && only_minet(d)
    }),
    ("script-forms", |d| {
        named(d, &["script "]) && d.ours.stack.len() == 2 && d.ours.stack[0].1 == "js-relocation"
    }),
    ("infer-more", |d| {
        named(d, &["infer encoded twice", "infer with amp;"])
    }),
    ("canonical-unfit", |d| {
        named(d, &["canonical of", "canonical empty"]) && d.ours.stack.len() == 1
    }),
    ("canonical-not-markup", |d| {
        named(
            d,
            &[
                "canonical in a comment",
                "canonical in a script",
                "canonical in plain",
            ],
        ) && d.ours.stack.len() == 1
    }),
    ("canonical-markup", |d| {
        named(d, &["canonical "]) && d.ours.stack.len() == 2
    }),
    // Cookies
    ("cookie-to-another-origin", |d| {
        named(d, &["cookies of the caller, to another origin"]) && d.field == "text"
    }),
    ("cookie-secure", |d| {
        named(d, &["cookies that are secure"]) && d.field == "text"
    }),
    ("cookie-without-name", |d| {
        named(d, &["cookies without a name"]) && d.field == "text"
    }),
    // Broken and slow servers
    ("body-cut-off", |d| {
        errors(d, "ok", "connection-aborted") || named(d, &["compressed gzip cut off (request)"])
    }),
    ("words-for-broken", |d| {
        let minet = ["connection-error", "connection-aborted"];
        let ours = ["connection-aborted", "protocol-error"];
        minet.contains(&&*d.minet.error) && ours.contains(&&*d.ours.error)
            || d.minet.error.starts_with("InvalidHeader") && d.ours.error == "protocol-error"
    }),
    ("words-for-slow", |d| errors(d, "read-timeout", "timeout")),
    // Bodies
    ("coding-not-asked", |d| {
        named(d, &["compressed"])
            && !d.case.options.compressed
            && d.ours.error == "ok"
            && !d.case.name.contains("without saying")
    }),
    ("coding-claimed", |d| {
        let claimed = [
            "compressed gzip that is none (request)",
            "compressed deflate that is none (request)",
            "compressed gzip spoilt (request)",
        ];
        named(d, &claimed) && d.ours.error == "ok"
    }),
    ("coding-x-gzip", |d| {
        named(d, &["compressed x-gzip (request)"])
    }),
    ("coding-more", |d| {
        named(d, &["compressed /br", "compressed /zstd"])
    }),
    ("text-or-not", |d| {
        d.minet.text.is_none() != d.ours.text.is_none()
    }),
    // Encodings
    ("utf-8-by-default", |d| {
        !d.case.detect && right(d) == (false, true)
    }),
    ("utf-8-mark", |d| {
        named(d, &["utf-8 marked"]) && right(d) == (false, true)
    }),
    ("header-heeded", |d| {
        let heeded = [": header (", ": header in quotes ("];
        heeded.iter().any(|name| d.case.name.contains(name)) && right(d) == (false, true)
    }),
    ("detection", |d| right(d) == (false, true)),
    ("encoding-named-otherwise", |d| {
        d.field == "encoding" && d.minet.text == d.ours.text
    }),
    ("detection-of-macs", |d| {
        let mac = ["encoding x-mac-cyrillic: ", "encoding macintosh: "];
        named(d, &mac) && right(d) == (true, false)
            || named(d, &mac) && d.minet.encoding.as_deref() == Some("mac-iceland")
    }),
    ("encoding-not-to-be-told", |d| right(d) == (false, false)),
    ("no-text-at-all", |d| {
        named(d, &["body png as text", "compressed gzip without saying"])
    }),
];

/// Cases that no difference of markup or form explains: their plain forms lead both the same way.
const AGREED: [&str; 26] = [
    "refresh \"0; url=TARGET\" ",
    "refresh \"0;url=TARGET\" ",
    "refresh \"0;URL=TARGET\" ",
    "refresh \"0; Url=TARGET\" ",
    "refresh \"5; url=TARGET\" ",
    "refresh \"600; url=TARGET\" ",
    "meta \"0; url=TARGET\" ",
    "meta \"0;url=TARGET\" ",
    "meta \"0;URL=TARGET\" ",
    "meta \"5; url=TARGET\" ",
    "meta in capitals ",
    "meta in single quotes ",
    "meta closed ",
    "meta over lines ",
    "meta in the body ",
    "meta after 500 bytes ",
    "script \"window.location = 'TARGET'\" ",
    "script \"window.location='TARGET'\" ",
    "script \"window.location.replace('TARGET')\" ",
    "script \"location = 'TARGET'\" ",
    "script \"location.replace('TARGET')\" ",
    "script \"document.location = 'TARGET'\" ",
    "script with a type ",
    "script after 5000 bytes ",
    "canonical  ",
    "canonical of a path ",
];

/// The kind of a difference, if it is of a known one.
pub fn kind_of(d: &Difference<'_>) -> Option<&'static str> {
    let agreed = named(d, &AGREED);
    let mut kinds = KINDS.iter();
    kinds
        .find(|(name, is_so)| (!agreed || *name == "ascii-is-utf-8") && is_so(d))
        .map(|(name, _)| *name)
}

/// Whether the case's name starts with one of these.
fn named(d: &Difference<'_>, names: &[&str]) -> bool {
    names.iter().any(|name| d.case.name.starts_with(name))
}

fn errors(d: &Difference<'_>, minet: &str, ours: &str) -> bool {
    d.minet.error == minet && d.ours.error == ours
}

/// Whether minet went on from the page and rouet did not.
fn only_minet(d: &Difference<'_>) -> bool {
    d.minet.error == "ok" && d.minet.stack.len() == 2 && d.ours.stack.len() == 1
}

/// Whether minet and rouet came to the text that the page was written in.
fn right(d: &Difference<'_>) -> (bool, bool) {
    match &d.case.text {
        Some(_) if d.field != "text" && d.field != "encoding" => (true, true),
        Some(text) => (
            d.minet.text.as_ref() == Some(text),
            d.ours.text.as_ref() == Some(text),
        ),
        None => (true, true),
    }
}
