package tokenkeys_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
)

const day = 24 * time.Hour

// newDir is a directory that isn't there yet.
func newDir(t *testing.T) tokenkeys.Dir {
	t.Helper()
	return tokenkeys.Dir{Path: filepath.Join(t.TempDir(), "keys")}
}

func made(t *testing.T) tokenkeys.Dir {
	t.Helper()
	d := newDir(t)
	_, err := d.Make()
	require.NoError(t, err)
	return d
}

func contents(t *testing.T, d tokenkeys.Dir) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(d.Path)
	require.NoError(t, err)
	for _, e := range entries {
		all[e.Name()] = string(file(t, d, e.Name()))
	}
	return all
}

func file(t *testing.T, d tokenkeys.Dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.Path, name))
	require.NoError(t, err)
	return text
}

func put(t *testing.T, d tokenkeys.Dir, name string, texts ...[]byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(d.Path, name), bytes.Join(texts, nil), 0o600))
}

func ring(t *testing.T, d tokenkeys.Dir) *keys.Ring {
	t.Helper()
	r, err := keys.Parse(file(t, d, "tls.key"), file(t, d, "tls.crt"), "registry.example.com", time.Now())
	require.NoError(t, err)
	return r
}

func ids(k tokenkeys.Keys) []string {
	var all []string
	for _, one := range k.Keys {
		all = append(all, one.ID)
	}
	return all
}

func TestMake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDir(t)
		k, err := d.Make()
		require.NoError(t, err)
		var names []string
		for _, path := range k.Made {
			names = append(names, filepath.Base(path))
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
		}
		require.Equal(t, []string{"ca.key", "ca.crt", "tls.key", "tls.crt"}, names)
		info, err := os.Stat(d.Path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
		require.Equal(t, filepath.Join(d.Path, "ca.key"), k.AuthorityKey)
		require.Equal(t, []tokenkeys.Key{{ID: ring(t, d).ID(), Made: time.Now(), Ends: time.Now().Add(tokenkeys.DefaultLife).UTC()}}, k.Keys)
		require.True(t, strings.HasPrefix(string(file(t, d, "ca.key")), "# The key of the authority: keep it off the service's machine."))
		require.Empty(t, k.Warnings)

		before := contents(t, d)
		require.Len(t, before, 4)
		k, err = d.Make()
		require.NoError(t, err)
		require.Empty(t, k.Made)
		require.Equal(t, before, contents(t, d), "nothing is overwritten")

		require.NoError(t, os.Rename(filepath.Join(d.Path, "ca.key"), filepath.Join(t.TempDir(), "ca.key")))
		k, err = d.Make()
		require.NoError(t, err, "the authority's key belongs elsewhere")
		require.Empty(t, k.AuthorityKey)

		time.Sleep(tokenkeys.DefaultLife)
		_, err = d.Make()
		require.ErrorIs(t, err, tokenkeys.ErrExpired)
		require.EqualError(t, err, "the signing certificate has expired: tls.crt, on 2000-12-31T00:00:00Z")
	})
}

