package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rise-deploy/rise-registry-go/registry/client"
)

const (
	unavailable = "refused or failed, and asked again"
	cut         = "connections that were lost or refused, and asked again"
	answered    = "credentials handed out"
	refusedKept = "refused while a valid credential was kept"
	cutKept     = "cut by a replica that was to end"
	mixedUp     = "mixed up"
	strangers   = "another team's project handed out"
	gaveUp      = "no credential after two minutes of asking again"
	unusable    = "credentials that don't open their repository, or open another's"
	distinct    = "different credentials, each tried at the registry"
	stalled     = "refused while the audit log couldn't be written"
	notTheirs   = "asked for another team's project"
)

// patience is how long a client asks again for.
const patience = 2 * time.Minute

// clients ask, and judge what they get.
type clients struct {
	fleet *fleet
	found *ledger
	http  *http.Client
	aws   *http.Client

	mu      sync.Mutex
	kept    map[string]kept
	given   map[string]string // project by password
	arrived map[string]int    // by project
}

// kept is what a replica has kept for a project.
type kept struct {
	replica    *replica
	generation int64
	until      time.Time // until when it may be handed out
}

func newClients(f *fleet, found *ledger, n int) *clients {
	return &clients{
		fleet: f, found: found, kept: map[string]kept{}, given: map[string]string{}, arrived: map[string]int{},
		http: &http.Client{Timeout: client.DefaultTimeout, Transport: &http.Transport{TLSClientConfig: f.tls.Clone(), MaxIdleConnsPerHost: n, IdleConnTimeout: 20 * time.Second}},
		aws:  &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: n}},
	}
}

// run is one client until ctx ends: it asks about once a second.
func (c *clients) run(ctx context.Context, team int) {
	own := c.fleet.projects[team]
	for ctx.Err() == nil {
		if rand.IntN(100) == 0 { //nolint:gosec // no secret
			c.askForOthers(team)
		}
		c.ask(team, own[rand.IntN(len(own))]) //nolint:gosec // no secret
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rand.Int64N(int64(2 * time.Second)))): //nolint:gosec // no secret
		}
	}
}

// everything asks for each project once, many at a time.
func (c *clients) everything(n int) {
	type one struct {
		team int
		name string
	}
	all := make(chan one)
	var wait sync.WaitGroup
	for range n {
		wait.Go(func() {
			for o := range all {
				c.ask(o.team, o.name)
			}
		})
	}
	for team, names := range c.fleet.projects {
		for _, name := range names {
			all <- one{team, name}
		}
	}
	close(all)
	wait.Wait()
}

// ask asks for a project's credential until there is one, as registry/client does: again where the answer says so, or the connection was lost.
func (c *clients) ask(team int, name string) {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		wait, err := c.once(team, name)
		if err == nil {
			return
		}
		time.Sleep(wait)
	}
	c.found.wrong(gaveUp, "%s", name)
}

type answer struct {
	Credentials struct {
		URL      string `json:"registry_url"`
		Username string `json:"username"`
		Password string `json:"password"`
		Seconds  int    `json:"expires_in"`
	} `json:"credentials"`
	Code string `json:"code"`
}

// once asks once. If err isn't nil, it may be asked again after wait.
func (c *clients) once(team int, name string) (wait time.Duration, err error) {
	r := c.fleet.of(name)
	generation, unaudited := r.generation.Load(), r.unaudited.Load()
	c.mu.Lock()
	had := c.kept[name]
	c.mu.Unlock()
	status, header, a, err := c.get(r, team, name)
	now := time.Now()
	same := generation%2 == 0 && generation == r.generation.Load()
	valid := same && had.replica == r && had.generation == generation && now.Add(2*time.Second).Before(had.until)
	audited := unaudited%2 == 0 && unaudited == r.unaudited.Load()
	switch {
	case err != nil:
		c.found.count(cut)
		if same {
			c.found.wrong(cutKept, "%s, %s: %v", r.name, name, err)
		}
		return 100 * time.Millisecond, err
	case status == http.StatusOK:
		c.judge(r, generation, name, a, now)
		return 0, nil
	case !audited:
		c.found.count(stalled)
	case valid:
		c.found.wrong(refusedKept, "%s, %s: %d %s, though one was kept for %s more", r.name, name, status, a.Code, had.until.Sub(now))
	default:
		c.found.count(unavailable)
	}
	seconds, _ := strconv.Atoi(header.Get("Retry-After"))
	return time.Duration(max(1, seconds)) * time.Second, fmt.Errorf("%d %s", status, a.Code)
}

