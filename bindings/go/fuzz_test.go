package rouet_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	rouet "rouet/bindings/go"
)

// FuzzRequest hands anything over as URLs and options. Whatever they are, each item gives exactly
// one result, an error is one of the package's, and nothing but the test site is contacted.
func FuzzRequest(f *testing.F) {
	f.Add("/text", "GET", "X-A", "1", "", "utf-8", "group", int64(1000), 3, 200, uint16(0))
	f.Add("/redirect/3", "", "", "", "a=b", "", "", int64(0), -1, 0, uint16(0xffff))
	f.Add("//[::1", "P\x00", "a\nb", "\x00", "\xff", "nonsense", rouet.Unconstrained, int64(-1), -2, 70000, uint16(0x5555))
	f.Add("\x00", "HEAD", "Host", "a b", "\r\n", "", "\xff\x00", int64(1)<<62, 1<<40, -1, uint16(0xaaaa))
	pool := open(f, fast())
	// All goes to the site: no name is looked up.
	port := site[strings.LastIndexByte(site, ':')+1:]
	f.Fuzz(func(t *testing.T, url, method, name, value, cookie, encoding, group string, number int64, count, status int, flags uint16) {
		bit := func(n int) bool { return flags>>n&1 == 1 }
		options := rouet.Options{
			Method: method, Header: http.Header{name: {value, value}}, Cookie: cookie, KnownEncoding: encoding,
			Stateful: bit(0), SpoofUA: bit(1), Compressed: bit(2), NoFollowRedirects: bit(3),
			NoFollowRefreshHeader: bit(4), NoHeadFallback: bit(4), FollowMetaRefresh: bit(5), FollowJSRelocation: bit(6),
			InferRedirection: bit(7), Canonicalize: bit(8), SpoofTLSCiphers: bit(9), Insecure: bit(10),
			MaxBodySize: number, MaxRedirects: count,
			Timeout:   300 * time.Millisecond,
			ConnectTo: []string{"::127.0.0.1:" + port},
		}
		if status != 0 {
			options.RaiseOnStatuses = []int{status}
		}
		if len(cookie) > 3 {
			options.Body = []byte(cookie)
		}
		urls := []string{site + url, url, site + "/" + url, "http://" + url}
		var settings []rouet.Option
		if bit(11) {
			settings = append(settings, rouet.Ordered())
		}
		if bit(12) {
			settings = append(settings, rouet.Passthrough())
		}
		start := rouet.RequestURLs
		if bit(13) {
			start = rouet.ResolveURLs
		}
		settings = append(settings,
			rouet.GroupBy(func(string) string { return group }),
			rouet.OptionsFor(func(string) *rouet.Options { return &options }))
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var came []string
		for result := range start(ctx, pool, slices.Values(urls), settings...) {
			came = append(came, result.Item)
			var failed *rouet.Error
			if result.Err != nil && (!errors.As(result.Err, &failed) || failed.Code == "" || failed.Message == "" ||
				failed.Code == rouet.ErrInternal || failed.Code == rouet.ErrCancelled) {
				t.Errorf("%q: %v", result.Item, result.Err)
			}
			if result.URL != result.Item {
				t.Errorf("%q for %q", result.URL, result.Item)
			}
			_, _, _, _ = result.Text(), result.Links(), result.MIMEType(), result.Encoding()
			if _, err := result.HTTPResponse(); err == nil && result.Status == 0 {
				t.Error("an answer of no status")
			}
		}
		slices.Sort(came)
		slices.Sort(urls)
		if !slices.Equal(came, urls) {
			t.Errorf("%q came for %q", came, urls)
		}
	})
}
