package rouet

// #include <rouet.h>
//
// #cgo noescape pool_result_text
// #cgo noescape pool_result_links
// #cgo noescape pool_result_elements
// #cgo noescape pool_result_of_answer
//
// static void rouet_free_results(pool_result_t *const *results, size_t count) {
//   for (size_t i = 0; i < count; i++) pool_result_free(results[i]);
// }
import "C"

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"net/textproto"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Result is the outcome of one item: an answer, whatever its status, or an error. All of it belongs
// to Go and can be kept, copied and handed to other goroutines.
type Result[T any] struct {
	// Item is what the URL was taken from.
	Item T
	// Err is nil, or the failure, an *[Error]. With [ErrInvalidStatus], [ErrBodyTooLarge] and the like
	// there is still an answer.
	Err error
	// Response is the answer.
	Response
}

// HTTPResponse returns the answer in net/http's form, or Err: what [http.Client.Do] would have
// returned, with the body read already.
func (r Result[T]) HTTPResponse() (*http.Response, error) {
	if r.Err != nil {
		return nil, r.Err
	}
	return r.Response.HTTPResponse()
}

// Response is the last answer of a job, with its history.
type Response struct {
	// URL is the URL as it was handed in; "" if there was none ([Passthrough]).
	URL string
	// EndURL is where the job ended: the last URL of Stack, or "" if there is none.
	EndURL string
	// Status is the status of the last answer; 0 if none came.
	Status int
	// Header has the headers of the last answer.
	Header http.Header
	// Stack has the URLs at which the job was, one for each hop, in order.
	Stack []Hop
	// Body is the body of the last answer, decompressed if the job asked for compression. Text, Links
	// and the other methods use Body and Header as they are when first asked.
	Body []byte
	// Truncated tells why Body may be incomplete; "" if it is whole or there is none.
	Truncated Truncation
	// Timings tell how the time was spent.
	Timings Timings
	// Attempts is the number of attempts made; 0 if the job ended before its first.
	Attempts int
	// Group is the group whose turn the job waited for: what [GroupBy] returned, or that of its URL
	// ([URLGroup]). Redirections do not change it. "": it is [Unconstrained], or no server was to be
	// asked, because the URL was missing or bad.
	Group string

	content *content
	undone  bool // whether a compression was asked for, and thus undone
}

// Truncation is why an answer's body may be incomplete, in the words of the WARC format's
// WARC-Truncated and one more. Later versions may add others.
type Truncation string

const (
	// TruncatedDisconnect: the connection ended without TLS's goodbye, where only its end marks the
	// body's. Most often the body is whole.
	TruncatedDisconnect Truncation = "disconnect"
	// TruncatedCoding: the body broke the rules of its Content-Encoding, but its content came whole:
	// the trailer was missing or wrong, or the body was in no coding and is as it came.
	TruncatedCoding Truncation = "coding"
)

// Hop is one entry of a result's stack: a URL at which the job was.
type Hop struct {
	// URL is the URL as it was requested.
	URL string
	// Type is what led on from here: "location-header", "refresh-header", "meta-refresh",
	// "js-relocation" or "infer" (the URL itself). "hit": the job ended here. "canonical", always
	// last: the URL that the page before declares for itself.
	Type string
	// Status is the answer's status. 0: no answer came, or no request was made (infer, canonical).
	Status int
}

// Timings tell how the last attempt's time was spent, over all its hops.
type Timings struct {
	// Start and End are when the attempt began and ended.
	Start, End time.Time
	// NameLookup is the time to look up names.
	NameLookup time.Duration
	// Connect is the time to connect, also to a proxy.
	Connect time.Duration
	// TLS is the time of TLS handshakes.
	TLS time.Duration
	// Wait is the time from then to the first byte of the answer.
	Wait time.Duration
	// Receive is the time from the first byte of the answer to its last.
	Receive time.Duration
}

