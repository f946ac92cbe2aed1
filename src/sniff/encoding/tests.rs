use proptest::prelude::*;

use super::*;
use crate::sniff::ContentType;

fn header(content_type: Option<&[u8]>) -> Option<&'static Encoding> {
    ContentType::of(content_type).charset
}

fn detect(content_type: Option<&[u8]>, body: &[u8], tld: Option<&str>) -> &'static Encoding {
    super::detect(header(content_type), body, tld)
}

fn decode_start(content_type: Option<&[u8]>, bytes: &[u8]) -> String {
    let encoding = super::detect_start(header(content_type), bytes);
    super::decode_start(encoding, bytes)
}

/// There is memory for it.
fn decode(encoding: &'static Encoding, body: &[u8]) -> String {
    super::decode(encoding, body, 0).expect("memory")
}

struct Sample {
    label: &'static str,
    /// What is found when nothing is declared.
    guessed: &'static str,
    tld: &'static str,
    text: &'static str,
}

const JAPANESE: &str = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\
    何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。";
const CHINESE: &str = "今天的天气很好，我们一起去公园散步。图书馆从早上九点开到晚上八点，\
    星期一不开放，请各位读者注意。";
const POLISH: &str = "Dzień dobry! Zażółć gęślą jaźń. Biblioteka jest otwarta we wtorek i w \
    środę, a książki można wypożyczyć na dwa tygodnie. Proszę zachować ciszę.";
const FRENCH: &str = "Voilà l'été où les élèves de première année étudièrent à la \
    bibliothèque, près de la forêt. Ça n'était pas très sûr.";
const RUSSIAN: &str = "Все счастливые семьи похожи друг на друга. Библиотека открыта с девяти \
    утра, и читать книги там приятно.";

const SAMPLES: [Sample; 21] = [
    Sample {
        label: "windows-1251",
        guessed: "windows-1251",
        tld: "ru",
        text: RUSSIAN,
    },
    Sample {
        label: "koi8-r",
        guessed: "koi8-u",
        tld: "ru",
        text: RUSSIAN,
    },
    Sample {
        label: "iso-8859-5",
        guessed: "iso-8859-5",
        tld: "ru",
        text: RUSSIAN,
    },
    Sample {
        label: "shift_jis",
        guessed: "shift_jis",
        tld: "jp",
        text: JAPANESE,
    },
    Sample {
        label: "euc-jp",
        guessed: "euc-jp",
        tld: "jp",
        text: JAPANESE,
    },
    Sample {
        label: "iso-2022-jp",
        guessed: "iso-2022-jp",
        tld: "jp",
        text: JAPANESE,
    },
    Sample {
        label: "gbk",
        guessed: "gbk",
        tld: "cn",
        text: CHINESE,
    },
    Sample {
        label: "gb18030",
        guessed: "gbk",
        tld: "cn",
        text: CHINESE,
    },
    Sample {
        label: "big5",
        guessed: "big5",
        tld: "tw",
        text: "今天的天氣很好，我們一起去公園散步。圖書館從早上九點開到晚上八點，請各位讀者注意。",
    },
    Sample {
        label: "euc-kr",
        guessed: "euc-kr",
        tld: "kr",
        text: "오늘은 날씨가 참 좋습니다. 도서관은 아침 아홉 시에 문을 열고 저녁 여덟 시에 닫습니다.",
    },
    Sample {
        label: "iso-8859-2",
        guessed: "iso-8859-2",
        tld: "pl",
        text: POLISH,
    },
    Sample {
        label: "windows-1250",
        guessed: "windows-1250",
        tld: "pl",
        text: POLISH,
    },
    Sample {
        label: "iso-8859-7",
        guessed: "iso-8859-7",
        tld: "gr",
        text: "Άνοιξε η βιβλιοθήκη της πόλης. Η είσοδος είναι ελεύθερη για όλους, και τα \
            βιβλία δανείζονται για δύο εβδομάδες. Άλλη μέρα θα έρθω.",
    },
    Sample {
        label: "windows-1254",
        guessed: "windows-1254",
        tld: "tr",
        text: "Kütüphane sabah dokuzda açılır ve akşam sekizde kapanır. Çocuklar için ayrı \
            bir oda vardır, ağaçların altında da oturabilirsiniz. İstanbul'da yağmur yağıyor.",
    },
    Sample {
        label: "iso-8859-15",
        guessed: "windows-1252",
        tld: "fr",
        text: FRENCH,
    },
    Sample {
        label: "windows-1252",
        guessed: "windows-1252",
        tld: "fr",
        text: FRENCH,
    },
    Sample {
        label: "windows-1256",
        guessed: "windows-1256",
        tld: "eg",
        text: "تفتح المكتبة أبوابها في الساعة التاسعة صباحا وتغلق في المساء. يرجى من القراء \
            المحافظة على الهدوء.",
    },
    Sample {
        label: "windows-1255",
        guessed: "windows-1255",
        tld: "il",
        text: "הספרייה פתוחה משעה תשע בבוקר ועד שמונה בערב. הכניסה חופשית לכל תושבי העיר.",
    },
    Sample {
        label: "windows-874",
        guessed: "windows-874",
        tld: "th",
        text: "ห้องสมุดเปิดตั้งแต่เก้าโมงเช้าถึงสองทุ่ม กรุณางดใช้เสียงดังในห้องอ่านหนังสือ",
    },
    Sample {
        label: "utf-16le",
        guessed: "utf-16le",
        tld: "ru",
        text: RUSSIAN,
    },
    Sample {
        label: "utf-16be",
        guessed: "utf-16be",
        tld: "jp",
        text: JAPANESE,
    },
];

