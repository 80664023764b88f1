package ecr_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// lifeOf is what a configuration does: every call with its parameters, and what is left, while a repository is made, pushed to, changed
// by others, mended, released, and purged when it may be.
func lifeOf(t *testing.T, change func(*ecr.Config)) string {
	t.Helper()
	var life strings.Builder
	inTenancy(t, ecrtest.Config{}, change, func(t *testing.T, l tenancy) {
		name, err := l.Repository("hello", provider.Client)
		require.NoError(t, err)
		note := func(what any, err error) {
			r, there := l.Server.Repository(name.RepositoryStr())
			fmt.Fprintln(&life, what, err, there, r.ScanOnPush, r.TagMutability, r.LifecyclePolicy, r.Tags, len(r.ImageDigests))
		}
		note(l.EnsureRepository(t.Context(), hello, repository.EnsureOptions{}))
		credentials, err := provider.Issue(t.Context(), l.Provider, push)
		note(credentials.ExpiresAt, err)
		l.UpdateRepository(name.RepositoryStr(), func(r *ecrtest.Repository) { r.ScanOnPush, r.TagMutability = false, "IMMUTABLE" })
		note(l.EnsureRepository(t.Context(), hello, repository.EnsureOptions{}))
		note(l.Retention())
		note(l.ReleaseRepository(t.Context(), hello))
		for _, age := range []time.Duration{time.Hour, 25 * time.Hour} {
			time.Sleep(age)
			note(l.PurgeRepository(t.Context(), "hello", age))
		}
		for _, call := range l.Calls() {
			parameters, err := json.Marshal(call.JSON)
			require.NoError(t, err)
			fmt.Fprintln(&life, call.Name(), call.Form.Get("DurationSeconds"), string(parameters), call.Status)
		}
	})
	return life.String()
}

// A configuration written in Go with fields left out does what YAML with the keys left out does.
func TestZeroFieldsAreDefaults(t *testing.T) {
	t.Parallel()
	left := lifeOf(t, nil)
	require.Equal(t, left, lifeOf(t, func(c *ecr.Config) {
		literal := ecr.Config{
			Region: c.Region, AccountID: c.AccountID, PushRoleARN: c.PushRoleARN, AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey,
			SessionTags: c.SessionTags,
		}
		literal.Installation, literal.AutoRemove = c.Installation, c.AutoRemove
		*c = literal
	}))
	require.Contains(t, left, `"scanOnPush":true`)
	require.Contains(t, left, "remove_after, 24h0m0s")

	// Another value for each field with a default, to see that it would be seen.
	others := map[string]func(*ecr.Config){
		"repo_prefix":          func(c *ecr.Config) { c.RepoPrefix = "other/" },
		"session_duration":     func(c *ecr.Config) { c.SessionDuration = 15 * time.Minute },
		"remove_after":         func(c *ecr.Config) { c.RemoveAfter = new(30 * time.Hour) },
		"image_tag_mutability": func(c *ecr.Config) { c.ImageTagMutability = "IMMUTABLE" },
		"scan_on_push":         func(c *ecr.Config) { c.ScanOnPush = new(false) },
	}
	seen := 0
	eachField(reflect.TypeFor[ecr.Config](), nil, func(key string, index []int) {
		if reflect.ValueOf(ecr.DefaultConfig()).FieldByIndex(index).IsZero() {
			return // zero and left out are one
		}
		seen++
		require.Contains(t, others, key, "a field whose default isn't its zero value needs another value here")
		zero := lifeOf(t, func(c *ecr.Config) { reflect.ValueOf(c).Elem().FieldByIndex(index).SetZero() })
		require.Equal(t, left, zero, key)
		require.NotEqual(t, left, lifeOf(t, others[key]), key)
	})
	require.Equal(t, len(others), seen)
}

// eachField visits the fields that have keys, those of inline structs too.
func eachField(t reflect.Type, index []int, visit func(key string, index []int)) {
	for f := range t.Fields() {
		at := slices.Concat(index, f.Index)
		switch key, option, _ := strings.Cut(f.Tag.Get("yaml"), ","); {
		case option == "inline":
			eachField(f.Type, at, visit)
		case key != "-":
			visit(key, at)
		}
	}
}