// content is what the library makes of a body once it is asked.
type content struct {
	encoding string // the known encoding

	mu     sync.Mutex
	native *C.pool_result_t // nil: not asked yet
}

func freeNative(native *C.pool_result_t) { C.pool_result_free(native) }

func freeNatives(results []*C.pool_result_t) {
	if len(results) > 0 {
		C.rouet_free_results(&results[0], C.size_t(len(results)))
	}
}

// ask makes the library answer a question about the body.
func (r Response) ask(question func(native *C.pool_result_t)) {
	c := r.content
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.native == nil && !c.read(r) {
		return
	}
	question(c.native)
}

// read gives the library a copy of the body, which lives as long as the content does.
func (c *content) read(r Response) bool {
	if len(r.Body) == 0 {
		return false // taken out meanwhile
	}
	var a arena
	defer a.free()
	optional := func(text string) *C.char {
		if text == "" {
			return nil
		}
		return a.text(text)
	}
	page := ""
	for _, hop := range r.Stack {
		if hop.Type != "canonical" { // canonical is a page's name for itself, not its place
			page = hop.URL
		}
	}
	var lines []C.pool_header_t
	for _, name := range []string{"Content-Type", "Content-Disposition", "Content-Encoding"} {
		if name == "Content-Encoding" && r.undone {
			continue
		}
		for _, value := range r.Header[name] {
			lines = append(lines, C.pool_header_t{
				name: a.text(name), name_size: C.size_t(len(name)),
				value: a.text(value), value_size: C.size_t(len(value)),
			})
		}
	}
	headers := takeMany[C.pool_header_t](&a, len(lines))
	copy(headers, lines)
	native := takeMany[*C.pool_result_t](&a, 1)
	err := failure(func() uint32 {
		return C.pool_result_of_answer(optional(page), unsafe.SliceData(headers),
			C.size_t(len(headers)), optional(c.encoding), unsafe.Pointer(&r.Body[0]),
			C.size_t(len(r.Body)), &native[0])
	})
	if err != nil {
		return false
	}
	c.native = native[0]
	runtime.AddCleanup(c, freeNative, c.native)
	return true
}

// MIMEType is the media type of the body, in lower case and without parameters, such as
// "text/html". The Content-Type headers decide (Fetch Standard, "extract a MIME type"). If they are
// missing, the first bytes of the body decide (MIME Sniffing Standard), or the extension of its
// file name or URL. "": unknown, or there is no body.
//
// This method and those after it compute their answer at the first call, on a copy of the body that
// the library then keeps while the result lives. Several goroutines may ask at once.
func (r Response) MIMEType() string {
	return r.say(func(native *C.pool_result_t) *C.char { return C.pool_result_mimetype(native) })
}

// Ext is the file extension that fits the body, with its dot, such as ".html". It comes from the
// file name in Content-Disposition, the media type or the URL. "": unknown.
func (r Response) Ext() string {
	return r.say(func(native *C.pool_result_t) *C.char { return C.pool_result_ext(native) })
}

// Encoding is the encoding of the body, by its lower-case name in the Encoding Standard, such as
// "utf-8" or "windows-1251". It comes from [Options.KnownEncoding], the byte order mark, the
// Content-Type, the page's own declaration, or detection, in this order. "": the body is not text.
func (r Response) Encoding() string {
	return r.say(func(native *C.pool_result_t) *C.char { return C.pool_result_encoding(native) })
}

func (r Response) say(question func(*C.pool_result_t) *C.char) (answer string) {
	r.ask(func(native *C.pool_result_t) { answer = C.GoString(question(native)) })
	return answer
}

// IsText tells whether the body is text, by its media type, or by its bytes if that is unknown.
// Gzip and the like that nobody asked for is not text.
func (r Response) IsText() bool {
	return r.tell(func(native *C.pool_result_t) C.int32_t { return C.pool_result_is_text(native) })
}

