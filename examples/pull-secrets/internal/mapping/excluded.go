package mapping

import (
	"fmt"
	"path"
	"strings"
)

// Excluded are patterns of namespaces that are never mapped, whatever says so: names, with * for any characters.
type Excluded []string

// ParseExcluded reads patterns with commas between them.
func ParseExcluded(list string) (Excluded, error) {
	var e Excluded
	for pattern := range strings.SplitSeq(list, ",") {
		if pattern = strings.TrimSpace(pattern); pattern == "" {
			continue
		}
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("%q is no pattern of namespaces, as kube-*", pattern)
		}
		e = append(e, pattern)
	}
	return e, nil
}

// Has reports whether namespace is one of them.
func (e Excluded) Has(namespace string) bool {
	for _, pattern := range e {
		if matches, err := path.Match(pattern, namespace); matches && err == nil {
			return true
		}
	}
	return false
}
