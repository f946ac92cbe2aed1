package rouet

import (
	"errors"
	"strings"
)

// Code is the stable name of a kind of failure. Each is an error of its own, for [errors.Is]:
//
//	if errors.Is(result.Err, rouet.ErrUnknownHost) { … }
type Code string

// Error returns the name.
func (code Code) Error() string { return "rouet: " + string(code) }

// The ways in which a job fails. Those marked "Retried" are tried again with [Options.Retry];
// time-outs only with [Options.RetryOnTimeout] too.
const (
	// ErrInvalidURL: the URL can't be parsed, has no host, or its scheme is not http or https.
	ErrInvalidURL Code = "invalid-url"
	// ErrUnknownHost: the host's name does not exist.
	ErrUnknownHost Code = "unknown-host"
	// ErrNameResolution: the host's name could not be looked up for now. Retried.
	ErrNameResolution Code = "name-resolution-failure"
	// ErrNoAddress: the host's name exists, but has no address.
	ErrNoAddress Code = "no-address-associated-with-hostname"
	// ErrConnectionRefused: nothing listens there. Retried.
	ErrConnectionRefused Code = "connection-refused"
	// ErrConnectionAborted: the peer closed or reset the connection before the answer was whole.
	// Retried.
	ErrConnectionAborted Code = "connection-aborted"
	// ErrConnection: no connection was made, for a reason that no other code names. Retried.
	ErrConnection Code = "connection-error"
	// ErrNoRouteToHost: the host can't be reached. Retried.
	ErrNoRouteToHost Code = "no-route-to-host"
	// ErrUnreachableNetwork: the network can't be reached. Retried.
	ErrUnreachableNetwork Code = "unreachable-network"
	// ErrConnectTimeout: no connection, TLS included, was made within [Options.ConnectTimeout]. A
	// time-out.
	ErrConnectTimeout Code = "connect-timeout"
	// ErrReadTimeout: no answer began within [Options.Timeout]. A time-out.
	ErrReadTimeout Code = "read-timeout"
	// ErrTimeout: an answer began, but was not whole within [Options.Timeout]. A time-out.
	ErrTimeout Code = "timeout"
	// ErrTLS: TLS failed: the certificate, its name or date, the handshake, the CA file. The error's
	// Subcode tells these apart.
	ErrTLS Code = "ssl"
	// ErrMaxRedirects: the job met more redirections than [Options.MaxRedirects].
	ErrMaxRedirects Code = "max-redirects"
	// ErrInfiniteRedirects: a redirection led to a URL at which the job had been.
	ErrInfiniteRedirects Code = "infinite-redirects"
	// ErrSelfRedirect: a redirection led from a URL to itself.
	ErrSelfRedirect Code = "self-redirect"
	// ErrInvalidRedirect: a redirection by status led to something that is not an http or https URL.
	ErrInvalidRedirect Code = "invalid-redirect"
	// ErrBadlyEncodedLocation: a Location's host has bytes that are not UTF-8.
	ErrBadlyEncodedLocation Code = "badly-encoded-location"
	// ErrInvalidGzip: a gzip body is broken or incomplete, apart from its trailer: see
	// [Response.Truncated].
	ErrInvalidGzip Code = "invalid-gzip"
	// ErrInvalidEncoding: a deflate, br or zstd body is broken or incomplete.
	ErrInvalidEncoding Code = "invalid-encoding"
	// ErrInvalidStatus: the final status is one of [Options.RaiseOnStatuses]. The error's Code ends in
	// the status, such as "invalid-status-404"; [errors.Is] matches any of them with this one.
	ErrInvalidStatus Code = "invalid-status"
	// ErrProxy: the proxy could not be reached, or refused. Retried.
	ErrProxy Code = "proxy-error"
	// ErrSend: the request could not be sent. Retried.
	ErrSend Code = "send-error"
	// ErrReceive: the answer could not be received. Retried.
	ErrReceive Code = "receive-error"
	// ErrCallback: the library's own callback failed; this package does not use it.
	ErrCallback Code = "callback-error"
	// ErrCancelled: the run was cancelled before the job was done. The error wraps the cause: the
	// context's, or [ErrClosed].
	ErrCancelled Code = "cancelled"
	// ErrBodyTooLarge: the body has more bytes than [Options.MaxBodySize].
	ErrBodyTooLarge Code = "body-too-large"
	// ErrProtocol: the peer did not speak HTTP. Retried.
	ErrProtocol Code = "protocol-error"
	// ErrForbiddenAddress: the pool may not go there, by [Config.DenyPrivateAddresses] and the fields
	// after it.
	ErrForbiddenAddress Code = "forbidden-address"
	// ErrInternal: the library, or the machine under it, has a fault. Please report the former.
	ErrInternal Code = "internal-error"
)

// The library's refusals of a call. Jobs never fail with these.
const (
	// ErrInvalidArgument: an argument or a field is wrong; the message names it.
	ErrInvalidArgument Code = "invalid-argument"
	// ErrOutOfResources: the machine gave no thread, descriptor or memory.
	ErrOutOfResources Code = "out-of-resources"
)

// ErrClosed says that the pool was closed.
var ErrClosed = errors.New("rouet: the pool is closed")

// Error is the failure of a job, in [Result.Err], or of a call.
//
// [errors.Is] compares it with the Code constants. It is a [net.Error].
type Error struct {
	// Code is the stable name: one of the Code constants, with the status added for
	// [ErrInvalidStatus].
	Code Code
	// Subcode is the particular cause, where the code covers several. For [ErrTLS] it is "expired",
	// "not-yet-valid", "wrong-name", "unknown-authority", "bad-certificate", "ca-file",
	// "client-certificate" or "protocol", and there may be more. "": nothing more is known.
	Subcode string
	// Message says what failed, where and why, for people.
	Message string
	// URL is the job's URL as it was handed in; "" for the error of a call.
	URL string

	cause error
}

// Error returns the message, preceded by the URL if the message does not contain it.
func (e *Error) Error() string {
	if e.URL == "" || strings.Contains(e.Message, e.URL) {
		return "rouet: " + e.Message
	}
	return "rouet: " + e.URL + ": " + e.Message
}

// Is tells [errors.Is] whether target is this error's Code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	if !ok {
		return false
	}
	if code == ErrInvalidStatus {
		return strings.HasPrefix(string(e.Code), "invalid-status-")
	}
	return e.Code == code
}

// Unwrap returns why a cancelled job was cancelled; nil for all other errors.
func (e *Error) Unwrap() error { return e.cause }

// Timeout tells whether a time limit was over.
func (e *Error) Timeout() bool {
	switch e.Code {
	case ErrConnectTimeout, ErrReadTimeout, ErrTimeout:
		return true
	}
	return false
}

// Temporary tells whether [Options.Retry] tries failures of this kind again, time-outs included.
func (e *Error) Temporary() bool {
	switch e.Code {
	case ErrNameResolution, ErrConnectionRefused, ErrConnectionAborted, ErrConnection,
		ErrNoRouteToHost, ErrUnreachableNetwork, ErrProxy, ErrSend, ErrReceive, ErrProtocol:
		return true
	}
	return e.Timeout()
}
