package providertest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/providertest"
)

// A broken provider or harness, and exactly what has to fail with it.
type broken struct {
	name     string
	provider func(v *vending) provider.Provider         // a provider in place of the correct one, or
	harness  func(h *providertest.Harness, u *upstream) // a change to its harness
	fails    string                                     // every subtest that fails, separated by spaces
	says     string                                     // a text in what they say
}

func (b broken) newHarness(t *testing.T) providertest.Harness {
	h := newVendingHarness(t)
	if b.provider != nil {
		h.Provider = b.provider(h.Provider.(*vending))
	}
	if b.harness != nil {
		b.harness(&h, h.Transport.(*upstream))
	}
	return h
}

// faulty is the correct provider but for what is set.
type faulty struct {
	*vending
	repository  func(project string, consumer provider.Consumer) (name.Repository, error)
	credentials func(ctx context.Context, r provider.Request) (provider.Credentials, error)
}

func (f *faulty) Repository(project string, consumer provider.Consumer) (name.Repository, error) {
	if f.repository != nil {
		return f.repository(project, consumer)
	}
	return f.vending.Repository(project, consumer)
}

func (f *faulty) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	if f.credentials != nil {
		return f.credentials(ctx, r)
	}
	return f.vending.Credentials(ctx, r)
}

// sharing says that every project's repository is for all.
type sharing struct{ *vending }

func (sharing) SharesRepository(_, _ string) bool { return true }

// naming is a provider that names repositories like this.
func naming(v *vending, repository func(string, provider.Consumer) (name.Repository, error)) provider.Provider {
	return &faulty{vending: v, repository: repository}
}

// issuing is a provider that validates, and then does this.
func issuing(
	do func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error),
) func(*vending) provider.Provider {
	return func(v *vending) provider.Provider {
		return &faulty{vending: v, credentials: func(ctx context.Context, r provider.Request) (provider.Credentials, error) {
			if err := r.Validate(); err != nil {
				return provider.Credentials{}, err
			}
			return do(v, ctx, r)
		}}
	}
}

func asError(err error) *provider.Error {
	var e *provider.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// lax is a harness whose registry lets any login do this.
func lax(what func(r *http.Request) bool) func(*providertest.Harness, *upstream) {
	return func(_ *providertest.Harness, u *upstream) { u.lax = what }
}

// mounting reports whether r mounts a layer, or uploads one that couldn't be mounted.
func mounting(r *http.Request) bool { return r.URL.Query().Has("mount") }

// asking is a provider that asks for a pattern and rights of its own making, but for all projects.
func asking(want func(r provider.Request) (pattern, rights string)) func(*vending) provider.Provider {
	return issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
		if r.AllProjects {
			return v.Credentials(ctx, r)
		}
		pattern, rights := want(r)
		return v.issue(ctx, r, pattern, rights, time.Hour)
	})
}

// changing is a provider that changes the answer.
func changing(change func(r provider.Request, c *provider.Credentials, err *error)) func(*vending) provider.Provider {
	return issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
		c, err := v.Credentials(ctx, r)
		change(r, &c, &err)
		return c, err
	})
}

// keeping is a provider that keeps credentials by key, somewhere.
func keeping(where func() *sync.Map, key func(r provider.Request) any) func(*vending) provider.Provider {
	return func(v *vending) provider.Provider {
		kept := where()
		return issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
			if l, ok := kept.Load(key(r)); ok {
				return v.credentials(r, l.(login)), ctx.Err()
			}
			c, err := v.Credentials(ctx, r)
			if err == nil {
				kept.Store(key(r), login{c.Username, c.Password.Reveal(), c.ExpiresAt})
			}
			return c, err
		})(v)
	}
}

func ownMap() *sync.Map { return new(sync.Map) }

// another are the subtests of what must not work with another project.
const another = "scoping/push-another scoping/pull-another scoping/list-another scoping/mount-another scoping/delete-another "

// The subtests of contexts and of faults.
const (
	cancellation = "cancellation/ended cancellation/canceled cancellation/deadline "
	errorKinds   = "errors/denied errors/throttled errors/unavailable errors/malformed errors/expired errors/grants-less errors/grants-more "
	concurrency  = "concurrency/requests concurrency/instances "
)

// isolation are the subtests that fail when a credential opens other projects.
func isolation(more string) string { return another + more }

// own are the subtests that fail when a credential doesn't open its own project.
func own(more string) string {
	return another + "scoping/push-own scoping/pull-own scoping/pull-cannot-push scoping/all-projects scoping/suspended " +
		concurrency + more
}

