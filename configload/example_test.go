package configload_test

import (
	"errors"
	"fmt"
	"testing/fstest"
	"time"

	"github.com/rise-deploy/rise-registry-go/configload"
)

// A service with its own configuration struct. In production, configload.Load(&cfg) takes files and variables from the
// environment; here they are given.
func Example() {
	type Config struct {
		Listen  string        `yaml:"listen"`
		Timeout time.Duration `yaml:"timeout"`
		Limits  struct {
			Projects int `yaml:"projects"`
		} `yaml:"limits"`
	}
	loader := configload.Loader{
		RunMode: "production",
		FS: fstest.MapFS{
			"production.yaml": {Data: []byte("listen: ${HOST:-0.0.0.0}:${PORT}\nlimits:\n  projects: 100\n")},
			"local.yaml":      {Data: []byte("limits:\n  projects: ${MAX_PROJECTS:-5}\n")},
		},
		LookupEnv: func(name string) (string, bool) { return "8443", name == "PORT" },
	}
	cfg := Config{Listen: ":8080", Timeout: 30 * time.Second}
	if err := loader.Load(&cfg); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%+v\n", cfg)
	// Output: {Listen:0.0.0.0:8443 Timeout:30s Limits:{Projects:5}}
}

// Every mistake of a load is reported at once.
func ExampleErrors() {
	var cfg struct {
		Listen  string        `yaml:"listen"`
		Timeout time.Duration `yaml:"timeout"`
	}
	loader := configload.Loader{
		RunMode:   "production",
		FS:        fstest.MapFS{"production.yaml": {Data: []byte("lisen: :8080\ntimeout: 30\nlimit: ${LIMIT}\n")}},
		LookupEnv: func(string) (string, bool) { return "", false },
	}
	err := loader.Load(&cfg)
	fmt.Println(err)

	var errs configload.Errors
	if errors.As(err, &errs) {
		fmt.Println(len(errs), "mistakes, the first on line", errs[0].Line)
	}
	// Output:
	// production.yaml:1: lisen: unknown key; did you mean "listen"?
	// production.yaml:2: timeout: has no unit; write a duration with a unit, such as 90s, 15m or 1h30m
	// production.yaml:3: limit: variable LIMIT is not set
	// production.yaml:3: limit: unknown key; the known ones are listen, timeout
	// 4 mistakes, the first on line 1
}

// Storage is a section whose keys depend on its type.
type Storage struct {
	Type string `yaml:"type"`
	part any
}

type diskStorage struct {
	Path string `yaml:"path"`
}

type bucketStorage struct {
	Bucket string `yaml:"bucket"`
	Region string `yaml:"region"`
}

// SetConfigType implements configload.Variant.
func (s *Storage) SetConfigType(typ string) error {
	switch typ {
	case "disk":
		s.part = &diskStorage{Path: "/var/lib/service"}
	case "bucket":
		s.part = &bucketStorage{}
	default:
		return fmt.Errorf("unknown type %q; known types are disk, bucket", typ)
	}
	return nil
}

// ConfigParts implements configload.Variant. The key "type" is in a part of its own, since no part is a Variant.
func (s *Storage) ConfigParts() []any {
	if s.part == nil {
		return nil
	}
	return []any{(*storageType)(s), s.part}
}

// storageType has Storage's own keys without its methods.
type storageType Storage

func ExampleVariant() {
	var cfg struct {
		Storage Storage `yaml:"storage"`
	}
	loader := configload.Loader{
		RunMode: "production",
		FS: fstest.MapFS{
			"production.yaml": {Data: []byte("storage: {type: bucket, bucket: images, region: eu-west-1}")},
			"local.yaml":      {Data: []byte("storage: {type: disk}")}, // another type: nothing of the bucket is left
		},
	}
	if err := loader.Load(&cfg); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %+v\n", cfg.Storage.Type, cfg.Storage.part)
	// Output: disk &{Path:/var/lib/service}
}

// Password hides its text from whoever prints the configuration.
type Password struct{ reveal func() string }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Password) UnmarshalText(text []byte) error {
	s := string(text)
	p.reveal = func() string { return s }
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (p Password) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

func ExampleMarshal() {
	var cfg struct {
		User     string        `yaml:"user"`
		Password Password      `yaml:"password"`
		Account  string        `yaml:"account"`
		Timeout  time.Duration `yaml:"timeout"`
	}
	loader := configload.Loader{
		RunMode: "production",
		FS: fstest.MapFS{"production.yaml": {Data: []byte(
			"user: ci\npassword: ${PASSWORD}\naccount: 012345678901\ntimeout: 90s\n")}},
		LookupEnv: func(string) (string, bool) { return "hunter2", true },
	}
	if err := loader.Load(&cfg); err != nil {
		fmt.Println(err)
		return
	}
	out, err := configload.Marshal(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(out))
	// Output:
	// user: ci
	// password: '[redacted]'
	// account: "012345678901"
	// timeout: 1m30s
}

func ExampleExpand() {
	lookup := func(name string) (string, bool) { return "eu-west-1", name == "REGION" }
	text, err := configload.Expand("https://${REGION}.${DOMAIN:-{project}.example.com}/$$1", lookup)
	fmt.Println(text, err)
	// Output: https://eu-west-1.{project}.example.com/$1 <nil>
}

// An operator's tool reads one section of a service's configuration, of whose other sections it knows nothing.
func ExampleLoader_section() {
	var database struct {
		Host string `yaml:"host"`
		Port int    `yaml:"port"`
	}
	err := configload.Loader{
		RunMode: "production",
		FS: fstest.MapFS{"production.yaml": {Data: []byte(`
listen: ${SERVICE_ADDRESS}
storage:
  replicas: 3
  database: {host: db.internal, prt: 5432}
`)}},
		LookupEnv: func(string) (string, bool) { return "", false },
		Section:   "storage.database",
	}.Load(&database)
	fmt.Println(err)
	// Output: production.yaml:5: storage.database.prt: unknown key; did you mean "port"?
}