// A new key waits for ten minutes, and an old one goes when its grants have: at each step the service can take both files, and grants that live.
func TestRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const session = time.Hour
		d := made(t)
		elsewhere := filepath.Join(t.TempDir(), "kept.key")
		require.NoError(t, os.Rename(filepath.Join(d.Path, "ca.key"), elsewhere))
		authority := file(t, d, "ca.crt")
		_, err := d.Add()
		require.ErrorIs(t, err, tokenkeys.ErrNoAuthorityKey)
		require.ErrorContains(t, err, filepath.Join(d.Path, "ca.key"))
		_, err = d.Rotate(session)
		require.ErrorIs(t, err, tokenkeys.ErrNoAuthorityKey)
		_, err = d.Use()
		require.EqualError(t, err, "there is no new key that could be used: add one first")
		k, err := d.Drop(session)
		require.NoError(t, err, "there is none to drop")
		require.Len(t, k.Keys, 1)

		first := ring(t, d)
		grant, err := first.SignGrant([]byte("{}"))
		require.NoError(t, err)
		d.AuthorityKeyFile = elsewhere
		time.Sleep(300 * day)
		k, err = d.Add()
		require.NoError(t, err)
		require.Len(t, k.Keys, 2)
		require.Equal(t, first.ID(), k.Keys[0].ID)
		second := k.Keys[1]
		require.Equal(t, time.Now(), second.Made)
		require.Equal(t, first.ID(), ring(t, d).ID(), "the old one signs")
		require.Equal(t, 2, ring(t, d).Count())
		_, err = d.Add()
		require.EqualError(t, err, "there is a new key already, "+second.ID+": it has to be used first")

		d.AuthorityKeyFile = "" // it isn't needed from here on
		var early *tokenkeys.EarlyError
		_, err = d.Use()
		require.ErrorAs(t, err, &early)
		require.True(t, early.Until.Equal(second.UsableFrom()))
		require.ErrorContains(t, err, "is younger than 10m0s")
		time.Sleep(10*time.Minute - time.Nanosecond)
		_, err = d.Use()
		require.ErrorAs(t, err, &early)
		time.Sleep(time.Nanosecond)
		k, err = d.Use()
		require.NoError(t, err)
		require.Equal(t, []string{second.ID, first.ID()}, ids(k))
		require.Equal(t, time.Now(), k.Keys[1].Replaced)
		require.Zero(t, k.Keys[1].Ends)
		now := ring(t, d)
		require.Equal(t, second.ID, now.ID())
		_, err = now.VerifyGrant(grant)
		require.NoError(t, err, "the old key's grants live")
		require.Equal(t, 1, bytes.Count(file(t, d, "tls.crt"), []byte("BEGIN")))

		old := k.Keys[1]
		_, err = d.Drop(session)
		require.ErrorAs(t, err, &early)
		require.True(t, early.Until.Equal(old.DroppableFrom(session)))
		require.ErrorContains(t, err, "grants of the old key may live")
		time.Sleep(session + 10*time.Minute - time.Nanosecond)
		_, err = d.Drop(session)
		require.ErrorAs(t, err, &early)
		time.Sleep(time.Nanosecond)
		_, err = d.Drop(12 * time.Hour)
		require.ErrorAs(t, err, &early, "it is the session's length that counts")
		k, err = d.Drop(session)
		require.NoError(t, err)
		require.Equal(t, []string{second.ID}, ids(k))
		require.Equal(t, []string{first.ID()}, k.Dropped)
		_, err = ring(t, d).VerifyGrant(grant)
		require.ErrorIs(t, err, keys.ErrUnknownKey)

		require.Equal(t, authority, file(t, d, "ca.crt"))
		require.Len(t, contents(t, d), 3)
	})
}

// For one replica, all is one step; what was replaced goes at the first one after its grants have ended.
func TestRotateAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := made(t)
		a := ring(t, d).ID()
		added, err := d.Add()
		require.NoError(t, err)
		k, err := d.Rotate(time.Hour)
		require.NoError(t, err)
		b := k.Keys[0].ID
		require.Equal(t, b, ring(t, d).ID())
		require.ElementsMatch(t, []string{a, b, added.Keys[1].ID}, ids(k))
		time.Sleep(time.Hour)
		k, err = d.Rotate(time.Hour)
		require.NoError(t, err)
		require.Len(t, k.Keys, 4)
		time.Sleep(10 * time.Minute)
		k, err = d.Rotate(time.Hour)
		require.NoError(t, err)
		require.Len(t, k.Keys, 3, "those of the first step have ended")
		require.NotContains(t, ids(k), a)

		time.Sleep(2 * tokenkeys.DefaultLife)
		_, err = d.Make()
		require.ErrorIs(t, err, tokenkeys.ErrExpired)
		k, err = d.Rotate(time.Hour)
		require.NoError(t, err, "it is the way out")
		require.Len(t, k.Keys, 2)
		_, err = d.Make()
		require.NoError(t, err)

		time.Sleep(10 * tokenkeys.DefaultLife)
		_, err = d.Rotate(time.Hour)
		require.ErrorContains(t, err, "expired")
		require.ErrorContains(t, err, "authority")
	})
}

