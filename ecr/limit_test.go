package ecr_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
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

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
)

// raw is an answer on the wire: its headers, the beginning of its body, and a block that comes again and again after it.
type raw struct {
	header, body string
	block        []byte
	times        int
}

// hostileAnswers are made to cost a parser much.
func hostileAnswers(format string) map[string]raw {
	long := func(body, again string) raw {
		return raw{body: body, block: []byte(strings.Repeat(again, 64<<10/len(again))), times: 256}
	}
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(bytes.Repeat([]byte("<a>"), 8<<20))
	_ = z.Close()
	answers := map[string]raw{
		"no answer":     {body: "HTTP"},
		"white space":   long("", " "),
		"gzip":          {header: "Content-Encoding: gzip\r\n", body: bomb.String()},
		"one header":    {header: "X: " + strings.Repeat("x", 8<<20) + "\r\n"},
		"many headers":  {header: strings.Repeat("X: x\r\n", 1<<20)},
		"many trailers": {header: "Transfer-Encoding: chunked\r\n", body: "2\r\n{}\r\n0\r\n", block: []byte(strings.Repeat("X: x\r\n", 10<<10)), times: 256},
	}
	if format == "XML" {
		for name, answer := range map[string]raw{
			"nested": long("", "<a>"), "siblings": long("<a>", "<a/>"), "attributes": long("<a", ` a=""`), "namespaces": long("<a", ` xmlns:a="b"`),
			"no end": long("<a>", "text"), "comments": long("<a>", "<!---->"), "instructions": long("<a>", "<?a?>"),
			"entities":         long("<a>", "&#x41;"),
			"within bounds":    {body: "<a>" + strings.Repeat("<b>&#x41;</b>", 900)},
			"deep as allowed":  {body: strings.Repeat("<a>", 31) + strings.Repeat("<b/>", 900)},
			"one closing mark": long("<a>", "</a>"),
		} {
			answers[name] = answer
		}
		return answers
	}
	for name, answer := range map[string]raw{
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
	defer conn.Close()
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
// when the collector runs.
func TestHostileAnswersCostLittle(t *testing.T) { //nolint:paralleltest // measures what the process allocates
	const atOnce, most = 64, 256 << 20
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
		call           func(*testing.T, *ecr.Provider) error
	}{{"STS", "XML", issue}, {"ECR", "JSON", issue}, {"ECR's list", "JSON", list}} {
		url := map[bool]string{true: "http://" + server.Addr().String(), false: aws.URL}
		t.Setenv("AWS_ENDPOINT_URL_STS", url[test.target == "STS"])
		t.Setenv("AWS_ENDPOINT_URL_ECR", url[test.target != "STS"])
		p, err := ecr.New(t.Context(), aws.config, hermetic())
		require.NoError(t, err)
		for name, answer := range hostileAnswers(test.format) {
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
					for range atOnce {
						wg.Go(func() {
							if err := test.call(t, p); err != nil && len(err.Error()) < 1000 {
								failed.Add(1)
							}
						})
					}
					wg.Wait()
					runtime.ReadMemStats(&after)
					require.EqualValues(t, atOnce, failed.Load())
					cost := after.TotalAlloc - before.TotalAlloc
					t.Logf("%d MiB", cost>>20)
					require.Less(t, cost, uint64(most))
				})
			}
		}
	}
}
