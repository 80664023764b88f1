package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// tokenServer answers as a registry and its token server do, without looking at who asks: what is measured is the asking side.
func tokenServer(secure bool) *httptest.Server {
	var base string
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	header, signature := part(`{"typ":"JWT","alg":"ES256","kid":"PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6"}`), part(strings.Repeat("s", 64))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+base+`/token",service="registry.example.com"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		now := time.Now().Unix()
		body := `{"token":"` + header + "." + part(fmt.Sprintf(
			`{"iss":"auth","sub":"rise","aud":"registry.example.com","exp":%d,"nbf":%d,"iat":%d,"jti":"tYJCO1c6cnyy7kAn0c7rKPgbV1H1bFws",`+
				`"access":[{"type":"repository","name":"rise-apps/hello","actions":["pull","push"]}]}`, now+3600, now, now)) + "." + signature + `","expires_in":3600}`
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = io.WriteString(w, body)
	}))
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	base = server.URL
	return server
}

// tokenAuth measures a new credential of type oci-token-auth beside one bare round trip to the same token server: a kept connection, the login, and the answer's JSON.
func (r *report) tokenAuth(ctx context.Context, secure bool, n sizes) error {
	server := tokenServer(secure)
	defer server.Close()
	const password = "correct-horse-battery"
	p, err := tokenauth.New(tokenauth.Config{RegistryURL: server.URL, Namespace: "rise-apps", Username: "rise", Password: provider.NewSecret(password)})
	if err != nil {
		return err
	}
	defer func() { _ = provider.Close(p) }()
	bare := http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	defer bare.CloseIdleConnections()
	address := server.URL + "/token?service=registry.example.com&scope=" + url.QueryEscape("repository:rise-apps/hello:pull,push")
	subjects := []subject{
		{"a bare round trip", func(ctx context.Context) error { return bareToken(ctx, &bare, address, password) }},
		{ours, func(ctx context.Context) error {
			_, err := provider.Issue(ctx, p, push)
			return err
		}},
	}
	costs := make([][]cost, 2)
	var times, cores []float64
	for range n.rounds {
		for i, s := range subjects {
			c, err := timed(ctx, s, n.operations*10)
			if err != nil {
				return fmt.Errorf("oci-token-auth: %s: %w", s.name, err)
			}
			costs[i] = append(costs[i], c)
		}
		bare, own := costs[0][len(times)], costs[1][len(times)]
		times, cores = append(times, ratio(own.time, bare.time)), append(cores, ratio(own.cores, bare.cores))
	}
	protocol := "plain HTTP"
	if secure {
		protocol = "TLS"
	}
	bareTime, bareCores, bareAllocs := medians(costs[0])
	ownTime, ownCores, ownAllocs := medians(costs[1])
	_, _ = fmt.Fprintf(r.w, "\nA new credential of oci-token-auth, %s, beside one bare round trip to the token server: %s and %s (%.2f ×), on a core %s and %s, %.0f and %.0f allocations\n",
		protocol, rounded(ownTime), rounded(bareTime), median(times), rounded(ownCores), rounded(bareCores), ownAllocs, bareAllocs)
	r.atMost("oci-token-auth, "+protocol+": a cold credential's time on a core by a bare round trip's", median(cores), 1.10)
	return nil
}

// cost is what one operation costs, the server's part included.
type cost struct {
	time, cores time.Duration
	allocs      float64
}

func medians(all []cost) (wall, cores time.Duration, allocs float64) {
	var walls, used []time.Duration
	var allocated []float64
	for _, c := range all {
		walls, used, allocated = append(walls, c.time), append(used, c.cores), append(allocated, c.allocs)
	}
	return median(walls), median(used), median(allocated)
}

// bareToken is the least that a token costs: nothing of what comes is looked at.
func bareToken(ctx context.Context, client *http.Client, address, password string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r.SetBasicAuth("rise", password)
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return err
	}
	var said struct {
		Token     string `json:"token"`
		ExpiresIn int    `json:"expires_in"`
	}
	return json.Unmarshal(text, &said)
}

// timed does so many operations.
func timed(ctx context.Context, s subject, operations int) (cost, error) {
	if err := s.get(ctx); err != nil {
		return cost{}, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	used, err := coreTime()
	if err != nil {
		return cost{}, err
	}
	start := time.Now()
	for range operations {
		if err := s.get(ctx); err != nil {
			return cost{}, err
		}
	}
	took := time.Since(start)
	usedAfter, err := coreTime()
	if err != nil {
		return cost{}, err
	}
	runtime.ReadMemStats(&after)
	n := time.Duration(operations)
	return cost{took / n, (usedAfter - used) / n, float64(after.Mallocs-before.Mallocs) / float64(operations)}, nil
}
