package iampolicy_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// state is a repository as the promises see it.
type state struct {
	name string
	tags map[string]string
}

// tag looks a tag up as conditions do: keys ignore case.
func (s state) tag(key string) (value string, ok bool) {
	for k, v := range s.tags {
		if strings.EqualFold(k, key) {
			return v, true
		}
	}
	return "", false
}

func (s state) is(key, value string) bool {
	got, ok := s.tag(key)
	return ok && got == value
}

func (s state) has(key string) bool { _, ok := s.tag(key); return ok }

func (s state) under() bool { return strings.HasPrefix(s.name, "rise/") }

func (s state) ours(c ecr.Config) bool {
	return s.under() && s.is("rise:managed", "true") && (c.Installation == "" || s.is("rise:installation", c.Installation))
}

// mayController is what the controller's policy promises, in words of its own.
func mayController(c ecr.Config, s state, action string, with map[string]string) bool {
	keys := slices.Collect(maps.Keys(with))
	only := func(allowed ...string) bool {
		return len(keys) > 0 && !slices.ContainsFunc(keys, func(k string) bool {
			_, configured := c.Tags[k]
			return !slices.Contains(allowed, k) && !configured
		})
	}
	request := state{s.name, with}
	makes := s.under() && request.ours(c) && request.has("rise:project")
	if c.Installation == "" {
		makes = makes && only("rise:managed", "rise:project", "rise:project-id")
	} else {
		makes = makes && only("rise:managed", "rise:installation", "rise:project", "rise:project-id")
	}
	lifecycle := c.MaxImageCount > 0 || c.UntaggedExpireDays > 0
	switch action {
	case "DescribeRepositories":
		return true
	case "ListTagsForResource", "GetRepositoryPolicy", "GetLifecyclePolicy":
		return s.under()
	case "CreateRepository":
		return makes
	case "TagResource":
		return makes && !s.has("rise:managed") && !s.has("rise:installation") ||
			s.ours(c) && only("rise:orphaned", "rise:orphaned-at", "rise:suspended") ||
			s.ours(c) && !s.has("rise:project-id") && only("rise:project-id", "rise:orphaned", "rise:orphaned-at")
	case "UntagResource":
		return s.ours(c) && len(keys) > 0 && !slices.ContainsFunc(keys, func(k string) bool {
			return k != "rise:orphaned" && k != "rise:orphaned-at" && k != "rise:suspended"
		})
	case "PutImageTagMutability", "PutImageScanningConfiguration":
		return s.ours(c)
	case "PutLifecyclePolicy":
		return s.ours(c) && lifecycle
	case "DeleteLifecyclePolicy":
		return s.ours(c) && !lifecycle
	case "DeleteRepository":
		return s.ours(c) && c.AutoRemove && s.is("rise:orphaned", "true")
	}
	return false
}

// mayPull is what the push role's policy promises of a session of project hello without a session policy, where resource-based
// policies grant everything to everybody or nothing.
func mayPull(c ecr.Config, s state, granted bool) bool {
	if len(c.SharedRepositories) > 0 && strings.HasPrefix(s.name, "mirror/") {
		return true
	}
	mark, value := "rise:managed", "true"
	if c.Installation != "" {
		mark, value = "rise:installation", c.Installation
	}
	open := s.under() && s.is(mark, value) && !s.is("rise:orphaned", "true") && !s.is("rise:suspended", "true") &&
		(!c.SessionTags || s.is("rise:project", "hello"))
	return open && (granted || s.ours(c))
}

