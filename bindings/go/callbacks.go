package rouet

// #include <rouet.h>
import "C"

import (
	"runtime/cgo"
	"time"
	"unsafe"
)

// hooks holds the functions of a configuration, which the library calls.
type hooks struct {
	throttle    func(group string, response *Response, err error) time.Duration
	parallelism func(group string) int
	log         func(level LogLevel, message string)
}

// hooksOf finds the hooks by what the library hands back: C memory that holds their handle.
func hooksOf(userdata unsafe.Pointer) *hooks {
	return (*(*cgo.Handle)(userdata)).Value().(*hooks)
}

//export rouet_go_throttle
func rouet_go_throttle(group *C.char, native *C.pool_result_t, userdata unsafe.Pointer) C.double {
	response, failed := decode(native)
	response.URL = C.GoStringN(native.url, C.int(native.url_size))
	var err error
	if failed != nil {
		failed.URL = response.URL
		err = failed
	}
	wait := hooksOf(userdata).throttle(C.GoString(group), &response, err)
	return C.double(wait.Seconds())
}

//export rouet_go_parallelism
func rouet_go_parallelism(group *C.char, userdata unsafe.Pointer) C.uint32_t {
	return C.uint32_t(max(1, hooksOf(userdata).parallelism(C.GoString(group))))
}

//export rouet_go_log
func rouet_go_log(level C.int32_t, message *C.char, userdata unsafe.Pointer) {
	hooksOf(userdata).log(LogLevel(level), C.GoString(message))
}