func brokenProviders() []broken {
	var global sync.Map
	return []broken{
		// scope
		{
			name:     "over-wide policy",
			provider: asking(func(r provider.Request) (string, string) { return "*", r.Access.String() }),
			fails:    isolation(""),
			says:     "can push an image at registry.example.com/rise/ab",
		}, {
			name:     "prefix match",
			provider: asking(func(r provider.Request) (string, string) { return r.Project + "*", r.Access.String() }),
			fails:    isolation(""),
			says:     `"a", push, client) can push an image at registry.example.com/rise/ab`,
		}, {
			name:     "suffix match",
			provider: asking(func(r provider.Request) (string, string) { return "*" + r.Project, r.Access.String() }),
			fails:    isolation(""),
			says:     `"b", push, client) can push an image at registry.example.com/rise/a`,
		}, {
			name:     "ignored access",
			provider: asking(func(r provider.Request) (string, string) { return r.Project, "push" }),
			fails:    "scoping/pull-cannot-push concurrency/requests concurrency/instances",
			says:     "can push an image",
		}, {
			name: "push cannot pull",
			provider: asking(func(r provider.Request) (string, string) {
				return r.Project, map[provider.Access]string{provider.Push: "write", provider.Pull: "pull"}[r.Access]
			}),
			fails: concurrency + "scoping/pull-own scoping/pull-cannot-push scoping/delete-another scoping/all-projects scoping/former-owner scoping/suspended",
			says:  "can't pull the image",
		}, {
			name: "all projects, with push",
			provider: issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
				if r.AllProjects {
					return v.issue(ctx, r, "*", "push", time.Hour)
				}
				return v.Credentials(ctx, r)
			}),
			fails: "scoping/all-projects",
			says:  "can push an image",
		}, {
			name:    "registry that mounts anything",
			harness: lax(mounting),
			fails:   "scoping/mount-another",
			says:    "can mount a layer of",
		}, {
			name: "registry that shows manifests",
			harness: lax(func(r *http.Request) bool {
				return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/")
			}),
			fails: "scoping/pull-another scoping/former-owner scoping/suspended",
			says:  "can get the manifest at",
		}, {
			name:    "registry that shows what is there",
			harness: lax(func(r *http.Request) bool { return r.Method == http.MethodHead }),
			fails:   "scoping/pull-another scoping/former-owner scoping/suspended",
			says:    "can ask for the image at",
		}, {
			name: "registry that shows layers",
			harness: lax(func(r *http.Request) bool {
				return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/")
			}),
			fails: "scoping/pull-another scoping/former-owner scoping/suspended",
			says:  "can download the layer at",
		}, {
			name: "registry that takes layers",
			harness: lax(func(r *http.Request) bool {
				return r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") && !mounting(r)
			}),
			fails: concurrency + "scoping/push-another scoping/pull-cannot-push scoping/all-projects scoping/former-owner scoping/suspended",
			says:  "can upload a layer at",
		}, {
			name: "registry that takes manifests",
			harness: lax(func(r *http.Request) bool {
				return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/")
			}),
			fails: "scoping/push-another scoping/pull-cannot-push scoping/all-projects scoping/former-owner scoping/suspended",
			says:  "can tag the image anew at",
		}, {
			name:    "registry that lists tags",
			harness: lax(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/tags/list") }),
			fails:   "scoping/list-another",
			says:    "can list the tags at",
		}, {
			name:    "registry with an open catalog",
			harness: lax(func(r *http.Request) bool { return r.URL.Path == "/v2/_catalog" }),
			fails:   "scoping/list-another",
			says:    "in the registry's catalog",
		}, {
			name:    "registry that deletes",
			harness: lax(func(r *http.Request) bool { return r.Method == http.MethodDelete }),
			fails:   "scoping/delete-another scoping/pull-cannot-push scoping/all-projects",
			says:    "can delete a tag at",
		}, {
			name:     "secrets without isolation",
			provider: asking(func(r provider.Request) (string, string) { return "*", r.Access.String() }),
			harness: func(h *providertest.Harness, _ *upstream) {
				h.Cannot = map[providertest.Ability]string{providertest.Isolation: "it is hard"}
			},
			fails: isolation("scoping/pull-cannot-push"),
			says:  "without isolation it may only be client_login",
		},
		{
			name: "all projects without isolation",
			provider: issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
				if r.AllProjects {
					return v.issue(ctx, r, "*", "push", time.Hour)
				}
				c, err := v.Credentials(ctx, r)
				if err == nil {
					c.Method, c.Username, c.Password, c.ExpiresAt = provider.ClientLogin, "", provider.Secret{}, time.Time{}
				}
				return c, err
			}),
			harness: func(h *providertest.Harness, u *upstream) {
				l := newLogin(u.key, "*", "push", time.Now().Add(time.Hour))
				h.Own = authn.NewKeychainFromHelper(helper{&authn.Basic{Username: l.Username, Password: l.Password}})
				h.Expiry, h.Cannot = nil, map[providertest.Ability]string{
					providertest.Isolation: "it is hard", providertest.Expiry: "the client's own login ends when it ends",
				}
			},
			fails: isolation("scoping/pull-cannot-push scoping/former-owner"),
			says:  "all projects, project \"\", pull, client) hands out login_credentials",
		}, {
			name: "caller's name as a pattern",
			provider: asking(func(r provider.Request) (string, string) {
				if r.Caller != "" {
					return r.Caller, r.Access.String()
				}
				return r.Project, r.Access.String()
			}),
			fails: isolation(""),
			says:  `caller "*") can push an image at`,
		}, {
			name: "callers not validated",
			provider: func(v *vending) provider.Provider {
				return &faulty{vending: v, credentials: func(ctx context.Context, r provider.Request) (provider.Credentials, error) {
					r.Caller = ""
					return v.Credentials(ctx, r)
				}}
			},
			fails: "validation/requests",
			says:  `caller "c\ni"`,
		}, {
			name: "ids not validated",
			provider: func(v *vending) provider.Provider {
				return &faulty{vending: v, credentials: func(ctx context.Context, r provider.Request) (provider.Credentials, error) {
					id := r.ProjectID
					if r.ProjectID = ""; r.Validate() != nil {
						return v.Credentials(ctx, r)
					}
					if r.AllProjects {
						return v.Credentials(ctx, r)
					}
					r.ProjectID = id
					return v.issue(ctx, r, r.Project, r.Access.String(), time.Hour)
				}}
			},
			fails: "validation/requests",
			says:  `id "*"`,
		}, {
			name: "ids ignored, and not declared",
			provider: issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
				r.ProjectID = ""
				return v.Credentials(ctx, r)
			}),
			fails: "scoping/former-owner",
			says:  `"a", push, client, id "p-1") can push an image at`,
		}, {
			name: "ids refused",
			provider: issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
				if r.ProjectID != "" {
					return provider.Credentials{}, &provider.Error{Kind: provider.ErrUnsupported, Op: "vend login", Project: r.Project}
				}
				return v.Credentials(ctx, r)
			}),
			harness: func(h *providertest.Harness, _ *upstream) {
				h.HandOver, h.Cannot = nil, map[providertest.Ability]string{providertest.ProjectIDs: "a login is for a name"}
			},
			fails: "requests/project-id",
			says:  `Credentials("hello", push, client, id "p-1")`,
		}, {
			name: "kept for a name's former owner",
			provider: keeping(ownMap, func(r provider.Request) any {
				r.ProjectID = ""
				return r
			}),
			fails: "scoping/former-owner",
			says:  `id "p-2") can't`,
		}, {
			name: "a registry that hands nothing over",
			harness: func(h *providertest.Harness, _ *upstream) {
				h.HandOver = func(string, string) error { return nil }
			},
			fails: "scoping/former-owner",
			says:  `id "p-1") can push an image at`,
		},
		{
			name:    "a registry that suspends nothing",
			harness: func(h *providertest.Harness, _ *upstream) { h.Suspend = func(string) error { return nil } },
			fails:   "scoping/suspended",
			says:    `"a", push, client) can push an image at`,
		}, {
			name: "a registry that suspends pushes",
			harness: func(h *providertest.Harness, u *upstream) {
				lax(func(r *http.Request) bool {
					u.mu.Lock()
					defer u.mu.Unlock()
					return u.suspended["a"] && (r.Method == http.MethodGet || r.Method == http.MethodHead) && strings.Contains(r.URL.Path, "/a/")
				})(h, u)
			},
			fails: "scoping/suspended",
			says:  `"a", pull, client) can pull the image at`,
		}, {
			name: "a registry that suspends nothing for who has all projects",
			harness: lax(func(r *http.Request) bool {
				username, _, _ := r.BasicAuth()
				return strings.HasPrefix(username, "*,pull,") && (r.Method == http.MethodGet || r.Method == http.MethodHead) && !strings.HasSuffix(r.URL.Path, "_catalog")
			}),
			fails: "scoping/suspended",
			says:  `all projects, project "", pull, client) can pull the image at`,
		}, {
			name: "a registry that suspends everybody",
			harness: func(h *providertest.Harness, u *upstream) {
				h.Suspend = func(string) error {
					u.key = "another key"
					return nil
				}
			},
			fails: "scoping/suspended",
			says:  `"ab", push, client) can't ask for the image at`,
		},
		// another's credential
		{
			name:     "kept by access only",
			provider: keeping(ownMap, func(r provider.Request) any { return r.Access }),
			fails:    own("scoping/former-owner"),
			says:     "can't push its own image",
		}, {
			name:     "kept by project only",
			provider: keeping(ownMap, func(r provider.Request) any { return r.Project }),
			fails:    "scoping/pull-cannot-push concurrency/requests concurrency/instances scoping/former-owner",
			says:     "can push an image",
		}, {
			name:     "kept for all instances",
			provider: keeping(func() *sync.Map { return &global }, func(r provider.Request) any { return r }),
			fails:    own(cancellation + errorKinds + "validation/requests"),
			says:     "can't push its own image",
		}, {
			name:     "current project",
			provider: currentProject,
			fails:    "concurrency/requests",
			says:     "can't read its own image",
		},
		// targets and names
		{
			name: "wrong target",
			provider: changing(func(r provider.Request, c *provider.Credentials, _ *error) {
				if repository, ok := c.Target.(name.Repository); ok {
					c.Target = repository.Repo("team-" + prefix + r.Project)
				}
			}),
			fails: "requests/push requests/pull requests/cluster requests/project-id",
			says:  "but Repository says registry.example.com/rise/hello",
		}, {
			name: "target is the registry",
			provider: changing(func(_ provider.Request, c *provider.Credentials, _ *error) {
				if repository, ok := c.Target.(name.Repository); ok {
					c.Target = repository.Registry
				}
			}),
			fails: "requests/push requests/pull requests/cluster concurrency/requests requests/project-id",
			says:  "whole registry",
		}, {
			name: "names not validated",
			provider: func(v *vending) provider.Provider {
				return &faulty{vending: v,
					repository: func(project string, _ provider.Consumer) (name.Repository, error) {
						return name.NewRepository(host + "/" + prefix + project)
					},
					credentials: func(ctx context.Context, r provider.Request) (provider.Credentials, error) {
						if r.AllProjects {
							return v.issue(ctx, r, "*", "pull", time.Hour)
						}
						return v.issue(ctx, r, r.Project, r.Access.String(), time.Hour)
					},
				}
			},
			fails: "naming/invalid validation/names validation/requests",
			says:  `Repository("a/b", client): no error`,
		}, {
			name: "names made valid",
			provider: func(v *vending) provider.Provider {
				return &faulty{vending: v,
					repository: func(project string, consumer provider.Consumer) (name.Repository, error) {
						return v.Repository(strings.ToLower(project), consumer)
					},
					credentials: func(ctx context.Context, r provider.Request) (provider.Credentials, error) {
						r.Project = strings.ToLower(r.Project)
						return v.Credentials(ctx, r)
					},
				}
			},
			fails: "naming/invalid validation/names",
			says:  `"A"`,
		}, {
			name: "names that meet",
			provider: func(v *vending) provider.Provider {
				return naming(v, func(project string, consumer provider.Consumer) (name.Repository, error) {
					if project == "b" {
						project = "a-b"
					}
					return v.Repository(project, consumer)
				})
			},
			fails: another + "naming/distinct naming/images scoping/push-own scoping/pull-own scoping/all-projects scoping/pull-cannot-push " +
				"concurrency/requests",
			says: `"a-b" and "b" have one repository`,
		}, {
			name: "paths by consumer",
			provider: func(v *vending) provider.Provider {
				return naming(v, func(project string, consumer provider.Consumer) (name.Repository, error) {
					repository, err := v.Repository(project, consumer)
					if err == nil && consumer == provider.Cluster {
						repository = repository.Repo("mirror/" + prefix + project)
					}
					return repository, err
				})
			},
			fails: "naming/consumers naming/images requests/cluster scoping/pull-own concurrency/requests concurrency/instances scoping/former-owner scoping/suspended requests/project-id",
			says:  "only the host may differ",
		}, {
			name:     "everything shared",
			provider: func(v *vending) provider.Provider { return sharing{v} },
			fails:    "naming/images",
			says:     `"a" may run the image registry.example.com/rise/b`,
		}, {
			name: "consumers not validated",
			provider: func(v *vending) provider.Provider {
				return naming(v, func(project string, _ provider.Consumer) (name.Repository, error) {
					return v.Repository(project, provider.Client)
				})
			},
			fails: "naming/invalid",
			says:  "Consumer(2)",
		}, {
			name: "names cut short",
			provider: func(v *vending) provider.Provider {
				return naming(v, func(project string, consumer provider.Consumer) (name.Repository, error) {
					return v.Repository(strings.TrimSuffix(project[:min(len(project), 20)], "-"), consumer)
				})
			},
			fails: "naming/invalid naming/names naming/distinct",
		}, {
			name: "names by asking",
			provider: func(v *vending) provider.Provider {
				return naming(v, func(project string, consumer provider.Consumer) (name.Repository, error) {
					r := provider.Request{Project: project, Access: provider.Pull, Consumer: consumer}
					if _, err := v.Credentials(context.Background(), r); err != nil {
						return name.Repository{}, err
					}
					return v.Repository(project, consumer)
				})
			},
			fails: "naming/names naming/images",
			says:  "calls reached the upstream",
		}, {
			name: "validated late",
			provider: func(v *vending) provider.Provider {
				return &faulty{vending: v, credentials: func(ctx context.Context, r provider.Request) (provider.Credentials, error) {
					c, err := v.issue(ctx, r, r.Project, r.Access.String(), time.Hour)
					if invalid := r.Validate(); invalid != nil {
						return provider.Credentials{}, invalid
					}
					if r.AllProjects {
						return v.Credentials(ctx, r)
					}
					return c, err
				}}
			},
			fails: "validation/names validation/requests",
			says:  "1 calls reached the upstream",
		}, {
			name: "panic on the zero request",
			provider: func(v *vending) provider.Provider {
				return &faulty{vending: v, credentials: func(ctx context.Context, r provider.Request) (provider.Credentials, error) {
					_ = []string{"", "pull", "push"}[r.Access]
					if r.Project == "" && !r.AllProjects {
						panic("no project")
					}
					return v.Credentials(ctx, r)
				}}
			},
			fails: "validation/names validation/requests",
			says:  "panic in Credentials: no project",
		}, {
			name: "token for a kubelet",
			provider: changing(func(r provider.Request, c *provider.Credentials, _ *error) {
				if r.Consumer == provider.Cluster {
					c.Method, c.Username = provider.RegistryToken, ""
				}
			}),
			fails: "requests/cluster scoping/pull-own expiry/upstream concurrency/requests concurrency/instances scoping/former-owner scoping/suspended",
			says:  "can't be used by a kubelet",
		}, {
			name:     "says push of a pull credential",
			provider: changing(func(_ provider.Request, c *provider.Credentials, _ *error) { c.Access = provider.Push }),
			fails:    "requests/pull requests/cluster requests/all-projects concurrency/requests requests/project-id",
			says:     "its access is push",
		},
		// expiry
		{
			name: "expired credential",
			provider: issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
				pattern := r.Project
				if r.AllProjects {
					pattern = "*"
				}
				return v.issue(ctx, r, pattern, r.Access.String(), -time.Minute)
			}),
			fails: own("expiry/alive errors/expired scoping/former-owner"),
			says:  "can't push its own image",
		}, {
			name: "expiry too late",
			provider: changing(func(_ provider.Request, c *provider.Credentials, _ *error) {
				c.ExpiresAt = c.ExpiresAt.Add(time.Hour)
			}),
			fails: "expiry/upstream",
			says:  "but the registry refuses it from",
		}, {
			name:     "no expiry",
			provider: changing(func(_ provider.Request, c *provider.Credentials, _ *error) { c.ExpiresAt = time.Time{} }),
			fails:    "expiry/upstream",
			says:     "ExpiresAt says never",
		}, {
			name: "lives longer than it says",
			provider: changing(func(_ provider.Request, c *provider.Credentials, _ *error) {
				c.ExpiresAt = c.ExpiresAt.Add(-10 * time.Minute)
			}),
			fails: "expiry/bounded",
			says:  "but the registry takes it until",
		}, {
			name: "lives longer than it says, for all projects",
			provider: changing(func(r provider.Request, c *provider.Credentials, _ *error) {
				if r.AllProjects {
					c.ExpiresAt = c.ExpiresAt.Add(-10 * time.Minute)
				}
			}),
			fails: "expiry/bounded",
			says:  "all projects",
		}, {
			name: "lives for ever",
			harness: func(h *providertest.Harness, _ *upstream) {
				h.Expiry = func(provider.Credentials) time.Time { return time.Time{} }
			},
			fails: "expiry/bounded",
			says:  "but the registry takes it for ever",
		},
		// secrets
		{
			name: "key in an error's text",
			provider: changing(func(_ provider.Request, _ *provider.Credentials, err *error) {
				if e := asError(*err); e != nil {
					e.Err = fmt.Errorf("POST with %s: %w", apiKey, e.Err)
				}
			}),
			fails: "redaction/errors",
			says:  "shows secret 1 of 3 as it is",
		}, {
			name: "key in an error's details",
			provider: changing(func(_ provider.Request, _ *provider.Credentials, err *error) {
				if e := asError(*err); e != nil {
					e.Details = append(e.Details, slog.Any("header", []string{apiKey}))
				}
			}),
			fails: "redaction/errors",
			says:  `its detail "header"`,
		}, {
			name: "key deep inside an error",
			provider: changing(func(_ provider.Request, _ *provider.Credentials, err *error) {
				if e := asError(*err); e != nil {
					e.Err = hiding{errors.Join(e.Err, errors.New("key "+apiKey))}
				}
			}),
			fails: "redaction/errors",
		}, {
			name: "password in the details",
			provider: changing(func(_ provider.Request, c *provider.Credentials, _ *error) {
				c.Details = []slog.Attr{slog.String("docker_login", "echo "+c.Password.Reveal()+" | docker login")}
			}),
			fails: "redaction/credentials",
			says:  `its detail "docker_login"`,
		}, {
			name: "key in the user name",
			provider: changing(func(_ provider.Request, c *provider.Credentials, _ *error) {
				c.Username = strings.Replace(c.Username, ",", ","+apiKey+",", 1)
			}),
			fails: own("redaction/credentials scoping/former-owner"),
		}, {
			name:     "key in the provider",
			provider: func(v *vending) provider.Provider { return &talkative{vending: v, key: apiKey} },
			fails:    "redaction/provider",
			says:     "%+v, shows secret",
		}, {
			name: "passwords in the provider",
			provider: func(v *vending) provider.Provider {
				return &talkative{vending: v, last: map[provider.Request]string{}}
			},
			fails: "redaction/provider",
			says:  "%+v, shows secret",
		}, {
			name: "key in a decorated provider",
			provider: func(v *vending) provider.Provider {
				return &outer{Provider: &talkative{vending: v, key: apiKey}}
			},
			fails: "redaction/provider",
			says:  "its *providertest_test.talkative",
		}, {
			name: "a credential beside an error",
			provider: changing(func(_ provider.Request, c *provider.Credentials, err *error) {
				if *err != nil {
					c.Password = provider.NewSecret("half a credential")
				}
			}),
			fails: cancellation + errorKinds,
		},
		// contexts
		{
			name: "swallowed context",
			provider: issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
				return v.Credentials(context.WithoutCancel(ctx), r)
			}),
			harness: func(h *providertest.Harness, _ *upstream) { h.Patience = 200 * time.Millisecond },
			fails:   "cancellation/canceled cancellation/deadline cancellation/ended",
			says:    "goes on 200ms after its context ended",
		}, {
			name: "hidden cause",
			provider: changing(func(_ provider.Request, _ *provider.Credentials, err *error) {
				if e := asError(*err); e != nil && e.Kind == provider.ErrTimeout {
					e.Err = errors.New(e.Err.Error())
				}
			}),
			fails: cancellation,
			says:  "the error isn't context canceled",
		}, {
			name: "unavailable when canceled",
			provider: changing(func(_ provider.Request, _ *provider.Credentials, err *error) {
				if e := asError(*err); e != nil && e.Kind == provider.ErrTimeout {
					e.Kind = provider.ErrUnavailable
				}
			}),
			fails: cancellation,
			says:  `kind "unavailable", want "timeout"`,
		}, {
			name: "one caller's end for all",
			provider: func(v *vending) provider.Provider {
				var failed sync.Map
				return issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
					if err, ok := failed.Load(r); ok {
						return provider.Credentials{}, err.(error)
					}
					c, err := v.Credentials(ctx, r)
					if err != nil {
						failed.Store(r, err)
					}
					return c, err
				})(v)
			},
			fails: "cancellation/ended",
			says:  "the next caller gets",
		},
		{
			name:     "the first caller's context for all",
			provider: joining,
			fails:    "cancellation/canceled",
			says:     "another caller who asks for the same gets",
		},
		// errors
		{
			name: "wrong kind",
			provider: changing(func(_ provider.Request, _ *provider.Credentials, err *error) {
				if e := asError(*err); e != nil && e.Kind != provider.ErrTimeout {
					e.Kind = provider.ErrUnavailable
				}
			}),
			fails: "errors/denied errors/throttled errors/malformed errors/expired errors/grants-less errors/grants-more",
			says:  `kind "unavailable", want "access_denied"`,
		}, {
			name: "kind without an Error",
			provider: changing(func(_ provider.Request, _ *provider.Credentials, err *error) {
				if kind := provider.KindOf(*err); kind != "" && kind != provider.ErrTimeout {
					*err = fmt.Errorf("vend: %w", kind)
				}
			}),
			fails: errorKinds,
			says:  "want a *provider.Error",
		}, {
			name: "expired, and passed on",
			provider: issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
				c, err := v.Credentials(ctx, r)
				if errors.Is(err, provider.ErrBadResponse) && strings.Contains(err.Error(), "expired") {
					return v.credentials(r, newLogin("no key", r.Project, "pull", time.Now().Add(-time.Minute))), nil
				}
				return c, err
			}),
			fails: "errors/expired",
			says:  "no error",
		}, {
			name: "falls back to another identity",
			provider: issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
				c, err := v.Credentials(ctx, r)
				if errors.Is(err, provider.ErrAccessDenied) {
					return v.credentials(r, newLogin("no key", "*", "push", time.Now().Add(time.Hour))), nil
				}
				return c, err
			}),
			fails: "errors/denied errors/grants-less",
			says:  "no error",
		},
		{
			name:     "falls back to another project's",
			provider: fallingBack(func(provider.Request) any { return nil }),
			fails:    errorKinds,
			says:     "upstream throttled after others: no error",
		}, {
			name:     "falls back to another access",
			provider: fallingBack(func(r provider.Request) any { return r.Project }),
			fails:    errorKinds,
			says:     "upstream throttled after others: no error",
		},
		{
			name:     "takes less than it asked for",
			provider: taking(provider.ErrAccessDenied, "can't", func(provider.Request) bool { return true }),
			fails:    "errors/grants-less",
			says:     "upstream grants-less: no error",
		}, {
			name:     "takes more than it asked for",
			provider: taking(provider.ErrMisconfigured, "opens more", func(provider.Request) bool { return true }),
			fails:    "errors/grants-more",
			says:     "upstream grants-more: no error",
		}, {
			name:     "takes a push for a pull",
			provider: taking(provider.ErrMisconfigured, "opens more", func(r provider.Request) bool { return r.Access == provider.Pull }),
			fails:    "errors/grants-more",
			says:     `Credentials("hello", pull, client), upstream grants-more: no error`,
		}, {
			name:     "takes nothing for a pull of a cluster",
			provider: taking(provider.ErrAccessDenied, "can't", func(r provider.Request) bool { return r.Consumer == provider.Cluster }),
			fails:    "errors/grants-less",
			says:     `Credentials("hello", pull, cluster), upstream grants-less: no error`,
		}, {
			name: "calls what is more another kind",
			provider: changing(func(_ provider.Request, _ *provider.Credentials, err *error) {
				if e := asError(*err); e != nil && e.Kind == provider.ErrMisconfigured {
					e.Kind = provider.ErrBadResponse
				}
			}),
			fails: "errors/grants-more",
			says:  `kind "bad_response", want "misconfigured"`,
		},
		// capabilities
		{
			name:     "hidden by its decorator",
			provider: func(v *vending) provider.Provider { return struct{ provider.Provider }{v} },
			fails:    "capabilities/look-up",
			says:     `is of type "", but the harness says "vending"`,
		}, {
			name:     "endless decorators",
			provider: func(v *vending) provider.Provider { return &mirror{v} },
			fails:    "capabilities/look-up capabilities/close concurrency/instances redaction/provider naming/images",
			says:     "look-ups don't end",
		}, {
			name:     "closes once",
			provider: func(v *vending) provider.Provider { return &once{vending: v, open: make(chan struct{})} },
			fails:    "capabilities/close",
			says:     "panic in Close",
		},
		// harnesses
		{
			name:    "harness without hooks",
			harness: func(h *providertest.Harness, _ *upstream) { *h = providertest.Harness{Provider: h.Provider} },
			fails:   "harness",
			says:    `Faults["throttled"] is missing: provide it, or say in Cannot["throttled"] why that can't be`,
		}, {
			name:    "harness without a provider",
			harness: func(h *providertest.Harness, _ *upstream) { h.Provider = nil },
			fails:   "harness",
			says:    "Provider is missing",
		}, {
			name: "harness that contradicts itself",
			harness: func(h *providertest.Harness, _ *upstream) {
				h.Cannot = map[providertest.Ability]string{providertest.Expiry: "unknown"}
			},
			fails: "harness",
			says:  `Expiry is there, but Cannot["expiry"] says that it can't be`,
		}, {
			name: "harness with faults of no upstream",
			harness: func(h *providertest.Harness, _ *upstream) {
				h.Calls, h.Cannot = nil, map[providertest.Ability]string{providertest.Upstream: "nothing is called"}
			},
			fails: "harness",
			says:  `Faults["denied"] is there, but Cannot["upstream"] says that nothing is called`,
		}, {
			name: "harness with an unknown ability",
			harness: func(h *providertest.Harness, _ *upstream) {
				h.Cannot = map[providertest.Ability]string{"Isolation": "misspelt"}
			},
			fails: "harness",
			says:  `Cannot["Isolation"] is unknown`,
		}, {
			name:    "harness with an unknown fault",
			harness: func(h *providertest.Harness, _ *upstream) { h.Faults[providertest.Isolation] = func() {} },
			fails:   "harness",
			says:    `Faults["isolation"] is unknown`,
		}, {
			name: "harness without a reason",
			harness: func(h *providertest.Harness, _ *upstream) {
				h.Cannot = map[providertest.Ability]string{providertest.AllProjects: " "}
			},
			fails: "harness",
			says:  `Cannot["all-projects"] lacks the reason`,
		}, {
			name:    "harness with the zero capability",
			harness: func(h *providertest.Harness, _ *upstream) { h.Capabilities = make([]providertest.Capability, 1) },
			fails:   "harness",
			says:    "Capabilities[0] is the zero Capability",
		}, {
			name: "harness that says less than is so",
			harness: func(h *providertest.Harness, _ *upstream) {
				h.Cannot = map[providertest.Ability]string{
					providertest.AllProjects: "it can", providertest.PullOnly: "it can",
				}
			},
			fails: "requests/all-projects requests/pull requests/cluster",
			says:  `want one of kind "unsupported"`,
		}, {
			name:    "harness of another type",
			harness: func(h *providertest.Harness, _ *upstream) { h.Type = "ecr" },
			fails:   "capabilities/look-up",
			says:    `is of type "vending", but the harness says "ecr"`,
		}, {
			name:    "harness that doesn't count",
			harness: func(h *providertest.Harness, _ *upstream) { h.Calls = func() int { return 0 } },
			fails:   "validation/names validation/requests cancellation/canceled",
			says:    "the harness doesn't count",
		}, {
			name: "harness with faults that do nothing",
			harness: func(h *providertest.Harness, _ *upstream) {
				for fault := range h.Faults {
					h.Faults[fault] = func() {}
				}
			},
			fails: errorKinds + "cancellation/canceled cancellation/deadline",
			says:  "no error",
		}, {
			name:    "harness with a short secret",
			harness: func(h *providertest.Harness, _ *upstream) { h.Secrets = func() []string { return []string{"key"} } },
			fails:   "redaction/credentials redaction/provider redaction/errors",
			says:    "shorter than 8 bytes",
		},
		{
			name:    "harness with no secrets",
			harness: func(h *providertest.Harness, _ *upstream) { h.Secrets = func() []string { return nil } },
			fails:   "redaction/credentials redaction/provider redaction/errors",
			says:    "Secrets returns none",
		},
	}
}

