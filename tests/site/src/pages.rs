//! The pages: deterministic, of real sizes and variety.
//!
//! What `/page/N` does is decided by `N` alone ([`fate`], [`kind`]), so that any `N` does the
//! same on every host; what it holds is decided by the host and `N` ([`page`]).
//!
//! | share  | answer of `/page/N` ([`fate`])                          |
//! |--------|---------------------------------------------------------|
//! | 94 %   | the page                                                |
//! | 2 %    | 404                                                     |
//! | 1 %    | 500 or 503                                              |
//! | 1 %    | the page, after 200 to 800 ms                           |
//! | 1 %    | the connection is closed without an answer              |
//! | 1 %    | (left to the hosts `old-K.test`: see [`partner`])       |
//!
//! The last 1 % is a page too on the other hosts: only `old-K.test` redirects, all its pages,
//! to the same page of `site-K.test`, a host nothing else names. So a redirect's target gets its
//! requests through its one partner only, and as spaced as the partner's are.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use flate2::{Compression, Crc, write::ZlibEncoder};

use crate::rng::{Rng, hash, mix};
use crate::urls::host_name;
use crate::words::{KANA, LANGUAGES, Language, RUSSIAN};

/// The median size of a page, in bytes.
const MEDIAN: f64 = 25_000.0;
/// The deviation of the logarithm of the sizes: about 1 page in 500 is above 1 MB.
const DEVIATION: f64 = 1.3;
/// The bounds of the size of a page.
const SIZES: (f64, f64) = (400.0, 2_000_000.0);

/// How `/page/N` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// With the page, at once.
    Fine,
    /// With the page, after a while.
    Slow(Duration),
    /// With an error's status: 404, 500 or 503.
    Error(u16),
    /// Not at all: the connection is closed.
    Gone,
}

/// How `/page/n` answers, on every host but the redirecting ones.
pub fn fate(n: u64) -> Fate {
    let bits = mix(n ^ 0x27_0000_0000); // chosen for the first 20 pages to be fine
    match bits % 1000 {
        0..20 => Fate::Error(404),
        20..25 => Fate::Error(500),
        25..30 => Fate::Error(503),
        30..40 => Fate::Slow(Duration::from_millis(200 + (bits >> 32) % 601)),
        40..50 => Fate::Gone,
        _ => Fate::Fine,
    }
}

/// The host all the pages of `host` redirect to: `site-K.test` for `old-K.test`, and none for
/// any other.
pub fn partner(host: &str) -> Option<String> {
    let number = host.strip_prefix("old-")?.strip_suffix(".test")?;
    Some(format!("site-{number}.test"))
}

/// What a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HTML in UTF-8.
    Html,
    /// HTML in windows-1251.
    Windows1251,
    /// HTML in Shift_JIS.
    ShiftJis,
    /// JSON.
    Json,
    /// Text in UTF-8.
    Text,
    /// CSV in UTF-8.
    Csv,
    /// A grey PNG image, of noise.
    Png,
    /// Bytes that begin and end as a PDF file does.
    Pdf,
}

impl Kind {
    /// The `Content-Type` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Windows1251 => "text/html; charset=windows-1251",
            Self::ShiftJis => "text/html; charset=Shift_JIS",
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Png => "image/png",
            Self::Pdf => "application/pdf",
        }
    }

    /// Whether it is worth compressing.
    pub fn is_text(self) -> bool {
        !matches!(self, Self::Png | Self::Pdf)
    }
}

/// What `/page/n` is, on every host.
pub fn kind(n: u64) -> Kind {
    match mix(n ^ 0x0C1D) % 100 {
        0..78 => Kind::Html,
        78..80 => Kind::Windows1251,
        80..82 => Kind::ShiftJis,
        82..87 => Kind::Json,
        87..91 => Kind::Text,
        91..94 => Kind::Csv,
        94..98 => Kind::Png,
        _ => Kind::Pdf,
    }
}

/// Whether `/page/n` comes chunked, without a `Content-Length`: 15 % do.
pub(crate) fn chunked(n: u64) -> bool {
    mix(n ^ 0xC4C4) % 100 < 15
}