impl Sample {
    fn encoding(&self) -> &'static Encoding {
        for_label(self.label).unwrap()
    }

    /// A page with that head.
    fn page(&self, head: &str) -> Vec<u8> {
        self.encode(&format!(
            "{head}<title>A page</title>\n<p>{}</p>\n",
            self.text
        ))
    }

    fn encode(&self, text: &str) -> Vec<u8> {
        match self.label {
            "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            _ => {
                let (bytes, _, failed) = self.encoding().encode(text);
                assert!(!failed, "{}", self.label);
                bytes.into_owned()
            }
        }
    }

    /// Checks that a page is found to be in that encoding, and decodes to what was written.
    #[track_caller]
    fn check(&self, content_type: Option<&str>, body: &[u8], expected: &str) {
        let content_type = content_type.map(str::as_bytes);
        let found = detect(content_type, body, Some(self.tld));
        assert_eq!(name(found), expected, "{}", self.label);
        assert!(decode(found, body).contains(self.text), "{}", self.label);
    }
}

#[test]
fn agrees_with_every_label_of_the_standard() {
    let table = include_str!("../../../tests/data/encoding-labels.txt");
    let mut count = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let (label, expected) = line.split_once('\t').unwrap();
        let found = for_label(label).map(name);
        assert_eq!(found.unwrap_or("replacement"), expected, "{label}");
        assert_eq!(
            for_label(&format!(" {}\n", label.to_uppercase())).map(name),
            found
        );
        if found.is_some() {
            assert_eq!(
                for_label(expected).map(name),
                found,
                "the name is a label too"
            );
        }
        count += 1;
    }
    assert_eq!(count, 228);
    for none in ["", "foo", "utf-7", "utf 8", "utf-8\0", "ütf-8"] {
        assert!(for_label(none).is_none(), "{none}");
    }
}

