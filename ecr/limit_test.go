package ecr_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// raw is an answer on the wire: its headers, the beginning of its body, and a block that comes again and again after it.
type raw struct {
	header, body string
	block        []byte
	times        int
}

// hostileAnswers are made to cost a parser much.
func hostileAnswers(format string, size int) map[string]raw {
	long := func(body, again string) raw {
		return raw{body: body, block: []byte(strings.Repeat(again, 64<<10/len(again))), times: 256}
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(bytes.Repeat([]byte("<a>"), 8<<20))
	_ = z.Close()
	answers := map[string]raw{"no answer": {body: "HTTP"}, "white space": long("", " ")}
	if format == "XML" {
		answers["gzip"] = raw{header: "Content-Encoding: gzip\r\n", body: bomb.String()}
		answers["one header"] = raw{header: "X: " + strings.Repeat("x", 8<<20) + "\r\n"}
		answers["many headers"] = raw{header: strings.Repeat("X: x\r\n", 1<<20)}
		answers["many trailers"] = raw{header: "Transfer-Encoding: chunked\r\n", body: "2\r\n{}\r\n0\r\n", block: []byte(strings.Repeat("X: x\r\n", 10<<10)), times: 256}
		fits := func(body, again string) raw {
			return raw{body: body, block: []byte(strings.Repeat(again, 60<<10/len(again))), times: 1}
		}
		for name, answer := range map[string]raw{
			"nested": long("", "<a>"), "siblings": long("<a>", "<a/>"), "attributes": long("<a", ` a=""`), "namespaces": long("<a", ` xmlns:a="b"`),
			"no end": long("<a>", "text"), "comments": long("<a>", "<!---->"), "instructions": long("<a>", "<?a?>"),
			"entities":         long("<a>", "&#x41;"),
			"within bounds":    {body: "<a>" + strings.Repeat("<b>&#x41;</b>", 900)},
			"deep as allowed":  {body: strings.Repeat("<a>", 31) + strings.Repeat("<b/>", 900)},
			"one closing mark": long("<a>", "</a>"),
			"nested, and fits": fits("", "<a>"), "siblings, and fits": fits("<a>", "<a/>"), "attributes, and fits": fits("<a", ` a=""`),
			"namespaces, and fits": fits("<a>", `<a xmlns:a="b">`),
		} {
			answers[name] = answer
		}
		return answers
	}
	fits := func(body, again string) raw {
		return raw{body: body, block: []byte(strings.Repeat(again, 64<<10/len(again))), times: size / (64 << 10)}
	}
	for name, answer := range map[string]raw{
		"nested, and fits": fits("", "["), "objects, and fit": fits(`{"repositories":[{}`, ",{}"), "numbers, and fit": fits(`{"a":[0`, ",0"),
		"keys, and fit": fits(`{"a":0`, `,"a":0`), "texts, and fit": fits(`{"repositories":[{}`, `,{"repositoryName":"`+strings.Repeat("x", 8<<10)+`"}`),
		"nested lists": long("", "["), "nested objects": long("", `{"a":`), "objects": long(`{"repositories":[{}`, ",{}"), "numbers": long(`{"a":[0`, ",0"),
		"data": long(`{"authorizationData":[{}`, ",{}"), "one string": long(`{"a":"`, "x"), "escapes": long(`{"a":"`, `\u0041`), "keys": long(`{"a":0`, `,"a":0`),
		"within bounds": {body: `{"authorizationData":[{}` + strings.Repeat(",{}", 900)},
	} {
		answers[name] = answer
	}
	return answers
}

// socket is a server that answers without looking at what is asked, and makes nothing of its answer: what is allocated is the client's.
type socket struct {
	net.Listener
	answer atomic.Pointer[[][]byte]
}

func newSocket(t *testing.T) *socket {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	w := &socket{Listener: listener}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go w.serve(conn)
		}
	}()
	return w
}

func (w *socket) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	request, err := http.ReadRequest(bufio.NewReaderSize(conn, 16))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, request.Body)
	for _, part := range *w.answer.Load() {
		if _, err := conn.Write(part); err != nil {
			return
		}
	}
}

// says sets the answer from now on.
func (w *socket) says(status int, r raw) {
	parts := [][]byte{fmt.Appendf(nil, "HTTP/1.1 %d -\r\nConnection: close\r\n%s\r\n%s", status, r.header, r.body)}
	w.answer.Store(new(append(parts, slices.Repeat([][]byte{r.block}, r.times)...)))
}

