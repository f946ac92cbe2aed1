package rouet

// #include <rouet.h>
import "C"

import (
	"fmt"
	"math"
	"net/http"
	"net/textproto"
	"reflect"
	"slices"
	"strings"
	"time"
)

// HTTPVersion is what is spoken with servers.
type HTTPVersion int

const (
	// HTTPAny offers HTTP/2 over TLS, HTTP/1.1 otherwise.
	HTTPAny HTTPVersion = C.POOL_HTTP_ANY
	// HTTP11 is HTTP/1.1 only.
	HTTP11 HTTPVersion = C.POOL_HTTP_1_1
	// HTTP2PriorKnowledge is HTTP/2 without asking first, in the clear too.
	HTTP2PriorKnowledge HTTPVersion = C.POOL_HTTP_2_PRIOR_KNOWLEDGE
)

// NoThrottle, as a throttle of a [Config] or of [Pool.SetDomainRule], is none; NoWait, as a wait, is
// none: 0 stands for the default. Other durations below 0 are refused, and those below a microsecond
// too, which are numbers without a unit.
const (
	NoThrottle time.Duration = -1
	NoWait     time.Duration = -1
)

// Options say how jobs are done. The zero value is the defaults.
//
// Those of a run ([WithOptions]) go before the pool's ([Config.Options]), and those of an item
// ([OptionsFor]) before both: what has its zero value is as there. Headers go by name, whatever its
// case: one that is there without values is not sent. A Cookie goes before a Cookie header, and the
// other way round. So an item can't undo a flag; with Standalone it has nothing from elsewhere.
type Options struct {
	// Standalone has these options stand for themselves: nothing is taken from the run's and the
	// pool's.
	Standalone bool

	// Method is the request method, but CONNECT. Default: GET for a request; for a resolve HEAD, or
	// GET with a body.
	Method string
	// Header is sent, sorted by name, names in the case they have here; 1000 lines at most.
	// Authorization, Cookie and Host are not sent on to another origin; Proxy-Authorization goes
	// to an HTTP proxy alone. What says where a request ends and what becomes of its connection
	// is refused: Content-Length, Transfer-Encoding, Trailer, Expect, Upgrade, HTTP2-Settings,
	// Proxy-Connection, TE but for trailers, Connection but for keep-alive, TE and close (which
	// closes it behind the answer), a second Host and one that is no host.
	Header http.Header
	// Cookie is the value of a Cookie header, not sent on to another origin.
	Cookie string
	// Stateful sends cookies that answers set on the way with the job's next hops, to the hosts
	// and paths they are meant for. They are forgotten when the attempt ends.
	Stateful bool
	// SpoofUA sends the User-Agent of a widespread browser. One in Header comes first.
	SpoofUA bool
	// Body is sent as the request's body.
	Body []byte

	// ConnectTimeout is for looking up the name, connecting and shaking hands, each hop.
	// Default: 5 s.
	ConnectTimeout time.Duration
	// Timeout is for a whole attempt, all hops and the body. Default: 30 s.
	Timeout time.Duration
	// MaxBodySize is the largest body taken, in bytes after decompression. Default: 256 MiB.
	MaxBodySize int64
	// Compressed asks for gzip, deflate, br or zstd, and undoes them.
	Compressed bool

	// NoFollowRedirects follows no redirection of any kind: the answer that redirects is the
	// result. Default: they are followed.
	NoFollowRedirects bool
	// MaxRedirects is how many redirections are followed before [ErrMaxRedirects]; -1: none.
	// Default: 10 for a request, 20 for a resolve.
	MaxRedirects int
	// NoFollowRefreshHeader follows no Refresh header. Default: they are followed, on an answer
	// below 400 that is no redirection itself, whatever their delay. One to what can't be fetched,
	// as market: or a broken URL, is none.
	NoFollowRefreshHeader bool
	// FollowMetaRefresh follows a page's <meta http-equiv="refresh"> likewise, found in the first
	// 1 KiB of an HTML body, or 64 KiB with FollowJSRelocation or Canonicalize. A resolve then
	// uses GET. One within <noscript> counts only without FollowJSRelocation and where nothing
	// else leads on.
	FollowMetaRefresh bool
	// FollowJSRelocation follows a page's script likewise that sends its reader elsewhere by plain
	// text such as location = "…" within the first 64 KiB. A resolve then uses GET.
	FollowJSRelocation bool
	// InferRedirection takes the target from the URL itself, without a request, where the URL is
	// that of a known kind of redirection, as …?url=…; the job's group is then the target's.
	InferRedirection bool
	// Canonicalize ends the stack in the URL that the last page calls its own, if it is another
	// and told in the first 64 KiB. It is not requested. A resolve then uses GET.
	Canonicalize bool

	// Insecure leaves certificates unchecked.
	Insecure bool
	// SpoofTLSCiphers offers the TLS ciphers of a widespread browser, in its order.
	SpoofTLSCiphers bool
	// RaiseOnStatuses are final statuses that are errors: [ErrInvalidStatus].
	RaiseOnStatuses []int
	// KnownEncoding is the encoding of the text, by a label of the Encoding Standard such as
	// "windows-1251": it is then not looked for.
	KnownEncoding string
	// CAFile is a PEM file of the certificate authorities to trust. Default: the system's.
	CAFile string
	// Proxy is http://, https://, socks5:// or socks5h://, with credentials if it needs them. The
	// environment's http_proxy and no_proxy are not looked at. Default: none.
	Proxy string
	// ConnectTo has "HOST:PORT:CONNECT-TO-HOST:CONNECT-TO-PORT", as in curl: connect there
	// instead. An empty HOST or PORT matches any. 10,000 at most.
	ConnectTo []string
	// DNS has "HOST:PORT:ADDRESS", or several addresses with commas between, as in curl's
	// --resolve. A HOST of * is any. 10,000 at most. Do not give one host different addresses in
	// one pool.
	DNS []string
	// NetworkInterface is the local interface, address or host name to connect from.
	// Default: any.
	NetworkInterface string
	// HTTPVersion is what is spoken. Default: [HTTPAny].
	HTTPVersion HTTPVersion

	// Retry makes a failed attempt again. The nth waits RetryMinWait·4^(n−1), at most RetryMaxWait,
	// varied by a quarter either way. The waiting job occupies no worker. Without Retry the fields
	// below are refused.
	Retry bool
	// RetryMaxAttempts is the number of attempts in all, the first included. Default: 3.
	RetryMaxAttempts int
	// RetryOnTimeout tries time-outs again too.
	RetryOnTimeout bool
	// RetryMinWait is the wait after the first attempt. Default: 10 s; [NoWait]: none.
	RetryMinWait time.Duration
	// RetryMaxWait is the longest wait, at least RetryMinWait. Default: one day; [NoWait]: none.
	RetryMaxWait time.Duration
	// RetryOnStatuses are statuses of a final answer that are tried again too.
	RetryOnStatuses []int

	// MaskCredentials puts *** in place of a user and password in the result's URLs, as submitted
	// and in its stack. Messages and the log always have it. Headers and bodies stay as they came.
	MaskCredentials bool
	// NoHeadFallback takes the answer to a resolve's HEAD for the result. Default: where that got
	// 400, 403, 404, 405, 406 or 5xx, or no answer because the connection was closed or reset, GET
	// is asked with too, at once, and the pool remembers of the host what came of it.
	NoHeadFallback bool
}

