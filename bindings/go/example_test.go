package rouet_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	rouet "rouet/bindings/go"
)

func Example() {
	pool, err := rouet.New(rouet.Config{Throttle: 10 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	urls := []string{site + "/text", site + "/redirect/2", "http://no scheme like this/"}
	for result := range rouet.RequestURLs(context.Background(), pool, slices.Values(urls), rouet.Ordered()) {
		if result.Err != nil {
			fmt.Println(errors.Is(result.Err, rouet.ErrInvalidURL))
			continue
		}
		fmt.Println(result.Status, len(result.Stack), "hops", result.MIMEType())
	}
	// Output:
	// 200 1 hops text/plain
	// 200 3 hops application/json
	// true
}

func ExampleRequest() {
	pool, err := rouet.New(rouet.Config{Throttle: rouet.NoThrottle}) // a server of our own
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	type row struct{ id, address string }
	rows := []row{{"a", site + "/status/200"}, {"b", site + "/status/404"}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for result := range rouet.Request(ctx, pool, slices.Values(rows),
		func(r row) string { return r.address },
		rouet.Ordered(),
		rouet.WithOptions(rouet.Options{Compressed: true, Retry: true}),
	) {
		fmt.Println(result.Item.id, result.Status)
	}
	// Output:
	// a 200
	// b 404
}

func ExampleResolve() {
	pool, err := rouet.New(rouet.Config{Throttle: rouet.NoThrottle})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	urls := slices.Values([]string{site + "/redirect/1"})
	for result := range rouet.ResolveURLs(context.Background(), pool, urls) {
		for _, hop := range result.Stack {
			fmt.Println(hop.Status, hop.Type)
		}
	}
	// Output:
	// 302 location-header
	// 200 hit
}

func ExampleResult_HTTPResponse() {
	pool, err := rouet.New(rouet.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()

	urls := slices.Values([]string{site + "/text"})
	for result := range rouet.RequestURLs(context.Background(), pool, urls) {
		answer, err := result.HTTPResponse() // as from http.Get
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer.Status, answer.Header.Get("Content-Type"))
	}
	// Output:
	// 200 OK text/plain; charset=utf-8
}

func ExampleGroupBy() {
	pool, err := rouet.New(rouet.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	if err := pool.SetDomainRule("our-mirror", 0, 8); err != nil { // eight at once, no wait
		log.Fatal(err)
	}

	urls, number := each(site+"/text?%d", 20), 0
	mirror := func(url string) string { return "our-mirror" }
	for range rouet.RequestURLs(context.Background(), pool, urls, rouet.GroupBy(mirror)) {
		number++
	}
	fmt.Println(number)
	// Output:
	// 20
}
