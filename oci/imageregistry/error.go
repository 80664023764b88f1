package imageregistry

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
)

// Error is an answer that isn't success.
type Error struct {
	Status  int         // of HTTP; default 403
	Code    string      // of the OCI distribution specification, such as UNAUTHORIZED; default DENIED
	Message string      // for people
	Header  http.Header // more headers, such as WWW-Authenticate; may be nil
}

func errorf(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

func unknownName(name string) *Error {
	return errorf(http.StatusNotFound, "NAME_UNKNOWN", "there is no repository %s", name)
}

// write answers a request with the error.
func (e *Error) write(w http.ResponseWriter, r *http.Request) {
	status, code := e.Status, e.Code
	if status == 0 {
		status = http.StatusForbidden
	}
	if code == "" {
		code = "DENIED"
	}
	type one struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	maps.Copy(w.Header(), e.Header)
	writeJSON(w, r, status, "application/json", map[string][]one{"errors": {{code, e.Message}}})
}

// writeJSON answers with JSON.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, mediaType string, v any) {
	body, _ := json.Marshal(v) // strings, numbers, and structs, maps and slices of them
	writeBytes(w, r, status, mediaType, body)
}

// writeBytes answers with a body, which HEAD goes without.
func writeBytes(w http.ResponseWriter, r *http.Request, status int, mediaType string, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that is gone needs no answer
	}
}
