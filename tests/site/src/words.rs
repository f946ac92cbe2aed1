//! The words pages are written with.

use std::sync::LazyLock;

/// A language: its tag, whether it leaves no space between words, and its words.
pub(crate) struct Language {
    pub tag: &'static str,
    pub joined: bool,
    pub words: Vec<&'static str>,
}

/// Where Russian is in [`LANGUAGES`]: the language of the windows-1251 pages.
pub(crate) const RUSSIAN: usize = 5;
/// Where kana-only Japanese is in [`LANGUAGES`]: the language of the Shift_JIS pages.
pub(crate) const KANA: usize = 6;

/// Every language, in an order that never changes.
pub(crate) static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    TEXTS
        .iter()
        .map(|&(tag, joined, text)| Language {
            tag,
            joined,
            words: text.split_whitespace().collect(),
        })
        .collect()
});

const TEXTS: &[(&str, bool, &str)] = &[
    (
        "en",
        false,
        "the of a to and in river window market letter under morning bridge garden slowly paper \
         winter answer machine between harvest copper silence traveller kitchen harbour weather \
         without station library evening thread wheel spinning wool yarn spindle weaver patient",
    ),
    (
        "fr",
        false,
        "le la les des une et à où très même rivière fenêtre marché lettre sous matin pont jardin \
         lentement papier hiver réponse machine entre récolte cuivre silence voyageur cuisine port \
         été œuvre cœur naïf garçon forêt bientôt château rouet laine fil quenouille tisserand",
    ),
    (
        "de",
        false,
        "der die das und ein Fluss Fenster Markt Brief unter Morgen Brücke Garten langsam Papier \
         Winter Antwort Maschine zwischen Ernte Kupfer Stille Reisender Küche Hafen Wetter ohne \
         Straße Bücherei größer schön Spinnrad Wolle Garn Weber geduldig Geschwindigkeitsbegrenzung",
    ),
    (
        "es",
        false,
        "el la los una y de río ventana mercado carta bajo mañana puente jardín despacio papel \
         invierno respuesta máquina entre cosecha cobre silencio viajero cocina puerto niño señal \
         corazón pingüino rueca lana hilo huso tejedor paciente ¿cuándo? ¡también!",
    ),
    (
        "pl",
        false,
        "i w na z rzeka okno rynek list pod rano most ogród powoli papier zima odpowiedź maszyna \
         między żniwa miedź cisza podróżny kuchnia port pogoda bez księżyc źródło łąka gęś ćma \
         kołowrotek wełna nić wrzeciono tkacz cierpliwy",
    ),
    (
        "ru",
        false,
        "и в на с река окно рынок письмо под утро мост сад медленно бумага зима ответ машина между \
         урожай медь тишина путник кухня гавань погода без станция библиотека вечер нить колесо \
         прялка шерсть пряжа веретено ткач терпеливый объезд",
    ),
    (
        "ja",
        true,
        "かわ まど いちば てがみ あさ はし にわ ゆっくり かみ ふゆ こたえ きかい あいだ しずけさ たび だいどころ \
         みなと てんき えき としょかん ゆうがた いと くるま ひつじ は を に が の と ページ リンク サーバー データ \
         ニュース カタカナ テスト インターネット コンピュータ",
    ),
    (
        "ja",
        true,
        "川 窓 市場 手紙 朝 橋 庭 紙 冬 答え 機械 間 静けさ 旅人 台所 港 天気 駅 図書館 夕方 糸車 羊毛 は を に \
         が の と ゆっくり 紡ぐ 織る 忍耐 東京 大阪 新聞 情報 検索 接続",
    ),
    (
        "zh",
        true,
        "河流 窗户 市场 信 早晨 桥 花园 慢慢 纸 冬天 回答 机器 之间 收获 铜 安静 旅行者 厨房 港口 天气 没有 车站 \
         图书馆 傍晚 线 轮子 纺车 羊毛 的 了 在 是 和 耐心 新闻 网页 连接",
    ),
    (
        "ko",
        false,
        "강 창문 시장 편지 아침 다리 정원 천천히 종이 겨울 대답 기계 사이 수확 구리 침묵 여행자 부엌 항구 날씨 없이 \
         역 도서관 저녁 실 바퀴 물레 양털 그리고 인내 신문 연결",
    ),
    (
        "el",
        false,
        "και το η ο ποτάμι παράθυρο αγορά γράμμα κάτω πρωί γέφυρα κήπος αργά χαρτί χειμώνας απάντηση \
         μηχανή ανάμεσα σοδειά χαλκός σιωπή ταξιδιώτης κουζίνα λιμάνι καιρός χωρίς σταθμός νήμα ρόδα",
    ),
    (
        "ar",
        false,
        "و في من على نهر نافذة سوق رسالة تحت صباح جسر حديقة ببطء ورق شتاء جواب آلة بين حصاد نحاس صمت \
         مسافر مطبخ ميناء طقس بدون محطة مكتبة مساء خيط عجلة مغزل صوف صبور",
    ),
    (
        "he",
        false,
        "של על את נהר חלון שוק מכתב תחת בוקר גשר גן לאט נייר חורף תשובה מכונה בין קציר נחושת שקט נוסע \
         מטבח נמל מזג אוויר בלי תחנה ספרייה ערב חוט גלגל צמר",
    ),
    (
        "hi",
        false,
        "और में से पर नदी खिड़की बाज़ार पत्र नीचे सुबह पुल बगीचा धीरे काग़ज़ सर्दी उत्तर मशीन बीच फ़सल ताँबा \
         मौन यात्री रसोई बंदरगाह मौसम बिना स्टेशन पुस्तकालय शाम धागा पहिया चरखा ऊन",
    ),
    (
        "tr",
        false,
        "ve bir bu ırmak pencere çarşı mektup altında sabah köprü bahçe yavaşça kâğıt kış cevap makine \
         arasında hasat bakır sessizlik yolcu mutfak liman hava olmadan istasyon kütüphane akşam iplik \
         çıkrık yün iğ dokumacı sabırlı İstanbul",
    ),
    (
        "th",
        true,
        "แม่น้ำ หน้าต่าง ตลาด จดหมาย ใต้ เช้า สะพาน สวน ช้า กระดาษ ฤดูหนาว คำตอบ เครื่องจักร ระหว่าง เก็บเกี่ยว ทองแดง \
         เงียบ นักเดินทาง ครัว ท่าเรือ อากาศ สถานี ห้องสมุด เย็น ด้าย ล้อ",
    ),
    (
        "eo",
        false,
        "la kaj de en rivero fenestro bazaro letero sub mateno ponto ĝardeno malrapide papero vintro \
         respondo maŝino inter rikolto kupro silento vojaĝanto kuirejo haveno vetero sen stacio ŝpinrado \
         ĉiam ĵaŭdo ĥoro 🧶 🐑 🕸",
    ),
];
