package rouet

import (
	"errors"
	"strings"
)

// Code is the stable name of a kind of failure. Each is an error of its own, for [errors.Is]:
//
//	if errors.Is(result.Err, rouet.ErrUnknownHost) { … }
type Code string

// Error gives the name.
func (code Code) Error() string { return "rouet: " + string(code) }

// What may fail. Those marked "retried" are tried again when [Options.Retry] is on; time-outs are
// only with [Options.RetryOnTimeout] too.
const (
	// ErrInvalidURL: the URL can't be parsed, has no host, or its scheme is not http or https.
	ErrInvalidURL Code = "invalid-url"
	// ErrUnknownHost: the host's name does not exist.
	ErrUnknownHost Code = "unknown-host"
	// ErrNameResolution: the host's name could not be looked up for now. Retried.
	ErrNameResolution Code = "name-resolution-failure"
	// ErrNoAddress: the name exists and has no address.
	ErrNoAddress Code = "no-address-associated-with-hostname"
	// ErrConnectionRefused: nothing listens there. Retried.
	ErrConnectionRefused Code = "connection-refused"
	// ErrConnectionAborted: the peer closed or reset the connection before the answer was whole.
	// Retried.
	ErrConnectionAborted Code = "connection-aborted"
	// ErrConnection: no connection, for a reason the others do not name. Retried.
	ErrConnection Code = "connection-error"
	// ErrNoRouteToHost: the host can't be reached. Retried.
	ErrNoRouteToHost Code = "no-route-to-host"
	// ErrUnreachableNetwork: the network can't be reached. Retried.
	ErrUnreachableNetwork Code = "unreachable-network"
	// ErrConnectTimeout: no connection, TLS included, within [Options.ConnectTimeout]. A time-out.
	ErrConnectTimeout Code = "connect-timeout"
	// ErrReadTimeout: no answer had begun when [Options.Timeout] was over. A time-out.
	ErrReadTimeout Code = "read-timeout"
	// ErrTimeout: an answer had begun, and was not whole when [Options.Timeout] was over. A
	// time-out.
	ErrTimeout Code = "timeout"
	// ErrTLS: TLS failed: the certificate, its name or date, the handshake, the CA file; the error's
	// Subcode tells these apart.
	ErrTLS Code = "ssl"
	// ErrMaxRedirects: more redirections than [Options.MaxRedirects].
	ErrMaxRedirects Code = "max-redirects"
	// ErrInfiniteRedirects: a redirection to a URL the job had been at already.
	ErrInfiniteRedirects Code = "infinite-redirects"
	// ErrSelfRedirect: a redirection from a URL to itself.
	ErrSelfRedirect Code = "self-redirect"
	// ErrInvalidRedirect: a redirection by status to something that is no http or https URL.
	ErrInvalidRedirect Code = "invalid-redirect"
	// ErrBadlyEncodedLocation: a Location whose host has bytes that are no UTF-8.
	ErrBadlyEncodedLocation Code = "badly-encoded-location"
	// ErrInvalidGzip: a body in gzip that is broken, or not there to its end; but for the trailer, see
	// [Response.Truncated].
	ErrInvalidGzip Code = "invalid-gzip"
	// ErrInvalidEncoding: the same for deflate, br and zstd.
	ErrInvalidEncoding Code = "invalid-encoding"
	// ErrInvalidStatus: the final answer's status is one of [Options.RaiseOnStatuses]. The error's
	// Code has the status at its end, as "invalid-status-404"; [errors.Is] finds any of them by
	// this one.
	ErrInvalidStatus Code = "invalid-status"
	// ErrProxy: the proxy could not be reached, or refused. Retried.
	ErrProxy Code = "proxy-error"
	// ErrSend: the request could not be sent. Retried.
	ErrSend Code = "send-error"
	// ErrReceive: the answer could not be received. Retried.
	ErrReceive Code = "receive-error"
	// ErrCallback: the library's own callback failed; this package does not use it.
	ErrCallback Code = "callback-error"
	// ErrCancelled: the run was cancelled before the job was done. The error wraps the cause: that
	// of the context, or [ErrClosed].
	ErrCancelled Code = "cancelled"
	// ErrBodyTooLarge: the body has more bytes than [Options.MaxBodySize].
	ErrBodyTooLarge Code = "body-too-large"
	// ErrProtocol: the peer did not speak HTTP. Retried.
	ErrProtocol Code = "protocol-error"
	// ErrForbiddenAddress: the pool may not go there, by [Config.DenyPrivateAddresses] and the
	// fields after it.
	ErrForbiddenAddress Code = "forbidden-address"
	// ErrInternal: a fault of the library, which please report, or of the machine under it.
	ErrInternal Code = "internal-error"
)

// What this package says for the library's refusals; these are in no list of errors of jobs.
const (
	// ErrInvalidArgument: something handed in is not what it should be; the message names it.
	ErrInvalidArgument Code = "invalid-argument"
	// ErrOutOfResources: the machine gave no thread, descriptor or memory.
	ErrOutOfResources Code = "out-of-resources"
)

// ErrClosed says that the pool was closed.
var ErrClosed = errors.New("rouet: the pool is closed")

// Error is what failed: of a job, in [Result.Err], or of a call.
//
// [errors.Is] compares it with the Code constants. It is a [net.Error].
type Error struct {
	// Code is the stable name, one of the Code constants but for [ErrInvalidStatus].
	Code Code
	// Subcode is what in particular it was, where the code covers several things: of [ErrTLS] it is
	// "expired", "not-yet-valid", "wrong-name", "unknown-authority", "bad-certificate", "ca-file",
	// "client-certificate" or "protocol", and there may be more. "": nothing more is known.
	Subcode string
	// Message says what failed, where and why, for people.
	Message string
	// URL is the job's, as it was handed in; "" for an error of a call.
	URL string

	cause error
}

// Error gives the message, the URL before it if the message does not tell it.
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

// Unwrap gives what a cancelled job was cancelled for; nil for all others.
func (e *Error) Unwrap() error { return e.cause }

// Timeout tells whether a time limit was over.
func (e *Error) Timeout() bool {
	switch e.Code {
	case ErrConnectTimeout, ErrReadTimeout, ErrTimeout:
		return true
	}
	return false
}

// Temporary tells whether the failure is of a kind that [Options.Retry] tries again, time-outs
// included.
func (e *Error) Temporary() bool {
	switch e.Code {
	case ErrNameResolution, ErrConnectionRefused, ErrConnectionAborted, ErrConnection,
		ErrNoRouteToHost, ErrUnreachableNetwork, ErrProxy, ErrSend, ErrReceive, ErrProtocol:
		return true
	}
	return e.Timeout()
}
