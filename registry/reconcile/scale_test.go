package reconcile_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
	"github.com/rise-deploy/rise-registry-go/registry/reconcile"
)

// crowd is a provider with many repositories that keeps none of them, and a service with as many projects.
type crowd struct {
	*fake
	n, orphans int
	calls      atomic.Int64
}

func (c *crowd) name(i int) string { return fmt.Sprintf("customer-project-%07d", i) }

func (c *crowd) id(project string) string {
	return "00000000-0000-4000-8000-" + strings.TrimPrefix(project, "customer-project-")
}

func (c *crowd) ListRepositories(context.Context) iter.Seq2[repository.Repository, error] {
	return func(yield func(repository.Repository, error) bool) {
		created := time.Now().Add(-100 * day)
		for i := range c.n + c.orphans {
			if i%page == 0 {
				c.calls.Add(1)
			}
			name := "rise/" + c.name(i)
			if !yield(repository.Repository{Project: name[len("rise/"):], Name: name, CreatedAt: created, ReadAt: time.Now()}, nil) {
				return
			}
		}
	}
}

func (c *crowd) EnsureRepository(_ context.Context, p provider.Project, _ repository.EnsureOptions) (repository.Change, error) {
	c.calls.Add(2)
	return repository.Change{Project: p.Name, Calls: 2}, nil
}

func (c *crowd) RepositoryOwner(context.Context, string) (repository.Owner, error) {
	c.calls.Add(1)
	return repository.Owner{Ours: true, Orphaned: true, OrphanedAt: time.Now().Add(-20 * day), ReadAt: time.Now()}, nil
}

func (c *crowd) Projects(context.Context) iter.Seq2[provider.Project, error] {
	return func(yield func(provider.Project, error) bool) {
		for i := range c.n {
			if !yield(provider.Project{Name: c.name(i), ID: c.id(c.name(i))}, nil) {
				return
			}
		}
	}
}

func (c *crowd) Project(context.Context, string) (provider.Project, bool, error) {
	panic("nothing is let go of")
}

// atScale runs once and returns by how much the heap grew at most.
func atScale(tb testing.TB, p provider.Provider, w reconcile.Wanted) (reconcile.Report, uint64) {
	tb.Helper()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, uint64(0)
	var once sync.Mutex
	o := unlimited()
	o.Progress = func(reconcile.Progress) {
		once.Lock()
		defer once.Unlock()
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
	}
	r, err := reconcile.New(p, w, o)
	require.NoError(tb, err)
	report, err := r.Run(tb.Context())
	require.NoError(tb, err)
	return report, most - min(before, most)
}

// 100,000 repositories that are as they should be cost a call for each page, and the budget of the audit. Each orphan is a
// call more. It isn't parallel, as the heap is all tests'.
func TestScale(t *testing.T) {
	for _, orphans := range []int{0, 3000} {
		c := &crowd{fake: newFake(nil), n: 100_000, orphans: orphans}
		c.retention.After = 30 * day
		report, heap := atScale(t, c, c)
		require.Equal(t, 100_000, report.Wanted)
		require.Equal(t, 250, report.Audited)
		require.Empty(t, report.Changes)
		require.Equal(t, 500+orphans, report.Calls)
		require.LessOrEqual(t, c.calls.Load(), int64(101+500+orphans+orphans/1000))
		require.Less(t, heap, uint64(100<<20))
		t.Logf("%d calls, %d MB", c.calls.Load(), heap>>20)
	}
}

// The same with ECR's provider and the SDK, over a server that makes up its answers.
func TestECRScale(t *testing.T) {
	var calls atomic.Int64
	c := &crowd{fake: newFake(nil), n: 100_000}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		var in struct{ NextToken, ResourceArn string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		switch operation {
		case "DescribeRepositories":
			begin, _ := strconv.Atoi(in.NextToken)
			_, _ = fmt.Fprint(w, `{"repositories":[`)
			for i := range page {
				if i > 0 {
					_, _ = fmt.Fprint(w, ",")
				}
				name := "rise/" + c.name(begin+i)
				_, _ = fmt.Fprintf(w, `{"createdAt":1.7e9,"encryptionConfiguration":{"encryptionType":"AES256"},"imageScanningConfiguration":{"scanOnPush":true},`+
					`"imageTagMutability":"MUTABLE","registryId":"123456789012","repositoryArn":"arn:aws:ecr:eu-west-1:123456789012:repository/%s",`+
					`"repositoryName":"%s","repositoryUri":"123456789012.dkr.ecr.eu-west-1.amazonaws.com/%s"}`, name, name, name)
			}
			if begin += page; begin < c.n {
				_, _ = fmt.Fprintf(w, `],"nextToken":"%d"}`, begin)
			} else {
				_, _ = fmt.Fprint(w, `]}`)
			}
		case "ListTagsForResource":
			_, project, _ := strings.Cut(in.ResourceArn, "repository/rise/")
			_, _ = fmt.Fprintf(w, `{"tags":[{"Key":"rise:managed","Value":"true"},{"Key":"rise:installation","Value":"prod"},{"Key":"rise:project","Value":"%s"},`+
				`{"Key":"rise:project-id","Value":"%s"}]}`, project, c.id(project))
		default:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"__type":"LifecyclePolicyNotFoundException"}`)
		}
	}))
	defer server.Close()
	config := ecr.DefaultConfig()
	config.Region, config.AccountID, config.PushRoleARN = "eu-west-1", "123456789012", "arn:aws:iam::123456789012:role/push"
	config.Installation, config.AccessKeyID, config.SecretAccessKey = "prod", provider.NewSecret("AKIAEXAMPLE"), provider.NewSecret("secret")
	p, err := ecr.New(t.Context(), config, ecr.WithLoadOptions(awsconfig.WithBaseEndpoint(server.URL)))
	require.NoError(t, err)
	defer func() { _ = provider.Close(p) }()
	report, heap := atScale(t, p, c)
	require.Equal(t, 100_000, report.Wanted)
	require.Equal(t, 250, report.Audited)
	require.Empty(t, report.Changes)
	require.LessOrEqual(t, calls.Load(), int64(101+500))
	require.Less(t, heap, uint64(100<<20))
	t.Logf("%d calls, %d MB", calls.Load(), heap>>20)
}

func BenchmarkRun100000(b *testing.B) {
	c := &crowd{fake: newFake(nil), n: 100_000}
	var heap uint64
	for b.Loop() {
		c.calls.Store(0)
		_, grown := atScale(b, c, c)
		heap = max(heap, grown)
	}
	b.ReportMetric(float64(c.calls.Load()), "calls/op")
	b.ReportMetric(float64(heap)/(1<<20), "MB-heap")
}