#[test]
fn finds_declarations() {
    let padding = format!("<!--{}-->", "x".repeat(5000));
    for sample in &SAMPLES {
        let label = sample.label;
        let plain = sample.page("");
        sample.check(Some(&format!("text/html; charset={label}")), &plain, label);
        for head in [
            format!("<meta charset=\"{label}\">"),
            format!("<!doctype html><html><head><META CharSet={label} />"),
            format!("<meta http-equiv='Content-Type' content='text/html; charset={label}'>"),
            format!("<meta content=\"charset={label}\" http-equiv=content-type>"),
            format!("{padding}<meta charset='{label}'>"),
            format!("<?xml version=\"1.0\" encoding=\"{label}\"?>"),
            format!("\n<?xml version='1.0' encoding = '{label}' ?><html>"),
        ] {
            let page = sample.page(&head);
            sample.check(None, &page, label);
            sample.check(Some("text/html"), &page, label);
            sample.check(Some("text/html; charset=foo"), &page, label);
            // The header is wrong, and the body contradicts it.
            sample.check(Some("text/html; charset=utf-8"), &page, label);
        }
    }
}

#[test]
fn guesses() {
    for sample in &SAMPLES {
        let page = sample.page("");
        for content_type in [None, Some("text/html"), Some("text/html; charset=UTF-8")] {
            sample.check(content_type, &page, sample.guessed);
        }
        let page = sample.page("<meta charset=utf8>");
        sample.check(Some("text/html; charset=UTF-8"), &page, sample.guessed);
    }
}

#[test]
fn believes_a_header_that_nothing_contradicts() {
    let russian = SAMPLES[0].page("<meta charset=windows-1251>");
    let found = detect(Some(b"text/html; charset=koi8-r"), &russian, None);
    assert_eq!(name(found), "koi8-r");
    let found = detect(Some(b"text/html; charset=windows-1251"), b"ASCII", None);
    assert_eq!(name(found), "windows-1251");
}

#[test]
fn believes_a_byte_order_mark_first() {
    for (mark, expected) in [
        (&b"\xef\xbb\xbf"[..], "utf-8"),
        (b"\xff\xfe", "utf-16le"),
        (b"\xfe\xff", "utf-16be"),
    ] {
        let sample = SAMPLES.iter().find(|sample| sample.label == expected);
        let text = match sample {
            Some(sample) => sample.page("<meta charset=koi8-r>"),
            None => format!("<meta charset=koi8-r><p>{FRENCH}").into_bytes(),
        };
        let page = [mark, &text].concat();
        let found = detect(Some(b"text/html; charset=big5"), &page, None);
        assert_eq!(name(found), expected);
        assert!(decode(found, &page).starts_with("<meta"), "{expected}");
    }
}

#[test]
fn utf_16_shows_its_byte_order() {
    let [.., little, big] = &SAMPLES;
    for header in ["utf-16", "utf-16le", "utf-16be", "windows-1252", "utf-8"] {
        let header = format!("text/html; charset={header}");
        little.check(Some(&header), &little.page(""), "utf-16le");
        big.check(Some(&header), &big.page(""), "utf-16be");
    }
    // A wide space looks like the other byte order.
    let wide = format!("<html lang=ja><body><p>\u{3000}{JAPANESE}");
    let wide: Vec<_> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(name(detect(None, &wide, None)), "utf-16le");
    // No byte of this is NUL: the header decides.
    let bytes: Vec<_> = "吾輩は猫である"
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    let found = detect(Some(b"text/plain; charset=utf-16be"), &bytes, None);
    assert_eq!(name(found), "utf-16be");
    // A header that calls ASCII UTF-16 is wrong.
    let found = detect(Some(b"text/html; charset=utf-16"), b"<p>ASCII", None);
    assert_eq!(name(found), "utf-8");
    // Neither a stray NUL nor a binary file makes UTF-16.
    let found = detect(
        Some(b"text/html; charset=koi8-r"),
        b"ab\0c plain text",
        None,
    );
    assert_eq!(name(found), "koi8-r");
    assert_eq!(utf16(&[0; 64]), None);
}

