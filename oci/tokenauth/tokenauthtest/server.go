package tokenauthtest

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/imageregistry"
)

// Config says what a [Server] is. Kind is required.
type Config struct {
	Kind     Kind
	Accounts []Account
	// Life is how long tokens live. Default: the kind's own.
	Life time.Duration
	// Workload is who Entra knows, for [ACR]. Default: nobody.
	Workload Workload
}

// Server is a token server and its registry, on loopback. All its methods are safe for concurrent use.
type Server struct {
	// RegistryHost is the registry's host and port.
	RegistryHost string
	// TokenURL is where tokens are asked for: on the registry's host, or for some kinds on another.
	TokenURL string
	// EntraURL is the double of Entra's for ACR's Workload.
	EntraURL string

	config   Config
	behavior behavior
	service  string
	signer   signer
	gate     *gate
	entra    *directory
	memory   *imageregistry.Registry
	servers  []*http.Server
	serving  sync.WaitGroup

	mu       sync.Mutex // of what follows
	behind   *httputil.ReverseProxy
	wrap     func(http.Handler) http.Handler
	grant    func(username string, granted []Access) []Access
	claims   func(map[string]any)
	requests []Request
	created  []string
}

// NewServer starts one. It panics when it can't listen, or has no kind. Call Close when done.
func NewServer(config Config) *Server {
	if config.Kind < GitLab || config.Kind > Google {
		panic("tokenauthtest: a server needs a kind")
	}
	s := &Server{config: config, behavior: config.Kind.behavior()}
	if config.Life > 0 {
		s.behavior.life = config.Life
	}
	var err error
	if s.signer, err = newSigner(); err != nil {
		panic(err)
	}
	s.gate = &gate{kind: config.Kind, signer: s.signer, opaque: map[string]*Account{}}
	s.entra = newDirectory(config.Workload, s.signer, s.behavior)
	s.memory = imageregistry.New(s.gate.authorize)
	s.RegistryHost = s.listen(http.HandlerFunc(s.serveRegistry))
	host := s.RegistryHost
	if s.behavior.elsewhere {
		_, port, _ := net.SplitHostPort(s.listen(http.HandlerFunc(s.serveTokens)))
		host = net.JoinHostPort("localhost", port) // go-containerregistry goes to no other private address than the registry's own
	}
	s.TokenURL = "http://" + host + s.behavior.path
	s.EntraURL = "http://" + s.listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.note(r, true)
		s.wrapped(http.HandlerFunc(s.entra.serveEntra)).ServeHTTP(w, r)
	}))
	if s.service = s.behavior.service; s.service == "" {
		s.service = s.RegistryHost
	}
	s.gate.service, s.gate.tokenURL = s.service, s.TokenURL
	return s
}

// listen serves h on loopback and returns its address.
func (s *Server) listen(h http.Handler) string {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	s.servers = append(s.servers, server)
	s.serving.Go(func() { _ = server.Serve(listener) })
	return listener.Addr().String()
}

// Close ends it, and what it is being asked.
func (s *Server) Close() {
	for _, server := range s.servers {
		_ = server.Close()
	}
	s.serving.Wait()
}

// Authority is the certificate that a registry has to trust (rootcertbundle of distribution's) to take the tokens, in PEM; Service and Issuer are what it is told too.
func (s *Server) Authority() []byte { return s.signer.pem() }

// Service is the registry's name for itself.
func (s *Server) Service() string { return s.service }

// Issuer is whose tokens they are.
func (s *Server) Issuer() string { return s.behavior.issuer }

// Proxy puts a registry, by its host and port, in the place of the one in memory.
func (s *Server) Proxy(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: address})
		r.Out.Host = r.In.Host
	}}
}

// Wrap changes how registry, token server and Entra answer from now on: wrap gets what would answer. Nil: as before.
func (s *Server) Wrap(wrap func(http.Handler) http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrap = wrap
}

// Grant changes what tokens are good for from now on. Nil: as before.
func (s *Server) Grant(change func(username string, granted []Access) []Access) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grant = change
}

// Claims changes what tokens say from now on. Nil: as before.
func (s *Server) Claims(change func(map[string]any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims = change
}

// RevokeRefreshTokens has those that an ACR handed out refused from now on.
func (s *Server) RevokeRefreshTokens() { s.entra.revoke() }

// Requests are those that arrived so far, in order, unanswered ones included.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Created are the repositories that being asked for push made, as Quay does.
func (s *Server) Created() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.created)
}

func (s *Server) note(r *http.Request, tokenServer bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, requestOf(r, tokenServer))
}

func (s *Server) wrapped(h http.Handler) http.Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wrap != nil {
		return s.wrap(h)
	}
	return h
}