/// A page, before any compression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it is.
    pub kind: Kind,
    /// Its bytes, in the charset its kind tells.
    pub body: Vec<u8>,
}

/// The page that `http://host/page/n` gives when its [`fate`] is a page.
pub fn page(host: &str, n: u64) -> Page {
    let kind = kind(n);
    let mut rng = Rng::new(hash(host) ^ mix(n));
    let size = (MEDIAN * (DEVIATION * rng.normal()).exp()).clamp(SIZES.0, SIZES.1) as usize;
    let language = match kind {
        Kind::Windows1251 => RUSSIAN,
        Kind::ShiftJis => KANA,
        // A host has one language, and strays from it at times.
        _ if rng.below(10) == 0 => rng.below(LANGUAGES.len() as u64) as usize,
        _ => (hash(host) % LANGUAGES.len() as u64) as usize,
    };
    let mut writer = Writer {
        out: String::new(),
        rng,
        language: &LANGUAGES[language],
    };
    let body = match kind {
        Kind::Html => writer.html(host, n, size, "utf-8").into_bytes(),
        // Sizes are counted in UTF-8, where these letters take two and three bytes.
        Kind::Windows1251 => windows_1251(&writer.html(host, n, size * 2, "windows-1251")),
        Kind::ShiftJis => shift_jis(&writer.html(host, n, size * 3 / 2, "Shift_JIS")),
        Kind::Json => writer.json(host, n, size).into_bytes(),
        Kind::Text => writer.text(size).into_bytes(),
        Kind::Csv => writer.csv(size).into_bytes(),
        Kind::Png => png(&mut writer.rng, size),
        Kind::Pdf => pdf(&mut writer.rng, size),
    };
    Page { kind, body }
}

/// Writes texts in a language.
struct Writer {
    out: String,
    rng: Rng,
    language: &'static Language,
}

impl Writer {
    fn words(&mut self, count: u64) {
        for i in 0..count {
            if i > 0 && !self.language.joined {
                self.out.push(' ');
            }
            self.out.push_str(self.rng.pick(&self.language.words));
        }
    }

    fn sentence(&mut self) {
        let count = 4 + self.rng.below(14);
        self.words(count);
        self.out
            .push_str(if self.language.joined { "。" } else { ". " });
    }

    fn link(&mut self) {
        let page = self.rng.below(100_000);
        self.out.push_str("<a href=\"");
        if self.rng.below(4) == 0 {
            self.out.push_str("http://");
            self.out.push_str(&host_name(self.rng.below(60) as usize));
        }
        let _ = write!(self.out, "/page/{page}\">");
        let count = 1 + self.rng.below(3);
        self.words(count);
        self.out.push_str("</a> ");
    }

    fn image(&mut self) {
        let from = self.rng.below(100_000);
        let image = (from..).find(|&n| kind(n) == Kind::Png).unwrap_or(from);
        let _ = write!(self.out, "<img src=\"/page/{image}\" alt=\"");
        self.words(2);
        self.out.push_str("\">\n");
    }

    fn html(&mut self, host: &str, n: u64, size: usize, charset: &str) -> String {
        let tag = self.language.tag;
        let _ = write!(
            self.out,
            "<!DOCTYPE html>\n<html lang=\"{tag}\">\n<head>\n<meta charset=\"{charset}\">\n<title>"
        );
        self.words(5);
        let _ = write!(
            self.out,
            "</title>\n<link rel=\"canonical\" href=\"http://{host}/page/{n}\">\n</head>\n<body>\n<h1>"
        );
        self.words(4);
        self.out.push_str("</h1>\n");
        while self.out.len() + 20 < size {
            match self.rng.below(12) {
                0 => {
                    self.out.push_str("<h2>");
                    self.words(3);
                    self.out.push_str("</h2>\n");
                }
                1 => self.image(),
                2 => {
                    self.out.push_str("<ul>\n");
                    for _ in 0..3 {
                        self.out.push_str("<li>");
                        self.link();
                        self.out.push_str("</li>\n");
                    }
                    self.out.push_str("</ul>\n");
                }
                _ => {
                    self.out.push_str("<p>");
                    for _ in 0..2 + self.rng.below(4) {
                        self.sentence();
                        if self.rng.below(6) == 0 {
                            self.link();
                        }
                    }
                    self.out.push_str("</p>\n");
                }
            }
        }
        self.out.push_str("</body>\n</html>\n");
        std::mem::take(&mut self.out)
    }

