package mapping

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// none is a file's text, beside comments, if no namespace is mapped: a file without any is one that somebody is just writing.
const none = "{}"

// parse reads lines of a namespace, a colon, a space and a project; # begins a comment. That is YAML, of which it takes nothing else. Every line that is
// wrong is in the error.
func parse(text string, excluded Excluded) (map[string]string, error) {
	projects, empty, number := map[string]string{}, false, 0
	var errs []error
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		if line = uncommented(line); line == "" || line == "---" && number == 1 {
			continue
		}
		if line == none {
			empty = true
			continue
		}
		namespace, project, err := entry(line, excluded)
		if _, twice := projects[namespace]; err == nil && twice {
			err = fmt.Errorf("the namespace %s is there before", namespace)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", number, err))
			continue
		}
		projects[namespace] = project
	}
	switch {
	case len(errs) > 0:
	case empty && len(projects) > 0:
		errs = append(errs, errors.New("it has {}, which means that no namespace is mapped, and namespaces"))
	case !empty && len(projects) == 0:
		errs = append(errs, errors.New("it maps no namespace; if that is meant, write {}"))
	}
	return projects, errors.Join(errs...)
}

func uncommented(line string) string {
	line = strings.TrimRight(line, " \t\r\n")
	if strings.HasPrefix(strings.TrimSpace(line), "#") {
		return ""
	}
	line, _, _ = strings.Cut(line, " #")
	return strings.TrimRight(line, " \t")
}

func entry(line string, excluded Excluded) (namespace, project string, err error) {
	namespace, project, ok := strings.Cut(line, ":")
	if !ok || !strings.HasPrefix(project, " ") || strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
		return "", "", fmt.Errorf("%.80q is no line as shop-production: shop, a namespace and its project", line)
	}
	namespace, project = unquoted(namespace), unquoted(strings.TrimLeft(project, " "))
	switch {
	case !label(namespace):
		return "", "", fmt.Errorf("%.80q is no namespace's name", namespace)
	case provider.ValidateProject(project) != nil:
		return "", "", fmt.Errorf("%.80q is no project's name: %s", project, provider.ProjectRule)
	case excluded.Has(namespace):
		return "", "", fmt.Errorf("the namespace %s is one of those that are excluded (--exclude)", namespace)
	}
	return namespace, project, nil
}

func unquoted(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// label reports whether s is a DNS label, as namespaces' names are.
func label(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
