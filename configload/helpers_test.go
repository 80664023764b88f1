package configload_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing/fstest"
	"time"

	"github.com/rise-deploy/rise-registry-go/configload"
)

// files is a configuration directory: names to contents.
type files map[string]string

// env is an environment.
type env map[string]string

func (e env) lookup(name string) (string, bool) {
	v, ok := e[name]
	return v, ok
}

// load loads fs, whose directory is config and whose run mode is development, with the variables of e.
func load(fs files, e env, into any) error { return loadWith(fs, e.lookup, into) }

func loadWith(fs files, lookup func(string) (string, bool), into any) error {
	m := fstest.MapFS{}
	for name, content := range fs {
		m["config/"+name] = &fstest.MapFile{Data: []byte(content)}
	}
	return configload.Loader{Dir: "config", RunMode: "development", FS: m, LookupEnv: lookup}.Load(into)
}

// lines is the error's text, line by line.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// service is a service's own configuration. Its registry section stands for the one of package registry.
type service struct {
	Listen  string            `yaml:"listen"`
	Server  server            `yaml:"server"`
	Auth    auth              `yaml:"auth"`
	Labels  map[string]string `yaml:"labels"`
	Limits  map[string]limit  `yaml:"limits"`
	Types   types             `yaml:"types"`
	Reg     registry          `yaml:"registry"`
	Ignored string            `yaml:"-"`
	hidden  string
}

type server struct {
	Timeout time.Duration `yaml:"timeout"`
	TLS     *tls          `yaml:"tls"`
	Debug   bool          `yaml:"debug"`
}

type tls struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

type auth struct {
	Tokens []token `yaml:"tokens"`
}

type token struct {
	Token    secret   `yaml:"token"`
	Subject  string   `yaml:"subject"`
	Access   string   `yaml:"access"`
	Projects []string `yaml:"projects"`
}

func (t token) Validate() error {
	var errs []error
	if t.Subject == "" {
		errs = append(errs, problem{"subject", "is required"})
	}
	if t.Access != "" && t.Access != "pull" && t.Access != "push" {
		errs = append(errs, problem{"access", "must be pull or push"})
	}
	return errors.Join(errs...)
}

type limit struct {
	Rate  float64 `yaml:"rate"`
	Burst int     `yaml:"burst"`
}

// types has a field of each kind.
type types struct {
	String   string         `yaml:"string"`
	Named    mode           `yaml:"named"`
	Bool     bool           `yaml:"bool"`
	Int      int            `yaml:"int"`
	Int8     int8           `yaml:"int8"`
	Int64    int64          `yaml:"int64"`
	Uint     uint           `yaml:"uint"`
	Uint8    uint8          `yaml:"uint8"`
	Uint64   uint64         `yaml:"uint64"`
	Float32  float32        `yaml:"float32"`
	Float    float64        `yaml:"float"`
	Duration time.Duration  `yaml:"duration"`
	Addr     netip.Addr     `yaml:"addr"`
	Level    level          `yaml:"level"`
	Secret   secret         `yaml:"secret"`
	PString  *string        `yaml:"pstring"`
	PInt     *int           `yaml:"pint"`
	PAddr    *netip.Addr    `yaml:"paddr"`
	Strings  []string       `yaml:"strings"`
	Ints     []int          `yaml:"ints"`
	Nested   [][]int        `yaml:"nested"`
	PTLS     []*tls         `yaml:"ptls"`
	Map      map[string]int `yaml:"map"`
	PMap     map[mode]*tls  `yaml:"pmap"`
	Untagged string
	Embedded `yaml:",inline"`
	embedded `yaml:",inline"`
	Inline   inlined `yaml:"inline,inline"`
}

type mode string

type Embedded struct {
	FromExported string `yaml:"from_exported"`
}

type embedded struct {
	FromUnexported string `yaml:"from_unexported"`
}

type inlined struct {
	FromInline string `yaml:"from_inline"`
}

// level vouches for the text of its error.
type level int

func (l *level) UnmarshalText(text []byte) error {
	switch string(text) {
	case "low":
		*l = 1
	case "high":
		*l = 2
	default:
		return fmt.Errorf("level %q: %w", text, problem{"", "must be low or high"})
	}
	return nil
}

func (l level) MarshalText() ([]byte, error) { return []byte([]string{"", "low", "high"}[l]), nil }

// secret is a string that doesn't show itself. Its errors quote the value, as careless ones do.
type secret struct{ reveal func() string }

func (s *secret) UnmarshalText(text []byte) error {
	value := string(text)
	if strings.Contains(value, "\n") {
		return fmt.Errorf("secret %q has two lines", value)
	}
	s.reveal = func() string { return value }
	return nil
}

func (s secret) MarshalText() ([]byte, error) {
	if s.reveal == nil {
		return nil, nil
	}
	return []byte("[redacted]"), nil
}

// problem is an error as a section reports it, without importing configload.
type problem struct{ key, text string }