// encoder writes options as C has them, and keeps what was wrong first.
type encoder struct {
	*arena
	err error
}

func (e *encoder) refuse(format string, values ...any) {
	if e.err == nil {
		e.err = &Error{Code: ErrInvalidArgument, Message: fmt.Sprintf(format, values...)}
	}
}

// string writes a text that ends in a NUL; nothing for "".
func (e *encoder) string(to **C.char, field, text string) {
	if text == "" {
		return
	}
	if strings.IndexByte(text, 0) >= 0 {
		e.refuse("%s has a NUL", field)
		return
	}
	*to = e.text(text)
}

// seconds writes a duration; nothing for 0.
func (e *encoder) seconds(to *C.double, field string, value time.Duration) {
	switch {
	case value == 0:
	case value < 0:
		e.refuse("%s is %v: it is above 0", field, value)
	case value < time.Microsecond:
		e.refuse("%s is %v: a number alone is of nanoseconds, say %d * time.Second or the like",
			field, value, value)
	default:
		*to = C.double(value.Seconds())
	}
}

// secondsOrNone is seconds, and 0 for none (-1).
func (e *encoder) secondsOrNone(to *C.double, field, none string, value time.Duration) {
	switch {
	case value == NoWait:
		*to = 0
	case value < 0:
		e.refuse("%s is %v: it is above 0, or %s", field, value, none)
	default:
		e.seconds(to, field, value)
	}
}

