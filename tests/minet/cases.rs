//! The jobs, by what they are about.

use std::io::Write as _;
use std::time::Duration;

use crate::support::closed_port;
use crate::web::Web;

pub fn add(web: &mut Web) {
    redirects(web);
    locations(web);
    refresh_headers(web);
    meta_refreshes(web);
    scripts(web);
    inferred(web);
    canonicals(web);
    mixed(web);
    cookies(web);
    statuses(web);
    requests(web);
    bodies(web);
    urls(web);
    faults(web);
}

fn redirects(web: &mut Web) {
    let end = web.end();
    for status in [301, 302, 303, 307, 308] {
        let url = web.moved(status, &end);
        web.both(&format!("redirect {status}"), &url, |_| {});
        web.request(
            &format!("redirect {status} not followed"),
            &url,
            |options| {
                options.follow_redirects = false;
            },
        );
        let url = web.page(status, &["Content-Type: text/plain"], "nowhere");
        web.both(&format!("redirect {status} without location"), &url, |_| {});
        for method in ["POST", "PUT", "HEAD"] {
            let url = web.moved(status, "/echo");
            web.request(&format!("redirect {status} of {method}"), &url, |options| {
                options.method = Some(method.into());
                options.body = (method != "HEAD").then(|| b"a=b"[..].into());
            });
        }
    }
    for status in [200, 201, 300, 304, 305, 306, 400, 503] {
        let url = web.moved(status, &end);
        web.both(&format!("location with {status}"), &url, |_| {});
    }
    for count in [1, 2, 5, 8, 9, 10, 11, 12, 19, 20, 21, 25] {
        let url = web.moved_often(count, &end);
        web.both(&format!("redirects {count}"), &url, |_| {});
    }
    let url = web.moved_often(3, &end);
    for most in 0..=5 {
        web.both(&format!("redirects 3, at most {most}"), &url, |options| {
            options.max_redirects = Some(most);
        });
    }
    let elsewhere = web.elsewhere(&end);
    let url = web.moved(301, &elsewhere);
    web.both("redirect to another origin", &url, |_| {});
    let url = web.free();
    web.put(&url, 302, &[&format!("Location: {url}")], "");
    web.both("self", &url, |_| {});
    let url = web.free();
    web.put(&url, 302, &[&format!("Location: {url}#there")], "");
    web.both("self with a fragment", &url, |_| {});
    web.both("self from a fragment", &format!("{url}#here"), |_| {});
    for size in [2, 3, 4] {
        let first = web.free();
        let url = web.moved_often(size - 1, &first);
        web.put(&first, 302, &[&format!("Location: {url}")], "");
        web.both(&format!("loop of {size}"), &first, |_| {});
        let url = web.moved(302, &first);
        web.both(&format!("way into a loop of {size}"), &url, |_| {});
    }
    let (first, second) = (web.free(), web.end());
    web.put(
        &first,
        302,
        &[&format!("Location: {second}"), &format!("Location: {end}")],
        "",
    );
    web.both("two locations", &first, |_| {});
    let url = web.page(302, &[&format!("LOCATION: {end}")], "");
    web.both("location in capitals", &url, |_| {});
    let url = web.moved(302, &format!("{end}#fragment"));
    web.both("redirect to a fragment", &url, |_| {});
    web.both("redirect from a fragment", &format!("{url}x#mine"), |_| {});
    let url = web.moved(302, &end);
    web.both("fragment kept", &format!("{url}#mine"), |_| {});
}

