package providertest

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// validNames are project names that every provider takes.
func validNames() []string {
	return append(projects(), "0", "aa", "ba", "a-a", "b-a", "a-b-a", "0-0", "hello", "hello-world",
		strings.Repeat("a", provider.MaxProjectLength), strings.Repeat("a", provider.MaxProjectLength-1),
		strings.Repeat("a", provider.MaxProjectLength-1)+"b")
}

// invalidNames are project names that no provider takes, not even after making something valid of them.
func invalidNames() []string {
	return []string{
		"", "*", "a*", "?", "a?", "$", "${a}", ".", "..", "../b", "a/b", "/a", "a/", "A", "aB", "-", "-a", "a-", "a--b",
		strings.Repeat("a", provider.MaxProjectLength+1), "a%2fb", "a%2Fb", "a\nb", "a\n", "a\x00b", "a b", " a", "a ",
		"a.b", "a_b", "a:b", "a@b", "a,b", "a+b", "a\\b", "a\"b", "ä", "а" /* Cyrillic */, "a\u200bb", "\xff",
	}
}

func testNames(s *subject) {
	before := s.calls()
	for _, project := range validNames() {
		for _, consumer := range []provider.Consumer{provider.Client, provider.Cluster} {
			repository := s.repository(project, consumer)
			if !strings.HasSuffix(repository.RepositoryStr(), project) {
				s.Errorf("Repository(%q, %v) is %s, whose path doesn't end in the project", project, consumer, repository)
			}
			if again := s.repository(project, consumer); again.String() != repository.String() {
				s.Errorf("Repository(%q, %v) is %s once and %s then", project, consumer, repository, again)
			}
			parsed, err := name.NewRepository(repository.String(), name.StrictValidation)
			if err != nil || parsed.String() != repository.String() {
				s.Errorf("Repository(%q, %v) is %s, which clients read as %s: %v", project, consumer, repository, parsed, err)
			}
		}
	}
	s.wantNoCalls("Repository", before)
}

func testDistinctNames(s *subject) {
	for _, consumer := range []provider.Consumer{provider.Client, provider.Cluster} {
		owner := make(map[string]string)
		for _, project := range validNames() {
			repository := s.repository(project, consumer).String()
			if other, taken := owner[repository]; taken {
				s.Errorf("%q and %q have one repository: %s", other, project, repository)
			}
			owner[repository] = project
		}
	}
}

func testConsumers(s *subject) {
	for _, project := range validNames() {
		client, cluster := s.repository(project, provider.Client), s.repository(project, provider.Cluster)
		if client.RepositoryStr() != cluster.RepositoryStr() {
			s.Errorf("%q is %s for clients and %s for clusters; only the host may differ", project, client, cluster)
		}
	}
}

func testInvalidNames(s *subject) {
	before := s.calls()
	refused := func(project string, consumer provider.Consumer) {
		_, err := s.name(project, consumer)
		what := fmt.Sprintf("Repository(%+q, %v)", project, consumer)
		s.wantKind(what, provider.Credentials{}, err, provider.ErrInvalidRequest)
	}
	for _, project := range invalidNames() {
		refused(project, provider.Client)
	}
	refused(projects()[0], provider.Cluster+1)
	s.wantNoCalls("Repository", before)
}

// testImages: what a deployment may name as its image follows from what Repository says, and from what the provider says is shared.
func testImages(s *subject) {
	s.chain() // ends
	p, before := decorator{decorator{s.Provider}}, s.calls()
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, consumer := range []provider.Consumer{provider.Client, provider.Cluster} {
		for _, project := range projects() {
			for _, other := range projects() {
				repository := s.repository(other, consumer)
				for _, image := range []string{
					repository.String(), repository.String() + ":v1", repository.String() + ":v1" + digest,
					strings.ToUpper(repository.RegistryStr()) + "/" + repository.RepositoryStr() + digest,
				} {
					err := provider.CheckImage(p, project, image)
					switch {
					case other == project && err != nil:
						s.Errorf("%q may not run its own image %s: %v", project, image, err)
					case other != project && provider.KindOf(err) != provider.ErrNotFound:
						s.Errorf("%q may run the image %s, want an error of kind %q: %v", project, image, string(provider.ErrNotFound), err)
					}
				}
				if image := "elsewhere.invalid/" + repository.RepositoryStr(); provider.CheckImage(p, project, image) != nil {
					s.Errorf("%q may not run %s, which is another registry's", project, image)
				}
			}
		}
	}
	s.wantNoCalls("CheckImage", before)
}