    fn json(&mut self, host: &str, n: u64, size: usize) -> String {
        let _ = write!(self.out, "{{\"host\":\"{host}\",\"page\":{n},\"items\":[");
        let mut id = 0;
        while id == 0 || self.out.len() + 100 < size {
            let comma = if id == 0 { "" } else { "," };
            let price = self.rng.below(100_000) as f64 / 100.0;
            let _ = write!(
                self.out,
                "{comma}\n{{\"id\":{id},\"price\":{price},\"text\":\""
            );
            self.sentence();
            let next = self.rng.below(100_000);
            let _ = write!(self.out, "\",\"next\":\"/page/{next}\"}}");
            id += 1;
        }
        self.out.push_str("\n]}\n");
        std::mem::take(&mut self.out)
    }

    fn text(&mut self, size: usize) -> String {
        while self.out.len() < size {
            for _ in 0..5 {
                self.sentence();
            }
            self.out.push_str("\n\n");
        }
        std::mem::take(&mut self.out)
    }

    fn csv(&mut self, size: usize) -> String {
        self.out.push_str("id,count,price,name\r\n");
        let mut id = 0;
        while self.out.len() < size {
            let (count, cents) = (self.rng.below(1000), self.rng.below(100_000));
            let _ = write!(
                self.out,
                "{id},{count},{}.{:02},\"",
                cents / 100,
                cents % 100
            );
            self.words(3);
            self.out.push_str("\"\r\n");
            id += 1;
        }
        std::mem::take(&mut self.out)
    }
}

/// A valid grey PNG of noise, of about `size` bytes.
fn png(rng: &mut Rng, size: usize) -> Vec<u8> {
    const WIDTH: usize = 256;
    let height = (size / (WIDTH + 1)).max(1);
    let mut rows = Vec::with_capacity(height * (WIDTH + 1));
    for _ in 0..height {
        rows.push(0); // the row's filter: none
        rng.noise(&mut rows, WIDTH);
    }
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::none());
    zlib.write_all(&rows).expect("writing to memory");
    let pixels = zlib.finish().expect("writing to memory");

    let mut header = Vec::new();
    header.extend_from_slice(&(WIDTH as u32).to_be_bytes());
    header.extend_from_slice(&(height as u32).to_be_bytes());
    header.extend_from_slice(&[8, 0, 0, 0, 0]); // 8 bits of grey, not interlaced

    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, data) in [(b"IHDR", &header), (b"IDAT", &pixels), (b"IEND", &vec![])] {
        out.extend_from_slice(&(data.len() as u32).to_be_bytes());
        let from = out.len();
        out.extend_from_slice(name);
        out.extend_from_slice(data);
        let mut crc = Crc::new();
        crc.update(&out[from..]);
        out.extend_from_slice(&crc.sum().to_be_bytes());
    }
    out
}

/// Bytes that look like a PDF file from afar.
fn pdf(rng: &mut Rng, size: usize) -> Vec<u8> {
    let mut out = format!("%PDF-1.7\n1 0 obj\n<< /Length {size} >>\nstream\n").into_bytes();
    rng.noise(&mut out, size);
    out.extend_from_slice(b"\nendstream\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n");
    out
}

/// ASCII and Russian letters in windows-1251; anything else becomes `?`.
fn windows_1251(text: &str) -> Vec<u8> {
    text.chars()
        .map(|letter| match letter {
            '\0'..='\x7F' => letter as u8,
            'А'..='я' => 0xC0 + (letter as u32 - 'А' as u32) as u8,
            _ => b'?',
        })
        .collect()
}

