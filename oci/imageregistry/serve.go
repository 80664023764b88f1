package imageregistry

import "net/http"

// ServeHTTP implements http.Handler.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	a, err := AccessOf(req)
	if err == nil {
		err = r.authorize(req, a)
	}
	if err == nil {
		err = r.serve(w, req, a)
	}
	if err != nil {
		err.write(w, req)
	}
}

// serve carries out what is allowed.
func (r *Registry) serve(w http.ResponseWriter, req *http.Request, a Access) *Error {
	switch a.Resource {
	case Blob:
		return r.blob(w, req, a)
	case Upload:
		return r.upload(w, req, a)
	case Manifest:
		if a.Action == ListReferrers {
			return r.listReferrers(w, req, a)
		}
		return r.manifest(w, req, a)
	}
	switch a.Action {
	case ListTags:
		return r.listTags(w, req, a.Repository)
	case Catalog:
		return r.catalog(w, req)
	default:
		writeBytes(w, req, http.StatusOK, "application/json", []byte("{}"))
		return nil
	}
}
