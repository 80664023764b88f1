package provider_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// A controller writes a pull secret for a project and pushes an image. Passwords of this registry end after 16
// requests, so a push of some layers outlives them: the keychain asks for new ones as it goes.
func ExampleNewKeychain() {
	ctx := context.Background()
	server, passwords := shortLived(16)
	defer server.Close()
	p := newVending(strings.TrimPrefix(server.URL, "http://"), passwords.next)

	c, err := provider.Issue(ctx, p, provider.Request{Project: "hello", Access: provider.Pull, Consumer: provider.Cluster})
	if err != nil {
		fmt.Println(err)
		return
	}
	secret, err := c.PullSecret()
	fmt.Println("pull secret:", len(secret) > 0, err)

	r := provider.Request{Project: "hello", Access: provider.Push}
	repository, err := p.Repository(r.Project, r.Consumer)
	if err != nil {
		fmt.Println(err)
		return
	}
	image, err := random.Image(1024, 8)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = remote.Write(repository.Tag("v1"), image, remote.WithContext(ctx), remote.WithAuthFromKeychain(provider.NewKeychain(p, r, nil)),
		remote.WithJobs(1)) // else others' requests, in which this registry measures time, may end a password before its first use
	fmt.Println("pushed:", err)
	fmt.Println("passwords that ended during the push:", passwords.ended.Load() > 0)
	// Output:
	// pull secret: true <nil>
	// pushed: <nil>
	// passwords that ended during the push: true
}

// lives measures time in requests: a password ends when life more of them have come in since it was sold.
type lives struct {
	life     int64
	requests atomic.Int64
	ended    atomic.Int64
	last     atomic.Int64
}

// next sells a password, the same one for half of its life, as a cache would.
func (l *lives) next(provider.Request) (string, time.Time) {
	now, last := l.requests.Load(), l.last.Load()
	if last == 0 || now > last+l.life/2 {
		if l.last.CompareAndSwap(last, now+1) && last != 0 {
			l.ended.Add(1)
		}
	}
	return strconv.FormatInt(l.last.Load(), 10), time.Now().Add(time.Hour)
}

func (l *lives) valid(password string) bool {
	sold, err := strconv.ParseInt(password, 10, 64)
	return err == nil && l.requests.Add(1) <= sold+l.life
}

func shortLived(life int64) (*httptest.Server, *lives) {
	l := &lives{life: life}
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); !l.valid(password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="short-lived"`)
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		images.ServeHTTP(w, r)
	})), l
}
