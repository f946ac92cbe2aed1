//! Pages in many encodings, which are told in many ways, or not.

use encoding_rs::Encoding;

use crate::web::Web;

const RUSSIAN: &str = "Все люди рождаются свободными и равными в своём достоинстве и правах. Они \
    наделены разумом и совестью и должны поступать в отношении друг друга в духе братства.";
const UKRAINIAN: &str = "Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони \
    наділені розумом і совістю і повинні діяти у відношенні один до одного в дусі братерства.";
const JAPANESE: &str = "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。\
    人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。";
const CHINESE: &str = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。\
    人人有资格享有本宣言所载的一切权利和自由。";
const TAIWANESE: &str = "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神相對待。\
    人人有資格享有本宣言所載的一切權利和自由。";
const KOREAN: &str = "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 \
    이성과 양심을 부여받았으며 서로 형제애의 정신으로 행동하여야 한다.";
const FRENCH: &str = "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont \
    doués de raison et de conscience, à jamais, où qu'ils soient, même çà et là.";
const GERMAN: &str = "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit \
    Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen. Schöne Grüße!";
const EURO: &str = "Le prix de l'œuvre était de 20 € à l'été ; le cœur y était déjà, çà et là.";
const POLISH: &str = "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. \
    Są oni obdarzeni rozumem i sumieniem i powinni postępować wobec innych w duchu braterstwa. Źdźbło, żółw.";
const ESPERANTO: &str = "Ĉiuj homoj estas denaske liberaj kaj egalaj laŭ digno kaj rajtoj. Ili posedas \
    racion kaj konsciencon, kaj devus konduti unu al alia en spirito de frateco. Eĥoŝanĝo ĉiuĵaŭde.";
const LATVIAN: &str = "Visi cilvēki piedzimst brīvi un vienlīdzīgi savā pašcieņā un tiesībās. Viņi ir \
    apveltīti ar saprātu un sirdsapziņu, un viņiem jāizturas citam pret citu brālības garā.";
const GREEK: &str = "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. \
    Είναι προικισμένοι με λογική και συνείδηση, και οφείλουν να συμπεριφέρονται με πνεύμα αδελφοσύνης.";
const TURKISH: &str = "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana \
    sahiptirler ve birbirlerine karşı kardeşlik zihniyeti ile hareket etmelidirler. İğne, çığ.";
const HEBREW: &str = "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון, \
    לפיכך חובה עליהם לנהוג איש ברעהו ברוח של אחווה.";
const ARABIC: &str = "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. وقد وهبوا عقلا وضميرا وعليهم أن \
    يعامل بعضهم بعضا بروح الإخاء.";
const THAI: &str = "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม \
    และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ";
const WELSH: &str = "Genir pawb yn rhydd ac yn gydradd â'i gilydd mewn urddas a hawliau. Fe'u cynysgaeddir â \
    rheswm a chydwybod, a dylai pawb ymddwyn y naill at y llall mewn ysbryd cymodlon: tŷ, dŵr, ŵyn.";
const ROMANIAN: &str = "Toate ființele umane se nasc libere și egale în demnitate și în drepturi. Ele sunt \
    înzestrate cu rațiune și conștiință și trebuie să se comporte unele față de altele în spiritul fraternității.";
const ICELANDIC: &str = "Hver maður er borinn frjáls og jafn öðrum að virðingu og réttindum. Menn eru gæddir \
    vitsmunum og samvizku, og ber þeim að breyta bróðurlega hverjum við annan. Þæö.";

/// Labels as pages give them, and a text each can write.
const ENCODINGS: [(&str, &str); 40] = [
    ("utf-8", RUSSIAN),
    ("windows-1251", RUSSIAN),
    ("koi8-r", RUSSIAN),
    ("iso-8859-5", RUSSIAN),
    ("ibm866", RUSSIAN),
    ("x-mac-cyrillic", RUSSIAN),
    ("koi8-u", UKRAINIAN),
    ("shift_jis", JAPANESE),
    ("euc-jp", JAPANESE),
    ("iso-2022-jp", JAPANESE),
    ("gb2312", CHINESE),
    ("gbk", CHINESE),
    ("gb18030", CHINESE),
    ("big5", TAIWANESE),
    ("euc-kr", KOREAN),
    ("ks_c_5601-1987", KOREAN),
    ("iso-8859-1", FRENCH),
    ("windows-1252", EURO),
    ("latin1", GERMAN),
    ("iso-8859-15", EURO),
    ("macintosh", FRENCH),
    ("iso-8859-2", POLISH),
    ("windows-1250", POLISH),
    ("iso-8859-3", ESPERANTO),
    ("iso-8859-4", LATVIAN),
    ("iso-8859-13", LATVIAN),
    ("windows-1257", LATVIAN),
    ("iso-8859-7", GREEK),
    ("windows-1253", GREEK),
    ("iso-8859-9", TURKISH),
    ("windows-1254", TURKISH),
    ("iso-8859-8", HEBREW),
    ("windows-1255", HEBREW),
    ("iso-8859-6", ARABIC),
    ("windows-1256", ARABIC),
    ("tis-620", THAI),
    ("windows-874", THAI),
    ("iso-8859-14", WELSH),
    ("iso-8859-16", ROMANIAN),
    ("iso-8859-10", ICELANDIC),
];

