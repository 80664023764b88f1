package diagnosis

import (
	"sync"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/awsapi"
)

// listing is one page of the registry's repositories: enough for a look around.
type listing struct {
	mu    sync.Mutex
	names []string
	whole bool // the page was the only one
}

func (l *listing) get() ([]string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.names, l.whole
}

func byKey(list []awsapi.Tag) map[string]string {
	tags := make(map[string]string, len(list))
	for _, t := range list {
		tags[t.Key] = t.Value
	}
	return tags
}