// Each expired key can be replaced in steps too, and a new one that expired unused isn't in the way.
func TestRotateExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := made(t)
		d.Life = time.Hour
		_, err := d.Add()
		require.NoError(t, err)
		time.Sleep(2 * tokenkeys.DefaultLife)
		_, err = d.Use()
		require.ErrorContains(t, err, "has expired: add another one")
		k, err := d.Add()
		require.NoError(t, err)
		require.Len(t, k.Keys, 3)
		time.Sleep(10 * time.Minute)
		_, err = d.Use()
		require.NoError(t, err)
		require.Equal(t, k.Keys[1].ID, ring(t, d).ID())
	})
}

// What a copy by hand or another program leaves out counts from the file's last change.
func TestWithoutTimes(t *testing.T) {
	t.Parallel()
	d := made(t)
	_, err := d.Add()
	require.NoError(t, err)
	comment := regexp.MustCompile(`(?m)^#.*\n`)
	put(t, d, "tls.key", comment.ReplaceAll(file(t, d, "tls.key"), nil))
	var early *tokenkeys.EarlyError
	_, err = d.Use()
	require.ErrorAs(t, err, &early)
	touch := func(age time.Duration) {
		at := time.Now().Add(-age)
		require.NoError(t, os.Chtimes(filepath.Join(d.Path, "tls.key"), at, at))
	}
	touch(11 * time.Minute)
	_, err = d.Use()
	require.NoError(t, err)
	put(t, d, "tls.key", comment.ReplaceAll(file(t, d, "tls.key"), nil))
	_, err = d.Drop(time.Hour)
	require.ErrorAs(t, err, &early)
	touch(71 * time.Minute)
	k, err := d.Drop(time.Hour)
	require.NoError(t, err)
	require.Len(t, k.Keys, 1)
}

