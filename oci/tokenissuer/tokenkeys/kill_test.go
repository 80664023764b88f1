package tokenkeys_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
)

type killed struct{}

// kill runs do and ends it before its step number n, as a SIGKILL would: nothing is cleaned up. It reports whether do went that far.
func kill(d tokenkeys.Dir, n int, do func(tokenkeys.Dir) error) (ended bool, err error) {
	steps := 0
	defer func() {
		if r := recover(); r != nil {
			if _, ours := r.(killed); !ours {
				panic(r)
			}
			ended = true
		}
	}()
	return false, do(d.WithStep(func(string) {
		if steps++; steps > n {
			panic(killed{})
		}
	}))
}

// age makes all that the files say of times older.
func age(t *testing.T, d tokenkeys.Dir, by time.Duration) {
	t.Helper()
	var lines [][]byte
	for line := range bytes.Lines(file(t, d, "tls.key")) {
		var what, at string
		if n, _ := fmt.Sscanf(string(line), "# %s %s", &what, &at); n == 2 {
			moved, err := time.Parse(time.RFC3339, at)
			require.NoError(t, err)
			line = fmt.Appendf(nil, "# %s %s\n", what, moved.Add(-by).Format(time.RFC3339))
		}
		lines = append(lines, line)
	}
	path := filepath.Join(d.Path, "tls.key")
	require.NoError(t, os.WriteFile(path, bytes.Join(lines, nil), 0o600))
	at := time.Now().Add(-by)
	require.NoError(t, os.Chtimes(path, at, at))
}

func whole(_ tokenkeys.Keys, err error) error { return err }

// Wherever a run ends, what is there works: the service takes both files, with the grants of before, and the same command, run again, does
// what the first one would have.
func TestKilled(t *testing.T) {
	t.Parallel()
	const session = time.Hour
	add := func(d tokenkeys.Dir) error { return whole(d.Add()) }
	use := func(d tokenkeys.Dir) error { return whole(d.Use()) }
	for name, tt := range map[string]struct {
		before   []func(tokenkeys.Dir) error
		do       func(tokenkeys.Dir) error
		keys     int  // after it was run again, at most
		replaced bool // another key signs
	}{
		"make": {do: func(d tokenkeys.Dir) error { return whole(d.Make()) }, keys: 1},
		"add":  {do: add, keys: 3},
		"use":  {before: []func(tokenkeys.Dir) error{add}, do: use, keys: 2, replaced: true},
		"drop": {before: []func(tokenkeys.Dir) error{add, use}, do: func(d tokenkeys.Dir) error { return whole(d.Drop(session)) }, keys: 1},
		"all":  {before: []func(tokenkeys.Dir) error{add}, do: func(d tokenkeys.Dir) error { return whole(d.Rotate(session)) }, keys: 4, replaced: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 0; ; n++ {
				d := newDir(t)
				var first *keys.Ring
				if name != "make" {
					d = made(t)
					for _, one := range tt.before {
						require.NoError(t, one(d))
						age(t, d, 2*session)
					}
					first = ring(t, d)
				}
				ended, err := kill(d, n, tt.do)
				require.NoError(t, err)
				if first != nil {
					requireGrantOf(t, first, d)
				}
				if !ended {
					require.Positive(t, n)
					t.Logf("ended before each of %d steps", n)
					return
				}
				authority, _ := os.ReadFile(filepath.Join(d.Path, "ca.key"))
				if err := tt.do(d); err != nil { // it had been done but for the last step
					require.ErrorContains(t, err, map[string]string{"add": "there is a new key already", "use": "there is no new key"}[name])
				}
				r := ring(t, d)
				require.LessOrEqual(t, r.Count(), tt.keys)
				if first != nil {
					requireGrantOf(t, first, d)
					require.Equal(t, tt.replaced, r.ID() != first.ID(), "step %d", n)
				}
				require.Len(t, contents(t, d), 4, "nothing is left behind")
				if len(authority) > 0 {
					require.Equal(t, authority, file(t, d, "ca.key"), "what is there stays")
				}
				k, err := d.Make()
				require.NoError(t, err)
				require.Empty(t, k.Made)
			}
		})
	}
}

// requireGrantOf requires that the service takes what a ring signed.
func requireGrantOf(t *testing.T, r *keys.Ring, d tokenkeys.Dir) {
	t.Helper()
	grant, err := r.SignGrant([]byte("{}"))
	require.NoError(t, err)
	_, err = ring(t, d).VerifyGrant(grant)
	require.NoError(t, err)
}
