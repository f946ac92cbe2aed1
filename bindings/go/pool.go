package rouet

// #include <rouet.h>
// #include <stdlib.h>
//
// static void rouet_set_body(pool_options_t *options, const void *body, size_t size) {
//   options->body = body;
//   options->body_size = size;
// }
//
// double rouet_go_throttle(char *group, pool_result_t *result, void *userdata);
// uint32_t rouet_go_parallelism(char *group, void *userdata);
// void rouet_go_log(int32_t level, char *message, void *userdata);
//
// static void rouet_set_throttle(pool_config_t *config) {
//   config->throttle_fn = (pool_throttle_fn)rouet_go_throttle;
// }
// static void rouet_set_parallelism(pool_config_t *config) {
//   config->parallelism_fn = (pool_parallelism_fn)rouet_go_parallelism;
// }
// static enum pool_status_t rouet_set_log(pool_t *pool, int32_t level, void *userdata) {
//   return pool_set_log(pool, level, (pool_log_fn)rouet_go_log, userdata);
// }
import "C"

import (
	"math"
	"runtime"
	"runtime/cgo"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Config says how a pool is set up. The zero value is the defaults.
//
// The functions are called on threads of the library, on several at once: they must be quick, must
// not call the pool, and a panic in one ends the program.
type Config struct {
	// MaxWorkers is the number of transfers at once, over all runs. Default: 64 a core, within the
	// process's limit of descriptors.
	MaxWorkers int
	// Threads run the transfers, 256 at most, and never more than MaxWorkers. Default: one a core.
	Threads int
	// Throttle is the time between the end (and the start) of a group's last job and the start of
	// its next. Default: 0.2 s; [NoThrottle]: none.
	Throttle time.Duration
	// DomainParallelism is the number of jobs of one group in flight at once. Default: 1.
	DomainParallelism int
	// ThrottleFunc, if any, is asked at the end of each attempt at a job how long its group waits,
	// unless the group has a rule ([Pool.SetDomainRule]): a server's Retry-After can be heeded so.
	// Below 0: as Throttle says. The response is its to keep, and can't be asked for its content.
	ThrottleFunc func(group string, response *Response, err error) time.Duration
	// ParallelismFunc, if any, is asked how many jobs of a group may be in flight, unless it has a
	// rule; below 1 counts as 1.
	ParallelismFunc func(group string) int

	// DenyPrivateAddresses has jobs that lead to an address that is no public server's end in
	// [ErrForbiddenAddress]: loopback, private and link-local networks, multicast, the metadata of
	// clouds, all that IANA has set apart, and addresses of IPv6 that carry one of these
	// (IPv4-mapped, NAT64, 6to4, Teredo). This and the fields below hold for the address that is
	// connected to, on every hop, after the name was looked up, whatever named it: a URL, a
	// redirection, [Options.DNS], [Options.ConnectTo]. A proxy is free of them, being the caller's
	// choice; of what it is asked for, scheme, port and addresses are held to them, but names only
	// with socks5://, as the others look names up themselves.
	DenyPrivateAddresses bool
	// DenyNetworks are forbidden, as "10.0.0.0/8", "fc00::/7", or an address; 10,000 at most. A
	// NAT64 prefix of one's own belongs here.
	DenyNetworks []string
	// AllowNetworks are not forbidden, whatever the two fields above say; 10,000 at most. Refused
	// when neither forbids any.
	AllowNetworks []string
	// AllowedPorts are the only ones that may be connected to. Default: any.
	AllowedPorts []int
	// HTTPSOnly has URLs that are no https, and redirections to one, end in [ErrForbiddenAddress].
	HTTPSOnly bool

	// Options say how jobs are done; those of a run and of an item go before them ([Options]).
	Options Options
	// Log, if any, takes what the engine has to say, up to LogLevel, which has to be set with it.
	Log func(level LogLevel, message string)
	// LogLevel is the most that Log takes: [LogError] to [LogDebug].
	LogLevel LogLevel
}

// LogLevel is how much is logged; each level has what those before it have.
type LogLevel int32

const (
	// LogOff is nothing.
	LogOff LogLevel = C.POOL_LOG_OFF
	// LogError is what the library could not do and no result tells.
	LogError LogLevel = C.POOL_LOG_ERROR
	// LogWarn is attempts that failed and will be made again.
	LogWarn LogLevel = C.POOL_LOG_WARN
	// LogInfo is the engine's start and stop, runs opened, finished and cancelled.
	LogInfo LogLevel = C.POOL_LOG_INFO
	// LogDebug is each hop.
	LogDebug LogLevel = C.POOL_LOG_DEBUG
)

// Pool is the engine: threads, connections, politeness. Any number of runs ([Request], [Resolve])
// may use it at once, under the same politeness. All its methods may be called from any goroutine.
type Pool struct {
	options Options
	hooks   *hooks
	handle  cgo.Handle  // of hooks
	cell    *cgo.Handle // memory of C that holds it

	mu      sync.Mutex
	native  *C.pool_t // nil: closed
	streams map[*stream]struct{}
	ended   Stats // what the runs that ended have come to
	handles int   // native handles that are not freed: the pool's own and one a run
}

// Stats tell what a pool is doing and has done; the figures may be a moment old.
type Stats struct {
	// Accepted is the number of jobs the pool has taken, over all its runs so far.
	Accepted uint64
	// Delivered is the number of results taken from the pool, those included that a run had taken
	// ahead when its loop was left.
	Delivered uint64
	// Failed is the number of results that were errors.
	Failed uint64
	// Held is the number of jobs accepted and not started, those that wait for a retry included.
	Held uint64
	// Started is the number of jobs started whose results were not taken.
	Started uint64
	// BufferedBytes is what results not taken hold, all that belongs to them.
	BufferedBytes uint64
	// InFlight is the number of transfers running.
	InFlight uint64
	// Groups is the number of groups that have jobs, or whose throttle has not run out.
	Groups uint64
	// Connections is the number of connections opened so far.
	Connections uint64
	// NameLookups is the number of name look-ups made so far, those answered from the cache not
	// counted.
	NameLookups uint64
}

// Version is that of the library, as "0.1.0".
func Version() string { return C.GoString(C.pool_version()) }

// failure gives what a call came to as an error. The call must be made within.
func failure(call func() uint32) error {
	runtime.LockOSThread() // whose last error it is
	defer runtime.UnlockOSThread()
	status := call()
	if status == C.POOL_OK {
		return nil
	}
	return refusal(status, C.GoString(C.pool_last_error()))
}

func refusal(status uint32, message string) *Error {
	code := ErrInternal
	switch status {
	case C.POOL_INVALID_ARGUMENT:
		code = ErrInvalidArgument
	case C.POOL_OUT_OF_RESOURCES:
		code = ErrOutOfResources
	}
	if message == "" {
		message = C.GoString(C.pool_status_name(C.int32_t(status)))
	}
	return &Error{Code: code, Message: message}
}

func setBody(options *C.pool_options_t, body []byte) {
	C.rouet_set_body(options, unsafe.Pointer(&body[0]), C.size_t(len(body)))
}

// New starts a pool; [Pool.Close] ends it. The errors are [ErrInvalidArgument], which names the
// field, and [ErrOutOfResources].
func New(config Config) (*Pool, error) {
	var a arena
	defer a.free()
	e := &encoder{arena: &a}
	c := &takeMany[C.pool_config_t](&a, 1)[0]
	C.pool_config_init(c, C.sizeof_pool_config_t)
	number(e, &c.max_workers, "MaxWorkers", int64(config.MaxWorkers))
	number(e, &c.threads, "Threads", int64(config.Threads))
	e.secondsOrNone(&c.throttle, "Throttle", "NoThrottle", config.Throttle)
	number(e, &c.domain_parallelism, "DomainParallelism", int64(config.DomainParallelism))
	flag(&c.deny_private_addresses, config.DenyPrivateAddresses)
	e.strings(&c.deny_networks, &c.deny_network_count, "DenyNetworks", config.DenyNetworks)
	e.strings(&c.allow_networks, &c.allow_network_count, "AllowNetworks", config.AllowNetworks)
	e.numbers(&c.allowed_ports, &c.allowed_port_count, "AllowedPorts", config.AllowedPorts)
	flag(&c.https_only, config.HTTPSOnly)
	switch {
	case config.Log == nil && config.LogLevel != LogOff:
		e.refuse("LogLevel is %d, but there is no Log to take it", config.LogLevel)
	case config.Log != nil && (config.LogLevel <= LogOff || config.LogLevel > LogDebug):
		e.refuse("LogLevel is %d, so that Log takes nothing: it is LogError to LogDebug", config.LogLevel)
	}
	if e.err != nil {
		return nil, e.err
	}
	options, err := config.Options.encode(&a) // which runs have, but should be refused here
	if err != nil {
		return nil, err
	}
	c.options = options

	pool := &Pool{options: config.Options, streams: map[*stream]struct{}{}, handles: 1}
	if config.ThrottleFunc != nil || config.ParallelismFunc != nil || config.Log != nil {
		pool.hooks = &hooks{config.ThrottleFunc, config.ParallelismFunc, config.Log}
		pool.handle = cgo.NewHandle(pool.hooks)
		pool.cell = (*cgo.Handle)(C.malloc(C.size_t(unsafe.Sizeof(pool.handle))))
		*pool.cell = pool.handle
		c.domain_userdata = unsafe.Pointer(pool.cell)
		if config.ThrottleFunc != nil {
			C.rouet_set_throttle(c)
		}
		if config.ParallelismFunc != nil {
			C.rouet_set_parallelism(c)
		}
	}
	native := takeMany[*C.pool_t](&a, 1)
	if err := failure(func() uint32 { return C.pool_new(c, &native[0]) }); err != nil {
		pool.unhook()
		return nil, err
	}
	pool.native = native[0]
	if config.Log != nil {
		err := failure(func() uint32 {
			return C.rouet_set_log(pool.native, C.int32_t(config.LogLevel), unsafe.Pointer(pool.cell))
		})
		if err != nil {
			pool.Close()
			return nil, err
		}
	}
	return pool, nil
}

// Close ends the pool. Runs under way are cancelled: what they have outstanding comes at once as
// [ErrCancelled] with [ErrClosed] within, and their loops end; it does not wait for that. It may be
// called again, and always gives nil.
func (p *Pool) Close() error {
	p.mu.Lock()
	native := p.native
	p.native = nil
	if native != nil {
		for s := range p.streams {
			if s.native != nil {
				C.pool_cancel(s.native)
			}
		}
	}
	p.mu.Unlock()
	if native != nil {
		p.free(native)
	}
	return nil
}

// free ends a native handle, and with the last one what the library may call.
func (p *Pool) free(native *C.pool_t) {
	C.pool_free(native)
	p.mu.Lock()
	p.handles--
	last := p.handles == 0
	p.mu.Unlock()
	if last {
		p.unhook()
	}
}

func (p *Pool) unhook() {
	if p.cell != nil {
		p.handle.Delete()
		C.free(unsafe.Pointer(p.cell))
		p.cell = nil
	}
}

// URLGroup tells the group of a job with that URL, unless it has one by [GroupBy]: the registrable
// domain of the URL by the public suffix list, private section included, or its host when that has
// none. With [Options.InferRedirection] it is that of the URL that is asked instead. The URL is read as
// a job's is. The error is [ErrInvalidArgument]: it is none.
func URLGroup(url string) (string, error) {
	if url == "" {
		return "", &Error{Code: ErrInvalidArgument, Message: "url is empty"}
	}
	var a arena
	defer a.free()
	text := a.text(url)
	length := &takeMany[C.size_t](&a, 1)[0]
	size := len(url) + 64 // of some URLs the host is longer in the end
	for {
		group := takeMany[C.char](&a, size)
		err := failure(func() uint32 {
			return C.pool_url_group(text, C.size_t(len(url)), &group[0], C.size_t(size), length)
		})
		if err == nil {
			return C.GoStringN(&group[0], C.int(*length)), nil
		}
		if int(*length) < size {
			return "", err
		}
		size = int(*length) + 1
	}
}

// SetDomainRule sets the rule of one group, a registrable domain or the name that [GroupBy] gave:
// its throttle, 0 (or [NoThrottle]) or above, and its parallelism, at least 1. It holds over all
// runs, from the group's next start on, until it is set anew. What reads as a host ("Ex.com",
// "http://ex.com/") is taken for it; a host that is no group of its own, as "www.ex.com", which is in
// that of "ex.com" ([URLGroup] tells), is [ErrInvalidArgument].
func (p *Pool) SetDomainRule(domain string, throttle time.Duration, parallelism int) error {
	if strings.IndexByte(domain, 0) >= 0 {
		return &Error{Code: ErrInvalidArgument, Message: "domain has a NUL"}
	}
	e := encoder{}
	var seconds C.double
	e.secondsOrNone(&seconds, "throttle", "NoThrottle", throttle)
	if e.err != nil {
		return e.err
	}
	if parallelism < 1 || parallelism > math.MaxUint32 {
		return &Error{Code: ErrInvalidArgument, Message: "parallelism is not at least 1"}
	}
	var a arena
	defer a.free()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.native == nil {
		return ErrClosed
	}
	return failure(func() uint32 {
		return C.pool_set_domain_rule(
			p.native, a.text(domain), seconds, C.uint32_t(parallelism))
	})
}

// Stats gives what the pool is doing; the counts of its runs only, once it is closed.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	stats := p.ended
	for s := range p.streams {
		if s.native != nil {
			stats.add(s.native)
		}
	}
	if p.native != nil {
		engine := nativeStats(p.native)
		stats.InFlight = uint64(engine.in_flight)
		stats.Groups = uint64(engine.groups)
		stats.Connections = uint64(engine.connections)
		stats.NameLookups = uint64(engine.name_lookups)
	}
	return stats
}

func nativeStats(native *C.pool_t) C.pool_stats_t {
	stats := C.pool_stats_t{struct_size: C.sizeof_pool_stats_t}
	C.pool_stats(native, &stats)
	return stats
}

// add counts a run in.
func (s *Stats) add(native *C.pool_t) {
	one := nativeStats(native)
	s.Accepted += uint64(one.accepted)
	s.Delivered += uint64(one.delivered)
	s.Failed += uint64(one.failed)
	s.Held += uint64(one.held)
	s.Started += uint64(one.started)
	s.BufferedBytes += uint64(one.buffered_bytes)
}
