package rouet_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	rouet "rouet/bindings/go"
)

type page struct {
	number int
	url    string
}

func address(p page) string { return p.url }

func pages(path string, number int) func(func(page) bool) {
	return func(yield func(page) bool) {
		for i := 0; i != number; i++ {
			if !yield(page{i, fmt.Sprintf("%s%s?%d", site, path, i)}) {
				return
			}
		}
	}
}

func TestItemsComeBackTyped(t *testing.T) {
	noLeaks(t)
	pool := open(t, fast())
	seen := map[int]bool{}
	for result := range rouet.Request(context.Background(), pool, pages("/text", 1000), address) {
		if result.Err != nil || result.Status != 200 || len(result.Body) < 20000 {
			t.Fatalf("%+v", result.Err)
		}
		if result.URL != result.Item.url || result.EndURL != result.URL {
			t.Fatalf("%q for %q, at %q", result.URL, result.Item.url, result.EndURL)
		}
		seen[result.Item.number] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d of 1000 items", len(seen))
	}
	stats := pool.Stats()
	if stats.Accepted != 1000 || stats.Delivered != 1000 || stats.Failed != 0 || stats.Connections == 0 {
		t.Errorf("%+v", stats)
	}
}

func TestAResultHasAllOfIt(t *testing.T) {
	pool := open(t, fast())
	before := time.Now().Add(-time.Second)
	result := one(t, pool, site+"/redirect-to?url=/status/203?body=caf%25C3%25A9%26header=X-A:1%26header=x-a:2%26header=content-type:text/html", rouet.Options{})
	if result.Err != nil || result.Status != 203 {
		t.Fatalf("%d %v", result.Status, result.Err)
	}
	if !slices.Equal(result.Header["X-A"], []string{"1", "2"}) {
		t.Errorf("%v", result.Header)
	}
	if len(result.Stack) != 2 || result.Stack[0].Type != "location-header" || result.Stack[0].Status != 302 ||
		result.Stack[1] != (rouet.Hop{URL: result.EndURL, Type: "hit", Status: 203}) {
		t.Errorf("%+v", result.Stack)
	}
	if string(result.Body) != "café" || result.Text() != "café" || result.Encoding() != "utf-8" ||
		result.MIMEType() != "text/html" || !result.IsText() || !result.CouldBeHTML() {
		t.Errorf("%q %q %q %q", result.Body, result.Text(), result.Encoding(), result.MIMEType())
	}
	if result.Timings.Start.Before(before) || result.Timings.End.Before(result.Timings.Start) ||
		result.Timings.End.After(time.Now().Add(time.Second)) || result.Timings.Wait <= 0 || result.Attempts != 1 {
		t.Errorf("%+v", result.Timings)
	}
	answer, err := result.HTTPResponse()
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != 203 || string(body) != "café" || answer.Request.URL.String() != result.EndURL {
		t.Errorf("%+v", answer)
	}
}

func TestContentOfPages(t *testing.T) {
	pool := open(t, fast())
	html, encodings := 0, map[string]bool{}
	for result := range rouet.RequestURLs(context.Background(), pool, each(site+"/page/%d", 20)) {
		if result.Err != nil {
			t.Fatal(result.Err)
		}
		if result.IsHTML() {
			html++
			encodings[result.Encoding()] = true
			links := result.Links()
			if len(links) == 0 || !strings.HasPrefix(links[0], "http://") || !strings.Contains(result.Text(), "<a ") {
				t.Errorf("%s: links %q", result.URL, links)
			}
			if result.Ext() != ".html" {
				t.Errorf("%q", result.Ext())
			}
		}
	}
	if html < 5 || len(encodings) < 2 {
		t.Errorf("%d of HTML, in %v", html, encodings)
	}
}

func TestContentOutlivesItsRunAndPool(t *testing.T) {
	pool := open(t, fast())
	var results []rouet.Result[page]
	for result := range rouet.Request(context.Background(), pool, pages("/text", 200), address) {
		results = append(results, result)
	}
	pool.Close()
	runtime.GC()
	var all sync.WaitGroup
	for _, result := range results {
		all.Add(1)
		go func() {
			defer all.Done()
			if text := result.Text(); text != string(result.Body) {
				t.Errorf("%d bytes of text, %d of body", len(text), len(result.Body))
			}
		}()
	}
	all.Wait()
}

func TestOneResultAskedByMany(t *testing.T) {
	page := site + "/status/200?header=Content-Type:text/html&body=%3Cp%3E%CF%F0%E8%E2%E5%F2%3Ca%20href=/a%3E"
	result := one(t, open(t, fast()), page, rouet.Options{KnownEncoding: "windows-1251"})
	var all sync.WaitGroup
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			if text := result.Text(); text != "<p>Привет<a href=/a>" {
				t.Errorf("%q", text)
			}
			if links := result.Links(); !slices.Equal(links, []string{site + "/a"}) {
				t.Errorf("%q", links)
			}
			if result.Encoding() != "windows-1251" || result.MIMEType() != "text/html" || !result.IsHTML() {
				t.Errorf("%q %q", result.Encoding(), result.MIMEType())
			}
		}()
	}
	all.Wait()
}

