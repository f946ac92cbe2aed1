package rouet

// #include <errno.h>
// #include <fcntl.h>
// #include <rouet.h>
// #include <string.h>
// #include <unistd.h>
//
// #cgo noescape pool_next_results
// #cgo nocallback pool_next_results
// #cgo noescape rouet_submit
// #cgo nocallback rouet_submit
//
// // Leaves the words of a refusal in `why`: they are the thread's, which Go may change.
// static enum pool_status_t rouet_submit(pool_t *pool, const pool_job_t *jobs, size_t count,
//                                   size_t *accepted, char *why, size_t size) {
//   pool_status_t status = pool_submit_many(pool, jobs, count, 0, accepted);
//   if (status != POOL_OK && status != POOL_AGAIN) {
//     strncpy(why, pool_last_error(), size - 1);
//     why[size - 1] = 0;
//   }
//   return status;
// }
//
// // A descriptor of the caller's own for what the handle's tells, that never blocks: the library
// // reads from it only what it has written.
// static int rouet_watch(int theirs) {
//   int fd = fcntl(theirs, F_DUPFD_CLOEXEC, 0);
//   if (fd >= 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
//     close(fd);
//     return -1;
//   }
//   return fd;
// }
import "C"

import (
	"os"
	"syscall"
	"unsafe"
)

const (
	batchSize = 256
	// Results are taken ahead of the loop up to about this many bytes.
	bytesAhead = 1 << 20
	whySize    = 512
)

// stream is one run's handle on the pool, and memory of C to talk with it.
type stream struct {
	pool    *Pool
	options *Options  // the run's, over the pool's
	native  *C.pool_t // nil: freed; guarded by pool.mu, but for the run itself

	file *os.File
	conn syscall.RawConn

	memory  arena // what lives as long as the stream
	results []*C.pool_result_t
	most    int // results to take at once
	jobs    []C.pool_job_t
	fresh   C.pool_job_t
	bad     *C.char
	none    *C.char
	why     []byte

	batch arena // the texts and options of jobs
}

// open starts a run.
func (p *Pool) open(r *runOptions) (*stream, error) {
	s := &stream{pool: p, most: 16}
	e := &encoder{arena: &s.memory}
	c := &takeMany[C.pool_config_t](e.arena, 1)[0]
	C.pool_config_init(c, C.sizeof_pool_config_t)
	flag(&c.ordered, r.ordered)
	flag(&c.passthrough, r.passthrough)
	number(e, &c.buffer_size, "BufferSize", int64(r.bufferSize))
	number(e, &c.max_buffered_bytes, "MaxBufferedBytes", r.maxBufferedBytes)
	s.options = r.options.over(&p.options)
	var err error
	c.options, err = s.options.encode(&s.memory)
	if e.err != nil {
		err = e.err
	}
	if err == nil {
		err = s.share(c)
	}
	if err != nil {
		s.memory.free()
		return nil, err
	}
	// From here on the stream is the pool's.
	if err := s.watch(); err != nil {
		s.close()
		return nil, err
	}
	s.results = takeMany[*C.pool_result_t](&s.memory, batchSize)
	s.jobs = takeMany[C.pool_job_t](&s.memory, batchSize)
	C.pool_job_init(&s.jobs[0], C.sizeof_pool_job_t)
	s.fresh = s.jobs[0]
	s.bad, s.none = s.memory.text(":"), s.memory.text("")
	s.why = takeMany[byte](&s.memory, whySize)
	return s, nil
}

func (s *stream) share(c *C.pool_config_t) error {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.native == nil {
		return ErrClosed
	}
	native := takeMany[*C.pool_t](&s.memory, 1)
	err := failure(func() uint32 { return C.pool_share(p.native, c, &native[0]) })
	if err != nil {
		return err
	}
	s.native = native[0]
	p.streams[s] = struct{}{}
	p.handles++
	return nil
}

// watch has Go's poller look at the stream's descriptor.
func (s *stream) watch() error {
	fd := takeMany[C.int](&s.memory, 1)
	if err := failure(func() uint32 { return C.pool_event_fd(s.native, &fd[0]) }); err != nil {
		return err
	}
	own, err := C.rouet_watch(fd[0])
	if own < 0 {
		return &Error{Code: ErrOutOfResources, Message: "no descriptor: " + err.Error()}
	}
	s.file = os.NewFile(uintptr(own), "rouet")
	s.conn, err = s.file.SyscallConn()
	return err
}

// take gives results, waiting for the first; none once the run is done. They are the caller's.
func (s *stream) take() ([]*C.pool_result_t, error) {
	var count C.size_t
	var status uint32
	err := s.conn.Read(func(uintptr) bool {
		status = C.pool_next_results(s.native, &s.results[0], C.size_t(s.most), 0, &count)
		return status != C.POOL_AGAIN
	})
	if err != nil {
		return nil, err
	}
	if status != C.POOL_OK {
		return nil, nil
	}
	taken := s.results[:count]
	bytes := 1
	for _, native := range taken {
		bytes += int(native.block_size) + int(native.body_size)
	}
	s.most = min(max(1, int(bytesAhead*int64(count)/int64(bytes))), batchSize)
	return taken, nil
}

// submit hands over the jobs from a place on, and gives how many were accepted.
func (s *stream) submit(jobs []C.pool_job_t) (int, uint32) {
	var accepted C.size_t
	status := C.rouet_submit(s.native, &jobs[0], C.size_t(len(jobs)), &accepted,
		(*C.char)(unsafe.Pointer(&s.why[0])), whySize)
	return int(accepted), status
}

func (s *stream) finish() { C.pool_finish(s.native) }

// cancel may be called at any time, after close too.
func (s *stream) cancel() {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if s.native != nil {
		C.pool_cancel(s.native)
	}
}

// close ends the stream: no other call but cancel may be running.
func (s *stream) close() {
	p := s.pool
	p.mu.Lock()
	native := s.native
	s.native = nil
	p.ended.end(native)
	delete(p.streams, s)
	p.mu.Unlock()
	if s.file != nil {
		s.file.Close()
	}
	p.free(native)
	s.memory.free()
	s.batch.free()
}

// end counts a run in that is over: what it has outstanding is no more.
func (s *Stats) end(native *C.pool_t) {
	held, started, bytes := s.Held, s.Started, s.BufferedBytes
	s.add(native)
	s.Held, s.Started, s.BufferedBytes = held, started, bytes
}