/// Forms of `Location`.
fn locations(web: &mut Web) {
    let port = web.url("")["http://127.0.0.1:".len()..].to_owned();
    let mut forms: Vec<(&str, String)> = [
        ("path", "/dir/found"),
        ("name", "found"),
        ("dot", "./found"),
        ("dots", "../found"),
        ("many dots", "../../../found"),
        ("dots within", "/dir/x/../found"),
        ("query", "?found"),
        ("query behind", "found?a=b&c=%20d"),
        ("fragment", "#found"),
        ("trailing slash", "/dir/found/"),
        ("empty", ""),
        ("blank", "   "),
        ("blanks around", "  /dir/found  "),
        ("blank within", "/dir/a b"),
        ("tab within", "/dir/a\tb"),
        ("blank encoded", "/dir/a%20b"),
        ("plus", "/dir/a+b"),
        ("backslash", "\\dir\\found"),
        ("quotes", "/dir/\"found\""),
        ("angles", "/dir/<found>"),
        ("braces", "/dir/{found}|^`"),
        ("bars in the query", "/dir/found?a|b\"<>`{}"),
        ("percent", "/dir/100%"),
        ("percent and no digits", "/dir/%zz"),
        ("percent in lower case", "/dir/%c3%a9"),
        ("raw UTF-8", "/dir/caf\u{c3}\u{a9}"),
        ("raw Latin-1", "/dir/caf\u{e9}"),
        ("raw UTF-8 in the query", "/dir/x?q=caf\u{c3}\u{a9}"),
        ("raw Latin-1 in the query", "/dir/x?q=caf\u{e9}"),
        ("raw Chinese", "/dir/\u{e4}\u{b8}\u{ad}\u{e6}\u{96}\u{87}"),
        (
            "raw windows-1251",
            "/dir/\u{ef}\u{f0}\u{e8}\u{e2}\u{e5}\u{f2}",
        ),
        ("raw Shift_JIS", "/dir/\u{93}\u{fa}\u{96}\u{7b}"),
        ("raw C1", "/dir/\u{80}\u{81}"),
        ("colon in a segment", "/dir/a:b"),
        ("colon in a name", "a:b"),
        ("semicolons", "/dir/a;b=c;d"),
        ("at", "/dir/@found"),
        ("double slash within", "/dir//found"),
        ("scheme alone", "http:"),
        ("scheme without slashes", "http:/dir/found"),
        ("no host", "http://"),
        ("no host but a path", "http:///dir/found"),
        ("host of blanks", "http://a b/"),
        ("port too high", "http://127.0.0.1:99999/"),
        ("port no number", "http://127.0.0.1:x/"),
        ("mailto", "mailto:a@example.com"),
        ("javascript", "javascript:void(0)"),
        ("data", "data:text/plain,hello"),
        ("ftp", "ftp://example.com/x"),
        ("file", "file:///etc/hostname"),
        ("about", "about:blank"),
        ("unknown scheme", "rouet://x/y"),
        ("app", "intent://x#Intent;end"),
        ("dot alone", "."),
        ("slash", "/"),
        ("encoded host", "http://%31%32%37.0.0.1:PORT/dir/found"),
        ("capitals", "HTTP://127.0.0.1:PORT/dir/found"),
        ("host in capitals", "http://LOCALHOST:PORT/dir/found"),
        ("no path", "http://127.0.0.1:PORT"),
        ("no path but a query", "http://127.0.0.1:PORT?found"),
        ("network path", "//127.0.0.1:PORT/dir/found"),
        ("credentials", "http://me:secret@127.0.0.1:PORT/dir/found"),
        ("one slash too many", "http:////127.0.0.1:PORT/dir/found"),
        ("one slash too few", "http:/127.0.0.1:PORT/dir/found"),
        ("backslashes", "http:\\\\127.0.0.1:PORT\\dir\\found"),
        ("short address", "http://127.1:PORT/dir/found"),
        ("number as address", "http://2130706433:PORT/dir/found"),
        ("hex address", "http://0x7f000001:PORT/dir/found"),
        ("international host", "http://b\u{c3}\u{bc}cher.invalid/"),
        ("unknown host", "http://host.invalid/"),
    ]
    .map(|(name, location)| (name, location.replace("PORT", &port)))
    .into();
    forms.push(("long", format!("/dir/{}", "x".repeat(6000))));
    for (name, location) in forms {
        let url = web.moved(302, &location);
        web.both(&format!("location: {name}"), &url, |_| {});
    }
}

/// The forms of a refresh, `TARGET` standing for the target.
const REFRESHES: [&str; 38] = [
    "0; url=TARGET",
    "0;url=TARGET",
    "0;URL=TARGET",
    "0; Url=TARGET",
    "5; url=TARGET",
    "600; url=TARGET",
    "0.5; url=TARGET",
    ".5; url=TARGET",
    "0, url=TARGET",
    "0 url=TARGET",
    "0; url = TARGET",
    "0; url='TARGET'",
    "0; url=\"TARGET\"",
    "0; url='TARGET",
    "0; url=\"TARGET",
    "0; TARGET",
    "0;TARGET",
    "0, TARGET",
    "0 TARGET",
    "0; 'TARGET'",
    " 0 ; url=TARGET ",
    "; url=TARGET",
    "url=TARGET",
    "TARGET",
    "0;; url=TARGET",
    "0; foo; url=TARGET",
    "0; url=TARGET; foo",
    "0; url=TARGET foo",
    "-1; url=TARGET",
    "+0; url=TARGET",
    "0s; url=TARGET",
    "x; url=TARGET",
    "0; url=",
    "0; url",
    "0;",
    "0",
    "",
    "0; uri=TARGET",
];

fn refresh_headers(web: &mut Web) {
    let end = web.end();
    for form in REFRESHES {
        let value = form.replace("TARGET", &end);
        let url = web.page(200, &[&format!("Refresh: {value}")], "refreshes");
        web.both(&format!("refresh {form:?}"), &url, |_| {});
    }
    for target in [
        "found",
        "/dir/found",
        "?found",
        "#found",
        "../found",
        "mailto:a@example.com",
        "javascript:x()",
        "ftp://example.com/",
        "http://",
        "http:///x",
        "caf\u{e9}",
        "caf\u{c3}\u{a9}",
    ] {
        let url = web.page(200, &[&format!("Refresh: 0; url={target}")], "refreshes");
        web.both(&format!("refresh to {target:?}"), &url, |_| {});
    }
    for status in [201, 202, 203, 206, 301, 302, 304, 400, 404, 500] {
        let url = web.page(status, &[&format!("Refresh: 0; url={end}")], "refreshes");
        web.both(&format!("refresh with {status}"), &url, |_| {});
    }
    let url = web.page(200, &[&format!("Refresh: 0; url={end}")], "refreshes");
    web.both("refresh switched off", &url, |options| {
        options.follow_refresh_header = false;
    });
    let other = web.end();
    for status in [200, 302] {
        let headers = [
            &*format!("Refresh: 0; url={end}"),
            &format!("Location: {other}"),
        ];
        let url = web.page(status, &headers, "");
        web.both(
            &format!("refresh beside location with {status}"),
            &url,
            |_| {},
        );
    }
    let url = web.free();
    web.put(&url, 200, &[&format!("Refresh: 5; url={url}")], "again");
    web.both("refresh to itself", &url, |_| {});
    let url = web.page(200, &["Refresh: 5"], "again");
    web.both("refresh without url", &url, |_| {});
    let first = web.free();
    let url = web.page(200, &[&format!("Refresh: 0; url={first}")], "");
    web.put(&first, 200, &[&format!("Refresh: 0; url={url}")], "");
    web.both("refresh loop", &first, |_| {});
}

