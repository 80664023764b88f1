package tokenauthtest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// Request is one that arrived.
type Request struct {
	// TokenServer: it came to the token server, or to Entra; else to the registry.
	TokenServer bool
	Method      string
	Path        string
	Scopes      []string
	// Username is of Basic authentication; empty without.
	Username string
	// Authorized: there was an Authorization header or a form, which may hold secrets.
	Authorized bool
}

func requestOf(r *http.Request, tokenServer bool) Request {
	user, _, _ := r.BasicAuth()
	return Request{
		TokenServer: tokenServer, Method: r.Method, Path: r.URL.Path, Scopes: r.URL.Query()["scope"], Username: user,
		Authorized: r.Header.Get("Authorization") != "" || strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded"),
	}
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
