// Package providertest puts a [provider.Provider] through the contract of package provider. Whoever writes one runs
// this in a test:
//
//	func TestConformance(t *testing.T) {
//		providertest.Run(t, func(t *testing.T) providertest.Harness {
//			upstream := newDouble(t) // a stand-in for what the provider calls, and a registry that honours its credentials
//			return providertest.Harness{
//				Provider:  vending.New(upstream.URL, upstream.Key),
//				Transport: upstream.Client().Transport,
//				Secrets:   func() []string { return []string{upstream.Key} },
//				Calls:     upstream.Calls,
//				Expiry:    func(c provider.Credentials) time.Time { return upstream.Expiry(c.Username) },
//				Faults: map[providertest.Ability]func(){
//					providertest.Denied:    func() { upstream.Fail(http.StatusForbidden) },
//					providertest.Throttled: func() { upstream.Fail(http.StatusTooManyRequests) },
//					// and so on
//				},
//				Cannot: map[providertest.Ability]string{
//					providertest.AllProjects: "the API sells logins for one project only",
//					providertest.Suspension:  "a login works until it ends",
//				},
//			}
//		})
//	}
//
// Credentials are proven by use: images are pushed and pulled with them at the registry that the provider names, by
// go-containerregistry. What a credential must not do is tried, too, with projects whose names are prefixes and suffixes
// of each other. So the double's registry has to check credentials as the real one does; the suite is worth as much as that.
//
// Nothing is left out in silence. Whatever the suite needs is in the [Harness] or declared in its Cannot, with a reason that
// the skipped subtests show; otherwise all fails, with a list of what is missing. Where the contract says what a provider
// without an ability does, that is tested instead.
//
// # Subtests
//
// Each gets a fresh harness. The names are stable, for -run and -skip:
//
//	harness                   it is complete
//	naming/names              Repository does no I/O, is the same each time, and its path ends in the project
//	naming/distinct           different projects have different repositories
//	naming/consumers          only the host depends on the consumer
//	naming/invalid            bad projects and consumers are refused
//	naming/images             a deployment may name its own project's images and other registries', and no other project's
//	validation/names          bad projects are refused before anything is called
//	validation/requests       so are other requests that make no sense, the zero Request first
//	requests/push             the answer is a credential for exactly what was asked for, at what Repository names
//	requests/pull
//	requests/cluster          and one that a kubelet can use
//	requests/all-projects
//	requests/project-id       a project's id changes nothing of that
//	scoping/push-own          a push credential pushes to its project
//	scoping/pull-own          every credential pulls from its project
//	scoping/pull-cannot-push  a pull credential can't push, tag or delete
//	scoping/push-another      no credential can push to, or tag at, another project
//	scoping/pull-another      nor see or read its images, manifests and layers
//	scoping/list-another      nor list its tags, nor find it in the catalog
//	scoping/mount-another     nor mount its layers into its own repository
//	scoping/delete-another    nor delete its tags and images
//	scoping/all-projects      a credential for all projects pulls from each, and can't push, tag or delete
//	scoping/former-owner      a credential for a project's id opens nothing once the name is another project's, whose own does
//	scoping/suspended         a credential opens nothing once its project is suspended, one for all projects nothing of that one
//	expiry/alive              a credential is alive when it is handed out
//	expiry/upstream           and the registry takes it until ExpiresAt at least
//	expiry/bounded            and not for more than a minute after
//	redaction/credentials     printers, encoders, loggers and testify's diff show no secret of a credential
//	redaction/provider        nor of the provider
//	redaction/errors          nor of an error, whatever it wraps
//	cancellation/ended        a context that has ended is an error, and only for its own caller
//	cancellation/canceled     a call ends when its context is canceled, though the upstream hangs, and nobody else's does
//	cancellation/deadline     and when its deadline passes
//	concurrency/requests      of many callers at once, each gets its own
//	concurrency/instances     two providers share nothing; closing one leaves the other alone
//	errors/denied             each fault of the upstream is an error of its kind, and never a credential from before
//	errors/throttled
//	errors/unavailable
//	errors/malformed
//	errors/expired
//	errors/grants-less
//	errors/grants-more
//	capabilities/look-up      provider.As and provider.TypeOf find what the harness says, through decorators as well
//	capabilities/close        provider.Close works, twice, and on a provider that was never asked
//
// Run it with the race detector: the suite makes callers meet, and the detector sees what they share.
package providertest