func TestElements(t *testing.T) {
	body := "<link rel='preload  stylesheet' href=/s.css><a href='?q=\xe6' rel=next>one <b>two</b></a>" +
		"<img srcset='/i, /j 2x' alt=picture><form action=//o.test/f></form><a href='mailto:x@y'>x</a>"
	page := site + "/status/200?header=Content-Type:text/html;charset=windows-1251&body=" +
		url.QueryEscape(body)
	page = strings.ReplaceAll(page, "+", "%20")
	result := one(t, open(t, fast()), page, rouet.Options{})
	base, _, _ := strings.Cut(page, "?")
	want := []rouet.Element{
		{URL: site + "/s.css", Element: "link", Attribute: "href", Rel: "preload stylesheet"},
		{URL: base + "?q=%E6", Element: "a", Attribute: "href", Rel: "next", Text: "one two"},
		{URL: site + "/i", Element: "img", Attribute: "srcset", Text: "picture"},
		{URL: site + "/j", Element: "img", Attribute: "srcset", Text: "picture"},
		{URL: "http://o.test/f", Element: "form", Attribute: "action"},
	}
	if elements := result.Elements(); !slices.Equal(elements, want) {
		t.Errorf("%q", elements)
	}
	if elements := one(t, open(t, fast()), site+"/text", rouet.Options{}).Elements(); elements != nil {
		t.Errorf("%q", elements)
	}
}

func TestAllHeadersOfABodyCount(t *testing.T) {
	page := site + "/status/200?header=Content-Type:text/plain;charset=koi8-r" +
		"&header=Content-Type:text/html;charset=gbk&header=Content-Type:text/html" +
		"&header=Content-Disposition:attachment;filename=report.pdf&body=%3Ca%20href=/x%3E"
	pool := open(t, fast())
	result := one(t, pool, page, rouet.Options{})
	if result.MIMEType() != "text/html" || result.Encoding() != "gbk" || result.Ext() != ".pdf" ||
		len(result.Links()) != 1 {
		t.Errorf("%q %q %q %q", result.MIMEType(), result.Encoding(), result.Ext(), result.Links())
	}
	for _, compressed := range []bool{false, true} {
		gzip := one(t, pool, site+"/gzip", rouet.Options{Compressed: compressed})
		if gzip.IsText() != compressed || (gzip.Text() != "") != compressed {
			t.Errorf("compressed %t: %q", compressed, gzip.Text())
		}
	}
}

func TestBodyThatWasTakenOut(t *testing.T) {
	result := one(t, open(t, fast()), site+"/text", rouet.Options{})
	result.Body = nil
	if result.Text() != "" || result.MIMEType() != "" || result.IsText() || result.Links() != nil {
		t.Errorf("%q %q", result.Text(), result.MIMEType())
	}
}

func TestHTTPResponseOfCompression(t *testing.T) {
	pool := open(t, fast())
	plain := one(t, pool, site+"/gzip", rouet.Options{})
	undone := one(t, pool, site+"/gzip", rouet.Options{Compressed: true})
	one, err := plain.HTTPResponse()
	if err != nil || one.Uncompressed || one.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%+v %v", one, err)
	}
	two, err := undone.HTTPResponse()
	if err != nil || !two.Uncompressed || two.Header.Get("Content-Encoding") != "" ||
		two.ContentLength != int64(len(undone.Body)) || len(undone.Body) <= len(plain.Body) {
		t.Errorf("%+v %v", two, err)
	}
	if undone.Header.Get("Content-Encoding") != "gzip" {
		t.Error("the result's own header was changed")
	}
}

func TestTruncated(t *testing.T) {
	pool := open(t, fast())
	url := site + "/status/200?body=plain&header=Content-Encoding:gzip"
	for compressed, why := range map[bool]rouet.Truncation{true: rouet.TruncatedCoding, false: ""} {
		result := one(t, pool, url, rouet.Options{Compressed: compressed})
		if string(result.Body) != "plain" || result.Truncated != why {
			t.Errorf("%q %q", result.Body, result.Truncated)
		}
	}
}

func TestResolve(t *testing.T) {
	pool := open(t, fast())
	urls := []string{site + "/redirect/3", site + "/text"}
	for result := range rouet.ResolveURLs(context.Background(), pool, slices.Values(urls), rouet.Ordered()) {
		if result.Err != nil || result.Status != 200 || len(result.Body) != 0 {
			t.Errorf("%v %d", result.Err, result.Status)
		}
		if result.URL == urls[0] && (len(result.Stack) != 4 || result.EndURL != site+"/echo") {
			t.Errorf("%+v", result.Stack)
		}
	}
}

func TestOrdered(t *testing.T) {
	pool := open(t, fast())
	next := 0
	items := func(yield func(page) bool) {
		for i := range 300 {
			url := fmt.Sprintf("%s/slow?ms=%d", site, rand.IntN(20))
			if i%50 == 7 {
				url = "" // refused, in its turn
			}
			if !yield(page{i, url}) {
				return
			}
		}
	}
	for result := range rouet.Request(context.Background(), pool, items, address, rouet.Ordered(), rouet.BufferSize(64)) {
		if result.Item.number != next {
			t.Fatalf("%d came for %d", result.Item.number, next)
		}
		if refused := errors.Is(result.Err, rouet.ErrInvalidArgument); refused != (next%50 == 7) {
			t.Errorf("%d: %v", next, result.Err)
		}
		next++
	}
	if next != 300 {
		t.Errorf("%d results", next)
	}
}

