// throughput fetches one URL over and over as fast as the pool can, and says how fast that was.
//
//	throughput N CONCURRENCY URL
//
// Only for servers of your own: it waits for nothing between two requests.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	rouet "rouet/bindings/go"
)

func cpu() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func main() {
	arguments := os.Args[1:]
	var number, concurrency int
	if len(arguments) == 3 {
		number, _ = strconv.Atoi(arguments[0])
		concurrency, _ = strconv.Atoi(arguments[1])
	}
	if number <= 0 || concurrency <= 0 {
		fmt.Fprintln(os.Stderr, "Usage: throughput N CONCURRENCY URL")
		os.Exit(2)
	}
	start, before := time.Now(), cpu()

	pool, err := rouet.New(rouet.Config{
		Throttle:          rouet.NoThrottle,
		DomainParallelism: concurrency,
		MaxWorkers:        concurrency,
		Threads:           1, // one URL is one group, and a group stays on one thread
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "throughput:", err)
		os.Exit(1)
	}
	urls := func(yield func(string) bool) {
		for range number {
			if !yield(arguments[2]) {
				return
			}
		}
	}
	size := rouet.BufferSize(max(concurrency, 1024)) // it bounds them too
	taken, failed := 0, 0
	for result := range rouet.RequestURLs(context.Background(), pool, urls, size) {
		taken++
		if result.Err != nil || result.Status != 200 {
			if failed++; failed == 1 {
				fmt.Fprintf(os.Stderr, "throughput: status %d: %v\n", result.Status, result.Err)
			}
		}
	}
	pool.Close()

	wall, used := time.Since(start).Seconds(), (cpu() - before).Seconds()
	fmt.Printf("%d requests, %d errors, %.3f s, %.0f requests/s, %.2f CPU us/request\n", taken, failed,
		wall, float64(taken)/wall, used*1e6/float64(taken))
	if failed > 0 {
		os.Exit(1)
	}
}
