package rouet

// #include <rouet.h>
import "C"

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"unsafe"
)

// Option is a setting of one run, for [Request] and its like.
type Option func(*runOptions)

type runOptions struct {
	ordered, passthrough bool
	bufferSize           int
	maxBufferedBytes     int64
	options              *Options
	optionsFor, groupBy  any // functions of the item
}

// Ordered has results come in the order of the items, within a window of [BufferSize] jobs; without
// it they come as they are done.
func Ordered() Option { return func(r *runOptions) { r.ordered = true } }

// Passthrough has items without URL ("") give a result without URL, error and answer; without it
// they give [ErrInvalidArgument].
func Passthrough() Option { return func(r *runOptions) { r.passthrough = true } }

// BufferSize bounds the jobs that are held and not started, and again those started whose results
// were not taken, so that it also bounds the run's transfers at once. Default: 1024.
func BufferSize(jobs int) Option { return func(r *runOptions) { r.bufferSize = jobs } }

// MaxBufferedBytes bounds the results not taken, beyond which no more jobs are started; the
// bodies of those under way come on top. Default: 256 MiB.
func MaxBufferedBytes(bytes int64) Option {
	return func(r *runOptions) { r.maxBufferedBytes = bytes }
}

// WithOptions says how the run's jobs are done, where that is not as [Config.Options] say.
func WithOptions(options Options) Option {
	return func(r *runOptions) { r.options = &options }
}

// OptionsFor asks for each item how its job is done where that is not as the run's options say; nil:
// as they say. What it gives must not be changed after. T has to be the type of the run's items.
func OptionsFor[T any](options func(item T) *Options) Option {
	return func(r *runOptions) { r.optionsFor = options }
}

// Unconstrained is the group, for [GroupBy], of jobs that wait for no other: no throttle, no limit.
const Unconstrained = "\x00"

// GroupBy asks for each item for its politeness key; "": as usual, the registrable domain of its
// URL, or its host when that has none. T has to be the type of the run's items.
func GroupBy[T any](group func(item T) string) Option {
	return func(r *runOptions) { r.groupBy = group }
}

// Request downloads the URLs that key finds in the items, politely, and gives each item back with
// what came of it, as they are done:
//
//	for result := range rouet.Request(ctx, pool, slices.Values(pages), Page.Address) { … }
//
// Each item taken gives exactly one result. Items are taken as there is room for them, at most
// 2·[BufferSize] and three batches of 256 (of BufferSize, if that is less) ahead of the loop: they
// may be without end, and may come slowly, or depend on results.
//
// White space, marks that are not seen (as byte order marks) and quotes around a URL are taken off, and
// http:// is put before it when it has no scheme and starts with a host: a path, a file's name, a
// number or a mail address is none. A bad one, or one that is not UTF-8, gives [ErrInvalidURL].
//
// items, key and the functions of the options run on a goroutine of their own. When the loop is
// left early what is outstanding is dropped, and items is asked for no more: its goroutine ends
// when it next yields, which the loop does not wait for. A panic in it comes out of the loop.
//
// When ctx is cancelled the results outstanding come at once, with [ErrCancelled] and the context's
// cause within, and the loop ends. What items yields after that is dropped.
//
// If the run can't be begun there is one result, with no item and an Err: [ErrClosed],
// [ErrInvalidArgument] or [ErrOutOfResources]. Each loop over what Request gives is a run of its
// own.
func Request[T any](
	ctx context.Context, pool *Pool, items iter.Seq[T], key func(item T) string, options ...Option,
) iter.Seq[Result[T]] {
	return begin(ctx, pool, C.POOL_REQUEST, items, key, options)
}

// Resolve finds where the URLs of items end, by HEAD where that will do, and as little of the page
// as it takes where not: it is [Request], but for the body.
func Resolve[T any](
	ctx context.Context, pool *Pool, items iter.Seq[T], key func(item T) string, options ...Option,
) iter.Seq[Result[T]] {
	return begin(ctx, pool, C.POOL_RESOLVE, items, key, options)
}

