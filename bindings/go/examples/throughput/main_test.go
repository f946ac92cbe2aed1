package main

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestThroughput(t *testing.T) {
	program := filepath.Join(t.TempDir(), "throughput")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/page" {
			w.WriteHeader(404)
		}
	}))
	defer server.Close()
	for _, c := range []struct {
		arguments []string
		start     string
		status    int
	}{
		{[]string{"300", "8", server.URL + "/page"}, "300 requests, 0 errors, ", 0},
		{[]string{"20", "2", server.URL + "/nowhere"}, "20 requests, 20 errors, ", 1},
		{nil, "", 2},
	} {
		run := exec.Command(program, c.arguments...)
		out, _ := run.Output()
		if !strings.HasPrefix(string(out), c.start) || run.ProcessState.ExitCode() != c.status {
			t.Errorf("%q: %d\n%s", c.arguments, run.ProcessState.ExitCode(), out)
		}
	}
}
