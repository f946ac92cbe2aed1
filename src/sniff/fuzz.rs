//! What has to hold of any page. See `crate::fuzz`.

use std::collections::HashSet;

use encoding_rs::{Encoding, UTF_8};
use url::Url;

use crate::address;
use crate::fuzz::{maybe_line, text_line};

/// Whether nothing around a text is left to take off.
fn is_trimmed(text: &str) -> bool {
    text.trim_matches(|c: char| c <= ' ') == text
}

/// The input is the value of a `Refresh` header.
pub(crate) fn refresh(input: &[u8]) {
    let padded = [b" \t", input].concat();
    let found = super::refresh(input);
    assert_eq!(super::refresh(&padded), found);
    let Some(url) = found else {
        return;
    };
    // It is a part of what was given, behind a delay.
    let before = url.as_ptr().addr() - input.as_ptr().addr();
    assert!(before >= 2 && before + url.len() <= input.len());
    assert!(url.first() > Some(&b' ') && url.last() > Some(&b' '));
    if let Some(text) = std::str::from_utf8(input)
        .ok()
        .filter(|text| !text.contains('\0'))
    {
        assert!(std::str::from_utf8(url).is_ok(), "it is cut at a character");
        // In a page it means the same.
        let escaped = text.replace('&', "&amp;").replace('"', "&quot;");
        let page = format!("<meta http-equiv=refresh content=\"{escaped}\">");
        let same = !text.contains('\r');
        assert!(
            !same || super::hints(&page).meta_refresh.is_some(),
            "{page}"
        );
    }
}

/// Whether a target that a script was believed to lead to is one.
fn assert_leads_away(target: &str) {
    assert!(!target.is_empty() && is_trimmed(target), "{target:?}");
    assert!(!target.starts_with('#'), "{target:?}");
    let page = Url::parse("http://example.com/").expect("a URL");
    if let Ok(url) = page.join(target) {
        assert_ne!(url.scheme(), "javascript", "{target:?}");
    }
}

/// The input is the start of a page.
pub(crate) fn hints(input: &[u8]) {
    let page = String::from_utf8_lossy(input);
    let found = super::hints(&page);
    assert!(found.base.as_deref().is_none_or(is_trimmed));
    for target in [&found.meta_refresh, &found.canonical]
        .into_iter()
        .flatten()
    {
        assert!(!target.is_empty() && is_trimmed(target), "{target:?}");
    }
    if let Some(target) = &found.js_relocation {
        assert_leads_away(target);
    }
    // Each leads to where a page can lead, or nowhere.
    let base = Url::parse("http://example.com/a/b?c").expect("a URL");
    for target in [
        &found.base,
        &found.meta_refresh,
        &found.js_relocation,
        &found.canonical,
    ] {
        if let Some(Ok(url)) = target.as_ref().map(|target| address::join(&base, target)) {
            assert!(address::check(&url).is_ok());
        }
    }
    assert_eq!(
        super::hints(&format!("<!-- <base href=x> -->{page}")),
        found
    );
}

/// The input is a script.
pub(crate) fn js(input: &[u8]) {
    let script = String::from_utf8_lossy(input);
    let found = super::js::relocation(&script);
    if let Some(target) = &found {
        assert_leads_away(target);
    }
    let behind = super::js::relocation(&format!("/* location = 'x' */\n{script}"));
    assert_eq!(behind, found, "behind a comment");
    // In a page it is the same, but for what ends a script there or is changed on the way.
    if !script.contains(['<', '\r', '\0']) {
        let page = super::hints(&format!("<script>{script}</script>"));
        assert_eq!(page.js_relocation, found, "in a page");
    }
}