// RequestURLs is [Request] for plain URLs.
func RequestURLs(
	ctx context.Context, pool *Pool, urls iter.Seq[string], options ...Option,
) iter.Seq[Result[string]] {
	return Request(ctx, pool, urls, itself, options...)
}

// ResolveURLs is [Resolve] for plain URLs.
func ResolveURLs(
	ctx context.Context, pool *Pool, urls iter.Seq[string], options ...Option,
) iter.Seq[Result[string]] {
	return Resolve(ctx, pool, urls, itself, options...)
}

func itself(url string) string { return url }

func begin[T any](
	ctx context.Context, pool *Pool, kind C.int32_t, items iter.Seq[T], key func(T) string,
	options []Option,
) iter.Seq[Result[T]] {
	var settings runOptions
	for _, option := range options {
		option(&settings)
	}
	r := run[T]{ctx: ctx, kind: kind, key: key, settings: &settings}
	// These panic at once for another type: a mistake of the program.
	if settings.optionsFor != nil {
		r.optionsFor = settings.optionsFor.(func(T) *Options)
	}
	if settings.groupBy != nil {
		r.groupBy = settings.groupBy.(func(T) string)
	}
	return func(yield func(Result[T]) bool) {
		if ctx.Err() != nil {
			return
		}
		stream, err := pool.open(&settings)
		if err != nil {
			yield(Result[T]{Err: err})
			return
		}
		one := r
		one.stream = stream
		one.loop(items, yield)
	}
}

// run is one loop. Three goroutines have a part in it: feed, which runs the program's own iterator;
// submit, which hands what that gave to the library in batches; and the loop's own, which takes the
// results, and submits what there was no room for before. So a slow iterator holds up no job.
type run[T any] struct {
	ctx        context.Context
	stream     *stream
	kind       C.int32_t
	key        func(T) string
	optionsFor func(T) *Options
	groupBy    func(T) string
	settings   *runOptions
	ahead      int // items that may wait to be submitted
	submitted  chan struct{}

	mu      *sync.Mutex
	room    *sync.Cond // for feed: something was submitted
	work    *sync.Cond // for submit: there is something to submit, or room for it
	slots   []slot[T]  // a job's tag is its place here
	unused  []int      // slots
	pending []int      // slots to be submitted
	order   uint64
	stalled []C.pool_job_t // what there was no room for
	taken   uint64         // grows when results are taken
	fed     bool           // no item will come
	stopped bool           // none is wanted
	left    bool           // the loop is over
	panic   any            // feed's
}

// slot is an item under way.
type slot[T any] struct {
	item    T
	url     string
	group   string
	options *Options
	refused *Error // why the library did not take it
	order   uint64 // above 0
}

func (r *run[T]) loop(items iter.Seq[T], yield func(Result[T]) bool) {
	r.ahead = batchSize
	if size := r.settings.bufferSize; size > 0 {
		r.ahead = min(size, batchSize)
	}
	r.mu = new(sync.Mutex)
	r.room, r.work = sync.NewCond(r.mu), sync.NewCond(r.mu)
	r.submitted = make(chan struct{})
	var taken []*C.pool_result_t // to be freed
	stop := context.AfterFunc(r.ctx, r.cancel)
	go r.feed(items)
	go r.submit()
	defer func() {
		stop()
		r.halt(true)
		<-r.submitted
		freeNatives(taken)
		r.stream.close()
	}()

	for {
		var err error
		taken, err = r.stream.take()
		if err != nil {
			yield(Result[T]{Err: err})
			return
		}
		if len(taken) == 0 {
			break
		}
		r.resume()
		for _, native := range taken {
			if !yield(r.result(native)) {
				return
			}
		}
		freeNatives(taken)
		taken = nil
	}

	// All that was accepted has come. What was not never will: the run was cancelled.
	came := r.halt(true)
	<-r.submitted
	for _, place := range r.remaining() {
		if !yield(r.dropped(place)) {
			return
		}
	}
	if came != nil {
		panic(came)
	}
}

