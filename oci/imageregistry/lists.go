package imageregistry

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// listTags lists a repository's tags.
func (r *Registry) listTags(w http.ResponseWriter, req *http.Request, name string) *Error {
	r.mu.Lock()
	repo := r.repositories[name]
	var tags []string
	if repo != nil {
		tags = slices.Sorted(maps.Keys(repo.tags))
	}
	r.mu.Unlock()
	if repo == nil {
		return unknownName(name)
	}
	page, err := pageOf(w, req, tags)
	if err != nil {
		return err
	}
	writeJSON(w, req, http.StatusOK, "application/json", map[string]any{"name": name, "tags": page})
	return nil
}

// catalog lists the repositories.
func (r *Registry) catalog(w http.ResponseWriter, req *http.Request) *Error {
	r.mu.Lock()
	names := slices.Sorted(maps.Keys(r.repositories))
	r.mu.Unlock()
	page, err := pageOf(w, req, names)
	if err != nil {
		return err
	}
	writeJSON(w, req, http.StatusOK, "application/json", map[string]any{"repositories": page})
	return nil
}

// pageOf cuts a sorted list to the n entries after last, if the query has these, and links to what follows.
func pageOf(w http.ResponseWriter, req *http.Request, list []string) ([]string, *Error) {
	query := req.URL.Query()
	start, found := slices.BinarySearch(list, query.Get("last"))
	if found {
		start++
	}
	page := append([]string{}, list[start:]...) // never null
	if query.Get("n") == "" {
		return page, nil
	}
	n, err := strconv.Atoi(query.Get("n"))
	if err != nil || n < 0 {
		return nil, errorf(http.StatusBadRequest, "PAGINATION_NUMBER_INVALID", "%q is no number of entries", query.Get("n"))
	}
	if n < len(page) {
		page = page[:n]
		if n > 0 {
			next := url.Values{"n": {strconv.Itoa(n)}, "last": {page[n-1]}}
			w.Header().Set("Link", "<"+req.URL.Path+"?"+next.Encode()+`>; rel="next"`)
		}
	}
	return page, nil
}