// taking is a provider that takes what it is granted, where an error says that it is something else.
func taking(kind provider.Kind, says string, which func(provider.Request) bool) func(*vending) provider.Provider {
	return issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
		c, err := v.Credentials(ctx, r)
		if errors.Is(err, kind) && strings.Contains(err.Error(), says) && which(r) {
			return v.credentials(r, newLogin("no key", r.Project, "pull", time.Now().Add(time.Hour))), nil
		}
		return c, err
	})
}

// fallingBack is a provider that answers with what it has by key when the upstream fails.
func fallingBack(key func(r provider.Request) any) func(*vending) provider.Provider {
	return func(v *vending) provider.Provider {
		var kept sync.Map
		return issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
			c, err := v.Credentials(ctx, r)
			if err == nil {
				kept.Store(key(r), login{c.Username, c.Password.Reveal(), c.ExpiresAt})
			} else if l, ok := kept.Load(key(r)); ok && ctx.Err() == nil {
				return v.credentials(r, l.(login)), nil
			}
			return c, err
		})(v)
	}
}

// joining is a provider that lets callers join a call in progress, which ends with the context of whoever came first.
func joining(v *vending) provider.Provider {
	type flight struct {
		landed chan struct{}
		answer provider.Credentials
		err    error
	}
	var mu sync.Mutex
	flights := make(map[provider.Request]*flight)
	return issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
		mu.Lock()
		f, joined := flights[r]
		if !joined {
			f = &flight{landed: make(chan struct{})}
			flights[r] = f
		}
		mu.Unlock()
		if joined {
			select {
			case <-f.landed:
				return f.answer, f.err
			case <-ctx.Done():
				return provider.Credentials{}, &provider.Error{Kind: provider.ErrTimeout, Op: "vend login", Err: ctx.Err()}
			}
		}
		f.answer, f.err = v.Credentials(ctx, r)
		mu.Lock()
		delete(flights, r)
		mu.Unlock()
		close(f.landed)
		return f.answer, f.err
	})(v)
}

