package fileorder_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/internal/fileorder"
)

func load(t *testing.T, name string) fileorder.Package {
	t.Helper()
	all, err := fileorder.Load(".", "./testdata/"+name)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "github.com/rise-deploy/rise-registry-go/internal/fileorder/testdata/"+name, all[0].Path)
	return all[0]
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		order  []string
		cycles [][]string
		uses   []string
	}{
		{"down", []string{"a.go", "b.go", "c.go", "d_plan9.go"}, nil, []string{
			"a.go uses b.go: middle at a.go:4:25 and 1 more",
			"a.go uses c.go: width at a.go:4:45",
		}},
		{"upcall", []string{"upper.go", "lower.go"}, nil, []string{
			"upper.go uses lower.go: loop at upper.go:7:24",
		}},
		{"methods", []string{"conn.go", "log.go", "server.go"}, [][]string{{"conn.go", "log.go", "server.go"}}, []string{
			"conn.go uses log.go: server.log at conn.go:6:35",
			"conn.go uses server.go: server at conn.go:4:27",
			"log.go uses server.go: server at log.go:3:10",
			"server.go uses conn.go: conn at server.go:7:2 and 1 more",
			"server.go uses log.go: server.log at server.go:6:4",
		}},
		{"embedded", []string{"base.go", "inner.go", "outer.go", "link.go", "ring.go"}, [][]string{{"base.go", "inner.go", "outer.go"}, {"link.go", "ring.go"}}, []string{
			"base.go uses inner.go: inner.stop at base.go:6:33",
			"base.go uses outer.go: inner at base.go:6:33 and 1 more", // the field, then the function that returns it
			"inner.go uses base.go: base at inner.go:3:21",
			"link.go uses ring.go: ring at link.go:3:25",
			"outer.go uses inner.go: inner at outer.go:3:20",
			"ring.go uses link.go: link at ring.go:3:20",
		}},
		{"values", []string{"const.go", "list.go"}, [][]string{{"const.go", "list.go"}}, []string{
			"const.go uses list.go: list at const.go:6:13 and 1 more",
			"list.go uses const.go: size at list.go:4:9",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := load(t, test.name)
			order, cycles := p.Order()
			require.Equal(t, test.order, order)
			require.Equal(t, test.cycles, cycles)
			var uses []string
			for _, u := range p.Uses {
				uses = append(uses, u.String())
			}
			require.Equal(t, test.uses, uses)
		})
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	require.Empty(t, load(t, "down").Problems())
	p := load(t, "values")
	require.Equal(t, []string{p.Path + ": these files use each other: const.go, list.go\n" +
		"\tconst.go uses list.go: list at const.go:6:13 and 1 more\n\tlist.go uses const.go: size at list.go:4:9"}, p.Problems())

	p = load(t, "down")
	require.Len(t, p.Files, 4, "those of all platforms, without tests")
	require.Equal(t, 13, p.Lines)
	for len(p.Files) < fileorder.MaxFiles {
		p.Files = append(p.Files, fmt.Sprintf("e%d.go", len(p.Files)))
	}
	p.Lines = fileorder.MaxLines
	require.Empty(t, p.Problems())
	p.Files, p.Lines = append(p.Files, "f.go"), p.Lines+1
	require.Equal(t, []string{p.Path + " has 16 files, more than 15", p.Path + " has 2501 lines, more than 2500"}, p.Problems())
}

func TestLoad(t *testing.T) {
	t.Parallel()
	_, err := fileorder.Load(".", "./testdata/broken")
	require.ErrorContains(t, err, "broken.go:4:13")
	_, err = fileorder.Load(".", "./testdata/nowhere")
	require.Error(t, err)
	_, err = fileorder.Load("nowhere", "./...")
	require.Error(t, err)
}
