// Package rouet downloads or resolves huge lazy streams of URLs as fast as the machine allows,
// without hitting any one server too often, in bounded memory.
//
//	pool, err := rouet.New(rouet.Config{})
//	…
//	defer pool.Close()
//	for result := range rouet.RequestURLs(ctx, pool, slices.Values(urls)) {
//		if result.Err != nil {
//			log.Println(result.Err)
//			continue
//		}
//		fmt.Println(result.Status, result.EndURL, len(result.Body))
//	}
//
// A [Pool] is the engine: threads, connections, politeness. [Request] and [Resolve] run a sequence
// of items on it, and any number of runs may share it. URLs are grouped by site (registrable
// domain). A group has at most [Config.DomainParallelism] jobs in flight, and waits
// [Config.Throttle] between two. A waiting job occupies no worker and holds up no other site.
//
// The package is a thin layer over the library librouet, which does all of this. In [Config] and
// [Options] a field's zero value stands for the library's default.
package rouet
