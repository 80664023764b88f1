package oidc

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/provider"
)

// rule is a Rule, ready to use.
type rule struct {
	number     int // in the configuration, from 0
	configured map[string]string
	keys       []string // sorted
	patterns   []pattern
	templates  []template
	access     provider.Access
}

func newRules(valid []Rule) []*rule {
	var rules []*rule
	for n, from := range valid {
		r := &rule{number: n, configured: maps.Clone(from.Claims), access: from.access()}
		for _, key := range slices.Sorted(maps.Keys(from.Claims)) {
			r.keys, r.patterns = append(r.keys, key), append(r.patterns, newPattern(from.Claims[key]))
		}
		for _, project := range from.Projects {
			t, _ := parseTemplate(project)
			r.templates = append(r.templates, t)
		}
		rules = append(rules, r)
	}
	return rules
}

// match returns the claims that differ, by name, and the texts that fit.
func (r *rule) match(c claims) (differ []string, fit []slog.Attr) {
	for i, key := range r.keys {
		v, there := c.get(key)
		shown, ok := "", false
		if there {
			shown, ok = r.patterns[i].match(v)
		}
		if ok {
			fit = append(fit, shownClaim(key, shown))
		} else {
			differ = append(differ, key)
		}
	}
	return differ, fit
}

// projects are those that the claims of a token fill the rule's with.
func (r *rule) projects(c claims) []string {
	var projects []string
	for _, t := range r.templates {
		if name := t.fill(c, r.configured); name != "" && !slices.Contains(projects, name) {
			projects = append(projects, name)
		}
	}
	return projects
}

// filled are the claims beside the rule's own that its templates took.
func (r *rule) filled(c claims) []slog.Attr {
	var attrs []slog.Attr
	for _, t := range r.templates {
		if _, own := r.configured[t.claim]; own || t.claim == "" {
			continue
		}
		if v, ok := c.get(t.claim); ok {
			if s, ok := text(v); ok {
				attrs = append(attrs, shownClaim(t.claim, s))
			}
		}
	}
	return attrs
}

// shownClaim is a copy: what is remembered mustn't keep the whole token.
func shownClaim(key, value string) slog.Attr {
	return slog.String(key, strings.Clone(cut(printable(value), keptSubject)))
}

// decide returns the first rule that matches, with the texts that fit, or an error that says which came closest and which claims differ, by name.
func decide(rules []*rule, c claims) (*rule, []slog.Attr, error) {
	r, differ, fit := closest(rules, c)
	if len(differ) > 0 {
		return nil, nil, fmt.Errorf("no rule matches; rules[%d] came closest, but for %s", r.number, strings.Join(differ, ", "))
	}
	return r, fit, nil
}

// closest returns the first rule that matches, or the first of those of which the fewest claims differ, and these by name.
func closest(rules []*rule, c claims) (nearest *rule, differ []string, fit []slog.Attr) {
	for _, r := range rules {
		missing, fits := r.match(c)
		if nearest == nil || len(missing) < len(differ) {
			nearest, differ, fit = r, missing, fits
		}
		if len(missing) == 0 {
			break
		}
	}
	return nearest, differ, fit
}
