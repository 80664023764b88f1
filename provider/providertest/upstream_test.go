package providertest_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// The registry that the tests' providers hand out credentials for, and its API's key.
const (
	host   = "registry.example.com"
	prefix = "rise/"
	apiKey = "key-of-the-vending-API"
)

// upstream is a registry with an API that vends logins for it. A login names what it opens, a pattern of projects, and until
// when, and its password is a signature of that. It is reached without a network, as an http.RoundTripper.
type upstream struct {
	end   <-chan struct{} // lets go of what hangs
	calls atomic.Int64
	fault atomic.Pointer[http.HandlerFunc]
	key   string                     // what the passwords are signed with
	lax   func(r *http.Request) bool // what any login may do, by mistake; nil is nothing

	mu           sync.Mutex
	repositories map[string]http.Handler
	owners       map[string]string // ids, by project
	suspended    map[string]bool
}

func newUpstream(t *testing.T) *upstream {
	t.Helper()
	return &upstream{end: t.Context().Done(), key: rand.Text(), repositories: make(map[string]http.Handler), owners: make(map[string]string), suspended: make(map[string]bool)}
}

// RoundTrip implements http.RoundTripper.
func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context())
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	switch {
	case strings.HasPrefix(r.URL.Path, "/v2/"):
		u.serveImages(w, in)
	case !u.vend(w, in):
		return nil, r.Context().Err()
	}
	out := w.Result()
	out.Request = r
	return out, nil
}

// vend serves the API. It reports false when it hung until the caller left.
func (u *upstream) vend(w http.ResponseWriter, r *http.Request) bool {
	u.calls.Add(1)
	if fault := u.fault.Load(); fault != nil {
		(*fault)(w, r)
		return r.Context().Err() == nil
	}
	if r.Header.Get("Authorization") != "Bearer "+apiKey {
		http.Error(w, "who are you?", http.StatusForbidden)
		return true
	}
	lifetime, err := time.ParseDuration(r.URL.Query().Get("lifetime"))
	if err != nil {
		http.Error(w, "for how long?", http.StatusBadRequest)
		return true
	}
	answer(w, newLogin(u.key, r.URL.Query().Get("pattern"), r.URL.Query().Get("rights"), time.Now().Add(lifetime)))
	return true
}

func answer(w http.ResponseWriter, l login) {
	_ = json.NewEncoder(w).Encode(l)
}

// fails returns a fault: the API answers with this.
func (u *upstream) fails(status int, body string) func() {
	return u.does(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// vendsExpired is the fault that the API vends logins which have expired.
func (u *upstream) vendsExpired() {
	u.does(func(w http.ResponseWriter, r *http.Request) {
		answer(w, newLogin(u.key, r.URL.Query().Get("pattern"), "pull", time.Now().Add(-time.Minute)))
	})()
}

// grants is the fault that the API vends logins for something else than was asked for.
func (u *upstream) grants(change func(pattern, rights string) (otherPattern, otherRights string)) func() {
	return u.does(func(w http.ResponseWriter, r *http.Request) {
		pattern, rights := change(r.URL.Query().Get("pattern"), r.URL.Query().Get("rights"))
		answer(w, newLogin(u.key, pattern, rights, time.Now().Add(time.Hour)))
	})
}

// less is a pull for a push, and nothing for a pull; more is a push for a pull, and more projects for a push.
func less(pattern, rights string) (otherPattern, otherRights string) {
	if rights == "push" {
		return pattern, "pull"
	}
	return pattern, "none"
}

func more(pattern, rights string) (otherPattern, otherRights string) {
	if rights == "pull" {
		return pattern, "push"
	}
	return pattern + "*", rights
}

// hangs is the fault that the API doesn't answer.
func (u *upstream) hangs() {
	u.does(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-u.end:
		}
	})()
}

func (u *upstream) does(fault http.HandlerFunc) func() { return func() { u.fault.Store(&fault) } }

// login is what the API vends.
type login struct {
	Username string    `json:"username"`
	Password string    `json:"password"`
	Expires  time.Time `json:"expires"`
}