#[test]
fn iso_2022_jp_shows_itself() {
    let sample = SAMPLES.iter().find(|sample| sample.label == "iso-2022-jp");
    let page = sample.unwrap().page("");
    for header in ["iso-2022-jp", "utf-8", "shift_jis", "windows-1252"] {
        let header = format!("text/html; charset={header}");
        sample.unwrap().check(Some(&header), &page, "iso-2022-jp");
    }
    // The cut may be anywhere but within an escape.
    let cut = page.len() - 30;
    assert!(!page[cut - 3..cut + 3].contains(&0x1b));
    for cut in [cut, cut + 1] {
        assert_eq!(name(detect(None, &page[..cut], None)), "iso-2022-jp");
        assert!(decode_start(None, &page[..cut]).contains("吾輩は猫である"));
    }
    let ascii = b"<p>no \x1b[1mJapanese\x1b(B\x1b[m";
    let found = detect(Some(b"text/html; charset=koi8-r"), ascii, None);
    assert_eq!(name(found), "koi8-r");
}

#[test]
fn utf_8_shows_itself_whatever_is_declared() {
    for sample in &SAMPLES {
        let header = format!("text/html; charset={}", sample.label);
        let page = format!("<meta charset={}><p>{}", sample.label, sample.text);
        for body in [&page[..], "éééé", "ASCII and four €€€€"] {
            let found = detect(Some(header.as_bytes()), body.as_bytes(), None);
            assert_eq!(name(found), "utf-8", "{}", sample.label);
            assert_eq!(decode(found, body.as_bytes()), body);
        }
        // The cut is within a character.
        for cut in 1..3 {
            let cut = &"néééé €".as_bytes()[..13 - cut];
            let found = detect(Some(header.as_bytes()), cut, None);
            assert_eq!(name(found), "utf-8", "{}", sample.label);
        }
    }
    assert_eq!(name(detect(None, b"ASCII", Some("ru"))), "utf-8");
    assert_eq!(name(detect(None, b"", None)), "utf-8");
    // Half a character, and nothing else, is a whole one of another encoding.
    assert_eq!(name(detect(None, b"caf\xe9", Some("fr"))), "windows-1252");
    let utf8 = Some(&b"text/html; charset=utf-8"[..]);
    assert_eq!(name(detect(utf8, b"caf\xc3", Some("fr"))), "utf-8");
    assert_eq!(name(detect(None, b"\x1b[31mred\x1b[0m", None)), "utf-8");
}

#[test]
fn utf_8_may_have_mistakes() {
    let mut page = RUSSIAN.as_bytes().to_vec();
    page.insert(20, 0xff);
    assert_eq!(name(detect(None, &page, Some("ru"))), "utf-8");
    let utf8 = Some(&b"text/html; charset=utf-8"[..]);
    assert_eq!(name(detect(utf8, &page, Some("ru"))), "utf-8");
    // The other declaration is not proven wrong.
    let other = Some(&b"text/html; charset=windows-1251"[..]);
    assert_eq!(name(detect(other, &page, Some("ru"))), "windows-1251");
    // With as many mistakes as characters the declaration stands; with more it does not.
    assert_eq!(name(detect(utf8, b"\xc3\xa9 \xe9 ", None)), "utf-8");
    assert_eq!(
        name(detect(utf8, b"\xc3\xa9 \xe9t\xe9 d\xe9j\xe0 ", None)),
        "windows-1252"
    );
}

#[test]
fn reads_content_types() {
    for (content_type, expected) in [
        ("text/html; charset=koi8-r", Some("koi8-r")),
        ("text/html;CHARSET = \"koi8-r\"; x=y", Some("koi8-r")),
        ("text/html; charset='koi8-r'", Some("koi8-r")),
        ("charset=koi8-r", Some("koi8-r")),
        ("text/html; charset=koi8-r, text/html", Some("koi8-r")),
        ("text/html; charset; charset=koi8-r", Some("koi8-r")),
        ("text/html; charset=iso-2022-kr", None),
        ("text/html; charset=\"koi8-r", None),
        ("text/html; charset=", None),
        ("text/html; charset", None),
        ("text/html", None),
        ("", None),
    ] {
        assert_eq!(
            charset(content_type.as_bytes()).map(name),
            expected,
            "{content_type}"
        );
    }
}