fn meta_refreshes(web: &mut Web) {
    let end = web.end();
    let on = |options: &mut rouet::Options| options.follow_meta_refresh = true;
    for form in REFRESHES {
        let value = form.replace("TARGET", &end);
        let quote = if value.contains('"') { '\'' } else { '"' };
        let url = web.html(format!(
            "<html><head><meta http-equiv=\"refresh\" content={quote}{value}{quote}></head></html>"
        ));
        web.both(&format!("meta {form:?}"), &url, on);
    }
    for (name, page) in [
        (
            "in capitals",
            "<META HTTP-EQUIV=\"REFRESH\" CONTENT=\"0; URL=TARGET\">",
        ),
        (
            "without quotes",
            "<meta http-equiv=refresh content=0;url=TARGET>",
        ),
        (
            "in single quotes",
            "<meta http-equiv='refresh' content='0; url=TARGET'>",
        ),
        (
            "the other way round",
            "<meta content=\"0; url=TARGET\" http-equiv=\"refresh\">",
        ),
        (
            "closed",
            "<meta http-equiv=\"refresh\" content=\"0; url=TARGET\" />",
        ),
        (
            "with more",
            "<meta id=a http-equiv=\"refresh\" name=b content=\"0; url=TARGET\" c>",
        ),
        (
            "over lines",
            "<meta\n  http-equiv=\"refresh\"\n  content=\"0;\n url=TARGET\"\n>",
        ),
        (
            "with blanks",
            "<meta http-equiv = \"refresh\" content = \"0; url=TARGET\">",
        ),
        (
            "in a blank value",
            "<meta http-equiv=\" refresh \" content=\"0; url=TARGET\">",
        ),
        (
            "in noscript",
            "<noscript><meta http-equiv=\"refresh\" content=\"0; url=TARGET\"></noscript>",
        ),
        (
            "in the body",
            "<body><p>x<meta http-equiv=\"refresh\" content=\"0; url=TARGET\"></body>",
        ),
        (
            "in a comment",
            "<!-- <meta http-equiv=\"refresh\" content=\"0; url=TARGET\"> -->",
        ),
        (
            "in a script",
            "<script>'<meta http-equiv=\"refresh\" content=\"0; url=TARGET\">'</script>",
        ),
        (
            "in a title",
            "<title><meta http-equiv=\"refresh\" content=\"0; url=TARGET\"></title>",
        ),
        (
            "in a textarea",
            "<textarea><meta http-equiv=\"refresh\" content=\"0; url=TARGET\"></textarea>",
        ),
        (
            "in a template",
            "<template><meta http-equiv=\"refresh\" content=\"0; url=TARGET\"></template>",
        ),
        (
            "in an attribute",
            "<p title='<meta http-equiv=\"refresh\" content=\"0; url=TARGET\">'>",
        ),
        (
            "of another kind",
            "<meta http-equiv=\"set-cookie\" content=\"0; url=TARGET\">",
        ),
        (
            "by name",
            "<meta name=\"refresh\" content=\"0; url=TARGET\">",
        ),
        ("without content", "<meta http-equiv=\"refresh\">"),
        (
            "twice",
            "<meta http-equiv=\"refresh\" content=\"0; url=TARGET\"><meta http-equiv=\"refresh\" content=\"0; url=/dir/second\">",
        ),
        (
            "after one that has no url",
            "<meta http-equiv=\"refresh\" content=\"60\"><meta http-equiv=\"refresh\" content=\"0; url=TARGET\">",
        ),
        (
            "in quotes",
            "<meta http-equiv=\"refresh\" content=\"0; url='TARGET'\">",
        ),
        (
            "unclosed",
            "<meta http-equiv=\"refresh\" content=\"0; url=TARGET",
        ),
    ] {
        let url = web.html(page.replace("TARGET", &end));
        web.both(&format!("meta {name}"), &url, on);
    }
    for target in [
        "found",
        "/dir/found",
        "?a=1&amp;b=2",
        "?a=1&b=2",
        "#found",
        "../found",
        "&#x2f;dir&#47;found",
        "caf\u{e9}",
        "a b",
        "mailto:a@example.com",
        "javascript:x()",
        "ftp://example.com/",
        "http://",
    ] {
        let url = web.html(format!(
            "<meta http-equiv=refresh content=\"0; url={target}\">"
        ));
        web.both(&format!("meta to {target:?}"), &url, on);
    }
    let url = web.html("<base href=\"/base/\"><meta http-equiv=refresh content=\"0; url=found\">");
    web.both("meta with a base", &url, on);
    let page = format!("<meta http-equiv=\"refresh\" content=\"0; url={end}\">");
    let url = web.html(format!("<noscript>{page}</noscript>"));
    web.both("meta in noscript, with scripts", &url, |options| {
        options.follow_meta_refresh = true;
        options.follow_js_relocation = true;
    });
    for (name, kind) in [
        ("plain text", "Content-Type: text/plain"),
        ("json", "Content-Type: application/json"),
        ("xhtml", "Content-Type: application/xhtml+xml"),
        ("xml", "Content-Type: text/xml"),
        ("no type", "X-None: none"),
        ("an image", "Content-Type: image/png"),
    ] {
        let url = web.page(200, &[kind], &page);
        web.both(&format!("meta in {name}"), &url, on);
    }
    for status in [201, 203, 300, 404, 500] {
        let url = web.page(status, &["Content-Type: text/html"], &page);
        web.both(&format!("meta with {status}"), &url, on);
    }
    for size in [500, 900, 1000, 1024, 1500, 5000, 70_000] {
        let url = web.html(format!("<!--{}-->{page}", "x".repeat(size)));
        web.both(&format!("meta after {size} bytes"), &url, on);
        web.both(
            &format!("meta after {size} bytes, with scripts"),
            &url,
            |options| {
                options.follow_meta_refresh = true;
                options.follow_js_relocation = true;
            },
        );
    }
    let url = web.html(&page);
    web.both("meta switched off", &url, |_| {});
    web.request("meta, nothing followed", &url, |options| {
        options.follow_meta_refresh = true;
        options.follow_redirects = false;
    });
    let url = web.free();
    let again = format!("<meta http-equiv=\"refresh\" content=\"5; url={url}\">again");
    web.put(
        &url,
        200,
        &["Content-Type: text/html; charset=utf-8"],
        again,
    );
    web.both("meta to itself", &url, on);
    let text = format!("{page}<p>caf\u{e9}");
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let url = web.page(200, &["Content-Type: text/html; charset=utf-16le"], utf16);
    web.both("meta in UTF-16", &url, on);
}