// cancel has the outstanding results come at once.
func (r *run[T]) cancel() {
	r.halt(false)
	r.stream.cancel()
}

// halt stops feed and submit, as soon as they can; gives feed's panic, if it had one.
func (r *run[T]) halt(left bool) any {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	r.left = r.left || left
	r.work.Signal()
	r.room.Signal()
	return r.panic
}

// feed runs the program's iterator.
func (r *run[T]) feed(items iter.Seq[T]) {
	defer func() {
		came := recover()
		r.mu.Lock()
		r.fed, r.panic = true, came
		left := r.left
		r.work.Signal()
		r.mu.Unlock()
		if came != nil {
			if left {
				panic(came) // no loop to come out of
			}
			r.cancel()
		}
	}()
	var given, last *Options // most often they are the same for many
	for item := range items {
		next := slot[T]{item: item, url: r.key(item)}
		if r.optionsFor != nil {
			if own := r.optionsFor(item); own != nil {
				if own != given {
					given, last = own, own.over(r.stream.options)
				}
				next.options = last
			}
		}
		if r.groupBy != nil {
			next.group = r.groupBy(item)
		}
		if !r.push(next) {
			return
		}
	}
}

// push adds an item, and waits until another is wanted; false when none will be.
func (r *run[T]) push(next slot[T]) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false
	}
	r.order++
	next.order = r.order
	place := len(r.slots)
	if last := len(r.unused) - 1; last >= 0 {
		place, r.unused = r.unused[last], r.unused[:last]
		r.slots[place] = next
	} else {
		r.slots = append(r.slots, next)
	}
	r.pending = append(r.pending, place)
	if len(r.pending) == 1 && r.stalled == nil { // otherwise submit does not wait for it
		r.work.Signal()
	}
	for len(r.pending) >= r.ahead && !r.stopped {
		r.room.Wait()
	}
	return !r.stopped
}

// submit hands batches to the library until there are no more.
func (r *run[T]) submit() {
	defer close(r.submitted)
	for {
		jobs, seen := r.next()
		if jobs == nil {
			return
		}
		for len(jobs) > 0 {
			var goOn bool
			if jobs, goOn = r.handOver(jobs); goOn && len(jobs) > 0 {
				jobs, seen, goOn = r.await(jobs, seen)
			}
			if !goOn {
				return
			}
		}
	}
}

// handOver submits jobs while there is room and gives those left; false when none will be taken.
func (r *run[T]) handOver(jobs []C.pool_job_t) ([]C.pool_job_t, bool) {
	for {
		accepted, status := r.stream.submit(jobs)
		jobs = jobs[accepted:]
		switch status {
		case C.POOL_OK, C.POOL_AGAIN:
			return jobs, true
		case C.POOL_CLOSED:
			return nil, false
		}
		why := refusal(status, C.GoString((*C.char)(unsafe.Pointer(&r.stream.why[0]))))
		if !r.refuse(&jobs[0], why) {
			return nil, false
		}
	}
}

// await leaves jobs that there is no room for to the loop, which makes room by taking results and
// so spares waking this goroutine each time. It gives what is to be handed over here after all:
// none when the loop could, all when it had taken results meanwhile. False when none is wanted.
func (r *run[T]) await(jobs []C.pool_job_t, seen uint64) ([]C.pool_job_t, uint64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken == seen {
		r.stalled = jobs
		for r.stalled != nil && !r.stopped {
			r.work.Wait()
		}
		jobs = nil
	}
	return jobs, r.taken, !r.stopped
}

// resume notes that results were taken, and hands over the jobs that waited for that.
func (r *run[T]) resume() {
	r.mu.Lock()
	r.taken++
	jobs := r.stalled
	r.mu.Unlock()
	if jobs == nil {
		return
	}
	// Until stalled is nil the jobs are the loop's own.
	jobs, goOn := r.handOver(jobs)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stalled = jobs
	if !goOn {
		r.stopped = true
		r.room.Signal()
	}
	if len(jobs) == 0 {
		r.stalled = nil
		r.work.Signal()
	}
}