func TestPassthrough(t *testing.T) {
	pool := open(t, fast())
	number := 0
	for result := range rouet.RequestURLs(context.Background(), pool, slices.Values([]string{"", site + "/text", ""}),
		rouet.Passthrough(), rouet.Ordered()) {
		if result.Err != nil || (result.Item == "") != (result.Status == 0) || result.URL != result.Item {
			t.Errorf("%+v", result)
		}
		number++
	}
	if number != 3 {
		t.Errorf("%d results", number)
	}
}

func TestOptionsOfItems(t *testing.T) {
	pool := open(t, rouet.Config{Throttle: rouet.NoThrottle, Options: rouet.Options{Header: http.Header{"X-Of": {"pool"}}}})
	of := func(p page) *rouet.Options {
		switch p.number {
		case 0:
			return nil
		case 1:
			return &rouet.Options{Method: "PUT", Body: []byte("b\x00dy"), Header: http.Header{"X-Of": {"item"}}}
		}
		return &rouet.Options{Header: http.Header{"X-Of": {"a\nb"}}}
	}
	run := rouet.Request(context.Background(), pool, pages("/echo", 3), address, rouet.OptionsFor(of), rouet.Ordered())
	for range 2 { // a run of its own each time
		number := 0
		for result := range run {
			body := string(result.Body)
			switch result.Item.number {
			case 0:
				if !strings.Contains(body, `["x-of","pool"]`) || !strings.Contains(body, `"GET"`) {
					t.Error(body, result.Err)
				}
			case 1:
				if !strings.Contains(body, `["x-of","item"]`) || !strings.Contains(body, `"PUT"`) || !strings.Contains(body, `"body_length":4`) {
					t.Error(body, result.Err)
				}
			default:
				if !errors.Is(result.Err, rouet.ErrInvalidArgument) || !strings.Contains(result.Err.Error(), "header") {
					t.Error(result.Err)
				}
			}
			number++
		}
		if number != 3 {
			t.Errorf("%d results", number)
		}
	}
}

// What an item's options leave open is as the run's say, and what those leave open as the pool's.
func TestOptionsMerge(t *testing.T) {
	port := site[strings.LastIndexByte(site, ':')+1:]
	config := fast()
	config.Options = rouet.Options{
		Header:    http.Header{"X-Pool": {"1"}, "X-Of": {"pool"}, "User-Agent": {"spinner/1"}, "Cookie": {"of=pool"}},
		ConnectTo: []string{"::127.0.0.1:" + port}, // in place of a proxy: without it nothing comes
		Method:    "PUT",
		Body:      []byte("wool"),
		Retry:     true,
	}
	pool := open(t, config)
	of := map[string]*rouet.Options{
		"none":    nil,
		"empty":   {},
		"header":  {Header: http.Header{"x-of": {"item", "again"}}},
		"removed": {Header: http.Header{"X-POOL": nil, "X-Run": {}}},
		"cookie":  {Cookie: "of=item"},
		"method":  {Method: "POST", Body: []byte{}},
		"retry":   {RetryOnStatuses: []int{503}},
		"alone":   {Standalone: true, ConnectTo: []string{"::127.0.0.1:" + port}},
	}
	items := slices.Sorted(maps.Keys(of))
	url := func(item string) string { return "http://" + item + ".test/echo" }
	for result := range rouet.Request(context.Background(), pool, slices.Values(items), url,
		rouet.WithOptions(rouet.Options{Header: http.Header{"X-Run": {"2"}, "x-of": {"run"}}, Timeout: time.Minute}),
		rouet.OptionsFor(func(item string) *rouet.Options { return of[item] })) {
		if result.Err != nil {
			t.Errorf("%s: %v", result.Item, result.Err)
			continue
		}
		var echo struct {
			Method  string
			Body    string
			Headers [][2]string
		}
		if err := json.Unmarshal(result.Body, &echo); err != nil {
			t.Fatal(err)
		}
		saw := map[string]string{"method": echo.Method, "body": echo.Body}
		for _, header := range echo.Headers {
			saw[header[0]] += header[1]
		}
		expected := map[string]string{
			"method": "PUT", "body": "wool", "x-pool": "1", "x-run": "2", "x-of": "run",
			"user-agent": "spinner/1", "cookie": "of=pool",
		}
		switch result.Item {
		case "header":
			expected["x-of"] = "itemagain"
		case "removed":
			expected["x-pool"], expected["x-run"] = "", ""
		case "cookie":
			expected["cookie"] = "of=item"
		case "method":
			expected["method"], expected["body"] = "POST", ""
		case "alone":
			expected = map[string]string{"method": "GET", "body": "", "x-pool": "", "x-run": "", "x-of": "",
				"user-agent": "rouet/" + rouet.Version(), "cookie": ""}
		}
		for name, value := range expected {
			if saw[name] != value {
				t.Errorf("%s: %s is %q, not %q", result.Item, name, saw[name], value)
			}
		}
	}
}