pub fn add(web: &mut Web) {
    for (label, text) in ENCODINGS {
        let encoding = Encoding::for_label(label.as_bytes()).expect("a label");
        // What a page says of itself before its text, and what is said of it in the header.
        let html =
            |meta: &str| format!("<html><head>{meta}<title>x</title></head><p>{text}</p></html>");
        let plain = html("");
        let meta = html(&format!("<meta charset=\"{label}\">"));
        let old = html(&format!(
            "<meta http-equiv=\"Content-Type\" content=\"text/html; charset={label}\">"
        ));
        let late = html(&format!("<!--{:x<2000}--><meta charset=\"{label}\">", ""));
        let xml = format!("<?xml version=\"1.0\" encoding=\"{label}\"?>\n<a>{text}</a>");
        let right = format!("text/html; charset={label}");
        let quoted = format!("text/html;charset=\"{}\"", label.to_uppercase());
        let html_type = "text/html";
        for (name, kind, page) in [
            ("header", &*right, &plain),
            ("header in quotes", &quoted, &plain),
            ("meta", html_type, &meta),
            ("old meta", html_type, &old),
            ("late meta", html_type, &late),
            ("xml", "text/xml", &xml),
            ("none", html_type, &plain),
            ("no type", "", &plain),
            ("header utf-8", "text/html; charset=utf-8", &plain),
            (
                "header utf-8, meta right",
                "text/html; charset=utf-8",
                &meta,
            ),
            (
                "header iso-8859-1, meta right",
                "text/html; charset=iso-8859-1",
                &meta,
            ),
            (
                "header unknown, meta right",
                "text/html; charset=nonsense",
                &meta,
            ),
        ] {
            let (bytes, _, lossy) = encoding.encode(page);
            assert!(!lossy, "{label} can't write {page}");
            let url = page_of(web, kind, &bytes);
            web.read(&format!("encoding {label}: {name}"), &url, page, |_| {});
        }
        let (bytes, _, _) = encoding.encode(&plain);
        let url = page_of(web, &right, &bytes);
        web.read_by_default(&format!("encoding {label}: by default"), &url, &plain);
        let url = page_of(web, html_type, &bytes);
        web.read(
            &format!("encoding {label}: known"),
            &url,
            &plain,
            |options| {
                options.known_encoding = Some(label.into());
            },
        );
        let (bytes, _, _) = encoding.encode(text);
        let url = page_of(web, "text/plain", &bytes);
        web.read(&format!("encoding {label}: plain"), &url, text, |_| {});
    }
    wide(web);
    marks(web);
    broken(web);
}

fn page_of(web: &mut Web, kind: &str, bytes: &[u8]) -> String {
    match kind {
        "" => web.page(200, &[], bytes),
        kind => web.page(200, &[&format!("Content-Type: {kind}")], bytes),
    }
}

/// UTF-16, with and without its mark.
fn wide(web: &mut Web) {
    let text = format!("<html><p>{RUSSIAN} {FRENCH}</html>");
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (order, bytes, mark) in [("le", little, b"\xFF\xFE"), ("be", big, b"\xFE\xFF")] {
        for marked in [false, true] {
            let bytes = match marked {
                true => [&mark[..], &bytes].concat(),
                false => bytes.clone(),
            };
            for charset in [
                "",
                "; charset=utf-16",
                &format!("; charset=utf-16{order}"),
                "; charset=utf-8",
            ] {
                let url = page_of(web, &format!("text/html{charset}"), &bytes);
                let words = if marked { "marked" } else { "unmarked" };
                web.read(
                    &format!("utf-16{order} {words}{charset}"),
                    &url,
                    &text,
                    |_| {},
                );
            }
        }
    }
}

/// A UTF-8 mark, against what is declared.
fn marks(web: &mut Web) {
    let text = format!("<html><p>{RUSSIAN}</html>");
    let bytes = [b"\xEF\xBB\xBF", text.as_bytes()].concat();
    for charset in [
        "",
        "; charset=utf-8",
        "; charset=windows-1251",
        "; charset=iso-8859-1",
    ] {
        let url = page_of(web, &format!("text/html{charset}"), &bytes);
        web.read(&format!("utf-8 marked{charset}"), &url, &text, |_| {});
    }
}

/// Bytes that the declared encoding does not have.
fn broken(web: &mut Web) {
    for (name, charset, bytes, text) in [
        (
            "utf-8 cut off",
            "utf-8",
            &b"<p>caf\xC3"[..],
            "<p>caf\u{FFFD}",
        ),
        (
            "utf-8 with one stray byte",
            "utf-8",
            b"<p>caf\xC3\xA9 caf\xE9 caf\xC3\xA9",
            "<p>caf\u{e9} caf\u{FFFD} caf\u{e9}",
        ),
        ("ascii with more", "us-ascii", b"<p>caf\xE9", "<p>caf\u{e9}"),
        (
            "latin-1 with C1",
            "iso-8859-1",
            b"<p>\x93caf\xE9\x94 20 \x80",
            "<p>\u{201c}caf\u{e9}\u{201d} 20 \u{20ac}",
        ),
        (
            "shift_jis cut off",
            "shift_jis",
            b"<p>\x93\xFA\x96\x7B\x93",
            "<p>\u{65e5}\u{672c}\u{FFFD}",
        ),
        (
            "shift_jis of windows",
            "shift_jis",
            b"<p>\x87\x40\x93\xFA",
            "<p>\u{2460}\u{65e5}",
        ),
        (
            "gb2312 of gbk",
            "gb2312",
            b"<p>\xE9\x46\xD6\xD0",
            "<p>\u{95ab}\u{4e2d}",
        ),
        ("NUL within", "utf-8", b"<p>a\0b", "<p>a\0b"),
    ] {
        let text = text.to_owned();
        let url = page_of(web, &format!("text/html; charset={charset}"), bytes);
        web.read(&format!("broken {name}"), &url, &text, |_| {});
    }
}