fn scripts(web: &mut Web) {
    let end = web.end();
    let on = |options: &mut rouet::Options| options.follow_js_relocation = true;
    for script in [
        "window.location = 'TARGET'",
        "window.location = \"TARGET\";",
        "window.location='TARGET'",
        "window.location.href = 'TARGET'",
        "window.location.replace('TARGET')",
        "window.location.replace(\"TARGET\");",
        "window.location.assign('TARGET')",
        "location = 'TARGET'",
        "location.href = 'TARGET'",
        "location.replace('TARGET')",
        "location.assign('TARGET')",
        "document.location = 'TARGET'",
        "document.location.href = 'TARGET'",
        "document.location.replace('TARGET')",
        "self.location = 'TARGET'",
        "top.location = 'TARGET'",
        "top.location.href = 'TARGET'",
        "parent.location = 'TARGET'",
        "window['location'] = 'TARGET'",
        "window.location = `TARGET`",
        "setTimeout(function () { window.location = 'TARGET' }, 100)",
        "setTimeout(\"window.location = 'TARGET'\", 100)",
        "if (a) { window.location = 'TARGET' }",
        "window.location == 'TARGET'",
        "window.location = 'TARGET' + a",
        "window.location = a + 'TARGET'",
        "window.location.replace('TARGET' + a)",
        "window.location = a ? 'TARGET' : 'x'",
        "// window.location = 'TARGET'",
        "/* window.location = 'TARGET' */",
        "a = \"window.location = 'TARGET'\"",
        "mylocation = 'TARGET'",
        "foo.location = 'TARGET'",
        "foo.location.replace('TARGET')",
        "window.location = 'found'",
        "window.location = '/dir/found'",
        "window.location = '?found'",
        "window.location = '#found'",
        "window.location = ''",
        "window.location = 'javascript:x()'",
        "window.location = 'mailto:a@example.com'",
        "window.location = 'http://'",
        "window.location = 'http:\\/\\/127.0.0.1:PORT\\/dir\\/found'",
        "window.location = '\\x2fdir\\x2ffound'",
        "window.location.reload()",
        "window.location = 'found?a=1&amp;b=2'",
        "window.location\n=\n'TARGET'",
        "window.location.replace(\n'TARGET'\n)",
        "window.location.replace( 'TARGET' )",
    ] {
        let port = end.split([':', '/']).nth(4).expect("a port");
        let script_is = script.replace("TARGET", &end).replace("PORT", port);
        let url = web.html(format!("<html><script>{script_is}</script></html>"));
        web.both(&format!("script {script:?}"), &url, on);
    }
    for (name, page) in [
        (
            "with a type",
            "<script type=\"text/javascript\">window.location.replace('TARGET')</script>",
        ),
        (
            "of a module",
            "<script type=\"module\">window.location.replace('TARGET')</script>",
        ),
        (
            "that is json",
            "<script type=\"application/json\">window.location.replace('TARGET')</script>",
        ),
        (
            "in capitals",
            "<SCRIPT>window.location.replace('TARGET')</SCRIPT>",
        ),
        (
            "in the second",
            "<script>x()</script><script>window.location.replace('TARGET')</script>",
        ),
        (
            "twice",
            "<script>window.location.replace('TARGET'); window.location.replace('/dir/second')</script>",
        ),
        ("outside of scripts", "<p>window.location.replace('TARGET')"),
        (
            "in a comment",
            "<!-- <script>window.location.replace('TARGET')</script> -->",
        ),
        (
            "in onload",
            "<body onload=\"window.location.replace('TARGET')\">",
        ),
        (
            "in onclick",
            "<a onclick=\"window.location.replace('TARGET')\">",
        ),
        (
            "in a link",
            "<a href=\"javascript:window.location.replace('TARGET')\">",
        ),
        (
            "in noscript",
            "<noscript>window.location.replace('TARGET')</noscript>",
        ),
        ("unclosed", "<script>window.location.replace('TARGET')"),
        (
            "within cdata",
            "<script>//<![CDATA[\nwindow.location.replace('TARGET')\n//]]></script>",
        ),
        (
            "within html comment",
            "<script><!--\nwindow.location.replace('TARGET')\n//--></script>",
        ),
    ] {
        let url = web.html(page.replace("TARGET", &end));
        web.both(&format!("script {name}"), &url, on);
    }
    let page = format!("<script>window.location.replace('{end}')</script>");
    for (name, kind) in [
        ("plain text", "Content-Type: text/plain"),
        ("javascript", "Content-Type: application/javascript"),
        ("json", "Content-Type: application/json"),
        ("no type", "X-None: none"),
    ] {
        let url = web.page(200, &[kind], &page);
        web.both(&format!("script in {name}"), &url, on);
    }
    for status in [201, 404, 500] {
        let url = web.page(status, &["Content-Type: text/html"], &page);
        web.both(&format!("script with {status}"), &url, on);
    }
    for size in [1000, 5000, 20_000, 60_000, 66_000] {
        let url = web.html(format!("<!--{}-->{page}", "x".repeat(size)));
        web.both(&format!("script after {size} bytes"), &url, on);
    }
    let url = web.html(&page);
    web.both("script switched off", &url, |_| {});
    let url = web.free();
    let again = format!("<script>window.location.replace('{url}')</script>");
    web.put(&url, 200, &["Content-Type: text/html"], again);
    web.both("script to itself", &url, on);
    let other = web.end();
    let url = web.html(format!(
        "{page}<meta http-equiv=refresh content=\"0; url={other}\">"
    ));
    web.both("script before meta", &url, |options| {
        options.follow_js_relocation = true;
        options.follow_meta_refresh = true;
    });
}

