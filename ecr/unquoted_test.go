package ecr_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
	"github.com/rise-deploy/rise-registry-go/provider/repository"
)

// writings are how a secret may come back.
var writings = map[string]func(string) string{
	"as it is":       func(s string) string { return s },
	"percent":        url.QueryEscape,
	"twice percent":  func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
	"all percent":    func(s string) string { return each(s, "%%%02X") },
	"JSON":           func(s string) string { return strings.ReplaceAll(s, "/", `\/`) },
	"JSON's u":       func(s string) string { return each(s, `\u%04x`) },
	"HTML":           html.EscapeString,
	"HTML's numbers": func(s string) string { return each(s, "&#%d;") },
	"hex":            func(s string) string { return hex.EncodeToString([]byte(s)) },
	"base64":         func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64, inside": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("x:" + s)) },
	"capitals":       strings.ToUpper,
	"quoted":         func(s string) string { return fmt.Sprintf("%q", s) },
	"in a list":      inHalves,
}

// inHalves leaves halves that are pieces themselves.
func inHalves(s string) string {
	if len(s) < 40 {
		return s
	}
	return "[" + s[:len(s)/2] + ", " + s[len(s)/2:] + "]"
}

func each(s, format string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, format, c)
	}
	return b.String()
}

const deniedCaller = "a denial's caller"

// places are where in an answer it may be. The texts are AWS's otherwise.
var places = map[string]func(w http.ResponseWriter, said string){
	"a page": func(w http.ResponseWriter, said string) {
		answer(w, 403, "text/html", "<html><p>Denied: "+said+"</p></html>")
	},
	"a page with 200": func(w http.ResponseWriter, said string) {
		answer(w, 200, "text/html", "<html>"+said+"</html>")
	},
	"text":      func(w http.ResponseWriter, said string) { answer(w, 500, "text/plain", said) },
	"text, 200": func(w http.ResponseWriter, said string) { answer(w, 200, "text/plain", said) },
	"JSON's message": func(w http.ResponseWriter, said string) {
		answer(w, 400, "application/json", `{"__type":"InvalidParameterException","code":"InvalidParameterException","message":`+quote("Invalid parameter: "+said)+`}`)
	},
	"JSON's code": func(w http.ResponseWriter, said string) {
		answer(w, 400, "application/json", `{"__type":`+quote(said)+`,"code":`+quote(said)+`,"message":"no"}`)
	},
	"JSON's fields": func(w http.ResponseWriter, said string) {
		answer(w, 200, "application/json", `{"Code":`+quote(said)+`,"Message":`+quote(said)+`,"AccessKeyId":`+quote(said)+`,"roleCredentials":{"accessKeyId":`+quote(said)+`}}`)
	},
	"XML's message": func(w http.ResponseWriter, said string) {
		answer(w, 400, "text/xml", "<ErrorResponse><Error><Code>ValidationError</Code><Message>Value: "+html.EscapeString(said)+"</Message></Error></ErrorResponse>")
	},
	"XML's code": func(w http.ResponseWriter, said string) {
		answer(w, 400, "text/xml", "<ErrorResponse><Error><Code>"+html.EscapeString(said)+"</Code><Message>no</Message></Error><RequestId>"+html.EscapeString(said)+"</RequestId></ErrorResponse>")
	},
	deniedCaller: func(w http.ResponseWriter, said string) {
		denied := "User: arn:aws:sts::123456789012:assumed-role/" + said + "/x is not authorized to perform: sts:" + said + " on resource: " + said
		if strings.Contains(w.Header().Get("Asked"), "json") {
			answer(w, 400, "application/json", `{"__type":"AccessDeniedException","message":`+quote(denied)+`}`)
			return
		}
		answer(w, 403, "text/xml", "<ErrorResponse><Error><Code>AccessDenied</Code><Message>"+html.EscapeString(denied)+"</Message></Error></ErrorResponse>")
	},
	"headers": func(w http.ResponseWriter, said string) {
		said = strings.ReplaceAll(said, "\n", " ")
		for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Request-Id", "X-Amzn-Errortype", "Location", "Www-Authenticate", "Content-Encoding"} {
			w.Header().Set(name, said)
		}
		answer(w, 403, "application/json", "{}")
	},
}

func quote(s string) string {
	text, _ := json.Marshal(s) // a string
	return string(text)
}

func answer(w http.ResponseWriter, status int, contentType, body string) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// shownOf is all that anybody sees of a provider's failure.
func shownOf(t testing.TB, p *ecr.Provider) string {
	t.Helper()
	_, err := provider.Issue(t.Context(), p, push)
	require.Error(t, err)
	e := provider.KindOf(err)
	require.NotEmpty(t, e)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "error", err)
	text := fmt.Sprintf("%v %+v %#v %q %s", err, err, err, err, log.String())
	var failure *provider.Error
	require.ErrorAs(t, err, &failure)
	text += fmt.Sprintf("%+v %v", *failure, slog.GroupValue(failure.Details...))
	for f := range p.Diagnose(t.Context(), diagnosis.Options{Project: "hello"}) {
		text += fmt.Sprintf("\n%+v %v", f, slog.GroupValue(f.Evidence...))
	}
	_, err = p.EnsureRepository(t.Context(), provider.Project{Name: "hello"}, repository.EnsureOptions{})
	return text + fmt.Sprintf("%+v", err)
}

