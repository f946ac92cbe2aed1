package rouet_test

// The code that docs/guide.md shows, run. tests/docs.rs sees to it that both are the same.

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"testing"
	"time"

	rouet "rouet/bindings/go"
)

// guideRun takes at most so many results.
func guideRun(
	ctx context.Context, pool *rouet.Pool, urls iter.Seq[string], most int,
) (done int, unfinished []string) {
	for result := range rouet.RequestURLs(ctx, pool, urls) {
		if errors.Is(result.Err, rouet.ErrCancelled) {
			unfinished = append(unfinished, result.Item) // the context ended
			continue
		}
		if done++; done == most {
			break // what is outstanding is dropped
		}
	}
	return done, unfinished
}

// heed waits as long as the server asks for, an hour at most.
func heed(group string, response *rouet.Response, err error) time.Duration {
	if response.Status == 429 || response.Status == 503 {
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After")) // 0 for a date
		if seconds > 0 {
			return time.Duration(min(seconds, 3600)) * time.Second
		}
	}
	return -1 // as Throttle says
}

func TestGuideEnds(t *testing.T) {
	noLeaks(t)
	pool := open(t, fast())
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if done, unfinished := guideRun(ctx, pool, each(site+"/hang?%d", 3), 1); done != 0 || len(unfinished) != 3 {
		t.Errorf("%d done, not %v", done, unfinished)
	}
	if done, _ := guideRun(context.Background(), pool, each(site+"/text?%d", -1), 5); done != 5 {
		t.Errorf("%d done", done)
	}
}

func TestGuideHeeds(t *testing.T) {
	pool, err := rouet.New(rouet.Config{
		ThrottleFunc: heed,
		Options: rouet.Options{
			Retry:           true,
			RetryOnStatuses: []int{429, 503},
			RetryMinWait:    rouet.NoWait, // the group waits, not the job
			RetryMaxWait:    rouet.NoWait,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	began := time.Now()
	result := one(t, pool, site+"/status/503?header=Retry-After:1", rouet.Options{})
	if result.Attempts != 3 || time.Since(began) < 2*time.Second {
		t.Errorf("%d attempts in %v", result.Attempts, time.Since(began))
	}
}

func TestGuideForStrangers(t *testing.T) {
	pool, err := rouet.New(rouet.Config{
		DenyPrivateAddresses: true,
		AllowedPorts:         []int{80, 443},
		Options: rouet.Options{
			MaxBodySize:     8 << 20,
			Timeout:         20 * time.Second,
			MaxRedirects:    5,
			MaskCredentials: true,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for result := range rouet.RequestURLs(context.Background(), pool, slices.Values([]string{site})) {
		if !errors.Is(result.Err, rouet.ErrForbiddenAddress) {
			t.Error(result.Err)
		}
	}
}