fn inferred(web: &mut Web) {
    let on = |options: &mut rouet::Options| options.infer_redirection = true;
    let end = web.end();
    let encoded = end.replace(':', "%3A").replace('/', "%2F");
    let start = web.page(200, &["Content-Type: text/plain"], "the start");
    for name in [
        "url",
        "u",
        "target",
        "redirect",
        "redirect_to",
        "l",
        "link",
        "next",
        "goto",
        "redir",
        "orig",
        "URL",
        "q",
        "uri",
        "to",
        "dest",
        "return",
    ] {
        web.both(
            &format!("infer {name}"),
            &format!("{start}?{name}={encoded}"),
            on,
        );
    }
    for (name, form) in [
        ("not encoded", "?url=PLAIN"),
        ("among others", "?a=b&url=CODED&c=d"),
        ("in the fragment", "#url=CODED"),
        ("in a query in the fragment", "#/?url=CODED"),
        ("without a question mark", "&url=CODED"),
        ("of a path", "?url=%2Fdir%2Ffound"),
        ("of a name", "?url=found"),
        ("of no scheme", "?url=127.0.0.1%2Fx"),
        ("of a bad scheme", "?url=mailto%3Aa%40example.com"),
        ("of nothing", "?url="),
        ("of a bad url", "?url=http%3A%2F%2F"),
        ("twice", "?url=CODED&url=http%3A%2F%2F127.0.0.1%2Fsecond"),
        ("encoded twice", "?url=TWICE"),
        ("with its own query", "?url=CODED%3Fa%3Db%26c%3Dd"),
        ("with amp;", "?a=b&amp;url=CODED"),
        ("url before u", "?u=http%3A%2F%2Fhost.invalid%2F&url=CODED"),
    ] {
        let form = form
            .replace("PLAIN", &end)
            .replace("CODED", &encoded)
            .replace("TWICE", &encoded.replace('%', "%25"));
        web.both(&format!("infer {name}"), &format!("{start}{form}"), on);
    }
    let twice = format!("{start}?url={encoded}");
    let twice = twice
        .replace('%', "%25")
        .replace(':', "%3A")
        .replace('/', "%2F")
        .replace('?', "%3F");
    web.both("infer in steps", &format!("{start}?url={twice}"), on);
    let url = format!("{start}?url={encoded}");
    web.both("infer switched off", &url, |_| {});
    let moved = web.moved(302, &url);
    web.both("infer after a redirect", &moved, on);
    web.both("infer after a redirect, at most 1", &moved, |options| {
        options.infer_redirection = true;
        options.max_redirects = Some(1);
    });
}

