//! What must hold for any page. See `crate::fuzz`.

use std::collections::HashSet;

use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, WINDOWS_1252};
use url::Url;

use super::{ContentType, Head, Media, Syntax};
use crate::address;
use crate::fuzz::lines::{maybe_line, text_line};

/// Whether a text has nothing around it left to remove.
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
    // The URL is a part of the input, behind a delay.
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
            !same || !super::hints(&page, Syntax::Html).meta_refresh.is_empty(),
            "{page}"
        );
    }
}

/// Checks a target that a script was believed to lead to.
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
    for syntax in [Syntax::Html, Syntax::Xml] {
        let found = super::hints(&page, syntax);
        assert!(found.base.as_deref().is_none_or(is_trimmed));
        let refreshes = || found.meta_refresh.iter().chain(&found.noscript_refresh);
        for target in refreshes().chain(&found.canonical) {
            assert!(!target.is_empty() && is_trimmed(target), "{target:?}");
        }
        if let Some(target) = &found.js_relocation {
            assert_leads_away(target);
        }
        // Each target leads to where a page can lead, or nowhere.
        let base = Url::parse("http://example.com/a/b?c").expect("a URL");
        for encoding in [UTF_8, WINDOWS_1252, ISO_2022_JP] {
            let others = [&found.base, &found.js_relocation, &found.canonical];
            for target in refreshes().chain(others.into_iter().flatten()) {
                if let Some(url) = address::target_in(&base, target, encoding) {
                    assert!(address::check(&url).is_ok());
                }
            }
        }
        assert_eq!(
            super::hints(&format!("<!-- <base href=x> -->{page}"), syntax),
            found
        );
    }
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
    // In a page the script is the same, apart from what ends a script there or is changed on the way.
    if !script.contains(['<', '\r', '\0']) {
        let page = super::hints(&format!("<script>{script}</script>"), Syntax::Html);
        assert_eq!(page.js_relocation, found, "in a page");
    }
}

/// The first line is the URL of a page, the rest the page.
pub(crate) fn links(mut input: &[u8]) {
    let Ok(page) = address::clean(&text_line(&mut input)) else {
        return;
    };
    let html = String::from_utf8_lossy(input);
    for syntax in [Syntax::Html, Syntax::Xml] {
        for encoding in [UTF_8, WINDOWS_1252, ISO_2022_JP] {
            links_in(&page, &html, syntax, encoding);
        }
    }
}

fn links_in(page: &Url, html: &str, syntax: Syntax, encoding: &'static Encoding) {
    let found = super::links(page, html, syntax, encoding).expect("memory");
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
    // Everything that the page refers to includes the links.
    let elements = super::elements(page, html, syntax, encoding).expect("memory");
    let mut links = HashSet::new();
    for it in &elements {
        let url = Url::parse(&it.url).expect("absolute");
        assert_eq!(url.as_str(), it.url);
        assert!(address::check(&url).is_ok(), "{}", it.url);
        let is_link = matches!(it.element, "a" | "area") && it.attribute == "href";
        links.extend(Some(&it.url).filter(|_| is_link));
    }
    assert!(links.len() == found.len() && found.iter().all(|link| links.contains(link)));
    // A page made of these links has these links.
    let anchor = |link: &String| {
        let escaped = link.replace('&', "&amp;").replace('"', "&quot;");
        format!("<a href=\"{escaped}\">")
    };
    let again: String = found.iter().map(anchor).collect();
    assert_eq!(super::links(page, &again, Syntax::Html, UTF_8), Some(found));
}

/// The first line is a `Content-Type`, the second a top-level domain, the rest a body.
pub(crate) fn encoding(mut input: &[u8]) {
    let content_type = maybe_line(&mut input);
    let tld = text_line(&mut input);
    let header = ContentType::of(content_type).charset;
    let found = super::detect(
        header,
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

    let start = super::decode_start(super::detect_start(header, input), input);
    assert!(start.len() <= 3 * input.len() + 3, "{} bytes", start.len());
    if let Some((marked, _)) = Encoding::for_bom(input) {
        assert_eq!(found, marked);
        assert!(text.starts_with(&start), "a mark leaves nothing to guess");
    }
    // Bytes that can't be an accident decide, whatever is declared.
    let escapes = input.contains(&0) || input.contains(&0x1b);
    match std::str::from_utf8(input) {
        Ok(utf8) if !escapes && utf8.chars().filter(|c| !c.is_ascii()).count() >= 4 => {
            assert_eq!(found, UTF_8);
            assert_eq!(text, utf8.strip_prefix('\u{feff}').unwrap_or(utf8));
            assert_eq!(start, text);
        }
        Ok(utf8) if !escapes && utf8.is_ascii() && header.is_none() && !utf8.contains('<') => {
            assert_eq!(text, utf8);
            assert_eq!(start, text);
        }
        _ => {}
    }
    super::for_label(&String::from_utf8_lossy(input));
}

/// The first line is a `Content-Type`, the second a URL, the rest a body; the first also serves as a
/// `Content-Disposition`.
pub(crate) fn media(mut input: &[u8]) {
    let content_type = maybe_line(&mut input);
    let url = text_line(&mut input);
    let head = Head {
        content_type: ContentType::of(content_type),
        filename: super::filename(content_type),
        coded: url.contains("coded"),
    };
    if let Some(name) = &head.filename {
        assert!(!name.is_empty() && !name.contains(['/', '\\']), "{name}");
    }
    let declared = head.content_type.essence.clone();
    let found = Media::of(&head, &url, input);
    if let Some(known) = &found.mimetype {
        let (kind, subtype) = known.split_once('/').expect("two parts");
        assert!(!kind.is_empty() && !subtype.is_empty(), "{known}");
        let is_fine = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
        assert!(known.bytes().all(is_fine), "{known}");
        assert!(!known.contains([';', ',', '"']), "{known}");
        let again = ContentType::of([known.as_bytes()]);
        assert_eq!(again.essence.as_ref(), Some(known));
    }
    if declared.is_some() {
        assert_eq!(found.mimetype, declared);
    }
    if let Some(ext) = &found.ext {
        // It becomes part of a file's name.
        let rest = ext.strip_prefix('.').expect("a dot");
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_+".contains(&byte);
        assert!(!rest.is_empty() && rest.len() < 32, "{ext}");
        assert!(
            rest.bytes()
                .all(|byte| is_fine(byte) && !byte.is_ascii_uppercase()),
            "{ext}"
        );
    }
    assert!(found.is_text || !found.is_html);
    if found.mimetype.as_deref() == Some("text/html") {
        assert!(found.could_be_html && found.is_html == found.is_text);
    }
    if declared.is_none() && found.is_html {
        let pages = [Some("text/html"), Some("application/xhtml+xml")];
        let documents = [Some("text/xml"), Some("application/xml")];
        let mimetype = found.mimetype.as_deref();
        assert!(pages.contains(&mimetype) || documents.contains(&mimetype));
    }
}