#[test]
fn prescans_as_the_standard_does() {
    for (html, expected) in [
        ("<meta charset=koi8-r>", Some("koi8-r")),
        ("<meta/charset=koi8-r/>", None),
        ("<meta/charset='koi8-r'/>", Some("koi8-r")),
        (
            "<p a='<meta charset=big5>'><meta charset=koi8-r>",
            Some("koi8-r"),
        ),
        (
            "<!-- <meta charset=big5> --><meta charset=koi8-r>",
            Some("koi8-r"),
        ),
        ("<!--><meta charset=koi8-r>", Some("koi8-r")),
        ("<!-- <meta charset=koi8-r>", None),
        ("<? <meta charset=koi8-r>", None),
        (
            "<?x?></x <meta charset=big5>><meta charset=koi8-r>",
            Some("koi8-r"),
        ),
        ("<metal charset=koi8-r>", None),
        ("<meta name=charset content=koi8-r>", None),
        ("<meta content='charset=koi8-r'>", None),
        ("<meta http-equiv=refresh content='charset=koi8-r'>", None),
        ("<meta charset=foo><meta charset=koi8-r>", Some("koi8-r")),
        ("<meta charset=koi8-r charset=big5>", Some("koi8-r")),
        ("<meta charset=utf-16be>", Some("utf-8")),
        ("<meta charset=x-user-defined>", Some("windows-1252")),
        ("<meta charset=koi8-r", None),
        ("<meta charset='koi8-r", None),
        (
            "<script>\"<meta charset=big5>\"</script><meta charset=koi8-r>",
            Some("koi8-r"),
        ),
        (
            "<script>if (a<b) c='</script><meta charset=koi8-r>",
            Some("koi8-r"),
        ),
        ("<script><meta charset=koi8-r>", None),
        (
            "<meta charset=koi8-r><?xml encoding='big5'?>",
            Some("koi8-r"),
        ),
        (
            "<?xml encoding='big5'?><meta charset=koi8-r>",
            Some("koi8-r"),
        ),
        ("<?xml version='1.0' encoding='utf-16'?>", Some("utf-8")),
        ("x <?xml version='1.0' encoding='big5'?>", None),
        ("<?xml version='1.0'?><x encoding='big5'>", None),
        ("<?xml version='1.0' encoding='big5", None),
        ("< meta charset=koi8-r>", None),
        ("", None),
    ] {
        assert_eq!(prescan(html.as_bytes()).map(name), expected, "{html}");
    }
    let late = format!("{}<meta charset=koi8-r>", " ".repeat(PRESCAN));
    assert_eq!(name(detect(None, late.as_bytes(), None)), "utf-8");
}

#[test]
fn decodes_as_the_standard_does() {
    let latin = for_label("latin1").unwrap();
    assert_eq!(decode(latin, b"\x80\xe9"), "€é");
    assert_eq!(
        decode(UTF_8, b"\xef\xbb\xbfa\xff\xe2\x82b\xe2\x82"),
        "a\u{fffd}\u{fffd}b\u{fffd}"
    );
    // Another encoding's mark is text.
    assert_eq!(decode(latin, b"\xef\xbb\xbfa"), "ï»¿a");
    assert_eq!(decode(UTF_16LE, b"\xff\xfea\0\0\xd8"), "a\u{fffd}");
}

#[test]
fn decodes_the_start_of_a_page() {
    for sample in &SAMPLES {
        let page = sample.page(&format!("<meta charset={}>", sample.label));
        let whole = decode(sample.encoding(), &page);
        let header = format!("text/html; charset={}", sample.label);
        for end in (page.len() - 60)..page.len() {
            for content_type in [None, Some(header.as_bytes())] {
                let start = decode_start(content_type, &page[..end]);
                assert!(whole.starts_with(&start), "{}: {start}", sample.label);
                assert!(start.len() + 8 >= whole.len() * end / page.len() / 2);
            }
        }
    }
    assert_eq!(decode_start(None, "é…".as_bytes()), "é…");
    assert_eq!(decode_start(None, &"é…".as_bytes()[..4]), "é");
    assert_eq!(decode_start(None, b"\xe9t\xe9"), "été");
    assert_eq!(decode_start(None, b"\xef\xbb\xbfa"), "a");
    assert_eq!(decode_start(None, b""), "");
}

