package keys_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/internal/keys"
	"github.com/rise-deploy/rise-registry-go/oci/tokenissuer/tokenkeys"
)

// files are files of keys that a test changes.
type files struct {
	key, certificate []byte
	err              error
	reads            int
}

func (f *files) read() ([]byte, []byte, error) {
	f.reads++
	return f.key, f.certificate, f.err
}

// A matching pair is taken within ten seconds; what doesn't match, has ended or can't be read leaves the old one.
func TestSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, err := tokenkeys.NewAuthority()
		require.NoError(t, err)
		const year = 365 * 24 * time.Hour
		firstKey, firstCertificate, err := a.NewSigningKey(year)
		require.NoError(t, err)
		secondKey, secondCertificate, err := a.NewSigningKey(year)
		require.NoError(t, err)
		var log bytes.Buffer
		f := &files{key: firstKey, certificate: firstCertificate}
		s, err := keys.Open(f.read, service, slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		first := s.Ring()
		require.Empty(t, log.String())
		count := func(text string) int { return strings.Count(log.String(), text) }

		f.certificate = secondCertificate // the key's file comes later
		require.Same(t, first, s.Ring())
		require.Equal(t, 1, f.reads, "not before ten seconds are over")
		for range 3 {
			time.Sleep(10 * time.Second)
			require.Same(t, first, s.Ring())
		}
		require.Equal(t, 4, f.reads)
		require.Equal(t, 1, count("the old ones are kept"), "said once")
		require.ErrorContains(t, s.Problem(), "none of the keys")

		f.key = join(secondKey, firstKey)
		time.Sleep(10 * time.Second)
		second := s.Ring()
		require.NotEqual(t, first.ID(), second.ID())
		require.Equal(t, 2, second.Count())
		require.NoError(t, s.Problem())
		require.Equal(t, 1, count("signing keys were read again"))
		grant, err := first.SignGrant([]byte("{}"))
		require.NoError(t, err)
		_, err = second.VerifyGrant(grant)
		require.NoError(t, err, "the old key's grants are still taken")

		f.err = errors.New("gone")
		time.Sleep(10 * time.Second)
		require.Same(t, second, s.Ring())
		require.Equal(t, 2, count("the old ones are kept"))
		f.err = nil
		time.Sleep(10 * time.Second)
		require.Equal(t, second.ID(), s.Ring().ID())
		require.NoError(t, s.Problem())

		f.key, f.certificate, err = a.NewSigningKey(time.Minute)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.Equal(t, second.ID(), s.Ring().ID(), "it has ended")

		f.key, f.certificate, err = a.NewSigningKey(90 * 24 * time.Hour)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.False(t, s.Ring().EndsSoon(time.Now()))
		require.Zero(t, count("ends soon"))
		for range 3 * 24 { // three days in the last month
			time.Sleep(61 * 24 * time.Hour / 72)
			s.Ring()
		}
		require.True(t, s.Ring().EndsSoon(time.Now()))
		require.NotZero(t, count("ends soon"))
		before := count("ends soon")
		for range 48 {
			time.Sleep(time.Hour)
			s.Ring()
		}
		require.Equal(t, before+2, count("ends soon"), "once a day")
	})
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	key, certificate := filepath.Join(dir, "tls.key"), filepath.Join(dir, "tls.crt")
	_, _, err := keys.Files(key, certificate)()
	require.EqualError(t, err, "the key file can't be read: no such file or directory")
	require.NoError(t, os.WriteFile(key, []byte("k"), 0o600))
	_, _, err = keys.Files(key, certificate)()
	require.EqualError(t, err, "the certificate file can't be read: no such file or directory")
	require.NoError(t, os.WriteFile(certificate, []byte("c"), 0o600))
	k, c, err := keys.Files(key, certificate)()
	require.NoError(t, err)
	require.Equal(t, "kc", string(k)+string(c))
	_, err = keys.Open(keys.Files(key, certificate), service, slog.New(slog.DiscardHandler))
	require.EqualError(t, err, "the key file holds no private key in PEM")
}

func TestSourceConcurrently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		key, certificate, _ := pair(t)
		s, err := keys.Open(func() ([]byte, []byte, error) { return key, certificate, nil }, service, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for range 20 {
					time.Sleep(10 * time.Second)
					if s.Ring() == nil || s.Problem() != nil {
						t.Error("no ring")
					}
				}
			})
		}
		wg.Wait()
	})
}