// next waits for items and gives their jobs, nil when there are no more; and what taken was.
func (r *run[T]) next() ([]C.pool_job_t, uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.pending) == 0 && !r.fed && !r.stopped {
		r.work.Wait()
	}
	if r.stopped {
		return nil, 0
	}
	if len(r.pending) == 0 {
		r.stream.finish()
		return nil, 0
	}
	r.stream.batch.reset()
	jobs := r.stream.jobs[:len(r.pending)]
	for i, place := range r.pending {
		r.encode(&jobs[i], place)
	}
	r.pending = r.pending[:0]
	r.room.Signal()
	return jobs, r.taken
}

func (r *run[T]) encode(job *C.pool_job_t, place int) {
	s, slot := r.stream, &r.slots[place]
	*job = s.fresh
	job.tag = C.uint64_t(place)
	job.kind = r.kind
	job.url, job.url_size = s.batch.text(slot.url), C.size_t(len(slot.url))
	switch slot.group {
	case "":
	case Unconstrained:
		job.group = s.none
	default:
		job.group, job.group_size = s.batch.text(slot.group), C.size_t(len(slot.group))
	}
	if slot.options != nil {
		var err error
		if job.options, err = slot.options.encode(&s.batch); err != nil {
			r.stand(job, slot, err.(*Error))
		}
	}
}

// refuse notes that the library did not take a job; false when it takes none.
func (r *run[T]) refuse(job *C.pool_job_t, why *Error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	slot := &r.slots[job.tag]
	taken := slot.refused == nil
	r.stand(job, slot, why)
	if !taken {
		r.stopped = true
		go r.stream.cancel() // which takes another lock
	}
	return taken
}

// stand puts a job that fails at once in a refused one's place, so that its error comes when its
// turn is.
func (r *run[T]) stand(job *C.pool_job_t, slot *slot[T], why *Error) {
	slot.refused = why
	tag := job.tag
	*job = r.stream.fresh
	job.tag, job.url, job.group = tag, r.stream.bad, r.stream.none
}

// result gives a native result to its item.
func (r *run[T]) result(native *C.pool_result_t) Result[T] {
	slot := r.release(int(native.tag))
	if slot.refused != nil {
		slot.refused.URL = slot.url
		return Result[T]{Item: slot.item, Err: slot.refused, Response: Response{URL: slot.url}}
	}
	response, failed := decode(native)
	result := Result[T]{Item: slot.item, Response: response}
	result.URL = slot.url
	options := r.optionsOf(&slot)
	result.undone = options.Compressed
	if len(result.Body) > 0 {
		result.content = &content{encoding: options.KnownEncoding}
	}
	if failed != nil {
		failed.URL = slot.url
		if failed.Code == ErrCancelled {
			failed.cause = r.cause()
		}
		result.Err = failed
	}
	return result
}

func (r *run[T]) optionsOf(slot *slot[T]) *Options {
	if slot.options != nil {
		return slot.options
	}
	return r.stream.options
}

// cause is why the run was cancelled.
func (r *run[T]) cause() error {
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return ErrClosed
}

// release empties a slot.
func (r *run[T]) release(place int) slot[T] {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.slots[place]
	r.slots[place] = slot[T]{}
	r.unused = append(r.unused, place)
	return was
}

// remaining gives the slots of items that were never accepted, in their order.
func (r *run[T]) remaining() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	var places []int
	for place := range r.slots {
		if r.slots[place].order > 0 {
			places = append(places, place)
		}
	}
	slices.SortFunc(places, func(a, b int) int {
		return cmp.Compare(r.slots[a].order, r.slots[b].order)
	})
	return places
}

func (r *run[T]) dropped(place int) Result[T] {
	slot := r.release(place)
	return Result[T]{
		Item: slot.item,
		Err: &Error{
			Code: ErrCancelled, Message: "cancelled before it was begun", URL: slot.url, cause: r.cause(),
		},
		Response: Response{URL: slot.url},
	}
}
