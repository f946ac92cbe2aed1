package rouet

// #include <stdlib.h>
// #include <string.h>
import "C"

import "unsafe"

// arena is C memory that is handed out piece by piece and taken back all at once. C pointers may be
// written into it, but never Go pointers.
type arena struct {
	chunks [][]byte
	now    int // the chunk that pieces come from
	used   int // its bytes that are handed out
}

const chunkSize = 64 << 10

// take returns size bytes, not zeroed, aligned for any C type.
func (a *arena) take(size int) unsafe.Pointer {
	size = (max(size, 1) + 15) &^ 15
	for ; a.now < len(a.chunks); a.now, a.used = a.now+1, 0 {
		if chunk := a.chunks[a.now]; a.used+size <= len(chunk) {
			piece := unsafe.Pointer(&chunk[a.used])
			a.used += size
			return piece
		}
	}
	length := max(size, chunkSize)
	chunk := C.malloc(C.size_t(length)) // never fails under cgo
	a.chunks = append(a.chunks, unsafe.Slice((*byte)(chunk), length))
	a.used = size
	return chunk
}

// text copies a string and adds a NUL.
func (a *arena) text(s string) *C.char {
	piece := a.take(len(s) + 1)
	bytes := unsafe.Slice((*byte)(piece), len(s)+1)
	copy(bytes, s)
	bytes[len(s)] = 0
	return (*C.char)(piece)
}

// takeMany returns room for count values.
func takeMany[C any](a *arena, count int) []C {
	var one C
	return unsafe.Slice((*C)(a.take(count*int(unsafe.Sizeof(one)))), count)
}

// reset takes all pieces back. It returns to C what one large batch needed.
func (a *arena) reset() {
	if len(a.chunks) > 1 {
		a.free()
	}
	a.now, a.used = 0, 0
}

// free returns all memory to C.
func (a *arena) free() {
	for _, chunk := range a.chunks {
		C.free(unsafe.Pointer(&chunk[0]))
	}
	*a = arena{}
}