// hidesPieces checks that no eight characters of any of the texts show.
func hidesPieces(t testing.TB, shown string, secrets ...string) {
	t.Helper()
	shown = strings.ToLower(shown)
	for _, secret := range secrets {
		secret = strings.ToLower(secret)
		for i := 0; i+8 <= len(secret); i++ {
			if strings.Contains(shown, secret[i:i+8]) && secret[i:i+8] != provider.Redacted[1:9] {
				t.Fatalf("%q of a secret is shown: %s", secret[i:i+8], shown)
			}
		}
	}
}

// nearby serves requests without a network, through net/http's own server types.
func nearby(handle http.HandlerFunc) outside {
	return func(r *http.Request) (int, http.Header, string) {
		recorder := httptest.NewRecorder()
		handle(recorder, r)
		return recorder.Code, recorder.Header(), recorder.Body.String()
	}
}

// ways are where what is asked is answered from: the profiles, and "keys" for static ones.
var ways = []string{"keys", "web", "sso", "imds", "container", "process"}

// echoAll makes everything answer with said, and returns what is shown.
func echoAll(t testing.TB, way, file, session string, place func(http.ResponseWriter, string), said string) string {
	t.Helper()
	load := []func(*config.LoadOptions) error{config.WithSharedConfigFiles([]string{file}), config.WithSharedConfigProfile(way)}
	if way == "keys" {
		load = load[:0]
		load = append(load, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", session, session)))
	}
	if way == "process" {
		recorder := httptest.NewRecorder()
		place(recorder, said)
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(file), "output"), recorder.Body.Bytes(), 0o600))
	}
	return shownOf(t, nearby(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == apiToken {
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
			_, _ = io.WriteString(w, session)
			return
		}
		w.Header().Set("Asked", r.Header.Get("Content-Type"))
		place(w, said)
	}).in(t, load...))
}

func setSources(t testing.TB, secret string) (file string) {
	t.Helper()
	file = profiles(t, secret)
	t.Setenv("HOME", filepath.Dir(file))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials")
	t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", secret)
	return file
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

func letters(r *rand.Rand, length int) string {
	b := make([]byte, length)
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

// Whatever was sent, or is known to what answers alone, isn't shown: in no writing, at no place of an answer, of nobody who answers.
func TestAnswersAreNotQuoted(t *testing.T) { //nolint:paralleltest // environment
	r := rand.New(rand.NewPCG(1, 2))
	session, others := letters(r, 320), letters(r, 320)
	file := setSources(t, session)
	pieces := []func(string) string{
		func(s string) string { return s }, func(s string) string { return s[:len(s)/2] },
		func(s string) string { return s[17:107] }, func(s string) string { return s[9:21] },
	}
	i := 0
	for _, way := range ways {
		for _, place := range slices.Sorted(maps.Keys(places)) {
			for _, writing := range slices.Sorted(maps.Keys(writings)) {
				if i++; i%3 != 0 { // each place has another third
					continue
				}
				secret := []string{session, others}[i/3%2]
				if place == deniedCaller { // an ARN that isn't ours can't be told from another's
					secret = session
				}
				part := pieces[i/6%len(pieces)](secret)
				said := writings[writing](part)
				hidesPieces(t, echoAll(t, way, file, session, places[place], said), part, said)
			}
		}
	}
}

// FuzzAnswersAreNotQuoted is that with any secret, any piece of it, and any mixture of writings.
func FuzzAnswersAreNotQuoted(f *testing.F) {
	for seed := range uint64(24) {
		f.Add(seed, "", uint8(0), uint16(0))
		f.Add(seed, "denied by gateway: ", uint8(seed), uint16(seed*7))
	}
	f.Add(uint64(42), "0", uint8(0), uint16(18))  // slashes in a row
	f.Add(uint64(68), "", uint8(1), uint16(170))  // digits in a row
	f.Add(uint64(14), "0", uint8(7), uint16(108)) // base64 of what was escaped
	const session = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDkG2x0bzQ9f3sVb8nYc1mLr5tH0aWqKpXvEzUoTgPdYw"
	placeNames, writingNames := slices.Sorted(maps.Keys(places)), slices.Sorted(maps.Keys(writings))
	file := setSources(f, session)
	f.Fuzz(func(t *testing.T, seed uint64, around string, way uint8, piece uint16) {
		r := rand.New(rand.NewPCG(seed, uint64(piece)))
		secret := letters(r, 40+r.IntN(300))
		if seed%2 == 0 {
			secret = session
		}
		start := int(piece) % (len(secret) - 8)
		part := secret[start : start+8+r.IntN(len(secret)-start-7)]
		said := part
		for range r.IntN(3) {
			said = writings[writingNames[r.IntN(len(writingNames))]](said)
		}
		place := placeNames[r.IntN(len(placeNames))]
		if place == deniedCaller && secret != session {
			t.Skip("an ARN that isn't ours can't be told from another's")
		}
		hidesPieces(t, echoAll(t, ways[int(way)%len(ways)], file, session, places[place], around+said), part, said)
	})
}
