package rouet_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	rouet "rouet/bindings/go"
)

// The local servers of the tests in C: a decent one and one that misbehaves. "http://127.0.0.1:PORT"
var site, faults string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		program, err := program()
		if err != nil {
			fmt.Fprintln(os.Stderr, "no test site:", err)
			return 1
		}
		for _, server := range []struct {
			word string
			url  *string
		}{{"serve", &site}, {"faults", &faults}} {
			url, stop, err := serve(program, server.word)
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s %s: %v\n", program, server.word, err)
				return 1
			}
			defer stop()
			*server.url = url
		}
		return m.Run()
	}())
}

// program gives the test site: that which ROUET_SITE names, or built now.
func program() (string, error) {
	if given := os.Getenv("ROUET_SITE"); given != "" {
		return given, nil
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return "", err
	}
	build := exec.Command("cargo", "build", "--locked", "--release", "--package", "rouet-site")
	build.Dir, build.Stderr = root, os.Stderr
	if err := build.Run(); err != nil {
		return "", err
	}
	target := os.Getenv("CARGO_TARGET_DIR")
	if target == "" {
		target = "target"
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(root, target)
	}
	return filepath.Join(target, "release", "site"), nil
}

func serve(program, word string) (string, func(), error) {
	server := exec.Command(program, word)
	server.Stderr = os.Stderr
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := server.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := server.Start(); err != nil {
		return "", nil, err
	}
	stop := func() {
		server.Process.Signal(syscall.SIGTERM)
		server.Wait()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, err
	}
	return "http://127.0.0.1:" + strings.TrimSpace(line), stop, nil
}

// fast is the configuration of tests that need not be polite to the test site.
func fast() rouet.Config {
	return rouet.Config{Throttle: rouet.NoThrottle, DomainParallelism: 32}
}

func open(t testing.TB, config rouet.Config) *rouet.Pool {
	t.Helper()
	pool, err := rouet.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool
}

// counts tells how many goroutines, descriptors and threads there are. Threads are the library's:
// Go's own stay.
type counts struct{ goroutines, descriptors, threads int }

func count(t testing.TB) counts {
	t.Helper()
	descriptors, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	threads := 0
	for _, task := range tasks {
		name, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/comm")
		if strings.HasPrefix(string(name), "rouet") {
			threads++
		}
	}
	return counts{runtime.NumGoroutine(), len(descriptors), threads}
}

// noLeaks fails the test if in the end there is more than there was.
func noLeaks(t testing.TB) {
	t.Helper()
	before := count(t)
	t.Cleanup(func() {
		var after counts
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
			runtime.GC()
			after = count(t)
			if after.goroutines <= before.goroutines && after.descriptors <= before.descriptors &&
				after.threads <= before.threads {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		stacks := make([]byte, 1<<20)
		t.Errorf("%+v before, %+v after\n%s", before, after, stacks[:runtime.Stack(stacks, true)])
	})
}

// resident gives the memory of the process, in bytes.
func resident(t testing.TB) int {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// each yields number values of format with 0, 1, 2 …; without end if number is below 0.
func each(format string, number int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for i := 0; i != number; i++ {
			if !yield(fmt.Sprintf(format, i)) {
				return
			}
		}
	}
}

// one requests a single URL.
func one(t testing.TB, pool *rouet.Pool, url string, options rouet.Options) rouet.Result[string] {
	t.Helper()
	var results []rouet.Result[string]
	for result := range rouet.RequestURLs(context.Background(), pool, each(strings.ReplaceAll(url, "%", "%%")+"%.0d", 1), rouet.WithOptions(options)) {
		results = append(results, result)
	}
	if len(results) != 1 {
		t.Fatalf("%d results", len(results))
	}
	return results[0]
}

func code(err error) rouet.Code {
	var failed *rouet.Error
	if errors.As(err, &failed) {
		return failed.Code
	}
	return ""
}