/// The first line is the URL of a page, the rest the page.
pub(crate) fn links(mut input: &[u8]) {
    let Ok(page) = address::clean(&text_line(&mut input)) else {
        return;
    };
    let html = String::from_utf8_lossy(input);
    let found = super::links(&page, &html);
    let mut seen = HashSet::new();
    for link in &found {
        let url = Url::parse(link).expect("absolute");
        assert_eq!(url.as_str(), link);
        assert!(address::check(&url).is_ok(), "{link}");
        assert!(seen.insert(link), "{link} twice");
        assert_ne!(
            link,
            address::without_fragment(page.as_str()),
            "the page itself"
        );
    }
    assert!(found.len() <= html.matches('<').count());
    // A page of these links has these links.
    let anchor = |link: &String| {
        let escaped = link.replace('&', "&amp;").replace('"', "&quot;");
        format!("<a href=\"{escaped}\">")
    };
    let again: String = found.iter().map(anchor).collect();
    assert_eq!(super::links(&page, &again), found);
}

/// The first line is a `Content-Type`, the second a top-level domain, the rest a body.
pub(crate) fn encoding(mut input: &[u8]) {
    let content_type = maybe_line(&mut input);
    let tld = text_line(&mut input);
    let found = super::detect(
        content_type,
        input,
        Some(&tld).filter(|tld| !tld.is_empty()).map(|tld| &**tld),
    );
    assert_eq!(super::for_label(super::name(found)), Some(found));
    assert!(
        super::name(found)
            .bytes()
            .all(|byte| !byte.is_ascii_uppercase())
    );
    let text = super::decode(found, input, 0).expect("memory");
    assert!(text.len() <= 3 * input.len() + 3, "{} bytes", text.len());

    let start = super::decode_start(content_type, input);
    assert!(start.len() <= 3 * input.len() + 3, "{} bytes", start.len());
    if let Some((marked, _)) = Encoding::for_bom(input) {
        assert_eq!(found, marked);
        assert!(text.starts_with(&start), "a mark leaves nothing to guess");
    }
    // Text of no accident is what it looks like, whatever is declared.
    let escapes = input.contains(&0) || input.contains(&0x1b);
    match std::str::from_utf8(input) {
        Ok(utf8) if !escapes && utf8.chars().filter(|c| !c.is_ascii()).count() >= 4 => {
            assert_eq!(found, UTF_8);
            assert_eq!(text, utf8.strip_prefix('\u{feff}').unwrap_or(utf8));
            assert_eq!(start, text);
        }
        Ok(utf8)
            if !escapes && utf8.is_ascii() && content_type.is_none() && !utf8.contains('<') =>
        {
            assert_eq!(text, utf8);
            assert_eq!(start, text);
        }
        _ => {}
    }
    super::for_label(&String::from_utf8_lossy(input));
}

/// The first line is a `Content-Type`, the second a URL, the rest a body.
pub(crate) fn media(mut input: &[u8]) {
    let content_type = maybe_line(&mut input);
    let url = text_line(&mut input);
    let mimetype = super::mimetype(content_type, &url, input);
    let known = mimetype.as_deref();
    if let Some(known) = known {
        let (kind, subtype) = known.split_once('/').expect("two parts");
        assert!(!kind.is_empty() && !subtype.is_empty(), "{known}");
        let is_fine = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
        assert!(known.bytes().all(is_fine), "{known}");
        assert!(!known.contains(['*', ';', ',', '"']), "{known}");
        let again = super::mimetype(Some(known.as_bytes()), "", b"");
        assert_eq!(again.as_deref(), Some(known));
    }
    for (known, url) in [(known, &*url), (known, ""), (None, &*url)] {
        if let Some(ext) = super::ext(known, url) {
            // It becomes a part of a file's name.
            let rest = ext.strip_prefix('.').expect("a dot");
            let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+".contains(&byte);
            assert!(!rest.is_empty() && rest.len() < 32, "{ext}");
            assert!(
                rest.bytes()
                    .all(|byte| is_fine(byte) && !byte.is_ascii_uppercase()),
                "{ext}"
            );
        }
    }
    let is_text = super::is_text(known, input);
    let is_html = super::is_html(known, input);
    assert!(!is_html || super::could_be_html(known) || is_text);
    if known == Some("text/html") {
        assert!(is_text && super::could_be_html(known));
    }
    if content_type.is_none() && is_html {
        assert_eq!(known, Some("text/html"));
    }
}
