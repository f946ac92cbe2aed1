// nethttp: what examples/c/throughput.c does, with Go's net/http.
//
//	nethttp N CONCURRENCY URL
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const length = 1024 // of the page

func cpu() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func get(client *http.Client, url string) error {
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != 200 || len(body) != length {
		return fmt.Errorf("status %d, %d bytes", answer.StatusCode, len(body))
	}
	return nil
}

func main() {
	var number, concurrency int
	if len(os.Args) == 4 {
		number, _ = strconv.Atoi(os.Args[1])
		concurrency, _ = strconv.Atoi(os.Args[2])
	}
	if number <= 0 || concurrency <= 0 {
		fmt.Fprintln(os.Stderr, "Usage: nethttp N CONCURRENCY URL")
		os.Exit(2)
	}
	start, before := time.Now(), cpu()

	client := &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: concurrency,
			DisableCompression:  true,
		},
	}
	var started, errors atomic.Int64
	var workers sync.WaitGroup
	for range concurrency {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for started.Add(1) <= int64(number) {
				if err := get(client, os.Args[3]); err != nil && errors.Add(1) == 1 {
					fmt.Fprintln(os.Stderr, "nethttp:", err)
				}
			}
		}()
	}
	workers.Wait()

	wall, used := time.Since(start).Seconds(), cpu()-before
	fmt.Printf("%d requests, %d errors, %.3f s, %.0f requests/s, %.2f CPU us/request\n", number,
		errors.Load(), wall, float64(number)/wall, used.Seconds()*1e6/float64(number))
	if errors.Load() > 0 {
		os.Exit(1)
	}
}