fn canonicals(web: &mut Web) {
    let on = |options: &mut rouet::Options| options.canonicalize = true;
    let end = web.end();
    for (name, page) in [
        ("", "<link rel=\"canonical\" href=\"TARGET\">"),
        ("without quotes", "<link rel=canonical href=TARGET>"),
        (
            "the other way round",
            "<link href='TARGET' rel='canonical'/>",
        ),
        ("in capitals", "<LINK REL=\"CANONICAL\" HREF=\"TARGET\">"),
        (
            "among other rels",
            "<link rel=\"canonical shortlink\" href=\"TARGET\">",
        ),
        ("of a path", "<link rel=\"canonical\" href=\"/dir/found\">"),
        ("of a name", "<link rel=\"canonical\" href=\"found\">"),
        (
            "with entities",
            "<link rel=\"canonical\" href=\"/dir/found?a=1&amp;b=2\">",
        ),
        ("with blanks", "<link rel=\"canonical\" href=\" TARGET \">"),
        ("empty", "<link rel=\"canonical\" href=\"\">"),
        ("without href", "<link rel=\"canonical\">"),
        (
            "of mailto",
            "<link rel=\"canonical\" href=\"mailto:a@example.com\">",
        ),
        (
            "of javascript",
            "<link rel=\"canonical\" href=\"javascript:x()\">",
        ),
        ("of a bad url", "<link rel=\"canonical\" href=\"http://\">"),
        (
            "in a comment",
            "<!-- <link rel=\"canonical\" href=\"TARGET\"> -->",
        ),
        (
            "in a script",
            "<script>'<link rel=\"canonical\" href=\"TARGET\">'</script>",
        ),
        (
            "in the body",
            "<body><link rel=\"canonical\" href=\"TARGET\">",
        ),
        (
            "twice",
            "<link rel=\"canonical\" href=\"TARGET\"><link rel=\"canonical\" href=\"/dir/second\">",
        ),
        ("of another rel", "<link rel=\"alternate\" href=\"TARGET\">"),
        ("as an a", "<a rel=\"canonical\" href=\"TARGET\">"),
        (
            "with a base",
            "<base href=\"/base/\"><link rel=\"canonical\" href=\"found\">",
        ),
        (
            "with a fragment",
            "<link rel=\"canonical\" href=\"TARGET#x\">",
        ),
        ("none", "<p>none"),
        (
            "raw letters",
            "<link rel=\"canonical\" href=\"/dir/caf\u{e9}\">",
        ),
    ] {
        let url = web.html(page.replace("TARGET", &end));
        web.both(&format!("canonical {name}"), &url, on);
    }
    let url = web.free();
    let page = format!("<link rel=\"canonical\" href=\"{url}\">");
    web.put(
        &url,
        200,
        &["Content-Type: text/html; charset=utf-8"],
        &page,
    );
    web.both("canonical to itself", &url, on);
    web.both(
        "canonical to itself, asked with a query",
        &format!("{url}x"),
        on,
    );
    let page = format!("<link rel=\"canonical\" href=\"{end}\">");
    for (name, kind) in [
        ("plain text", "Content-Type: text/plain"),
        ("xhtml", "Content-Type: application/xhtml+xml"),
        ("no type", "X-None: none"),
    ] {
        let url = web.page(200, &[kind], &page);
        web.both(&format!("canonical in {name}"), &url, on);
    }
    for status in [404, 500] {
        let url = web.page(status, &["Content-Type: text/html"], &page);
        web.both(&format!("canonical with {status}"), &url, on);
    }
    for size in [1000, 5000, 20_000, 60_000, 66_000] {
        let url = web.html(format!("<!--{}-->{page}", "x".repeat(size)));
        web.both(&format!("canonical after {size} bytes"), &url, on);
    }
    let url = web.html(&page);
    web.both("canonical switched off", &url, |_| {});
    let url = web.moved(301, &url);
    web.both("canonical after a redirect", &url, on);
    web.both("canonical after a redirect, at most 1", &url, |options| {
        options.canonicalize = true;
        options.max_redirects = Some(1);
    });
}

/// All kinds along one chain, in several orders.
fn mixed(web: &mut Web) {
    const KINDS: [&str; 5] = ["location", "refresh", "meta", "script", "infer"];
    for turn in 0..KINDS.len() {
        for backwards in [false, true] {
            let mut kinds = KINDS;
            kinds.rotate_left(turn);
            if backwards {
                kinds.reverse();
            }
            let end = web.end();
            let mut url = web.html(format!("<link rel=canonical href=\"{end}\">the end"));
            for kind in kinds.iter().rev() {
                url = match *kind {
                    "location" => web.moved(301, &url),
                    "refresh" => web.page(200, &[&format!("Refresh: 0; url={url}")], ""),
                    "meta" => web.html(format!(
                        "<meta http-equiv=\"refresh\" content=\"0; url={url}\">"
                    )),
                    "script" => {
                        web.html(format!("<script>window.location.replace('{url}')</script>"))
                    }
                    _ => {
                        let coded = url.replace('%', "%25").replace(':', "%3A");
                        let coded = coded.replace('/', "%2F").replace('?', "%3F");
                        format!("{}?url={coded}", web.free())
                    }
                };
            }
            for canonicalize in [false, true] {
                let words = if canonicalize { " and canonical" } else { "" };
                web.both(
                    &format!("mixed {}{words}", kinds.join(" ")),
                    &url,
                    |options| {
                        options.follow_meta_refresh = true;
                        options.follow_js_relocation = true;
                        options.infer_redirection = true;
                        options.canonicalize = canonicalize;
                    },
                );
            }
            web.both(
                &format!("mixed {}, by default", kinds.join(" ")),
                &url,
                |_| {},
            );
        }
    }
}

