package imageregistry

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

var (
	namePattern = regexp.MustCompile(`^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagPattern  = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
	idPattern   = regexp.MustCompile(`^[A-Z2-7]{1,64}$`) // what rand.Text makes
)

func isName(s string) bool { return len(s) <= 255 && namePattern.MatchString(s) }

// AccessOf reads from a request's method and path what it wants, or what it is answered without that anybody is asked. It knows the specification's routes in
// their one spelling: a path with "..", "//", a needless escape or anything else that somebody could read as another path is none of them. Whoever serves a
// Registry and has to know in advance what it will ask, to count or to log, asks here; of a mount it tells the Push only.
func AccessOf(r *http.Request) (Access, *Error) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v2/")
	if !ok || r.URL.RawPath != "" { // net/url keeps the raw path only if escaping wouldn't give it again
		return Access{}, noRoute()
	}
	switch path {
	case "":
		return method(r, Access{}, Ping, http.MethodGet, http.MethodHead)
	case "_catalog":
		return method(r, Access{}, Catalog, http.MethodGet)
	}
	// A name may end like a route, so that routes are told by their last elements.
	elements := strings.Split(path, "/")
	if len(elements) < 3 {
		return Access{}, noRoute()
	}
	name, kind, last := elements[:len(elements)-2], elements[len(elements)-2], elements[len(elements)-1]
	if kind == "uploads" && name[len(name)-1] == "blobs" {
		name, kind = name[:len(name)-1], "blobs/uploads"
	}
	a := Access{Repository: strings.Join(name, "/"), Reference: last}
	var err *Error
	switch {
	case kind == "blobs/uploads" && last == "":
		a.Resource = Upload
		a, err = method(r, a, Push, http.MethodPost)
	case kind == "blobs/uploads" && idPattern.MatchString(last):
		a.Resource = Upload
		a, err = method(r, a, Push, http.MethodGet, http.MethodPatch, http.MethodPut, http.MethodDelete)
	case kind == "blobs":
		a.Resource = Blob
		a, err = method(r, a, Pull, http.MethodGet, http.MethodHead, http.MethodDelete)
	case kind == "manifests":
		a.Resource = Manifest
		a, err = method(r, a, Pull, http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete)
	case kind == "referrers":
		a.Resource = Manifest
		a, err = method(r, a, ListReferrers, http.MethodGet)
	case kind == "tags" && last == "list":
		a.Reference = ""
		a, err = method(r, a, ListTags, http.MethodGet)
	default:
		return Access{}, noRoute()
	}
	switch {
	case err != nil:
		return Access{}, err
	case !isName(a.Repository):
		return Access{}, errorf(http.StatusBadRequest, "NAME_INVALID", "%q is no name of a repository", a.Repository)
	case a.Resource == Manifest && a.Action != ListReferrers && tagPattern.MatchString(last):
	case (a.Resource == Manifest || a.Resource == Blob) && !isDigest(last):
		return Access{}, badDigest(last)
	}
	return a, nil
}

// method completes an access of which the path is known: its action, unless the method is one that says another.
func method(r *http.Request, a Access, action Action, allowed ...string) (Access, *Error) {
	if !slices.Contains(allowed, r.Method) {
		err := errorf(http.StatusMethodNotAllowed, "UNSUPPORTED", "not a method for this")
		err.Header = http.Header{"Allow": {strings.Join(allowed, ", ")}}
		return Access{}, err
	}
	a.Action = action
	switch {
	case a.Resource == Upload: // whoever may push may cancel what it began
	case r.Method == http.MethodPut:
		a.Action = Push
	case r.Method == http.MethodDelete:
		a.Action = Delete
	}
	return a, nil
}

func noRoute() *Error {
	return errorf(http.StatusNotFound, "UNSUPPORTED", "not a path of the OCI distribution specification")
}
