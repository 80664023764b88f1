package mapping_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/examples/pull-secrets/internal/mapping"
	"github.com/rise-deploy/rise-registry-go/provider"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func open(t *testing.T, text string) (*mapping.File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "namespaces.yaml")
	write(t, path, text)
	return mapping.Open(path, mapping.Excluded{"kube-*"}, slog.New(slog.DiscardHandler))
}

func TestOpen(t *testing.T) {
	t.Parallel()
	f, err := open(t, "\ufeff---\n# comment\n\nshop-production: shop # ours\nshop-staging:   shop\r\n\"1\": '2'\n")
	require.NoError(t, err)
	for namespace, want := range map[string]string{"shop-production": "shop", "shop-staging": "shop", "1": "2", "shop": "", "": ""} {
		project, err := f.Project(namespace, map[string]string{mapping.LabelKey: "label"})
		require.NoError(t, err)
		require.Equal(t, want, project, namespace)
	}
	f, err = open(t, "# nobody\n{}\n")
	require.NoError(t, err)
	project, _ := f.Project("shop", nil)
	require.Empty(t, project)

	for text, problem := range map[string]string{
		"":                              "it maps no namespace; if that is meant, write {}",
		"# all: gone\n":                 "it maps no namespace",
		"shop: shop\n{}\n":              "it has {}, which means that no namespace is mapped, and namespaces",
		"shop":                          `line 1: "shop" is no line as shop-production: shop`,
		"a: b\n  c: d\n":                "line 2:",
		"\ta: b\n":                      "line 1:",
		"a:b\n":                         "line 1:",
		"a: {b: c}\n":                   "line 1:",
		"a: Shop\n":                     `line 1: "Shop" is no project's name: a project name is`,
		"a: '*'\n":                      "is no project's name",
		"a: b--c\n":                     "is no project's name",
		"a:\n":                          "line 1:",
		"A: shop\n":                     `"A" is no namespace's name`,
		"-a: shop\n":                    "is no namespace's name",
		"kube-system: shop\n":           "the namespace kube-system is one of those that are excluded",
		"a: shop\nb: blog\na: blog\n":   "line 3: the namespace a is there before",
		"a: Shop\nb: -\n":               "line 2:",
		strings.Repeat("a", 64) + ": b": "is no namespace's name",
	} {
		_, err := open(t, text)
		require.ErrorContains(t, err, problem, "%q", text)
	}
	_, err = mapping.Open(filepath.Join(t.TempDir(), "none"), nil, slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// What is half written, wrong or gone changes nothing.
func TestWatch(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "namespaces.yaml")
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		write(t, path, "a: shop\nb: blog\n")
		f, err := mapping.Open(path, nil, slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var changed []string
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			f.Watch(ctx, func(namespaces []string) { changed = append(changed, namespaces...) })
		}()
		is := func(namespace string) string { project, _ := f.Project(namespace, nil); return project }
		looks := func(n int) { time.Sleep(time.Duration(n) * mapping.LookEvery); synctest.Wait() }
		looks(2)

		write(t, path, "a: shop\n") // half of what somebody writes
		looks(1)
		write(t, path, "a: shop\nb: other\nc: new\n")
		looks(1)
		require.Empty(t, changed)
		require.Equal(t, "blog", is("b"))
		looks(1)
		slices.Sort(changed)
		require.Equal(t, []string{"b", "c"}, changed)
		require.Equal(t, "other new", is("b")+" "+is("c"))
		require.Empty(t, f.Failed())

		for _, text := range []string{"", "a: Shop\n", "b: other\nb: other\n"} {
			write(t, path, text)
			looks(10)
			require.Equal(t, "other", is("b"))
			require.NotEmpty(t, f.Failed())
		}
		require.NoError(t, os.Remove(path))
		looks(10)
		require.Equal(t, "other", is("b"))
		require.Len(t, strings.Split(strings.TrimSpace(log.String()), "\n"), 1+4, "each said once: %s", log.String())

		changed = nil
		write(t, path, "{}\n")
		looks(2)
		slices.Sort(changed)
		require.Equal(t, []string{"a", "b", "c"}, changed)
		require.Empty(t, f.Failed())
		cancel()
		<-ended
	})
}

func TestLabel(t *testing.T) {
	t.Parallel()
	excluded, err := mapping.ParseExcluded(" kube-* ,,monitoring")
	require.NoError(t, err)
	l := mapping.Label{Excluded: excluded}
	for namespace, want := range map[string]string{"a": "shop", "kube-system": "", "monitoring": "", "kube": "shop", "monitoring-2": "shop"} {
		project, err := l.Project(namespace, map[string]string{mapping.LabelKey: "shop"})
		require.NoError(t, err)
		require.Equal(t, want, project, namespace)
	}
	project, err := l.Project("a", map[string]string{"rise/projects": "shop"})
	require.NoError(t, err)
	require.Empty(t, project)
	_, err = l.Project("a", map[string]string{mapping.LabelKey: ""})
	require.ErrorContains(t, err, "the namespace's label rise/project is no project's name")
	_, err = mapping.ParseExcluded("a,[")
	require.ErrorContains(t, err, `"[" is no pattern`)
}

// Whatever is in the file, a namespace is mapped to a valid project that stands in its own line.
func FuzzOpen(f *testing.F) {
	for _, text := range []string{"a: b\n", "{}", "# x\n'a': \"b\" # c\r\n", "a: b\n\x00", "a : b", "a: b: c", "---\na: b"} {
		f.Add(text, "a")
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text, namespace string) {
		path := filepath.Join(dir, "file")
		write(t, path, text)
		m, err := mapping.Open(path, mapping.Excluded{"kube-*"}, slog.New(slog.DiscardHandler))
		if err != nil {
			return
		}
		project, err := m.Project(namespace, nil)
		require.NoError(t, err)
		if project == "" {
			return
		}
		require.NoError(t, provider.ValidateProject(project))
		require.NotContains(t, namespace, "kube-")
		require.True(t, slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool {
			return strings.HasPrefix(strings.TrimLeft(line, "\ufeff'\""), namespace) && strings.Contains(line, project)
		}), "%s is %s?", namespace, project)
	})
}