// IsHTML tells whether the body is HTML: text/html or application/xhtml+xml, however it begins, and
// another XML type if its root is <html>.
func (r Response) IsHTML() bool {
	return r.tell(func(native *C.pool_result_t) C.int32_t { return C.pool_result_is_html(native) })
}

// CouldBeHTML tells whether the body's media type allows for HTML or is unknown.
func (r Response) CouldBeHTML() bool {
	return r.tell(func(native *C.pool_result_t) C.int32_t {
		return C.pool_result_could_be_html(native)
	})
}

func (r Response) tell(question func(*C.pool_result_t) C.int32_t) (answer bool) {
	r.ask(func(native *C.pool_result_t) { answer = question(native) == 1 })
	return answer
}

// Text is the body as UTF-8, decoded from its [Response.Encoding]; malformed parts become U+FFFD.
// "": the body is not text. Each call returns its own copy.
func (r Response) Text() (copied string) {
	r.ask(func(native *C.pool_result_t) {
		var size C.size_t
		if text := C.pool_result_text(native, &size); text != nil {
			copied = string(unsafe.Slice((*byte)(unsafe.Pointer(text)), int(size)))
		}
	})
	return copied
}

// Links are the links of an HTML body: the http and https URLs of its <a> and <area>, absolute,
// each once, in the order of the page. Each call returns its own copy.
func (r Response) Links() (copied []string) {
	r.ask(func(native *C.pool_result_t) {
		var count C.size_t
		links := C.pool_result_links(native, &count)
		for _, link := range unsafe.Slice(links, int(count)) {
			copied = append(copied, C.GoString(link))
		}
	})
	return copied
}

// Element is one reference from a page to something else, by an attribute of an element.
type Element struct {
	// URL is where it leads: absolute, http or https, its query in the page's encoding.
	URL string
	// Element is the name of the element in lower case, such as "img".
	Element string
	// Attribute is the name of the attribute in lower case, such as "srcset".
	Attribute string
	// Rel is the element's rel, with white space made single blanks; "" if it has none.
	Rel string
	// Text is what a reader sees in its place, in one line: the text of an <a> or <button> with the
	// alt of its images; the alt of an image; otherwise "".
	Text string
}

// Elements are everything that an HTML body refers to: by <a>, <img>, srcset, <script>, <link>,
// <iframe>, <form> and all others whose attributes have URLs. Order and repeats are the page's.
// References that are not http or https, that stay within the page (#top), and <a> and <area> that
// lead to the page itself are left out. Each call returns its own copy.
func (r Response) Elements() (copied []Element) {
	r.ask(func(native *C.pool_result_t) {
		var count C.size_t
		at := unsafe.Pointer(C.pool_result_elements(native, &count))
		// The few names, and texts that one element's references share, are copied once.
		names := map[*C.char]string{}
		named := func(text *C.char) string {
			if _, ok := names[text]; !ok {
				names[text] = C.GoString(text)
			}
			return names[text]
		}
		var rel, text string
		var relAt, textAt *C.char
		for range int(count) {
			it := (*C.pool_element_t)(at)
			if it.rel != relAt {
				relAt, rel = it.rel, sized(it.rel, it.rel_size)
			}
			if it.text != textAt {
				textAt, text = it.text, sized(it.text, it.text_size)
			}
			copied = append(copied, Element{
				URL:       sized(it.url, it.url_size),
				Element:   named(it.element),
				Attribute: named(it.attribute),
				Rel:       rel,
				Text:      text,
			})
			at = unsafe.Add(at, it.struct_size)
		}
	})
	return copied
}

// sized copies text of that many bytes.
func sized(text *C.char, size C.size_t) string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(text)), int(size)))
}