// Whoever runs it twice at a time gets one authority and one key.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	d := newDir(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var all []string
	var errs []error
	for range 8 {
		wg.Go(func() {
			k, err := d.Make()
			mu.Lock()
			defer mu.Unlock()
			errs, all = append(errs, err), append(all, ids(k)...)
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Len(t, slices.Compact(all), 1)

	errs = nil
	for range 8 {
		wg.Go(func() {
			_, err := d.Add()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	require.Len(t, errs, 7, "one is added")
	require.Equal(t, 2, ring(t, d).Count())
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	chmod := func(name string, mode os.FileMode) func(*testing.T, tokenkeys.Dir) {
		return func(t *testing.T, d tokenkeys.Dir) {
			t.Helper()
			require.NoError(t, os.Chmod(filepath.Join(d.Path, name), mode))
		}
	}
	remove := func(names ...string) func(*testing.T, tokenkeys.Dir) {
		return func(t *testing.T, d tokenkeys.Dir) {
			t.Helper()
			for _, name := range names {
				require.NoError(t, os.Remove(filepath.Join(d.Path, name)))
			}
		}
	}
	// others puts files of another directory here.
	others := func(names ...string) func(*testing.T, tokenkeys.Dir) {
		return func(t *testing.T, d tokenkeys.Dir) {
			t.Helper()
			other := made(t)
			for _, name := range names {
				put(t, d, name, file(t, other, name))
			}
		}
	}
	for name, tt := range map[string]struct {
		spoil func(*testing.T, tokenkeys.Dir)
		want  string
	}{
		"key for everybody":              {chmod("tls.key", 0o604), "tls.key can be read by everybody on this machine (mode 0604): its key has to be replaced if others were there; chmod o= "},
		"key that others write":          {chmod("tls.key", 0o620), "tls.key can be written by others than its owner (mode 0620): chmod go-w "},
		"certificate that others write":  {chmod("tls.crt", 0o666), "tls.crt can be written by others"},
		"authority that others write":    {chmod("ca.crt", 0o662), "ca.crt can be written by others"},
		"authority's key for everybody":  {chmod("ca.key", 0o644), "ca.key can be read by everybody"},
		"directory that others write":    {chmod(".", 0o770), "can be written by others than its owner (mode 0770)"},
		"key without certificate":        {remove("tls.crt", "ca.key"), "tls.key has no certificate"},
		"certificate without key":        {remove("tls.key"), "tls.key isn't there: the key of the certificate in tls.crt"},
		"certificate of another key":     {others("tls.key"), "tls.crt begins with a certificate of another key: none of those in tls.key"},
		"not below the authority":        {others("tls.key", "tls.crt"), "tls.crt has a certificate that isn't below ca.crt, so no registry that has this one takes what it signs"},
		"no authority":                   {remove("ca.crt"), "ca.crt isn't there: it is what registries are given"},
		"another authority's key":        {others("ca.key"), "the authority's key isn't the one of its certificate"},
		"key that can't be read":         {func(t *testing.T, d tokenkeys.Dir) { t.Helper(); put(t, d, "tls.key", []byte("hunter2")) }, "tls.key holds no private key in PEM"},
		"certificate that can't be read": {func(t *testing.T, d tokenkeys.Dir) { t.Helper(); put(t, d, "tls.crt", []byte("hunter2")) }, "tls.crt holds no certificate in PEM"},
		"authority that is none":         {func(t *testing.T, d tokenkeys.Dir) { t.Helper(); put(t, d, "ca.crt", file(t, d, "tls.crt")) }, "ca.crt is no authority's"},
		"two authorities": {func(t *testing.T, d tokenkeys.Dir) {
			t.Helper()
			put(t, d, "ca.crt", file(t, d, "ca.crt"), file(t, made(t), "ca.crt"))
		}, "ca.crt has another one beside it"},
		"a certificate more": {func(t *testing.T, d tokenkeys.Dir) {
			t.Helper()
			put(t, d, "tls.crt", file(t, d, "tls.crt"), file(t, made(t), "tls.crt"))
		}, "tls.crt holds a certificate of a key that isn't in tls.key"},
		"a key that registries don't take": {func(t *testing.T, d tokenkeys.Dir) {
			t.Helper()
			key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
			require.NoError(t, err)
			der, err := x509.MarshalPKCS8PrivateKey(key)
			require.NoError(t, err)
			put(t, d, "tls.key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		}, "registries don't take"},
		"a directory in a file's place": {func(t *testing.T, d tokenkeys.Dir) {
			t.Helper()
			remove("tls.key")(t, d)
			require.NoError(t, os.Mkdir(filepath.Join(d.Path, "tls.key"), 0o700))
		}, "tls.key isn't a file of keys or certificates"},
		"a link in a file's place": {func(t *testing.T, d tokenkeys.Dir) {
			t.Helper()
			path, target := filepath.Join(d.Path, "tls.key"), filepath.Join(d.Path, "target")
			require.NoError(t, errors.Join(os.Rename(path, target), os.Symlink(target, path)))
		}, "tls.key isn't a plain file, so it isn't replaced"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := made(t)
			tt.spoil(t, d)
			before, err := os.ReadDir(d.Path)
			require.NoError(t, err)
			_, err = d.Rotate(time.Hour)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "hunter2")
			after, err := os.ReadDir(d.Path)
			require.NoError(t, err)
			require.Len(t, after, len(before))
		})
	}
	for _, rotate := range []func(tokenkeys.Dir) (tokenkeys.Keys, error){
		tokenkeys.Dir.Add, tokenkeys.Dir.Use, func(d tokenkeys.Dir) (tokenkeys.Keys, error) { return d.Drop(0) },
	} {
		d := newDir(t)
		_, err := rotate(d)
		require.ErrorIs(t, err, tokenkeys.ErrNoKeys)
		require.NoDirExists(t, d.Path)
		require.NoError(t, os.Mkdir(d.Path, 0o700))
		_, err = rotate(d)
		require.ErrorIs(t, err, tokenkeys.ErrNoKeys)
	}
	d := newDir(t)
	d.AuthorityKeyFile = filepath.Join(t.TempDir(), "none")
	_, err := d.Make()
	require.ErrorContains(t, err, "an authority is made whole")
	require.Empty(t, contents(t, d))
	d.Path = filepath.Join(made(t).Path, "tls.key")
	_, err = d.Make()
	require.Error(t, err)
}