// currentProject is a provider that keeps what it is doing in a field: without a data race, and wrong all the same. It waits
// for a second caller for a while, so that two are sure to meet.
func currentProject(v *vending) provider.Provider {
	var current atomic.Pointer[provider.Request]
	return issuing(func(v *vending, ctx context.Context, r provider.Request) (provider.Credentials, error) {
		current.Store(&r)
		for range 10_000 {
			if current.Load() != &r {
				break
			}
			runtime.Gosched()
		}
		actual := *current.Load()
		pattern := actual.Project
		if actual.AllProjects {
			pattern = "*"
		}
		return v.issue(ctx, r, pattern, actual.Access.String(), time.Hour)
	})(v)
}

// hiding is an error that doesn't show what it wraps.
type hiding struct{ err error }

func (hiding) Error() string                { return "failed" }
func (hiding) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte("failed")) }
func (hiding) MarshalJSON() ([]byte, error) { return json.Marshal("failed") }
func (h hiding) Unwrap() error              { return h.err }

// talkative keeps secrets as text.
type talkative struct {
	*vending
	key  string
	mu   sync.Mutex
	last map[provider.Request]string
}

func (p *talkative) Credentials(ctx context.Context, r provider.Request) (provider.Credentials, error) {
	c, err := p.vending.Credentials(ctx, r)
	if p.last != nil && err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.last[r] = c.Password.Reveal()
	}
	return c, err
}

// outer is a correct decorator.
type outer struct{ provider.Provider }

func (o *outer) Unwrap() provider.Provider { return o.Provider }

// mirror says that it decorates itself.
type mirror struct{ *vending }

func (m *mirror) Unwrap() provider.Provider { return m }

// once can be closed once.
type once struct {
	*vending
	open chan struct{}
}

func (o *once) Close() error {
	close(o.open)
	return nil
}