// 64 of such answers at once, as many as are issued at once, cost under 256 MiB: all that is allocated together, so that it doesn't matter
// when the collector runs. Of pages of repositories, no more than eight are asked for at once.
func TestHostileAnswersCostLittle(t *testing.T) { //nolint:paralleltest // measures what the process allocates
	const most = 256 << 20
	issue := func(t *testing.T, p *ecr.Provider) error {
		t.Helper()
		_, err := p.Credentials(t.Context(), push)
		return err
	}
	list := func(t *testing.T, p *ecr.Provider) error {
		t.Helper()
		for _, err := range p.ListRepositories(t.Context()) {
			return err
		}
		return nil
	}
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
	server := newSocket(t)
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	for _, test := range []struct {
		target, format string
		size           int // that an answer may have, about
		atOnce         int
		call           func(*testing.T, *ecr.Provider) error
	}{{"STS", "XML", 64 << 10, 64, issue}, {"ECR", "JSON", 64 << 10, 64, issue}, {"ECR's list", "JSON", 5 << 19, 8, list}} {
		url := map[bool]string{true: "http://" + server.Addr().String(), false: aws.URL}
		t.Setenv("AWS_ENDPOINT_URL_STS", url[test.target == "STS"])
		t.Setenv("AWS_ENDPOINT_URL_ECR", url[test.target != "STS"])
		p, err := ecr.New(t.Context(), aws.config, hermetic())
		require.NoError(t, err)
		for name, answer := range hostileAnswers(test.format, test.size) {
			if test.atOnce < 64 && !strings.Contains(name, " fit") {
				continue // refused by the same bounds
			}
			statuses := []int{http.StatusOK}
			if answer.times > 0 && answer.block[0] != 'X' { // errors have parsers of their own
				statuses = append(statuses, http.StatusBadRequest)
			}
			for _, status := range statuses {
				t.Run(fmt.Sprintf("%s, %s, %d", test.target, name, status), func(t *testing.T) {
					server.says(status, answer)
					require.Error(t, test.call(t, p)) // what is made once
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					var wg sync.WaitGroup
					var failed atomic.Int64
					for range test.atOnce {
						wg.Go(func() {
							if err := test.call(t, p); err != nil && len(err.Error()) < 1000 {
								failed.Add(1)
							}
						})
					}
					wg.Wait()
					runtime.ReadMemStats(&after)
					require.EqualValues(t, test.atOnce, failed.Load())
					cost := after.TotalAlloc - before.TotalAlloc
					t.Logf("%d MiB", cost>>20)
					require.Less(t, cost, uint64(most))
				})
			}
		}
	}
}

// The largest answers that AWS may give are taken.
func TestLargestAnswers(t *testing.T) {
	t.Parallel()
	aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{Lifecycle: true})
	aws.config.MaxImageCount, aws.config.Installation = 5, "prod"
	aws.CreateRepository(aws.deployment.Repository("hello"))
	filters := make([]string, 5)
	for i := range filters {
		filters[i] = fmt.Sprintf(`{"filter":%q,"filterType":"WILDCARD"}`, strings.Repeat("f", 128))
	}
	long := strings.Repeat("n", 190)
	var page strings.Builder
	for i := range 1000 {
		name := fmt.Sprintf("rise/p%d/%s/%s", i, long, "end")
		fmt.Fprintf(&page, `%s{"repositoryArn":"arn:aws:ecr:eu-west-1:123456789012:repository/%s","registryId":"123456789012","repositoryName":%[2]q,`+
			`"repositoryUri":"123456789012.dkr.ecr.us-gov-west-1.amazonaws.com/%[2]s","createdAt":1.7E9,"imageTagMutability":"IMMUTABLE_WITH_EXCLUSION",`+
			`"imageTagMutabilityExclusionFilters":[%[3]s],"imageScanningConfiguration":{"scanOnPush":true},`+
			`"encryptionConfiguration":{"encryptionType":"KMS","kmsKey":"arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"}}`,
			strings.Repeat(",", min(i, 1)), name, strings.Join(filters, ","))
	}
	aws.Inject(ecrtest.Fault{Action: "ecr:DescribeRepositories", If: func(c ecrtest.Call) bool { return c.Action == "DescribeRepositories" }, Times: 1,
		Mutate: func([]byte) []byte {
			return []byte(`{"repositories":[` + page.String() + `,{"repositoryArn":"arn:aws:ecr:eu-west-1:123456789012:repository/rise/last","registryId":"123456789012","repositoryName":"rise/last"}]}`)
		}})
	p := aws.provider(t)
	var names []string
	for r, err := range p.ListRepositories(t.Context()) {
		require.NoError(t, err)
		names = append(names, r.Name)
	}
	require.Equal(t, []string{"rise/last"}, names, "the others' names are no project's")
	policy, err := json.Marshal(strings.Repeat(`"`, 30720)) // escapes
	require.NoError(t, err)
	aws.Inject(ecrtest.Fault{Action: "ecr:GetLifecyclePolicy", Mutate: func([]byte) []byte { return []byte(`{"lifecyclePolicyText":` + string(policy) + `}`) }})
	tags := make([]string, 50)
	for i := range tags {
		tags[i] = fmt.Sprintf(`{"Key":"%d%s","Value":"%s"}`, i, strings.Repeat(`\u00e9`, 126), strings.Repeat(`\u00e9`, 256))
	}
	aws.Inject(ecrtest.Fault{Action: "ecr:ListTagsForResource", Mutate: func(body []byte) []byte {
		return bytes.Replace(body, []byte(`"tags":[`), []byte(`"tags":[`+strings.Join(tags, ",")+`,`), 1)
	}})
	change, err := p.EnsureRepository(t.Context(), provider.Project{Name: "hello"}, repository.EnsureOptions{})
	require.NoError(t, err)
	require.Contains(t, change.Actions, repository.ActionLifecycle)
}

func TestPagesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{})
		aws.config.Installation = "prod"
		aws.CreateRepository(aws.deployment.Repository("hello"))
		var now, most atomic.Int64
		aws.Inject(ecrtest.Fault{Action: "ecr:DescribeRepositories", Latency: time.Second})
		p, err := ecr.New(t.Context(), aws.config, hermetic(), ecr.WithLoadOptions(config.WithHTTPClient(client(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "DescribeRepositories") {
				most.Store(max(most.Load(), now.Add(1)))
				defer now.Add(-1)
			}
			return aws.Client().Do(r)
		}))))
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for _, err := range p.ListRepositories(t.Context()) {
					require.NoError(t, err)
				}
			})
		}
		start := time.Now()
		time.Sleep(time.Millisecond)
		_, err = p.EnsureRepository(t.Context(), provider.Project{Name: "hello"}, repository.EnsureOptions{})
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(start), 2100*time.Millisecond, "one repository waits for no pages")
		wg.Wait()
		require.EqualValues(t, 9, most.Load())
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		for range 64 {
			wg.Go(func() {
				for _, err := range p.ListRepositories(ctx) {
					require.ErrorIs(t, err, provider.ErrTimeout)
				}
			})
		}
		wg.Wait()
	})
}

// A password may be four times as long as the longest session token, and no longer: what is handed out is kept.
func TestPasswordsAreBounded(t *testing.T) {
	t.Parallel()
	for length, ok := range map[int]bool{16 << 10: true, 16<<10 + 3: false, 40 << 10: false, 2 << 20: false} {
		aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
		aws.Inject(ecrtest.Fault{Action: token, Mutate: answerToken(base64.StdEncoding.EncodeToString([]byte("AWS:"+strings.Repeat("x", length))), 1)})
		_, err := aws.provider(t).Credentials(t.Context(), push)
		if ok {
			require.NoError(t, err, "%d", length)
			continue
		}
		require.ErrorIs(t, err, provider.ErrBadResponse, "%d", length)
	}
}

// An answer that comes a byte at a time ends with its attempt.
func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	for _, action := range []string{sts, token} {
		synctest.Test(t, func(t *testing.T) {
			aws := newAWS(t, ecrtest.Config{InMemory: true}, ecrtest.SetupOptions{})
			p, err := ecr.New(t.Context(), aws.config, hermetic(), ecr.WithLoadOptions(config.WithHTTPClient(client(func(r *http.Request) (*http.Response, error) {
				response, err := aws.Client().Do(r)
				asked := "sts:AssumeRole"
				if r.Header.Get("X-Amz-Target") != "" {
					asked = token
				}
				if err == nil && asked == action {
					response.Body = &drip{ReadCloser: response.Body, ctx: r.Context()}
				}
				return response, err
			}))))
			require.NoError(t, err)
			start := time.Now()
			_, err = p.Credentials(t.Context(), push)
			require.ErrorIs(t, err, provider.ErrTimeout, "%v", err)
			require.Less(t, time.Since(start), time.Minute)
		})
	}
}

// drip gives white space, a byte a second, and ends with its request.
type drip struct {
	io.ReadCloser
	ctx context.Context //nolint:containedctx // the request's
}

func (d *drip) Read(b []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		b[0] = ' '
		return 1, nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

// FuzzAnswers gives anything for an answer of STS's, of ECR's and of the sources of credentials: there is an error or a credential, and
// no panic.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{"", "{}", "<a><b/></a>", `{"a":["\"",{}]}`, "<a b='>'/>", "<?xml?><!--<a>-->", `{"AccessKeyId":"a","SecretAccessKey":"b"}`, "role\n", `{"roleCredentials":null}`, `{"roleCredentials":{}}`, `{"roleCredentIals":{}}`, "[]"} {
		f.Add(seed, 200)
		f.Add(seed, 403)
	}
	file := setSources(f, "x/secret1")
	f.Fuzz(func(t *testing.T, body string, status int) {
		if status < 200 || status > 599 {
			status = 200
		}
		for _, way := range []string{"keys", "imds", "container", "web", "sso"} {
			p := always(status, "application/json", body)
			load := []func(*config.LoadOptions) error{config.WithSharedConfigFiles([]string{file}), config.WithSharedConfigProfile(way)}
			if way == "keys" {
				load = []func(*config.LoadOptions) error{config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "x/secret1", "x/token1"))}
			}
			_, err := p.in(t, load...).Credentials(t.Context(), push)
			require.Error(t, err, "nobody's answer is STS's")
		}
	})
}