fn cookies(web: &mut Web) {
    for stateful in [false, true] {
        let on = move |options: &mut rouet::Options| options.stateful = stateful;
        let name = |what: &str| format!("cookies {what}, stateful {stateful}");
        let end = web.url("/dir/shown");
        for (what, header) in [
            ("set", "a=b"),
            ("with a path", "a=b; Path=/"),
            ("of another path", "a=b; Path=/other"),
            ("of another domain", "a=b; Domain=example.com"),
            ("with an age", "a=b; Max-Age=60"),
            ("that are gone", "a=b; Max-Age=0"),
            ("that are secure", "a=b; Secure"),
            ("for http only", "a=b; HttpOnly; SameSite=Strict"),
            ("in quotes", "a=\"b c\""),
            ("without a value", "a="),
            ("without a name", "b"),
        ] {
            let headers = [
                &*format!("Location: {end}"),
                &format!("Set-Cookie: {header}"),
            ];
            let url = web.page(302, &headers, "");
            web.both(&name(what), &url, on);
        }
        let headers = [
            &*format!("Location: {end}"),
            "Set-Cookie: a=1",
            "Set-Cookie: b=2",
            "Set-Cookie: a=3",
        ];
        let url = web.page(302, &headers, "");
        web.both(&name("several"), &url, on);
        let elsewhere = web.elsewhere(&end);
        let headers = [&*format!("Location: {elsewhere}"), "Set-Cookie: a=b"];
        let url = web.page(302, &headers, "");
        web.both(&name("across origins"), &url, on);
        let url = web.free();
        let back = format!("Location: {url}");
        web.put_cookie_page(
            &url,
            "seen=1",
            [
                (302, &[&back, "Set-Cookie: seen=1"]),
                (200, &["Content-Type: text/plain"]),
            ],
        );
        web.both(&name("asked of the page itself"), &url, on);
        let check = web.free();
        let wall = web.page(
            302,
            &[&format!("Location: {check}"), "Set-Cookie: seen=1"],
            "",
        );
        let to_wall = format!("Location: {wall}");
        web.put_cookie_page(
            &check,
            "seen=1",
            [(302, &[&to_wall]), (200, &["Content-Type: text/plain"])],
        );
        web.both(&name("asked by a wall"), &check, on);
        let url = web.moved(302, &end);
        web.both(&name("of the caller"), &url, move |options| {
            options.stateful = stateful;
            options.cookie = Some("mine=1".into());
        });
        let url = web.moved(302, &elsewhere);
        web.both(
            &name("of the caller, to another origin"),
            &url,
            move |options| {
                options.stateful = stateful;
                options.cookie = Some("mine=1".into());
            },
        );
    }
}

fn statuses(web: &mut Web) {
    for status in (200..600).step_by(7).chain([
        204, 205, 206, 226, 301, 304, 401, 403, 404, 405, 407, 408, 410, 418, 421, 425, 429, 431,
        451, 500, 501, 502, 503, 504, 507, 508, 511, 520, 599,
    ]) {
        let text = format!("status {status}");
        let kind = "Content-Type: text/plain; charset=utf-8";
        let url = web.page(status, &[kind], &text);
        web.both(&text, &url, |_| {});
        web.both(&format!("{text} raised"), &url, |options| {
            options.raise_on_statuses = vec![404, status];
        });
        web.request(&format!("{text} not raised"), &url, |options| {
            options.raise_on_statuses = vec![499];
        });
    }
    let gone = web.page(404, &["Content-Type: text/plain"], "gone");
    let url = web.moved(302, &gone);
    web.both("status 404 raised behind a redirect", &url, |options| {
        options.raise_on_statuses = vec![404];
    });
    web.both("status 302 raised on the way", &url, |options| {
        options.raise_on_statuses = vec![302];
    });
}

/// What is sent, which the last page shows.
fn requests(web: &mut Web) {
    let url = web.url("/dir/shown");
    for method in [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE",
    ] {
        web.both(&format!("method {method}"), &url, |options| {
            options.method = Some(method.into());
        });
    }
    for status in [405, 501, 403, 400] {
        let url = web.site.url(&format!("/status/{status}?body=no"));
        web.resolve(&format!("HEAD refused with {status}"), &url, |_| {});
    }
    let url = web.site.url("/no-head");
    web.resolve("HEAD refused, GET not", &url, |_| {});
}

