//! The web that minet and rouet both see, and the jobs they are both given.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use rouet::{Job, Kind, Options};
use rouet_site::{Faults, Site};

use crate::support::raw::{Raw, Request};
use crate::support::{self, options};

/// A job for both.
pub struct Case {
    /// `group/what it is about`, or several words of it; unique.
    pub name: String,
    pub job: Job,
    pub options: Arc<Options>,
    /// The text of the page at the end, where it is known.
    pub text: Option<String>,
    /// Whether minet is told to find out the encoding, which it does not do by default.
    pub detect: bool,
}

/// What a page answers.
enum Page {
    /// These bytes.
    Always(Vec<u8>),
    /// The second to a request that has the cookie, the first to others.
    Cookie(&'static str, [Vec<u8>; 2]),
}

type Pages = Arc<Mutex<HashMap<String, Page>>>;

/// Three servers on this machine: one whose pages are made up here, one that misbehaves, and the
/// usual test site.
pub struct Web {
    pages: Pages,
    server: Raw,
    pub faults: Faults,
    pub site: Site,
    pub cases: Vec<Case>,
    /// Numbers the pages.
    count: usize,
}

impl Web {
    pub fn start() -> Self {
        let pages = Pages::default();
        let served = Arc::clone(&pages);
        Self {
            pages,
            server: Raw::start(move |request| serve(&served, request)),
            faults: support::faults(),
            site: support::site(),
            cases: Vec::new(),
            count: 0,
        }
    }

    /// The URL of a path. Pages made up here are all in `/dir/`.
    pub fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// The same URL on another origin.
    pub fn elsewhere(&self, url: &str) -> String {
        url.replace("127.0.0.1", "localhost")
    }

    /// A page's URL that is not taken yet.
    pub fn free(&mut self) -> String {
        self.count += 1;
        self.url(&format!("/dir/{}", self.count))
    }

    /// Makes up a page at a URL of its own.
    pub fn page(&mut self, status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> String {
        let url = self.free();
        self.put(&url, status, headers, body);
        url
    }

    /// Makes up the page at a URL.
    pub fn put(&mut self, url: &str, status: u16, headers: &[&str], body: impl AsRef<[u8]>) {
        self.insert(url, Page::Always(answer(status, headers, body.as_ref())));
    }

    /// A page that is `without` the cookie, and `with` it: a status and headers each.
    pub fn put_cookie_page(
        &mut self,
        url: &str,
        cookie: &'static str,
        [without, with]: [(u16, &[&str]); 2],
    ) {
        let [without, with] =
            [without, with].map(|(status, headers)| answer(status, headers, b"cookies"));
        self.insert(url, Page::Cookie(cookie, [without, with]));
    }

    /// The path of a URL on this web.
    fn path(&self, url: &str) -> String {
        url[self.url("").len()..].to_owned()
    }

    fn insert(&mut self, url: &str, page: Page) {
        let path = self.path(url);
        self.pages.lock().expect("pages").insert(path, page);
    }

    /// A plain page of status 200.
    pub fn end(&mut self) -> String {
        self.page(200, &["Content-Type: text/plain; charset=utf-8"], "the end")
    }

    /// An HTML page of status 200.
    pub fn html(&mut self, body: impl AsRef<[u8]>) -> String {
        self.page(200, &["Content-Type: text/html; charset=utf-8"], body)
    }

    /// A page that sends its client to a `Location`.
    pub fn moved(&mut self, status: u16, location: &str) -> String {
        self.page(status, &[&format!("Location: {location}")], "moved")
    }

    /// So many pages that each lead to the next; the last one to `target`.
    pub fn moved_often(&mut self, count: usize, target: &str) -> String {
        (0..count).fold(target.to_owned(), |target, _| self.moved(302, &target))
    }

    pub fn request(&mut self, name: &str, url: &str, set: impl FnOnce(&mut Options)) {
        self.add(name, Job::request(url), options(set), None);
    }

    pub fn resolve(&mut self, name: &str, url: &str, set: impl FnOnce(&mut Options)) {
        self.add(name, Job::resolve(url), options(set), None);
    }

    pub fn both(&mut self, name: &str, url: &str, set: impl Fn(&mut Options)) {
        self.request(name, url, &set);
        self.resolve(name, url, &set);
    }

    /// A download of a page whose text is known.
    pub fn read(&mut self, name: &str, url: &str, text: &str, set: impl FnOnce(&mut Options)) {
        self.add(name, Job::request(url), options(set), Some(text.to_owned()));
    }

    /// The same, without telling minet to find out the encoding.
    pub fn read_by_default(&mut self, name: &str, url: &str, text: &str) {
        self.read(name, url, text, |_| {});
        self.cases.last_mut().expect("added").detect = false;
    }

    fn add(&mut self, name: &str, job: Job, options: Arc<Options>, text: Option<String>) {
        let kind = match job.kind {
            Kind::Request => "request",
            Kind::Resolve => "resolve",
        };
        self.cases.push(Case {
            name: format!("{name} ({kind})"),
            job: job.options(Arc::clone(&options)),
            options,
            text,
            detect: true,
        });
    }
}

/// An answer, after which the connection is closed.
fn answer(status: u16, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} Some Words\r\nConnection: close\r\n").into_bytes();
    if status != 204 && status != 304 {
        bytes.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
    }
    for header in headers {
        // Letters up to U+00FF are one byte each, as such servers send them.
        bytes.extend(header.chars().map(|letter| {
            u8::try_from(u32::from(letter)).expect("headers are written in Latin-1 here")
        }));
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"\r\n");
    if status != 204 && status != 304 {
        bytes.extend(body);
    }
    bytes
}

fn serve(pages: &Pages, request: &Request) -> Vec<u8> {
    let pages = pages.lock().expect("pages");
    let mut bytes = match pages.get(&request.target) {
        Some(Page::Always(bytes)) => bytes.clone(),
        Some(Page::Cookie(cookie, pages)) => pages[usize::from(has(request, cookie))].clone(),
        None => {
            // So that it can be seen what was asked for, and how.
            let target = &request.target;
            let method = &request.method;
            let cookies = request
                .head
                .lines()
                .filter(|line| line.starts_with("Cookie:"));
            let cookies: Vec<&str> = cookies.collect();
            let body = format!("{method} {target} {cookies:?}");
            answer(
                404,
                &["Content-Type: text/plain; charset=utf-8"],
                body.as_bytes(),
            )
        }
    };
    if request.method == "HEAD"
        && let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n")
    {
        bytes.truncate(end + 4);
    }
    bytes
}

fn has(request: &Request, cookie: &str) -> bool {
    let mut lines = request.head.lines();
    lines.any(|line| line.to_ascii_lowercase().starts_with("cookie:") && line.contains(cookie))
}
