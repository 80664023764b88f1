package ecr_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
	"github.com/rise-deploy/rise-registry-go/provider/diagnosis"
	"github.com/rise-deploy/rise-registry-go/provider/providertest"
	"github.com/rise-deploy/rise-registry-go/registry"
	"github.com/rise-deploy/rise-registry-go/registry/cache"
)

// The conformance suite, in each partition that tenants are in, under the partition's real host names.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, region := range []string{"eu-west-1", "cn-north-1", "us-gov-west-1"} {
		for _, tags := range []bool{false, true} {
			t.Run(fmt.Sprint(region, " session tags ", tags), func(t *testing.T) {
				t.Parallel()
				providertest.Run(t, func(t *testing.T) providertest.Harness { t.Helper(); return harness(t, region, tags) })
			})
		}
	}
}

// The same where this machine's clock is off, by less than what AWS refuses.
func TestConformanceClockOff(t *testing.T) {
	t.Parallel()
	for _, offset := range []time.Duration{4 * time.Minute, -4 * time.Minute} {
		t.Run(offset.String(), func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, func(t *testing.T) providertest.Harness { t.Helper(); return harnessOff(t, "eu-west-1", true, offset) })
		})
	}
}

// What the factory builds has a cache around it, and keeps the same contract.
func TestConformanceWithCache(t *testing.T) {
	t.Parallel()
	providertest.Run(t, func(t *testing.T) providertest.Harness {
		t.Helper()
		h := harness(t, "eu-west-1", true)
		h.Provider = cached(t, h.Provider)
		h.Capabilities = append(h.Capabilities, providertest.Has[cache.Forgetter](), providertest.Has[*ecr.Provider](), providertest.Has[diagnosis.Diagnoser]())
		h.Patience = time.Second // throttling is waited out
		return h
	})
}

// cached is p as a factory with a cache builds it.
func cached(t *testing.T, p provider.Provider) provider.Provider {
	t.Helper()
	factory, err := registry.NewFactory(provider.NewBuilder(ecr.Type, nil, func(context.Context, struct{}) (provider.Provider, error) { return p, nil }))
	require.NoError(t, err)
	c := factory.Config()
	require.NoError(t, c.SetConfigType(ecr.Type))
	built, err := factory.Build(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, provider.Close(built)) })
	return built
}

const untold = "AWS doesn't say what a session can do"

func harness(t *testing.T, region string, tags bool) providertest.Harness {
	t.Helper()
	return harnessOff(t, region, tags, 0)
}

// harnessOff is a harness with AWS's clock ahead by offset.
func harnessOff(t *testing.T, region string, tags bool, offset time.Duration) providertest.Harness {
	t.Helper()
	aws := newAWS(t, ecrtest.Config{Region: region, InMemory: true, ClockOffset: offset, TokenDiesWithSession: true}, ecrtest.SetupOptions{SessionTags: tags, PullRole: true})
	p, err := ecr.New(t.Context(), aws.config, hermetic(), inMemory(aws.Server), ecr.WithLoadOptions(config.WithRetryMaxAttempts(1)))
	require.NoError(t, err)
	made := &sessions{expire: map[string]time.Time{}}
	notice := aws.Inject(ecrtest.Fault{Action: sts, Mutate: made.note})
	fault := func(f ecrtest.Fault) func() {
		return func() {
			if f.Action == sts {
				notice() // or this one, which came first, would apply
			}
			aws.Inject(f)
		}
	}
	return providertest.Harness{
		Provider:  p,
		Type:      ecr.Type,
		Transport: aws.Transport(),
		CreateRepository: func(project string) error {
			aws.CreateRepository(aws.deployment.Repository(project))
			return nil
		},
		HandOver: func(project, id string) error {
			aws.UpdateRepository("rise/"+project, func(r *ecrtest.Repository) { r.Tags["rise:project-id"] = id })
			return nil
		},
		Secrets: func() []string { return append(made.all(), aws.config.SecretAccessKey.Reveal()) },
		Calls:   aws.apiCalls,
		Expiry:  func(c provider.Credentials) time.Time { return made.expiry(c).Add(-offset) }, // with which the token dies
		Faults: map[providertest.Ability]func(){
			providertest.Denied:      fault(ecrtest.Fault{Action: sts, Error: "AccessDenied"}),
			providertest.Throttled:   fault(ecrtest.Fault{Action: token, Error: "ThrottlingException"}),
			providertest.Unavailable: fault(ecrtest.Fault{Action: token, Reset: true}),
			providertest.Malformed:   fault(ecrtest.Fault{Action: sts, Malformed: true}),
			providertest.Expired:     fault(ecrtest.Fault{Action: sts, Mutate: expiration("1999-12-31T00:00:00Z")}),
			providertest.Hanging:     fault(ecrtest.Fault{Action: token, Latency: time.Hour}),
		},
		Cannot: map[providertest.Ability]string{
			providertest.Suspension: "AWS's sessions live until they end", providertest.GrantsLess: untold, providertest.GrantsMore: untold,
		},
	}
}

// sessions are what STS has answered.
type sessions struct {
	mu      sync.Mutex
	secrets []string
	expire  map[string]time.Time // by access key id
}

var sessionFields = regexp.MustCompile(`<(AccessKeyId|SecretAccessKey|SessionToken|Expiration)>([^<]+)<`)

func (s *sessions) note(body []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	fields := map[string]string{}
	for _, m := range sessionFields.FindAllSubmatch(body, -1) {
		fields[string(m[1])] = string(m[2])
	}
	if end, err := time.Parse(time.RFC3339, fields["Expiration"]); err == nil {
		s.secrets = append(s.secrets, fields["SecretAccessKey"], fields["SessionToken"])
		s.expire[fields["AccessKeyId"]] = end
	}
	return body
}

func (s *sessions) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.secrets)
}

// expiry is when the session of c ends, as STS said it; of a session that it never made, long ago.
func (s *sessions) expiry(c provider.Credentials) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, detail := range c.Details {
		if end, ok := s.expire[detail.Value.String()]; ok && detail.Key == "session_access_key_id" {
			return end
		}
	}
	return time.Unix(1, 0)
}

// apiCalls counts the calls of STS and ECR's API, not those that use a credential.
func (s *awsServer) apiCalls() (n int) {
	for _, c := range s.Calls() {
		if c.Service != ecrtest.ServiceRegistry {
			n++
		}
	}
	return n
}
