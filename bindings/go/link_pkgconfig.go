//go:build rouet_pkgconfig && !rouet_static

package rouet

// The installed library, as pkg-config tells of it.

// #cgo pkg-config: rouet
import "C"