// HTTPResponse returns the answer in net/http's form. Its Body is read already and need not be
// closed, and its Request has only EndURL. If the library undid a compression, the header no longer
// names it and Uncompressed is set, as in net/http.
//
// It fails if there is no answer.
func (r Response) HTTPResponse() (*http.Response, error) {
	if r.Status == 0 {
		return nil, errors.New("rouet: there is no answer")
	}
	end, err := url.Parse(r.EndURL)
	if err != nil {
		return nil, err
	}
	header, undone := r.Header.Clone(), false
	if header == nil {
		header = http.Header{}
	}
	if r.undone && len(r.Body) > 0 && header.Get("Content-Encoding") != "" {
		undone = true
		header.Del("Content-Encoding")
		header.Del("Content-Length")
	}
	return &http.Response{
		Status:        strconv.Itoa(r.Status) + " " + http.StatusText(r.Status),
		StatusCode:    r.Status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(r.Body)),
		ContentLength: int64(len(r.Body)),
		Uncompressed:  undone,
		Request:       &http.Request{Method: http.MethodGet, URL: end, Host: end.Host, Header: http.Header{}},
	}, nil
}

// decode copies a native result except for its URL, without calling into C.
func decode(native *C.pool_result_t) (Response, *Error) {
	// The text of the result lies at the end of its block: one copy of that makes it Go's.
	text := uintptr(native.struct_size) + uintptr(native.header_count)*C.sizeof_pool_header_t +
		uintptr(native.stack_count)*C.sizeof_pool_hop_t
	first := (*byte)(unsafe.Add(unsafe.Pointer(native), text))
	block := string(unsafe.Slice(first, int(uintptr(native.block_size)-text)))
	start := uintptr(unsafe.Pointer(first))
	sized := func(text *C.char, size C.size_t) string {
		if text == nil {
			return ""
		}
		at := int(uintptr(unsafe.Pointer(text)) - start)
		return block[at : at+int(size)]
	}
	ended := func(text *C.char) string {
		at := int(uintptr(unsafe.Pointer(text)) - start)
		return block[at : at+strings.IndexByte(block[at:], 0)]
	}

	response := Response{
		EndURL:   sized(native.end_url, native.end_url_size),
		Status:   int(native.status),
		Attempts: int(native.attempts),
		Group:    sized(native.group, native.group_size),
		Timings: Timings{
			Start:      instant(native.start_time),
			End:        instant(native.end_time),
			NameLookup: duration(native.name_lookup_time),
			Connect:    duration(native.connect_time),
			TLS:        duration(native.tls_time),
			Wait:       duration(native.wait_time),
			Receive:    duration(native.receive_time),
		},
	}
	if count := int(native.header_count); count > 0 {
		response.Header = make(http.Header, count)
		values := make([]string, count) // one for all
		for i, line := range unsafe.Slice(native.headers, count) {
			name := textproto.CanonicalMIMEHeaderKey(sized(line.name, line.name_size))
			values[i] = sized(line.value, line.value_size)
			if before, ok := response.Header[name]; ok {
				response.Header[name] = append(before, values[i])
			} else {
				response.Header[name] = values[i : i+1 : i+1]
			}
		}
	}
	if count := int(native.stack_count); count > 0 {
		response.Stack = make([]Hop, count)
		for i, hop := range unsafe.Slice(native.stack, count) {
			response.Stack[i] = Hop{sized(hop.url, hop.url_size), ended(hop._type), int(hop.status)}
		}
	}
	if native.body_size > 0 {
		response.Body = bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(native.body)), int(native.body_size)))
	}
	if native.truncated != nil {
		response.Truncated = Truncation(ended(native.truncated))
	}
	if native.error_code == nil {
		return response, nil
	}
	failed := &Error{Code: Code(ended(native.error_code)), Message: ended(native.error_message)}
	if native.error_subcode != nil {
		failed.Subcode = ended(native.error_subcode)
	}
	return response, failed
}

func instant(seconds C.double) time.Time {
	if seconds <= 0 {
		return time.Time{}
	}
	whole, part := math.Modf(float64(seconds))
	return time.Unix(int64(whole), int64(part*1e9))
}

func duration(seconds C.double) time.Duration {
	return time.Duration(float64(seconds) * float64(time.Second))
}
