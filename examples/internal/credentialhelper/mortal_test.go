package credentialhelper_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rise-deploy/rise-registry-go/configload"
	"github.com/rise-deploy/rise-registry-go/examples/internal/realtest"
)

// mortal is a service with a registry, of which all that it has handed out can end at once: credentials and tokens.
type mortal struct {
	service
	mu      sync.Mutex
	seen    map[string]bool // by the Authorization header that showed it
	dead    map[string]bool
	writes  int // since watch
	endAt   int
	hold    time.Duration
	logins  map[string]bool // at the token server, since watch
	refused int
}

// newMortal has sessions of a minute, the shortest. Nobody has to wait for their end.
func newMortal(t *testing.T) *mortal {
	t.Helper()
	m := &mortal{seen: map[string]bool{}, dead: map[string]bool{}}
	endpoint, images := realtest.FreeAddress(t), realtest.FreeAddress(t)
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: images})
		r.Out.Host = r.In.Host // which the realm and the locations name
		if m.died(r.In, m.passwordOf(r)) {
			r.Out.Header.Set("Authorization", "Bearer expired")
			if r.In.URL.Path == "/token" {
				r.Out.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("rise:expired")))
			}
		}
	}, ErrorLog: log.New(io.Discard, "", 0)}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	m.service = serveOn(t, endpoint, images, configload.Loader{Dir: home(t, map[string]string{"development.yaml": fmt.Sprintf(`
server: {listen: %q}
auth: {tokens: [{token: %s, subject: developer, projects: ["*"], access: push}]}
embedded_registry: {listen: %q}
registry: {type: oci-token-issuer, registry_url: %q, session_duration: 1m, token_duration: 1m}
`, endpoint, longToken, images, strings.TrimPrefix(front.URL, "http://"))}), LookupEnv: lookup(nil)})
	m.registry = strings.TrimPrefix(front.URL, "http://")
	return m
}

// watch ends everything at a later write, or holds that write until it has ended by itself.
func (m *mortal) watch(endAt int, hold time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endAt, m.hold, m.writes, m.refused, m.logins = endAt, hold, 0, 0, map[string]bool{}
}

// passwordOf is that of a form, as OAuth has it. It is taken out, and is in the header from then on.
func (*mortal) passwordOf(r *httputil.ProxyRequest) (shown string) {
	if r.In.URL.Path != "/token" || r.In.Method != http.MethodPost {
		return ""
	}
	body, err := io.ReadAll(r.In.Body)
	form, err2 := url.ParseQuery(string(body))
	if err != nil || err2 != nil {
		return ""
	}
	r.Out.Body, r.Out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if form.Get("password") == "" {
		return ""
	}
	r.Out.SetBasicAuth("rise", form.Get("password"))
	shown = r.Out.Header.Get("Authorization")
	form.Del("password")
	form.Del("username")
	query := r.Out.URL.Query()
	for key, values := range form {
		query[key] = values
	}
	r.Out.Method, r.Out.URL.RawQuery, r.Out.Body, r.Out.ContentLength = http.MethodGet, query.Encode(), nil, 0
	r.Out.Header.Del("Content-Type")
	return shown
}

// died reports whether what a request shows has ended.
func (m *mortal) died(r *http.Request, password string) bool {
	shown := cmp.Or(password, r.Header.Get("Authorization"))
	died, hold := m.note(r, shown)
	if hold > 0 {
		select {
		case <-time.After(hold):
		case <-r.Context().Done():
		}
	}
	return died
}

func (m *mortal) note(r *http.Request, shown string) (died bool, hold time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if shown != "" {
		m.seen[shown] = true
		if r.URL.Path == "/token" && m.logins != nil {
			m.logins[shown] = true
		}
	}
	if r.Method == http.MethodPut || r.Method == http.MethodPost && r.URL.Path != "/token" {
		if m.writes++; m.writes == m.endAt && m.hold > 0 {
			hold = m.hold
		} else if m.writes == m.endAt {
			maps.Copy(m.dead, m.seen)
		}
	}
	if m.dead[shown] {
		m.refused++
	}
	return m.dead[shown], hold
}

func (m *mortal) result() (logins, refused int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.logins), m.refused
}
