// Package imageregistry is a small OCI registry in memory, for development and tests: one idea, each request is told to a function of yours, which
// allows it or says what the client is answered.
//
//	images := imageregistry.New(func(r *http.Request, a imageregistry.Access) *imageregistry.Error {
//		if a.Repository == "hello" || a.Action == imageregistry.Ping {
//			return nil
//		}
//		return &imageregistry.Error{Status: http.StatusForbidden, Code: "DENIED", Message: "only hello is yours"}
//	})
//	server := httptest.NewServer(images)
//	defer server.Close()
//	// docker push, crane copy, oras pull, … at server.Listener.Addr()
//
// Blobs belong to a repository: neither reading, deleting nor an upload reaches those of another, and a mount does only where the function allows
// MountFrom there. It serves the routes of the OCI distribution specification, passes its conformance program, digests by SHA-512 included, and has
// the catalog that is older than the specification. A path that isn't in canonical form is no route. What it holds is bounded (WithMaxBytes).
package imageregistry
