package providertest

import "testing"

// Run puts a provider through the contract. newHarness makes a provider and its surroundings anew; it is called for each
// subtest, with that subtest's t, and more than once by some. It may use t.Setenv: no subtest runs in parallel.
//
// The names of the subtests are in the package's documentation.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	complete := t.Run("harness", func(t *testing.T) {
		newSubject(t, newHarness)
	})
	if !complete {
		return // the rest would say the same
	}
	for _, group := range groups() {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) { c.run(newSubject(t, newHarness)) })
			}
		})
	}
}

type group struct {
	name  string
	cases []testCase
}

type testCase struct {
	name string
	run  func(*subject)
}

func groups() []group {
	return []group{
		{"naming", []testCase{
			{"names", testNames},
			{"distinct", testDistinctNames},
			{"consumers", testConsumers},
			{"invalid", testInvalidNames},
			{"images", testImages},
		}},
		{"validation", []testCase{
			{"names", testInvalidProjects},
			{"requests", testInvalidRequests},
		}},
		{"requests", []testCase{
			{"push", testPushRequest},
			{"pull", testPullRequest},
			{"cluster", testClusterRequest},
			{"all-projects", testAllProjectsRequest},
			{"project-id", testProjectIDRequest},
		}},
		{"scoping", []testCase{
			{"push-own", testPushOwn},
			{"pull-own", testPullOwn},
			{"pull-cannot-push", testPullCannotPush},
			{"push-another", testPushAnother},
			{"pull-another", testPullAnother},
			{"list-another", testListAnother},
			{"mount-another", testMountAnother},
			{"delete-another", testDeleteAnother},
			{"all-projects", testAllProjects},
			{"former-owner", testFormerOwner},
			{"suspended", testSuspended},
		}},
		{"expiry", []testCase{
			{"alive", testAlive},
			{"upstream", testUpstreamExpiry},
			{"bounded", testBoundedExpiry},
		}},
		{"redaction", []testCase{
			{"credentials", testCredentialsRedacted},
			{"provider", testProviderRedacted},
			{"errors", testErrorsRedacted},
		}},
		{"cancellation", []testCase{
			{"ended", testEndedContext},
			{"canceled", testCanceledWhileHanging},
			{"deadline", testDeadlineWhileHanging},
		}},
		{"concurrency", []testCase{
			{"requests", testConcurrentRequests},
			{"instances", testInstances},
		}},
		{"errors", []testCase{
			{"denied", testFault(Denied)},
			{"throttled", testFault(Throttled)},
			{"unavailable", testFault(Unavailable)},
			{"malformed", testFault(Malformed)},
			{"expired", testFault(Expired)},
			{"grants-less", testGrant(GrantsLess)},
			{"grants-more", testGrant(GrantsMore)},
		}},
		{"capabilities", []testCase{
			{"look-up", testCapabilities},
			{"close", testClose},
		}},
	}
}