// What would have no effect is refused, by name.
func TestOptionsWithoutEffect(t *testing.T) {
	log := func(rouet.LogLevel, string) {}
	of := func(options rouet.Options) rouet.Config { return rouet.Config{Options: options} }
	for _, c := range []struct {
		field  string
		config rouet.Config
	}{
		{"RetryOnStatuses", of(rouet.Options{RetryOnStatuses: []int{503}})},
		{"RetryOnTimeout", of(rouet.Options{RetryOnTimeout: true})},
		{"RetryMaxAttempts", of(rouet.Options{RetryMaxAttempts: 5})},
		{"RetryMinWait", of(rouet.Options{RetryMinWait: time.Second})},
		{"RetryMaxWait", of(rouet.Options{RetryMaxWait: rouet.NoWait})},
		{"LogLevel", rouet.Config{Log: log}},
		{"LogLevel", rouet.Config{Log: log, LogLevel: rouet.LogDebug + 1}},
		{"LogLevel", rouet.Config{LogLevel: rouet.LogDebug}},
		{"Throttle", rouet.Config{Throttle: -time.Second}},
		{"Throttle", rouet.Config{Throttle: -2}},
		{"Throttle", rouet.Config{Throttle: 500}}, // nanoseconds
		{"Timeout", of(rouet.Options{Timeout: -time.Second})},
		{"Timeout", of(rouet.Options{Timeout: 30})},
		{"ConnectTimeout", of(rouet.Options{ConnectTimeout: -1})},
		{"RetryMinWait", of(rouet.Options{Retry: true, RetryMinWait: -time.Minute})},
		{"RetryMaxWait", of(rouet.Options{Retry: true, RetryMaxWait: -time.Minute})},
		{"RetryMaxAttempts", of(rouet.Options{Retry: true, RetryMaxAttempts: -1})},
		{"allow_networks", rouet.Config{AllowNetworks: []string{"127.0.0.0/8"}}},
		{"Content-Length", of(rouet.Options{Header: http.Header{"Content-Length": {"3"}}})},
		{"Transfer-Encoding", of(rouet.Options{Header: http.Header{"Transfer-Encoding": {"chunked"}}})},
		{"nothost", of(rouet.Options{DNS: []string{"a.com:80:nothost"}})},
	} {
		pool, err := rouet.New(c.config)
		if pool != nil || !errors.Is(err, rouet.ErrInvalidArgument) || !strings.Contains(err.Error(), c.field) {
			t.Errorf("%s: %v", c.field, err)
		}
	}
	pool := open(t, rouet.Config{Options: rouet.Options{RetryMaxAttempts: 1}}) // as there is
	for _, throttle := range []time.Duration{-time.Second, -2, 5} {
		if err := pool.SetDomainRule("a.test", throttle, 1); !errors.Is(err, rouet.ErrInvalidArgument) {
			t.Errorf("%v: %v", throttle, err)
		}
	}
	for _, throttle := range []time.Duration{rouet.NoThrottle, 0, time.Second} {
		if err := pool.SetDomainRule("a.test", throttle, 1); err != nil {
			t.Errorf("%v: %v", throttle, err)
		}
	}
}

// A URL is its item's own fault, whatever its bytes: it gives a result.
func TestBadURLs(t *testing.T) {
	pool := open(t, fast())
	urls := []string{"caf\xe9", "\xff\xfe", "http://a.test/\xe9", "/about", "about.html", "tel:123"}
	for result := range rouet.RequestURLs(context.Background(), pool, slices.Values(urls)) {
		if !errors.Is(result.Err, rouet.ErrInvalidURL) || result.URL != result.Item {
			t.Errorf("%q: %q, %v", result.Item, result.URL, result.Err)
		}
	}
	for result := range rouet.RequestURLs(context.Background(), pool, slices.Values([]string{"\ufeff\"" + site + "/text\""})) {
		if result.Err != nil || result.EndURL != site+"/text" {
			t.Errorf("%q: %v", result.EndURL, result.Err)
		}
	}
}

