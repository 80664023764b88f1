package main

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// upstream answers as STS and ECR do, without looking at who asks: what is measured is the asking side. It counts.
type upstream struct {
	server           *httptest.Server
	sts, ecr, opened atomic.Int64
	latency          atomic.Int64
	sessions         *sessions // nil: they aren't kept apart
}

// counts are calls and connections.
type counts struct{ sts, ecr, opened int64 }

func (c counts) minus(d counts) counts {
	return counts{c.sts - d.sts, c.ecr - d.ecr, c.opened - d.opened}
}

func (c counts) plus(d counts) counts {
	return counts{c.sts + d.sts, c.ecr + d.ecr, c.opened + d.opened}
}

func newUpstream(secure bool) *upstream {
	u := &upstream{}
	u.server = httptest.NewUnstartedServer(http.HandlerFunc(u.serve))
	u.server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			u.opened.Add(1)
		}
	}
	u.server.Config.IdleTimeout = 20 * time.Second // clients that are dropped leave their connections behind
	if secure {
		u.server.StartTLS()
	} else {
		u.server.Start()
	}
	return u
}

func (u *upstream) counts() counts { return counts{u.sts.Load(), u.ecr.Load(), u.opened.Load()} }

func (u *upstream) serve(w http.ResponseWriter, r *http.Request) {
	asked, _ := io.ReadAll(r.Body)
	if d := time.Duration(u.latency.Load()); d > 0 {
		time.Sleep(d)
	}
	expires := time.Now().Add(time.Hour).UTC()
	if r.Header.Get("X-Amz-Target") != "" {
		u.ecr.Add(1)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = fmt.Fprintf(w, `{"authorizationData":[{"authorizationToken":%q,"expiresAt":%d,"proxyEndpoint":"https://%s"}]}`,
			base64.StdEncoding.EncodeToString([]byte("AWS:"+token)), expires.Unix(), host)
		return
	}
	u.sts.Add(1)
	session := sessionOf(string(asked))
	if u.sessions != nil && session != "" { // without one it is a server's look at the start
		u.sessions.add(session)
	}
	w.Header().Set("Content-Type", "text/xml")
	_, _ = fmt.Fprintf(w, `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><AssumedRoleUser><Arn>%s/%s</Arn></AssumedRoleUser><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId>`+
		`<SecretAccessKey>secret</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleResult>`+
		`<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>`, sessionARN, session, token[:400], expires.Format(time.RFC3339))
}

// sessionOf is the RoleSessionName in a request to STS.
func sessionOf(form string) string {
	_, name, _ := strings.Cut(form, "RoleSessionName=")
	name, _, _ = strings.Cut(name, "&")
	name, _ = url.QueryUnescape(name)
	return name
}

// environment makes the AWS SDK, in whatever client, call u with an assumed role: by variables and by files in dir.
func (u *upstream) environment(dir string) error {
	files := map[string]string{
		"config": "[default]\nregion = " + region + "\nrole_arn = " + roleARN + "\nrole_session_name = rise-push-hello\nsource_profile = base\n" +
			"[profile base]\nregion = " + region + "\n",
		"credentials": "[base]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = secret\n",
	}
	variables := map[string]string{
		"AWS_CONFIG_FILE": filepath.Join(dir, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"),
		"AWS_ENDPOINT_URL_STS": u.server.URL, "AWS_ENDPOINT_URL_ECR": u.server.URL, "AWS_REGION": region,
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_ECR_CACHE_DIR": filepath.Join(dir, "ecr"),
	}
	if certificate := u.server.Certificate(); certificate != nil {
		files["ca.pem"] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
		variables["SSL_CERT_FILE"] = filepath.Join(dir, "ca.pem") // crypto/x509 reads it once, at the first connection
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	for name, value := range variables {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// withoutAWS removes the machine's own AWS configuration from the environment.
func withoutAWS() {
	for _, variable := range os.Environ() {
		for i := range variable {
			if variable[i] == '=' {
				if len(variable) > 4 && variable[:4] == "AWS_" {
					_ = os.Unsetenv(variable[:i])
				}
				break
			}
		}
	}
}

// sessions are those that STS was asked for, by project.
type sessions struct {
	mu     sync.Mutex
	issued map[string]int
}

func (s *sessions) add(session string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued[strings.TrimPrefix(session, "rise-push-")]++
}

func (s *sessions) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.issued = map[string]int{}
}

func (s *sessions) total() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, times := range s.issued {
		n += times
	}
	return n
}

// of tells the first replica's projects from the others'.
func (s *sessions) of(owner map[string]int) (c counted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for project, times := range s.issued {
		if at, ok := owner[project]; ok && at == 0 {
			c.its += times
		} else {
			c.others += times
		}
	}
	return c
}

// counted are issues for the projects of the replica that ended, and for others'.
type counted struct{ its, others int }
