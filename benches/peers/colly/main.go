// colly: what examples/c/throughput.c does, with the framework for crawls in Go.
//
//	colly N CONCURRENCY URL
//
// An asynchronous collector: a goroutine a visit, no more than CONCURRENCY of them in a request.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gocolly/colly/v2"
)

const length = 1024 // of the page

func cpu() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func main() {
	var number, concurrency int
	if len(os.Args) == 4 {
		number, _ = strconv.Atoi(os.Args[1])
		concurrency, _ = strconv.Atoi(os.Args[2])
	}
	if number <= 0 || concurrency <= 0 {
		fmt.Fprintln(os.Stderr, "Usage: colly N CONCURRENCY URL")
		os.Exit(2)
	}
	start, before := time.Now(), cpu()

	collector := colly.NewCollector(colly.Async(true), colly.AllowURLRevisit())
	collector.WithTransport(&http.Transport{
		MaxIdleConnsPerHost: concurrency,
		DisableCompression:  true,
	})
	collector.SetRequestTimeout(30 * time.Second)
	var done, errors atomic.Int64
	fail := func(err error) {
		if errors.Add(1) == 1 {
			fmt.Fprintln(os.Stderr, "colly:", err)
		}
	}
	if err := collector.Limit(&colly.LimitRule{DomainGlob: "*", Parallelism: concurrency}); err != nil {
		fail(err)
	}
	// Visits wait here for their turn, so that they don't all become goroutines at once.
	turns := make(chan struct{}, concurrency)
	collector.OnResponse(func(answer *colly.Response) {
		if answer.StatusCode != 200 || len(answer.Body) != length {
			fail(fmt.Errorf("status %d, %d bytes", answer.StatusCode, len(answer.Body)))
		}
	})
	collector.OnScraped(func(*colly.Response) {
		done.Add(1)
		<-turns
	})
	collector.OnError(func(_ *colly.Response, err error) {
		fail(err)
		<-turns
	})
	for range number {
		turns <- struct{}{}
		if err := collector.Visit(os.Args[3]); err != nil {
			fail(err)
			<-turns
		}
	}
	collector.Wait()
	if int(done.Load()+errors.Load()) < number {
		fail(fmt.Errorf("%d of %d done", done.Load(), number))
	}

	wall, used := time.Since(start).Seconds(), cpu()-before
	fmt.Printf("%d requests, %d errors, %.3f s, %.0f requests/s, %.2f CPU us/request\n", number,
		errors.Load(), wall, float64(number)/wall, used.Seconds()*1e6/float64(number))
	if errors.Load() > 0 {
		os.Exit(1)
	}
}