// serveRegistry answers at the registry's host.
func (s *Server) serveRegistry(w http.ResponseWriter, r *http.Request) {
	if !s.behavior.elsewhere && (r.URL.Path == s.behavior.path || r.URL.Path == "/oauth2/exchange") {
		s.serveTokens(w, r)
		return
	}
	s.note(r, false)
	s.mu.Lock()
	h := http.Handler(s.memory)
	if s.behind != nil {
		h = s.behind
	}
	s.mu.Unlock()
	s.wrapped(h).ServeHTTP(w, r)
}

// serveTokens answers as the token server.
func (s *Server) serveTokens(w http.ResponseWriter, r *http.Request) {
	s.note(r, true)
	h := http.HandlerFunc(s.token)
	if s.config.Kind == ACR && r.URL.Path == "/oauth2/exchange" {
		h = func(w http.ResponseWriter, r *http.Request) { s.entra.serveExchange(s.service, w, r) }
	}
	s.wrapped(h).ServeHTTP(w, r)
}

// account finds who asks, and what for. ok is false for a login that is wrong.
func (s *Server) account(r *http.Request) (a *Account, service string, asked []Access, ok bool) {
	if s.config.Kind == ACR && r.Method == http.MethodPost {
		_ = r.ParseForm()
		name := s.entra.whose(r.PostFormValue("refresh_token"))
		i := slices.IndexFunc(s.config.Accounts, func(a Account) bool { return a.Username == name })
		if name == "" || i < 0 || r.PostFormValue("grant_type") != "refresh_token" {
			return nil, "", nil, false
		}
		return &s.config.Accounts[i], r.PostFormValue("service"), parse(r.PostForm["scope"]), true
	}
	query := r.URL.Query()
	service, asked = query.Get("service"), parse(query["scope"])
	user, password, given := r.BasicAuth()
	i := slices.IndexFunc(s.config.Accounts, func(a Account) bool { return a.Username == user && a.Password == password })
	if !given || i < 0 && s.behavior.wrongIsNobody {
		return nil, service, asked, len(asked) > 0
	}
	if i < 0 {
		return nil, service, asked, false
	}
	return &s.config.Accounts[i], service, asked, true
}

// token answers who asks for one.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && (s.config.Kind != ACR || r.Method != http.MethodPost) {
		http.NotFound(w, r)
		return
	}
	account, service, asked, ok := s.account(r)
	if !ok {
		s.behavior.refusal(w)
		return
	}
	if service != s.service {
		writeJSON(w, http.StatusBadRequest, map[string]any{"errors": []any{map[string]any{"code": "UNSUPPORTED", "message": "Invalid service specified"}}})
		return
	}
	now := time.Now()
	token, err := s.make(account, asked, now)
	if err != nil {
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	writeJSON(w, http.StatusOK, s.behavior.answer(token, s.behavior.life, now))
}

func (s *Server) make(account *Account, asked []Access, now time.Time) (string, error) {
	s.mu.Lock()
	change, edit := s.grant, s.claims
	s.mu.Unlock()
	name := ""
	if account != nil {
		name = account.Username
	}
	claims := map[string]any{"exp": now.Add(s.behavior.life).Unix(), "nbf": now.Unix()}
	switch {
	case s.config.Kind == Gitea:
		claims["UserID"], claims["Scope"], claims["ActionsUserTaskID"] = 7, "write:package", 0
	case !s.config.Kind.Scoped():
		token := s.config.Kind.opaque(rand.Text())
		s.gate.know(token, account)
		return token, nil
	default:
		granted := s.behavior.grant(asked, account)
		if s.behavior.creates {
			s.create(granted)
		}
		if change != nil {
			granted = change(name, granted)
		}
		entries := []any{}
		for _, g := range granted {
			entry := map[string]any{"type": "repository", "name": g.Repository, "actions": append([]string{}, g.Actions...)}
			if s.behavior.meta != nil {
				s.behavior.meta(g.Repository, entry)
			}
			entries = append(entries, entry)
		}
		claims["iss"], claims["aud"], claims["sub"], claims["jti"] = s.behavior.issuer, s.service, name, rand.Text()
		claims["iat"], claims["access"] = now.Unix(), entries
	}
	if edit != nil {
		edit(claims)
	}
	token, err := s.signer.sign(claims)
	if s.config.Kind == Gitea {
		s.gate.know(token, account)
	}
	return token, err
}

func (s *Server) create(granted []Access) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range granted {
		if slices.Contains(g.Actions, "push") && !slices.Contains(s.created, g.Repository) {
			s.created = append(s.created, g.Repository)
		}
	}
}