// numbers writes statuses, or ports.
func (e *encoder) numbers(to **C.uint16_t, count *C.size_t, field string, numbers []int) {
	if len(numbers) == 0 {
		return
	}
	room := takeMany[C.uint16_t](e.arena, len(numbers))
	for i, number := range numbers {
		if number < 0 || number > math.MaxUint16 {
			e.refuse("%s has %d: it is 0 to 65535", field, number)
		}
		room[i] = C.uint16_t(number)
	}
	*to, *count = &room[0], C.size_t(len(room))
}

func (e *encoder) strings(to ***C.char, count *C.size_t, field string, texts []string) {
	if len(texts) == 0 {
		return
	}
	room := takeMany[*C.char](e.arena, len(texts))
	for i, text := range texts {
		if strings.IndexByte(text, 0) >= 0 {
			e.refuse("%s has an entry with a NUL", field)
			text = ""
		}
		room[i] = e.text(text)
	}
	*to, *count = &room[0], C.size_t(len(room))
}

func (e *encoder) headers(c *C.pool_options_t, header http.Header) {
	count := 0
	names := make([]string, 0, len(header))
	for name, values := range header {
		names = append(names, name)
		count += len(values)
	}
	if count == 0 {
		return
	}
	slices.Sort(names)
	room := takeMany[C.pool_header_t](e.arena, count)[:0]
	for _, name := range names {
		for _, value := range header[name] {
			room = append(room, C.pool_header_t{
				name:       e.text(name),
				value:      e.text(value),
				name_size:  C.size_t(len(name)),
				value_size: C.size_t(len(value)),
			})
		}
	}
	c.headers, c.header_count = &room[0], C.size_t(count)
}

func flag(to *C.int32_t, value bool) {
	if value {
		*to = 1
	}
}

// number writes an int that C has as a T; nothing for 0.
func number[T ~uint32 | ~uint64](e *encoder, to *T, field string, value int64) {
	switch {
	case value == 0:
	case value < 0 || uint64(value) > uint64(^T(0)):
		e.refuse("%s is %d", field, value)
	default:
		*to = T(value)
	}
}

// over gives the options with what they leave open as in others.
func (o *Options) over(base *Options) *Options {
	if o == nil {
		return base
	}
	if o.Standalone {
		return o
	}
	all := *o
	to, from := reflect.ValueOf(&all).Elem(), reflect.ValueOf(base).Elem()
	for i := range to.NumField() {
		if to.Field(i).IsZero() {
			to.Field(i).Set(from.Field(i))
		}
	}
	all.Standalone = false
	all.Header = make(http.Header, len(base.Header)+len(o.Header))
	own := make(map[string]bool, len(o.Header)+1)
	for name, values := range o.Header {
		own[textproto.CanonicalMIMEHeaderKey(name)] = true
		if len(values) > 0 {
			all.Header[name] = values
		}
	}
	if own["Cookie"] && o.Cookie == "" {
		all.Cookie = ""
	}
	own["Cookie"] = own["Cookie"] || o.Cookie != ""
	for name, values := range base.Header {
		if !own[textproto.CanonicalMIMEHeaderKey(name)] {
			all.Header[name] = values
		}
	}
	return &all
}

