package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestFollowsASiteAndReportsBrokenLinks(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<a href="/not-to-be-followed">a link</a>`)
	}))
	defer elsewhere.Close()
	site := http.NewServeMux()
	page := func(path string, links ...string) {
		site.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			for _, link := range links {
				if link == "elsewhere" {
					link = elsewhere.URL + "/"
				}
				fmt.Fprintf(w, "<a href=%q>a link</a>\n", link)
			}
		})
	}
	page("/{$}", "/one", "/two#part", "/two#other", "/gone")
	page("/one", "/", "/three", "elsewhere")
	page("/two", "/three", "/gone", "http://127.0.0.1:1/")
	page("/three", "/one")
	server := httptest.NewServer(site)
	defer server.Close()

	start, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var report strings.Builder
	broken, err := check(&report, start, 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	if broken != 2 || !strings.Contains(report.String(), server.URL+"/gone\n  on "+server.URL) ||
		!strings.Contains(report.String(), "http://127.0.0.1:1/\n  on "+server.URL+"/two: ") ||
		!strings.HasSuffix(report.String(), "7 links, 2 broken\n") {
		t.Errorf("%d broken\n%s", broken, &report)
	}
}