func (c *clients) get(r *replica, team int, name string) (status int, _ http.Header, a answer, err error) {
	request, err := http.NewRequest(http.MethodGet, "https://"+r.address+client.Path+"?project="+name, nil) //nolint:noctx // the client's limit
	if err != nil {
		return 0, nil, a, err
	}
	request.Header.Set("Authorization", "Bearer "+callerToken(team))
	request.Close = rand.IntN(50) == 0 //nolint:gosec // no secret: now and then a client is a new one
	resp, err := c.http.Do(request)
	if err != nil {
		return 0, nil, a, err
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return 0, nil, a, err
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return 0, nil, a, fmt.Errorf("%d with a body that is no JSON: %w", resp.StatusCode, err)
	}
	return resp.StatusCode, resp.Header, a, nil
}

// askForOthers asks for a project that isn't this team's.
func (c *clients) askForOthers(team int) {
	names := c.fleet.projects[(team+1+rand.IntN(teams-1))%teams] //nolint:gosec // no secret
	name := names[rand.IntN(len(names))]                         //nolint:gosec // no secret
	c.found.count(notTheirs)
	if status, _, _, err := c.get(c.fleet.of(name), team, name); err == nil && status == http.StatusOK {
		c.found.wrong(strangers, "team %d got %s", team, name)
	}
}

// judge looks at a credential: whose it is by what the answer says, by who had the same, and, once for each, by what it opens.
func (c *clients) judge(r *replica, generation int64, name string, a answer, now time.Time) {
	got := a.Credentials
	life := time.Duration(got.Seconds) * time.Second
	c.found.count(answered)
	c.mu.Lock()
	c.arrived[name]++
	before, seen := c.given[got.Password]
	c.given[got.Password] = name
	// Up to a second of life was cut off; it is kept until leastLife, or a quarter of what the registry gave, is left.
	if k := (kept{r, generation, now.Add(life - leastLife)}); c.kept[name].replica != r || c.kept[name].generation != generation || k.until.After(c.kept[name].until) {
		c.kept[name] = k
	}
	c.mu.Unlock()
	if !strings.HasSuffix(got.URL, "/rise/"+name) || seen && before != name {
		c.found.wrong(mixedUp, "asked for %s, got %s, which was of %s before", name, got.URL, before)
	}
	if life < leastLife-2*time.Second || life > tokenLife {
		c.found.wrong(unusable, "%s lives for %s", name, life)
	}
	if seen {
		return
	}
	c.found.count(distinct)
	if err := errors.Join(c.opens(name, got.Username, got.Password, http.StatusNotFound), c.opens(another(name), got.Username, got.Password, http.StatusForbidden)); err != nil {
		c.found.wrong(unusable, "%s: %v", name, err)
	}
}

// another is a project that isn't name.
func another(name string) string {
	if name == project(0, 0) {
		return project(0, 1)
	}
	return project(0, 0)
}

// opens asks the registry for a layer that isn't there. Whoever may read is told so.
func (c *clients) opens(name, user, password string, want int) error {
	url := "http://" + c.fleet.aws.RegistryHost + "/v2/rise/" + name + "/blobs/sha256:" + strings.Repeat("0", 64)
	request, err := http.NewRequest(http.MethodHead, url, nil) //nolint:noctx // the client's limit
	if err != nil {
		return err
	}
	request.SetBasicAuth(user, password)
	resp, err := c.aws.Do(request)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != want {
		return fmt.Errorf("the registry answers %d for %s, not %d", resp.StatusCode, name, want)
	}
	return nil
}

// unrecorded are credentials that arrived and have no record in an audit log.
func (c *clients) unrecorded() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, arrived := range c.arrived {
		records := 0
		for _, r := range c.fleet.replicas {
			records += r.audit.records(name)
		}
		n += max(0, arrived-records)
	}
	return n
}

// idle closes the connections that are kept.
func (c *clients) idle() {
	c.http.CloseIdleConnections()
	c.aws.CloseIdleConnections()
}
