//go:build rouet_static

package rouet

// The static library, and the system's libraries that it uses.

// #cgo CFLAGS: -I${SRCDIR}/../../include
// #cgo LDFLAGS: -L${SRCDIR}/../../target/release -l:librouet.a -lssl -lcrypto -lz -lpthread -ldl -lm
import "C"
