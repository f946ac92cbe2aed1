//go:build !rouet_static && !rouet_pkgconfig

package rouet

// The library of this tree as `make` builds it, or one that the compiler finds by itself.
// CGO_CFLAGS and CGO_LDFLAGS take precedence.

// #cgo CFLAGS: -I${SRCDIR}/../../include
// #cgo LDFLAGS: -L${SRCDIR}/../../target/release -lrouet -Wl,-rpath,${SRCDIR}/../../target/release
import "C"