func newLogin(key, pattern, rights string, expires time.Time) login {
	username := fmt.Sprintf("%s,%s,%d", pattern, rights, expires.Unix())
	return login{Username: username, Password: signature(key, username), Expires: expires.Truncate(time.Second)}
}

func signature(key, username string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(username))
	return hex.EncodeToString(mac.Sum(nil))
}

// loginExpiry is when the registry refuses a user name.
func loginExpiry(username string) time.Time {
	seconds, err := strconv.ParseInt(username[strings.LastIndexByte(username, ',')+1:], 10, 64)
	if err != nil {
		return time.Unix(1, 0)
	}
	return time.Unix(seconds, 0)
}

// serveImages serves the OCI distribution API. Repositories appear when they are pushed to, each with its own layers.
func (u *upstream) serveImages(w http.ResponseWriter, r *http.Request) {
	username, password, _ := r.BasicAuth()
	rights := strings.Split(username, ",")
	switch {
	case password == "" || password != signature(u.key, username) || len(rights) != 3:
		w.Header().Set("WWW-Authenticate", `Basic realm="vending"`)
		http.Error(w, "log in", http.StatusUnauthorized)
		return
	case !time.Now().Before(loginExpiry(username)):
		http.Error(w, "expired", http.StatusForbidden)
		return
	case r.URL.Path == "/v2/":
		return
	}
	lax := u.lax != nil && u.lax(r)
	if lax && r.URL.Path == "/v2/_catalog" {
		u.serveCatalog(w)
		return
	}
	project, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"+prefix), "/")
	if !lax && !u.opens(rights, project, r.Method) {
		http.Error(w, "not yours", http.StatusForbidden)
		return
	}
	if from, ok := strings.CutPrefix(r.URL.Query().Get("from"), prefix); ok && (lax || u.opens(rights, from, http.MethodGet)) {
		if u.mount(r, project, from) {
			w.WriteHeader(http.StatusCreated)
			return
		}
	}
	u.repository(project).ServeHTTP(w, r)
}

// handOver gives a project's name to the project of that id.
func (u *upstream) handOver(project, id string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.owners[project] = id
	return nil
}

// suspend has all logins refused at a project.
func (u *upstream) suspend(project string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.suspended[project] = true
	return nil
}

// opens reports whether rights cover a method at a project, whose id they may name after an @. The right "write" is one that no credential should be: it writes
// without reading.
func (u *upstream) opens(rights []string, project, method string) bool {
	pattern, id, bound := strings.Cut(rights[0], "@")
	if matched, err := path.Match(pattern, project); err != nil || !matched {
		return false
	}
	u.mu.Lock()
	owner, owned := u.owners[project]
	suspended := u.suspended[project]
	u.mu.Unlock()
	if suspended || bound && owned && owner != id {
		return false
	}
	switch method {
	case http.MethodGet:
		return rights[1] == "pull" || rights[1] == "push"
	case http.MethodHead:
		return true
	default:
		return rights[1] == "push" || rights[1] == "write"
	}
}

func (u *upstream) serveCatalog(w http.ResponseWriter) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var names []string
	for project := range u.repositories {
		names = append(names, prefix+project)
	}
	_ = json.NewEncoder(w).Encode(map[string][]string{"repositories": names})
}

func (u *upstream) repository(project string) http.Handler {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.repositories[project] == nil {
		u.repositories[project] = registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	}
	return u.repositories[project]
}

// mount copies a layer from one repository into another.
func (u *upstream) mount(r *http.Request, project, from string) bool {
	digest := r.URL.Query().Get("mount")
	got, put := httptest.NewRecorder(), httptest.NewRecorder()
	u.repository(from).ServeHTTP(got, httptest.NewRequestWithContext(r.Context(), http.MethodGet,
		"/v2/"+prefix+from+"/blobs/"+digest, nil))
	if got.Code != http.StatusOK {
		return false
	}
	u.repository(project).ServeHTTP(put, httptest.NewRequestWithContext(r.Context(), http.MethodPost,
		"/v2/"+prefix+project+"/blobs/uploads/?digest="+digest, bytes.NewReader(got.Body.Bytes())))
	return put.Code == http.StatusCreated
}