#[test]
fn stays_linear() {
    for piece in [
        "<",
        "<!--",
        "<!",
        "<a ",
        "<meta ",
        "<script>",
        "<title>",
        "charset",
        "charset=",
        "=",
        "<a '",
        "<?xml ",
        "encoding",
        "encoding=",
    ] {
        let text = piece.repeat(1 << 18);
        detect(Some(text.as_bytes()), text.as_bytes(), None);
        detect(None, format!("<?xml {text}>").as_bytes(), None);
    }
}

const PIECES: &[&[u8]] = &[
    b"<meta",
    b" ",
    b"/",
    b"charset",
    b"=",
    b"\"",
    b"'",
    b">",
    b"<",
    b"utf-8",
    b"koi8-r",
    b"utf-16",
    b"<!--",
    b"-->",
    b"<?xml",
    b"encoding",
    b"?>",
    b"<script",
    b"</script",
    b"http-equiv",
    b"content",
    b"content-type",
    b";",
    b"\xe9",
    b"\xc3\xa9",
    b"\0",
    b"\x1b$B",
    b"\x1b(B",
    b"a",
];

proptest! {
    #[test]
    fn takes_any_bytes(
        body in any::<Vec<u8>>(),
        content_type in prop::option::of(any::<Vec<u8>>()),
        tld in prop::option::of(any::<String>()),
        label in any::<String>(),
    ) {
        let found = detect(content_type.as_deref(), &body, tld.as_deref());
        decode(found, &body);
        decode_start(content_type.as_deref(), &body);
        for_label(&label);
        prop_assert_eq!(for_label(name(found)), Some(found));
    }

    #[test]
    fn takes_any_markup(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        let body = pieces.concat();
        for content_type in [None, Some(&body[..])] {
            let found = detect(content_type, &body, None);
            decode(found, &body);
            decode_start(content_type, &body);
        }
    }

    #[test]
    fn utf_8_stays_utf_8(text in "[^\0\x1b]{0,40}[é-ퟀ]{4}[^\0\x1b]{0,40}", cut in 0_usize..3) {
        let found = detect(Some(b"text/html; charset=big5"), text.as_bytes(), Some("ru"));
        let marked = text.starts_with('\u{feff}');
        prop_assert!(marked || decode(found, text.as_bytes()) == text);
        let cut = &text.as_bytes()[..text.len() - cut.min(text.len())];
        let start = decode_start(None, cut);
        prop_assert!(marked || text.starts_with(&start));
    }
}

#[test]
fn a_page_is_believed_above_what_servers_say_of_all_pages() {
    for (label, text) in [
        ("windows-1251", RUSSIAN),
        ("iso-8859-2", "Příliš žluťoučký kůň"),
    ] {
        let page = format!("<meta charset={label}><p>{text}");
        let encoding = for_label(label).unwrap_or(UTF_8);
        let (body, _, _) = encoding.encode(&page);
        for (header, expected) in [
            ("iso-8859-1", label),
            ("windows-1252", label),
            ("koi8-r", "koi8-r"),
            // The text is malformed in these.
            ("shift_jis", label),
            ("euc-jp", label),
        ] {
            let header = format!("text/html; charset={header}");
            let found = detect(Some(header.as_bytes()), &body, None);
            assert_eq!(name(found), expected, "{header}, {label}");
        }
    }
}

#[test]
fn a_word_that_happens_to_be_utf8_is_what_is_declared() {
    let (word, _, _) = encoding_rs::EUC_KR.encode("천");
    assert_eq!(std::str::from_utf8(&word), Ok("õ"));
    let header = Some(&b"text/plain; charset=euc-kr"[..]);
    assert_eq!(name(detect(header, &word, None)), "euc-kr");
    assert_eq!(name(detect(header, "õõõõ".as_bytes(), None)), "utf-8");
    let header = Some(&b"text/plain; charset=iso-8859-1"[..]);
    assert_eq!(name(detect(header, &word, None)), "utf-8");
}
