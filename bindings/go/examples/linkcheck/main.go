// linkcheck follows the pages of a site, politely, and reports the links that are broken.
//
//	linkcheck [-throttle 200ms] [-pages N] URL
//
// Pages on URL's host are read for links; links that lead elsewhere are asked for and not followed
// further. It exits with 1 if a link is broken.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	rouet "rouet/bindings/go"
)

// link is a URL to ask for, and the page it was found on.
type link struct{ url, page string }

// frontier holds the links that are to be asked for. As a sequence it waits for more while there
// are links under way, which may yet lead to some.
type frontier struct {
	mu       sync.Mutex
	changed  sync.Cond
	waiting  []link
	seen     map[string]bool
	underWay int
	most     int
	closed   bool
}

func newFrontier(most int) *frontier {
	f := &frontier{seen: map[string]bool{}, most: most}
	f.changed.L = &f.mu
	return f
}

// add takes a link, once for each URL.
func (f *frontier) add(l link) {
	l.url, _, _ = strings.Cut(l.url, "#")
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.seen[l.url] && len(f.seen) < f.most {
		f.seen[l.url] = true
		f.waiting = append(f.waiting, l)
		f.changed.Signal()
	}
}

// done says that all that came of a link was added.
func (f *frontier) done() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.underWay--
	f.changed.Signal()
}

// close ends the sequence.
func (f *frontier) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.changed.Signal()
}

// all is the sequence.
func (f *frontier) all(yield func(link) bool) {
	for {
		f.mu.Lock()
		for len(f.waiting) == 0 && f.underWay > 0 && !f.closed {
			f.changed.Wait()
		}
		if len(f.waiting) == 0 || f.closed {
			f.mu.Unlock()
			return
		}
		next := f.waiting[0]
		f.waiting = f.waiting[1:]
		f.underWay++
		f.mu.Unlock()
		if !yield(next) {
			return
		}
	}
}

func main() {
	throttle := flag.Duration("throttle", 200*time.Millisecond, "between two requests to one site")
	most := flag.Int("pages", 10_000, "the most URLs that are asked for")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "Usage: linkcheck [-throttle 200ms] [-pages N] URL")
		flag.PrintDefaults()
	}
	flag.Parse()
	start, err := url.Parse(flag.Arg(0))
	if flag.NArg() != 1 || err != nil || start.Host == "" {
		flag.Usage()
		os.Exit(2)
	}
	broken, err := check(os.Stdout, start, *throttle, *most)
	if err != nil {
		fmt.Fprintln(os.Stderr, "linkcheck:", err)
		os.Exit(2)
	}
	if broken > 0 {
		os.Exit(1)
	}
}

// check follows a site from a page on, and reports to out; gives how many links were broken.
func check(out io.Writer, start *url.URL, throttle time.Duration, most int) (int, error) {
	if throttle <= 0 {
		throttle = rouet.NoThrottle
	}
	pool, err := rouet.New(rouet.Config{Throttle: throttle, Options: rouet.Options{Compressed: true}})
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	if start.Path == "" {
		start.Path = "/" // as links to it have it
	}
	links := newFrontier(most)
	defer links.close()
	context.AfterFunc(ctx, links.close)
	links.add(link{url: start.String()})
	asked, broken := 0, 0
	for result := range rouet.Request(ctx, pool, links.all, func(l link) string { return l.url }) {
		asked++
		switch {
		case ctx.Err() != nil: // interrupted
		case result.Err != nil:
			broken++
			fmt.Fprintf(out, "%s\n  on %s: %v\n", result.URL, result.Item.page, result.Err)
		case result.Status >= 400:
			broken++
			fmt.Fprintf(out, "%s\n  on %s: status %d\n", result.URL, result.Item.page, result.Status)
		default:
			if end, err := url.Parse(result.EndURL); err == nil && end.Host == start.Host {
				for _, to := range result.Links() {
					links.add(link{to, result.EndURL})
				}
			}
		}
		links.done()
	}
	fmt.Fprintf(out, "%d links, %d broken\n", asked, broken)
	return broken, ctx.Err()
}