// Random calls on random repositories are allowed exactly where the promise is.
func TestPromises(t *testing.T) {
	t.Parallel()
	keys := []string{"rise:managed", "rise:installation", "rise:project", "rise:project-id", "rise:orphaned", "rise:orphaned-at", "rise:suspended", "cost-center", "team", "Owner"}
	values := map[string][]string{
		"rise:managed": {"true", "true", "true", "false"}, "rise:installation": {"prod", "prod", "prod", "staging"}, "rise:project": {"hello", "other"},
		"rise:orphaned": {"true", "false"}, "rise:suspended": {"true", "false"},
	}
	actions := []string{
		"DescribeRepositories", "ListTagsForResource", "GetRepositoryPolicy", "GetLifecyclePolicy", "PutLifecyclePolicy", "DeleteLifecyclePolicy",
		"PutImageTagMutability", "PutImageScanningConfiguration", "SetRepositoryPolicy", "DeleteRepositoryPolicy", "BatchDeleteImage", "BatchGetImage",
		"DeleteRepository", "GetAuthorizationToken", "GetRegistryPolicy", "CreateRepository", "CreateRepository", "TagResource", "TagResource", "TagResource",
		"TagResource", "TagResource", "TagResource", "UntagResource", "UntagResource",
	}
	for i, name := range []string{"plain", "tags", "lifecycle", "auto_remove", "no installation", "no session tags", "shared", "everything"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := standard()
			switch name {
			case "tags":
				c.Tags = tags("cost-center", "7", "team", "a")
			case "lifecycle":
				c.UntaggedExpireDays = 3
			case "auto_remove":
				c.AutoRemove = true
			case "no installation":
				c.Installation = ""
			case "no session tags":
				c.SessionTags = false
			case "shared":
				c.SharedRepositories = []string{"base", "mirror/*"}
			case "everything":
				c.Tags, c.MaxImageCount, c.AutoRemove = tags("cost-center", "7"), 5, true
			}
			a := newAccount(t, ecrtest.Config{}, c, everyone())
			controller := a.controller(t)
			project := "hello"
			if !c.SessionTags {
				project = ""
			}
			login := a.login(t, a.assume(t, pushARN, "rise-push-hello", project))
			r := rand.New(rand.NewPCG(uint64(i), 12))
			draw := func(chance float64) map[string]string {
				drawn := map[string]string{}
				for _, key := range keys {
					if r.Float64() > chance {
						continue
					}
					value := "x"
					if of := values[key]; of != nil {
						value = of[r.IntN(len(of))]
					}
					if r.IntN(15) == 0 {
						key = strings.ToUpper(key[:1]) + key[1:]
					}
					drawn[key] = value
				}
				return drawn
			}
			seen := map[bool]int{}
			for n := range 300 {
				s := state{name: fmt.Sprintf("%sr%d", []string{"rise/", "rise/", "rise/", "rise/", "rise/", "risen/", "", "mirror/"}[r.IntN(8)], n), tags: draw(0.45)}
				if r.IntN(2) == 0 { // else few are ours
					maps.Copy(s.tags, tags("rise:managed", "true", "rise:installation", "prod", "rise:project", "hello"))
					for _, twice := range []string{"Rise:managed", "Rise:installation", "Rise:project"} {
						delete(s.tags, twice)
					}
				}
				with := draw([]float64{0.12, 0.3}[r.IntN(2)])
				if r.IntN(3) == 0 {
					maps.Copy(with, tags("rise:managed", "true", "rise:installation", "prod", "rise:project", "hello"))
				}
				for key := range with { // a tag in two spellings is another test's
					if lower := strings.ToLower(key[:1]) + key[1:]; lower != key {
						delete(with, lower)
					}
				}
				action := actions[r.IntN(len(actions))]
				if action == "UntagResource" && len(with) == 0 { // the SDK refuses
					continue
				}
				if action == "CreateRepository" {
					s.tags = nil
				} else {
					a.CreateRepository(ecrtest.Repository{Name: s.name, Tags: s.tags})
					granted := r.IntN(2) == 0
					if granted {
						a.UpdateRepository(s.name, func(r *ecrtest.Repository) { r.Policy = openPolicy })
					}
					require.Equal(t, mayPull(c, s, granted), a.pulls(t, login, s.name), "%v granted=%v", s, granted)
					a.UpdateRepository(s.name, func(r *ecrtest.Repository) { r.Policy = "" })
				}
				want := mayController(c, s, action, with)
				err := a.call(t.Context(), controller, action, s.name, with)
				require.Equal(t, want, !denied(t, err), "%s %v with %v: %v", action, s, with, err)
				seen[want]++
				if _, ok := a.Repository(s.name); ok {
					a.DeleteRepository(s.name)
				}
			}
			require.Greater(t, seen[true], 40)
			require.Greater(t, seen[false], 80)
		})
	}
}