// encode writes the options into the arena.
func (o *Options) encode(a *arena) (*C.pool_options_t, error) {
	e := &encoder{arena: a}
	c := &takeMany[C.pool_options_t](a, 1)[0]
	C.pool_options_init(c, C.sizeof_pool_options_t)

	e.string(&c.method, "Method", o.Method)
	e.headers(c, o.Header)
	e.string(&c.cookie, "Cookie", o.Cookie)
	flag(&c.stateful, o.Stateful)
	flag(&c.spoof_ua, o.SpoofUA)
	if len(o.Body) > 0 {
		body := takeMany[byte](a, len(o.Body))
		copy(body, o.Body)
		setBody(c, body)
	}

	e.seconds(&c.connect_timeout, "ConnectTimeout", o.ConnectTimeout)
	e.seconds(&c.timeout, "Timeout", o.Timeout)
	number(e, &c.max_body_size, "MaxBodySize", o.MaxBodySize)
	flag(&c.compressed, o.Compressed)

	if o.NoFollowRedirects {
		c.follow_redirects = 0
	}
	switch {
	case o.MaxRedirects == 0:
	case o.MaxRedirects == -1:
		c.max_redirects = 0
	case o.MaxRedirects < 0 || o.MaxRedirects > math.MaxInt32:
		e.refuse("MaxRedirects is %d", o.MaxRedirects)
	default:
		c.max_redirects = C.int32_t(o.MaxRedirects)
	}
	if o.NoFollowRefreshHeader {
		c.follow_refresh_header = 0
	}
	flag(&c.follow_meta_refresh, o.FollowMetaRefresh)
	flag(&c.follow_js_relocation, o.FollowJSRelocation)
	flag(&c.infer_redirection, o.InferRedirection)
	flag(&c.canonicalize, o.Canonicalize)
	if o.NoHeadFallback {
		c.head_fallback = 0
	}

	flag(&c.insecure, o.Insecure)
	flag(&c.spoof_tls_ciphers, o.SpoofTLSCiphers)
	e.numbers(&c.raise_on_statuses, &c.raise_on_status_count, "RaiseOnStatuses", o.RaiseOnStatuses)
	e.string(&c.known_encoding, "KnownEncoding", o.KnownEncoding)
	e.string(&c.ca_file, "CAFile", o.CAFile)
	e.string(&c.proxy, "Proxy", o.Proxy)
	e.strings(&c.connect_to, &c.connect_to_count, "ConnectTo", o.ConnectTo)
	e.strings(&c.dns, &c.dns_count, "DNS", o.DNS)
	e.string(&c.network_interface, "NetworkInterface", o.NetworkInterface)
	if o.HTTPVersion < math.MinInt32 || o.HTTPVersion > math.MaxInt32 {
		e.refuse("HTTPVersion is %d", o.HTTPVersion)
	}
	c.http_version = C.int32_t(o.HTTPVersion)

	for _, field := range []struct {
		name  string
		given bool
	}{
		{"RetryMaxAttempts", o.RetryMaxAttempts > 1}, // one attempt is what there is without
		{"RetryOnTimeout", o.RetryOnTimeout},
		{"RetryMinWait", o.RetryMinWait != 0},
		{"RetryMaxWait", o.RetryMaxWait != 0},
		{"RetryOnStatuses", len(o.RetryOnStatuses) > 0},
	} {
		if field.given && !o.Retry {
			e.refuse("%s is given without Retry: nothing is tried again", field.name)
		}
	}
	flag(&c.retry, o.Retry)
	number(e, &c.retry_max_attempts, "RetryMaxAttempts", int64(o.RetryMaxAttempts))
	flag(&c.retry_on_timeout, o.RetryOnTimeout)
	e.secondsOrNone(&c.retry_min_wait, "RetryMinWait", "NoWait", o.RetryMinWait)
	e.secondsOrNone(&c.retry_max_wait, "RetryMaxWait", "NoWait", o.RetryMaxWait)
	e.numbers(&c.retry_on_statuses, &c.retry_on_status_count, "RetryOnStatuses", o.RetryOnStatuses)

	flag(&c.mask_credentials, o.MaskCredentials)
	return c, e.err
}