/// ASCII, kana and a few signs in Shift_JIS; anything else becomes `?`.
fn shift_jis(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for letter in text.chars() {
        let code = letter as u32;
        let pair = match letter {
            '\0'..='\x7F' => {
                out.push(letter as u8);
                continue;
            }
            'ぁ'..='ん' => 0x829F + (code - 'ぁ' as u32),
            'ァ'..='ミ' => 0x8340 + (code - 'ァ' as u32),
            'ム'..='ヶ' => 0x8380 + (code - 'ム' as u32),
            '。' => 0x8142,
            'ー' => 0x815B,
            _ => u32::from(b'?') << 8 | u32::from(b'?'),
        };
        out.extend_from_slice(&(pair as u16).to_be_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_always_the_same() {
        for n in 0..200 {
            assert_eq!(page("news-01.test", n), page("news-01.test", n));
        }
        assert_ne!(page("news-01.test", 7).body, page("shop-02.test", 7).body);
        assert_ne!(page("news-01.test", 7).body, page("news-01.test", 8).body);
        // Pinned, so that a change of the generator does not go unseen.
        let sum: usize = (0..100).map(|n| page("news-01.test", n).body.len()).sum();
        assert_eq!(sum, 5_106_348, "the pages changed");
    }

    #[test]
    fn fates_keep_their_shares() {
        let share = |wanted: fn(Fate) -> bool| {
            (0..100_000).filter(|&n| wanted(fate(n))).count() as f64 / 1000.0
        };
        let near = |share: f64, wanted: f64| (share - wanted).abs() < 0.15;
        assert!(near(share(|fate| fate == Fate::Fine), 95.0));
        assert!(near(share(|fate| fate == Fate::Error(404)), 2.0));
        assert!(near(
            share(|fate| matches!(fate, Fate::Error(500 | 503))),
            1.0
        ));
        assert!(near(share(|fate| matches!(fate, Fate::Slow(_))), 1.0));
        assert!(near(share(|fate| fate == Fate::Gone), 1.0));
        assert!((0..20).all(|n| fate(n) == Fate::Fine));
    }

    #[test]
    fn sizes_are_those_of_the_web() {
        let mut sizes: Vec<usize> = (0..2000)
            .map(|n| page("blog-03.test", n).body.len())
            .collect();
        sizes.sort_unstable();
        assert!((20_000..30_000).contains(&sizes[1000]), "{}", sizes[1000]);
        assert!(sizes[1999] > 800_000, "{}", sizes[1999]);
        assert!(sizes[1999] < 2_200_000, "{}", sizes[1999]);
    }

    #[test]
    fn every_kind_is_met_and_encoded() {
        for wanted in [
            Kind::Html,
            Kind::Windows1251,
            Kind::ShiftJis,
            Kind::Json,
            Kind::Text,
            Kind::Csv,
            Kind::Png,
            Kind::Pdf,
        ] {
            let n = (0..).find(|&n| kind(n) == wanted).unwrap();
            let page = page("wiki-05.test", n);
            match wanted {
                Kind::Windows1251 | Kind::ShiftJis => {
                    assert!(std::str::from_utf8(&page.body).is_err());
                    let unknown = page.body.iter().filter(|&&byte| byte == b'?').count();
                    assert_eq!(unknown, 0);
                }
                Kind::Png => assert!(page.body.starts_with(b"\x89PNG")),
                Kind::Pdf => assert!(page.body.starts_with(b"%PDF")),
                _ => assert!(std::str::from_utf8(&page.body).is_ok()),
            }
        }
        assert_eq!(windows_1251("прялка я"), b"\xEF\xF0\xFF\xEB\xEA\xE0 \xFF");
        assert_eq!(shift_jis("あンテ"), b"\x82\xA0\x83\x93\x83\x65");
    }

    #[test]
    fn old_hosts_have_a_partner() {
        assert_eq!(partner("old-3.test").as_deref(), Some("site-3.test"));
        assert_eq!(partner("news-03.test"), None);
        assert_eq!(partner("site-3.test"), None);
    }
}
