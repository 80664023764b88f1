package ecr_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// A listing whose pages lead back, at once or by a detour, ends with an error.
func TestListGoesRound(t *testing.T) {
	t.Parallel()
	token := regexp.MustCompile(`"nextToken":"[^"]*"`)
	for _, round := range []int{1, 2} {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			t.Parallel()
			aws := newAWS(t, ecrtest.Config{}, ecrtest.SetupOptions{})
			p := aws.provider(t)
			for i := range round*1000 + 1 {
				aws.CreateRepository(aws.deployment.Repository(fmt.Sprintf("r%d", i)))
			}
			var first []byte
			pages := 0
			aws.Inject(ecrtest.Fault{Action: "ecr:DescribeRepositories", Times: 20, Mutate: func(body []byte) []byte {
				pages++
				found := token.Find(body)
				switch {
				case first == nil:
					first = bytes.Clone(found)
				case found == nil: // the last page
					return fmt.Appendf(nil, "%s,%s}", bytes.TrimSuffix(bytes.TrimSpace(body), []byte("}")), first)
				}
				return body
			}})
			var last error
			for _, err := range p.ListRepositories(t.Context()) {
				last = err
			}
			require.ErrorIs(t, last, provider.ErrBadResponse)
			require.ErrorContains(t, last, "its next page was there already")
			require.Equal(t, round+1, pages)
		})
	}
}