func (p problem) Error() string         { return "problem: " + p.text }
func (p problem) ConfigKey() string     { return p.key }
func (p problem) ConfigProblem() string { return p.text }

// registry is a Variant like that of package registry.
type registry struct {
	common common
	part   any
}

type common struct {
	Type  string `yaml:"type"`
	Cache cache  `yaml:"cache"`
}

type cache struct {
	Enabled      bool          `yaml:"enabled"`
	MinRemaining time.Duration `yaml:"min_remaining"`
	MaxEntries   int           `yaml:"max_entries"`
	MaxInFlight  int           `yaml:"max_in_flight"`
	MaxPerSecond int           `yaml:"max_per_second"`
}

func (r *registry) SetConfigType(typ string) error {
	r.common = common{Type: typ, Cache: cache{Enabled: true, MinRemaining: 15 * time.Minute, MaxEntries: 100000}}
	switch typ {
	case "ecr":
		r.part = &ecr{RepoPrefix: "rise/", SessionDuration: time.Hour, ScanOnPush: true, RemoveAfter: 24 * time.Hour,
			ImageTagMutability: "MUTABLE"}
	case "oci-client-auth":
		r.part = &oci{}
	case "":
		return errors.New("is required; known types are ecr, oci-client-auth")
	default:
		return fmt.Errorf("unknown type %q; known types are ecr, oci-client-auth", typ)
	}
	return nil
}

func (r *registry) ConfigParts() []any {
	if r.part == nil {
		return nil
	}
	return []any{&r.common, r.part}
}

type ecr struct {
	Region                       string            `yaml:"region"`
	AccountID                    string            `yaml:"account_id"`
	PushRoleARN                  string            `yaml:"push_role_arn"`
	RepoPrefix                   string            `yaml:"repo_prefix"`
	RoleARN                      string            `yaml:"role_arn"`
	RoleExternalID               string            `yaml:"role_external_id"`
	ExternalID                   string            `yaml:"external_id"`
	PullRoleARN                  string            `yaml:"pull_role_arn"`
	AccessKeyID                  string            `yaml:"access_key_id"`
	SecretAccessKey              secret            `yaml:"secret_access_key"`
	SessionToken                 secret            `yaml:"session_token"`
	SessionDuration              time.Duration     `yaml:"session_duration"`
	SessionTags                  bool              `yaml:"session_tags"`
	STSRegion                    string            `yaml:"sts_region"`
	ProjectIDs                   bool              `yaml:"project_ids"`
	UseFIPS                      bool              `yaml:"use_fips"`
	UseDualStack                 bool              `yaml:"use_dual_stack"`
	RegistryHost                 string            `yaml:"registry_host"`
	Insecure                     bool              `yaml:"insecure"`
	Installation                 string            `yaml:"installation"`
	AutoRemove                   bool              `yaml:"auto_remove"`
	RemoveAfter                  time.Duration     `yaml:"remove_after"`
	ImageTagMutability           string            `yaml:"image_tag_mutability"`
	ImageTagMutabilityExclusions []string          `yaml:"image_tag_mutability_exclusions"`
	ScanOnPush                   bool              `yaml:"scan_on_push"`
	KMSKeyARN                    string            `yaml:"kms_key_arn"`
	MaxImageCount                int               `yaml:"max_image_count"`
	UntaggedExpireDays           int               `yaml:"untagged_expire_days"`
	Tags                         map[string]string `yaml:"tags"`
}

func (e *ecr) Validate() error {
	var errs []error
	if e.Region == "" {
		errs = append(errs, problem{"region", "is required"})
	}
	if e.SessionDuration < 15*time.Minute {
		errs = append(errs, problem{"session_duration", "must be between 15m and 12h"})
	}
	if (e.AccessKeyID == "") != (e.SecretAccessKey.reveal == nil) {
		errs = append(errs, errors.New("access_key_id and secret_access_key are set both or not at all"))
	}
	return errors.Join(errs...)
}

type oci struct {
	RegistryURL       string `yaml:"registry_url"`
	Namespace         string `yaml:"namespace"`
	ClientRegistryURL string `yaml:"client_registry_url"`
	Insecure          bool   `yaml:"insecure"`
}

// dev is a short way to write a directory with nothing but the run mode's file.
func dev(content string) files { return files{"development.yaml": content} }

// filledService returns defaults that share memory in every way that a default can.
func filledService() service {
	n := 7
	return service{
		Listen: "default",
		Labels: map[string]string{"a": "default", "k": "v"},
		Limits: map[string]limit{"a": {Rate: 1, Burst: 2}},
		Server: server{TLS: &tls{CertFile: "default"}},
		Auth:   auth{Tokens: []token{{Subject: "default", Projects: []string{"p"}}}},
		hidden: "kept",
		Types:  types{PInt: &n, Ints: []int{1, 2}, PMap: map[mode]*tls{"x": {KeyFile: "default"}}},
	}
}