fn bodies(web: &mut Web) {
    let text = "What was sent, comes back. \u{e9}\u{4e2d}\n".repeat(200);
    let compressed = |options: &mut rouet::Options| options.compressed = true;
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    };
    let zlib = |text: &str| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    };
    let raw = |text: &str| {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        encoder.finish().expect("memory")
    };
    let kind = "Content-Type: text/plain; charset=utf-8";
    let two = [gzip(&text), gzip("and more")].concat();
    let whole = gzip(&text);
    let cut = &whole[..whole.len() / 2];
    let spoilt = {
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xFF;
        bytes
    };
    let trailing = [&whole[..], b"\0\0\0\0"].concat();
    for (name, coding, body) in [
        ("gzip", "gzip", whole.clone()),
        ("x-gzip", "x-gzip", whole.clone()),
        ("gzip in capitals", "GZIP", whole.clone()),
        ("gzip of two members", "gzip", two),
        ("gzip with zeros behind", "gzip", trailing),
        ("gzip cut off", "gzip", cut.to_vec()),
        ("gzip spoilt", "gzip", spoilt),
        ("gzip that is none", "gzip", text.clone().into_bytes()),
        ("gzip of nothing", "gzip", Vec::new()),
        ("gzip without saying", "identity", whole.clone()),
        ("deflate", "deflate", zlib(&text)),
        ("deflate without zlib's head", "deflate", raw(&text)),
        ("deflate that is none", "deflate", b"none at all".to_vec()),
        ("gzip over deflate", "deflate, gzip", {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&zlib(&text)).expect("memory");
            encoder.finish().expect("memory")
        }),
        ("unknown coding", "rouet", text.clone().into_bytes()),
        ("no coding", "identity", text.clone().into_bytes()),
    ] {
        let url = web.page(200, &[kind, &format!("Content-Encoding: {coding}")], body);
        web.request(&format!("compressed {name}"), &url, compressed);
        web.request(&format!("compressed {name}, not asked for"), &url, |_| {});
        web.resolve(&format!("compressed {name}"), &url, |_| {});
    }
    for path in ["/br", "/zstd"] {
        let url = web.site.url(path);
        web.request(&format!("compressed {path}"), &url, compressed);
    }
    for (name, kind, body) in [
        ("empty", "text/plain", &b""[..]),
        ("empty html", "text/html", b""),
        ("ascii", "text/plain", b"just ASCII"),
        ("png", "image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        (
            "png as text",
            "text/plain",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        ),
        ("pdf", "application/pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
        ("text as bytes", "application/octet-stream", b"just text"),
        ("json", "application/json", b"{\"a\": \"b\"}"),
        ("ld json", "application/ld+json", b"{\"a\": \"b\"}"),
        ("javascript", "application/javascript", b"a = 1"),
        ("xml", "application/xml", b"<a>b</a>"),
        ("rss", "application/rss+xml", b"<rss></rss>"),
        ("svg", "image/svg+xml", b"<svg></svg>"),
        ("css", "text/css", b"a { b: c }"),
        ("csv", "text/csv", b"a,b\nc,d\n"),
        ("form", "application/x-www-form-urlencoded", b"a=b&c=d"),
        ("bad type", "nonsense", b"just text"),
        ("type in capitals", "TEXT/HTML; CHARSET=UTF-8", b"<p>x"),
    ] {
        let url = web.page(200, &[&format!("Content-Type: {kind}")], body);
        web.request(&format!("body {name}"), &url, |_| {});
    }
    for (name, body) in [
        ("html", &b"<!doctype html><p>x"[..]),
        ("text", b"just text"),
        ("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("nothing", b""),
    ] {
        let url = web.page(200, &[], body);
        web.request(&format!("body of no type, {name}"), &url, |_| {});
    }
}

/// URLs as they are handed in.
fn urls(web: &mut Web) {
    let port = web.url("")["http://127.0.0.1:".len()..].to_owned();
    for (name, url) in [
        ("no scheme", "127.0.0.1:PORT/dir/shown"),
        ("no scheme, a name", "localhost:PORT/dir/shown"),
        ("blanks around", "  http://127.0.0.1:PORT/dir/shown \n"),
        ("capitals", "HTTP://127.0.0.1:PORT/dir/Shown"),
        ("no path", "http://127.0.0.1:PORT"),
        ("a query and no path", "http://127.0.0.1:PORT?a=b"),
        ("dots", "http://127.0.0.1:PORT/dir/../dir/./shown"),
        ("a blank", "http://127.0.0.1:PORT/dir/a b"),
        ("letters", "http://127.0.0.1:PORT/dir/caf\u{e9}?q=\u{4e2d}"),
        ("a fragment", "http://127.0.0.1:PORT/dir/shown#there"),
        ("an empty query", "http://127.0.0.1:PORT/dir/shown?"),
        ("percent", "http://127.0.0.1:PORT/dir/100%"),
        ("bars", "http://127.0.0.1:PORT/dir/{a}|b?c|d\"<>"),
        ("a backslash", "http://127.0.0.1:PORT\\dir\\shown"),
        ("a tab", "http://127.0.0.1:PORT/di\tr/shown"),
        ("network path", "//127.0.0.1:PORT/dir/shown"),
        ("ftp", "ftp://127.0.0.1/x"),
        ("mailto", "mailto:a@example.com"),
        ("javascript", "javascript:x()"),
        ("no host", "http://"),
        ("no host but a path", "http:///x"),
        ("words", "not a URL"),
        ("a word", "word"),
        ("port too high", "http://127.0.0.1:99999/"),
        ("unknown host", "http://host.invalid/"),
        ("port 1", "http://127.0.0.1:1/x"),
        ("credentials", "http://me:secret@127.0.0.1:PORT/dir/shown"),
    ] {
        web.both(&format!("url: {name}"), &url.replace("PORT", &port), |_| {});
    }
    let url = format!("http://127.0.0.1:{}/x", closed_port());
    web.both("url: nobody listens", &url, |_| {});
}

/// Servers that are slow or broken.
fn faults(web: &mut Web) {
    let short = |options: &mut rouet::Options| options.timeout = Duration::from_millis(1500);
    for path in ["/close", "/reset", "/silence", "/garbage", "/http09"] {
        let url = web.faults.url(path);
        web.both(&format!("fault {path}"), &url, short);
        let url = web.moved(302, &url);
        web.both(&format!("fault {path} behind a redirect"), &url, short);
    }
    // Not with HEAD: the server would send the body all the same, and the next hop would read it.
    for path in [
        "/truncate",
        "/truncate-chunk",
        "/reset-body",
        "/stall",
        "/bad-chunk",
        "/dup-length",
    ] {
        let url = web.faults.url(path);
        web.request(&format!("fault {path}"), &url, short);
        let url = web.moved(302, &url);
        web.request(&format!("fault {path} behind a redirect"), &url, short);
    }
    for path in [
        "/slow?ms=300",
        "/slow?ms=6000",
        "/drip?bytes=10&ms=300",
        "/drip?bytes=10&ms=5000",
        "/hang",
        "/redirect-to?url=/slow?ms=300",
    ] {
        let url = web.site.url(path);
        web.both(&format!("slow {path}"), &url, short);
    }
}