func TestURLGroup(t *testing.T) {
	for url, expected := range map[string]string{
		"http://www.example.com/":          "example.com",
		"HTTPS://WWW.Example.co.uk:8080/x": "example.co.uk",
		"someone.github.io":                "someone.github.io",
		"bücher.de":                        "xn--bcher-kva.de",
		"http://127.0.0.1:8080/":           "127.0.0.1",
		"http://[::1]/":                    "[::1]",
		strings.Repeat("é.", 50) + "test":  strings.Repeat("xn--9ca.", 50) + "test",
	} {
		if group, err := rouet.URLGroup(url); group != expected || err != nil {
			t.Errorf("%s: %q, %v", url, group, err)
		}
	}
	for _, url := range []string{"", "/about", "ftp://a.test/", "caf\xe9.test", "a\x00b.test"} {
		if group, err := rouet.URLGroup(url); group != "" || !errors.Is(err, rouet.ErrInvalidArgument) {
			t.Errorf("%q: %q, %v", url, group, err)
		}
	}
	pool := open(t, fast())
	for _, name := range []string{"Ex.com", "ex.com.", "http://ex.com/", "bücher.com", "a group"} {
		if err := pool.SetDomainRule(name, 0, 1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"www.ex.com", "http://ex.com/x", "ex.com:80:80", "ex.com:8080"} {
		if err := pool.SetDomainRule(name, 0, 1); name != "ex.com:80:80" && !errors.Is(err, rouet.ErrInvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGroupAndSubcodeOfResults(t *testing.T) {
	pool := open(t, fast())
	groups := map[string]string{"/text": "", "/empty": "own", "/status/404": rouet.Unconstrained}
	for result := range rouet.RequestURLs(context.Background(), pool, slices.Values([]string{"/text", "/empty", "/status/404"}),
		rouet.GroupBy(func(path string) string { return groups[path] })) {
		if result.Err == nil || result.Group != "" { // a path is no URL
			t.Errorf("%+v", result)
		}
	}
	urls := func(yield func(string) bool) {
		for path := range groups {
			if !yield(site + path) {
				return
			}
		}
	}
	for result := range rouet.RequestURLs(context.Background(), pool, urls,
		rouet.GroupBy(func(url string) string { return groups[strings.TrimPrefix(url, site)] })) {
		expected := map[string]string{"/text": "127.0.0.1", "/empty": "own"}[strings.TrimPrefix(result.Item, site)]
		if result.Group != expected || result.Err != nil {
			t.Errorf("%s: %q, %v", result.Item, result.Group, result.Err)
		}
	}
	secure := strings.Replace(site, "http:", "https:", 1) // where no TLS is spoken
	for result := range rouet.RequestURLs(context.Background(), pool, slices.Values([]string{secure, faults + "/close"})) {
		var failed *rouet.Error
		if !errors.As(result.Err, &failed) {
			t.Fatalf("%+v", result)
		}
		expected := ""
		if result.Item == secure {
			expected = "protocol"
		}
		if failed.Subcode != expected || errors.Is(failed, rouet.ErrTLS) != (expected != "") {
			t.Errorf("%v: %q", failed, failed.Subcode)
		}
	}
}

func TestGroupsAndRules(t *testing.T) {
	var asked, throttled atomic.Int64
	pool := open(t, rouet.Config{
		DomainParallelism: 1,
		Throttle:          time.Hour,
		ParallelismFunc: func(group string) int {
			asked.Add(1)
			return 2
		},
		ThrottleFunc: func(group string, response *rouet.Response, err error) time.Duration {
			if group == "asked" && response.Status == 200 && len(response.Body) > 0 && err == nil {
				throttled.Add(1)
			}
			return 0
		},
	})
	if err := pool.SetDomainRule("ruled", 0, 8); err != nil {
		t.Fatal(err)
	}
	groups := []string{"ruled", rouet.Unconstrained, "asked"}
	number := 0
	for result := range rouet.Request(context.Background(), pool, pages("/text", 60), address,
		rouet.GroupBy(func(p page) string { return groups[p.number%3] })) {
		if result.Err != nil {
			t.Error(result.Err)
		}
		number++
	}
	if number != 60 || asked.Load() == 0 || throttled.Load() != 20 {
		t.Errorf("%d results, %d and %d questions", number, asked.Load(), throttled.Load())
	}
	if err := pool.SetDomainRule("ruled", -time.Second, 1); code(err) != rouet.ErrInvalidArgument {
		t.Error(err)
	}
	if err := pool.SetDomainRule("ruled", 0, 0); code(err) != rouet.ErrInvalidArgument {
		t.Error(err)
	}
}

func TestThrottleHolds(t *testing.T) {
	pool := open(t, rouet.Config{Throttle: 50 * time.Millisecond})
	start := time.Now()
	for result := range rouet.Request(context.Background(), pool, pages("/empty", 5), address) {
		if result.Err != nil {
			t.Error(result.Err)
		}
	}
	if took := time.Since(start); took < 4*50*time.Millisecond {
		t.Errorf("took %v", took)
	}
}

func TestLog(t *testing.T) {
	var lines atomic.Int64
	config := fast()
	config.LogLevel, config.Log = rouet.LogDebug, func(level rouet.LogLevel, message string) {
		if level >= rouet.LogError && level <= rouet.LogDebug && message != "" {
			lines.Add(1)
		}
	}
	pool := open(t, config)
	one(t, pool, site+"/text", rouet.Options{})
	pool.Close()
	if lines.Load() < 3 {
		t.Errorf("%d lines", lines.Load())
	}
}

func TestErrors(t *testing.T) {
	pool := open(t, fast())
	for _, c := range []struct {
		url     string
		options rouet.Options
		code    rouet.Code
		timeout bool
	}{
		{"http://", rouet.Options{}, rouet.ErrInvalidURL, false},
		{"http://127.0.0.1:1/", rouet.Options{}, rouet.ErrConnectionRefused, false},
		{faults + "/close", rouet.Options{}, rouet.ErrConnectionAborted, false},
		{faults + "/garbage", rouet.Options{}, rouet.ErrProtocol, false},
		{faults + "/silence", rouet.Options{Timeout: 100 * time.Millisecond}, rouet.ErrReadTimeout, true},
		{faults + "/stall", rouet.Options{Timeout: 100 * time.Millisecond}, rouet.ErrTimeout, true},
		{site + "/redirect/4", rouet.Options{MaxRedirects: 3}, rouet.ErrMaxRedirects, false},
		{site + "/redirect/1", rouet.Options{MaxRedirects: -1}, rouet.ErrMaxRedirects, false},
		{site + "/loop/a", rouet.Options{}, rouet.ErrInfiniteRedirects, false},
		{site + "/status/404", rouet.Options{RaiseOnStatuses: []int{404}}, rouet.ErrInvalidStatus, false},
		{site + "/bytes/1000", rouet.Options{MaxBodySize: 999}, rouet.ErrBodyTooLarge, false},
		{site + "/gzip-corrupt", rouet.Options{Compressed: true}, rouet.ErrInvalidGzip, false},
	} {
		result := one(t, pool, c.url, c.options)
		var failed *rouet.Error
		if !errors.Is(result.Err, c.code) || !errors.As(result.Err, &failed) {
			t.Errorf("%s: %v", c.url, result.Err)
			continue
		}
		if failed.URL != c.url || failed.Message == "" || failed.Timeout() != c.timeout || errors.Is(result.Err, rouet.ErrTLS) {
			t.Errorf("%#v", failed)
		}
		var network net.Error
		if !errors.As(result.Err, &network) || network.Timeout() != c.timeout {
			t.Errorf("%v is no net.Error", result.Err)
		}
		if c.code == rouet.ErrInvalidStatus && (result.Status != 404 || failed.Code != "invalid-status-404") {
			t.Errorf("%d %q", result.Status, failed.Code)
		}
		if answer, err := result.HTTPResponse(); answer != nil || err != result.Err {
			t.Errorf("%v %v", answer, err)
		}
	}
	if result := one(t, pool, site+"/redirect/1", rouet.Options{NoFollowRedirects: true}); result.Status != 302 {
		t.Errorf("%d %v", result.Status, result.Err)
	}
	retried := rouet.Options{Retry: true, RetryMinWait: rouet.NoWait, RetryMaxWait: rouet.NoWait}
	if result := one(t, pool, faults+"/flaky/go/2", retried); result.Err != nil || result.Attempts != 3 {
		t.Errorf("%d attempts, %v", result.Attempts, result.Err)
	}
}

func TestEachCodeHasItsSentinel(t *testing.T) {
	documented, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile("(?m)^\\| `([a-z-]+?)(-N)?` ").FindAllSubmatch(documented, -1)
	if len(codes) < 25 {
		t.Fatalf("%d codes", len(codes))
	}
	for _, found := range codes {
		if !strings.Contains(string(source), fmt.Sprintf("Code = %q\n", found[1])) {
			t.Errorf("%s has no sentinel", found[1])
		}
	}
}

func TestWrongConfiguration(t *testing.T) {
	noLeaks(t)
	for field, config := range map[string]rouet.Config{
		"MaxWorkers":      {MaxWorkers: -1},
		"threads":         {Threads: 1000},
		"proxy":           {Options: rouet.Options{Proxy: "nonsense://"}},
		"Cookie":          {Options: rouet.Options{Cookie: "a\x00b"}},
		"RaiseOnStatuses": {Options: rouet.Options{RaiseOnStatuses: []int{70000}}},
		"connect_to":      {Options: rouet.Options{ConnectTo: []string{"nonsense"}}},
		"deny_networks":   {DenyNetworks: []string{"10.0.0.1/8"}},
		"AllowNetworks":   {AllowNetworks: []string{"10.0.0.0/8\x00"}},
		"allowed_ports":   {AllowedPorts: []int{80, 0}},
		"AllowedPorts":    {AllowedPorts: []int{70000}},
	} {
		pool, err := rouet.New(config)
		if pool != nil || !errors.Is(err, rouet.ErrInvalidArgument) || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	pool := open(t, fast())
	number := 0
	for result := range rouet.Request(context.Background(), pool, pages("/text", 3), address, rouet.BufferSize(-1)) {
		number++
		if !errors.Is(result.Err, rouet.ErrInvalidArgument) || result.Item.url != "" {
			t.Errorf("%+v", result)
		}
	}
	if number != 1 {
		t.Errorf("%d results", number)
	}
}

func TestForbiddenAddresses(t *testing.T) {
	noLeaks(t)
	port, err := strconv.Atoi(site[strings.LastIndexByte(site, ':')+1:])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		config rouet.Config
		code   rouet.Code
	}{
		{"private", rouet.Config{DenyPrivateAddresses: true}, rouet.ErrForbiddenAddress},
		{"denied", rouet.Config{DenyNetworks: []string{"127.0.0.0/8"}}, rouet.ErrForbiddenAddress},
		{"allowed", rouet.Config{DenyPrivateAddresses: true, AllowNetworks: []string{"127.0.0.1"}}, ""},
		{"port", rouet.Config{AllowedPorts: []int{80, 443}}, rouet.ErrForbiddenAddress},
		{"its port", rouet.Config{AllowedPorts: []int{80, port}}, ""},
		{"scheme", rouet.Config{HTTPSOnly: true}, rouet.ErrForbiddenAddress},
	} {
		pool := open(t, c.config)
		result := one(t, pool, site+"/text", rouet.Options{})
		if c.code == "" && result.Err != nil || c.code != "" && !errors.Is(result.Err, c.code) {
			t.Errorf("%s: %v", c.name, result.Err)
		}
	}
}

func TestBreakLeavesNothing(t *testing.T) {
	noLeaks(t)
	pool := open(t, fast())
	var asked atomic.Int64
	for _, options := range [][]rouet.Option{nil, {rouet.Ordered()}, {rouet.BufferSize(1)}} {
		asked.Store(0)
		endless := func(yield func(page) bool) {
			for p := range pages("/bytes/100", -1) {
				asked.Add(1)
				if !yield(p) {
					return
				}
			}
		}
		number := 0
		for range rouet.Request(context.Background(), pool, endless, address, options...) {
			if number++; number == 10 {
				break
			}
		}
		if ahead := asked.Load(); ahead > 2*1024+2*256+100 {
			t.Errorf("%d items were taken for 10 results", ahead)
		}
	}
	if ahead := asked.Load(); ahead > 10+20 { // of the last, with a buffer of one
		t.Errorf("%d items were taken for 10 results", ahead)
	}
}

func TestItemsAreTakenLazily(t *testing.T) {
	pool := open(t, fast())
	var asked atomic.Int64
	items := func(yield func(page) bool) {
		for p := range pages("/bytes/10", -1) {
			asked.Add(1)
			if !yield(p) {
				return
			}
		}
	}
	number := 0
	for range rouet.Request(context.Background(), pool, items, address, rouet.BufferSize(10)) {
		number++
		time.Sleep(time.Millisecond)
		if ahead := asked.Load() - int64(number); ahead > 100 {
			t.Fatalf("%d items ahead", ahead)
		}
		if number == 200 {
			break
		}
	}
}

func TestASlowIteratorHoldsUpNoJob(t *testing.T) {
	noLeaks(t)
	pool := open(t, fast())
	more := make(chan string)
	items := func(yield func(string) bool) {
		for url := range more {
			if !yield(url) {
				return
			}
		}
	}
	go func() { more <- site + "/text" }()
	number := 0
	for result := range rouet.RequestURLs(context.Background(), pool, items) {
		if result.Err != nil {
			t.Fatal(result.Err)
		}
		if number++; number == 20 {
			close(more) // only now is the iterator done
			continue
		}
		more <- site + "/text" // a job of a result, which a batch must not wait for
	}
	if number != 20 {
		t.Errorf("%d results", number)
	}
}

func TestBreakDoesNotWaitForABlockedIterator(t *testing.T) {
	noLeaks(t)
	pool := open(t, fast())
	release := make(chan struct{})
	items := func(yield func(string) bool) {
		if yield(site + "/text") {
			<-release
			yield(site + "/text")
		}
	}
	for range rouet.RequestURLs(context.Background(), pool, items) {
		break
	}
	close(release)
}

func TestPanics(t *testing.T) {
	noLeaks(t)
	pool := open(t, fast())
	caught := func(run func()) (came any) {
		defer func() { came = recover() }()
		run()
		return nil
	}
	items := func(yield func(string) bool) {
		yield(site + "/hang")
		panic("items")
	}
	number := 0
	came := caught(func() {
		for range rouet.RequestURLs(context.Background(), pool, items) {
			number++
		}
	})
	if came != "items" || number != 1 {
		t.Errorf("%v after %d results", came, number)
	}
	came = caught(func() {
		for range rouet.RequestURLs(context.Background(), pool, each(site+"/text?%d", -1)) {
			panic("loop")
		}
	})
	if came != "loop" {
		t.Error(came)
	}
}

func TestCancelReachesABlockedRun(t *testing.T) {
	noLeaks(t)
	pool := open(t, fast())
	var slowest []time.Duration
	for range 5 {
		ctx, cancel := context.WithCancelCause(context.Background())
		why := errors.New("enough")
		var at time.Time
		time.AfterFunc(50*time.Millisecond, func() { at = time.Now(); cancel(why) })
		number := 0
		for result := range rouet.Request(ctx, pool, pages("/hang", 20), address) {
			number++
			if !errors.Is(result.Err, rouet.ErrCancelled) || !errors.Is(result.Err, why) || result.Item.url != result.URL {
				t.Errorf("%v", result.Err)
			}
		}
		slowest = append(slowest, time.Since(at))
		if number != 20 {
			t.Errorf("%d of 20 results", number)
		}
	}
	slices.Sort(slowest)
	// What it usually takes; a machine may be busy now and then.
	if slowest[0] > 50*time.Millisecond {
		t.Errorf("took %v", slowest)
	}
	done, cancel := context.WithCancel(context.Background())
	cancel()
	for range rouet.Request(done, pool, pages("/text", 20), address) {
		t.Error("a result of a run that was cancelled before")
	}
}

func TestCancelAtRandomMoments(t *testing.T) {
	noLeaks(t)
	pool := open(t, fast())
	const times, atOnce = 1000, 4
	var next, results, cancelled atomic.Int64
	var all sync.WaitGroup
	for range atOnce {
		all.Add(1)
		go func() {
			defer all.Done()
			for next.Add(1) <= times {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(8000))*time.Microsecond)
				var options []rouet.Option
				if rand.IntN(2) == 0 {
					options = append(options, rouet.Ordered())
				}
				options = append(options, rouet.BufferSize(1+rand.IntN(500)))
				path := []string{"/text", "/slow?ms=3", "/hang", "/bytes/100000"}[rand.IntN(4)]
				leave := rand.IntN(400)
				given := map[int]bool{}
				for result := range rouet.Request(ctx, pool, pages(path, -1), address, options...) {
					if given[result.Item.number] {
						t.Errorf("item %d came twice", result.Item.number)
					}
					given[result.Item.number] = true
					results.Add(1)
					if result.Err != nil {
						if !errors.Is(result.Err, rouet.ErrCancelled) || !errors.Is(result.Err, context.DeadlineExceeded) {
							t.Errorf("%v", result.Err)
						}
						cancelled.Add(1)
					}
					if leave--; leave == 0 && rand.IntN(2) == 0 {
						break
					}
				}
				if ctx.Err() == nil && leave > 0 {
					t.Error("an endless run ended by itself")
				}
				cancel()
			}
		}()
	}
	all.Wait()
	if cancelled.Load() == 0 || results.Load() == cancelled.Load() {
		t.Errorf("%d results, %d of them cancelled", results.Load(), cancelled.Load())
	}
}

func TestCloseEndsRuns(t *testing.T) {
	noLeaks(t)
	pool := open(t, fast())
	var cancelled atomic.Int64
	var all sync.WaitGroup
	for range 3 {
		all.Add(1)
		go func() {
			defer all.Done()
			for result := range rouet.Request(context.Background(), pool, pages("/hang", -1), address) {
				if !errors.Is(result.Err, rouet.ErrClosed) {
					t.Error(result.Err)
				}
				if errors.Is(result.Err, rouet.ErrCancelled) { // not for a run that had not begun
					cancelled.Add(1)
				}
			}
		}()
	}
	for pool.Stats().InFlight == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	if cancelled.Load() == 0 {
		t.Error("nothing was cancelled")
	}
	pool.Close()
	for result := range rouet.Request(context.Background(), pool, pages("/text", 3), address) {
		if result.Err != rouet.ErrClosed {
			t.Error(result.Err)
		}
	}
	if err := pool.SetDomainRule("a", 0, 1); err != rouet.ErrClosed {
		t.Error(err)
	}
	if stats := pool.Stats(); stats.Accepted == 0 || stats.InFlight != 0 || stats.Held != 0 {
		t.Errorf("%+v", stats)
	}
}

// A group that is held has no job started, and goes on where it is released.
func TestHoldGroup(t *testing.T) {
	pool := open(t, fast())
	if _, err := pool.HoldGroup("Held.test"); err != nil {
		t.Fatal(err)
	}
	groups := rouet.GroupBy(func(url string) string {
		if strings.Contains(url, "held") {
			return "held.test"
		}
		return "free.test"
	})
	urls := slices.Values([]string{site + "/text?held", site + "/text?free"})
	var came []string
	for result := range rouet.RequestURLs(context.Background(), pool, urls, groups) {
		if result.Err != nil {
			t.Fatal(result.Err)
		}
		came = append(came, result.URL)
		if len(came) == 1 {
			if stats := pool.Stats(); stats.Held != 1 {
				t.Errorf("%+v", stats)
			}
			if err := pool.ReleaseGroup("held.test"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(came) != 2 || !strings.HasSuffix(came[0], "free") {
		t.Error(came)
	}
	for _, name := range []string{"", "www.ex.com", "a\x00b"} {
		if _, err := pool.HoldGroup(name); !errors.Is(err, rouet.ErrInvalidArgument) {
			t.Errorf("%q: %v", name, err)
		}
		if err := pool.ReleaseGroup(name); !errors.Is(err, rouet.ErrInvalidArgument) {
			t.Errorf("%q: %v", name, err)
		}
	}
	pool.Close()
	if _, err := pool.HoldGroup("a"); err != rouet.ErrClosed {
		t.Error(err)
	}
	if err := pool.ReleaseGroup("a"); err != rouet.ErrClosed {
		t.Error(err)
	}
}

func TestCloseWithinALoop(t *testing.T) {
	noLeaks(t)
	pool := open(t, fast())
	number := 0
	for range rouet.Request(context.Background(), pool, pages("/text", -1), address) {
		number++
		pool.Close()
	}
	if number == 0 {
		t.Error("no results")
	}
}

func TestSeveralRunsAtOnce(t *testing.T) {
	noLeaks(t)
	pool := open(t, fast())
	var all sync.WaitGroup
	for run := range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			number := 0
			for result := range rouet.Request(context.Background(), pool, pages(fmt.Sprintf("/bytes/%d", run+1), 500), address) {
				if len(result.Body) != run+1 || result.Err != nil {
					t.Errorf("%d bytes, %v", len(result.Body), result.Err)
				}
				number++
			}
			if number != 500 {
				t.Errorf("%d results", number)
			}
		}()
	}
	all.Wait()
}

func TestAWaitingRunPinsNoThread(t *testing.T) {
	noLeaks(t)
	pool := open(t, fast())
	tasks := func() int {
		entries, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := tasks()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	// One after the other: a call that loses its core has Go start a thread, and a hundred that are
	// made at once may be as many.
	for started := range uint64(100) {
		all.Add(1)
		go func() {
			defer all.Done()
			for range rouet.Request(ctx, pool, pages("/hang", 1), address) {
			}
		}()
		for pool.Stats().Accepted <= started {
			time.Sleep(time.Millisecond)
		}
	}
	if more := tasks() - before; more > 50 {
		t.Errorf("%d more threads for 100 runs that wait", more)
	}
	cancel()
	all.Wait()
}

func TestAHundredThousandResults(t *testing.T) {
	noLeaks(t)
	const number = 100_000
	pool := open(t, fast())
	seen := make([]bool, number)
	came, early := 0, 0
	for result := range rouet.Request(context.Background(), pool, pages("/bytes/1000", number), address) {
		if result.Err != nil || len(result.Body) != 1000 {
			t.Fatalf("%d bytes, %v", len(result.Body), result.Err)
		}
		if seen[result.Item.number] {
			t.Fatalf("item %d came twice", result.Item.number)
		}
		seen[result.Item.number] = true
		if came++; came == number/5 {
			early = resident(t)
		}
	}
	if came != number {
		t.Errorf("%d of %d", came, number)
	}
	// They were 80 MB of bodies.
	if grown := resident(t) - early; grown > 40<<20 {
		t.Errorf("grew by %d MiB", grown>>20)
	}
}
