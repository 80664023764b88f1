package riseregistry_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

var (
	fencedCode  = regexp.MustCompile("(?ms)^ *(```+|~~~+).*?^ *(```+|~~~+) *$")
	inlineCode  = regexp.MustCompile("`[^`\n]+`")
	inlineLink  = regexp.MustCompile(`\]\(<?([^()\s>]+)>?(?: +"[^"]*")?\)`)
	defined     = regexp.MustCompile(`(?m)^ {0,3}\[[^\]]+\]: +<?(\S+?)>?$`)
	heading     = regexp.MustCompile(`(?m)^#{1,6} +(.+?)(?: +#+)? *$`)
	htmlAnchor  = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	linkedWords = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// Every link from a page of ours to another, or to a heading, leads there. Addresses elsewhere aren't looked at.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages := markdown(t, ".")
	require.GreaterOrEqual(t, len(pages), 15)
	for _, p := range []string{"README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/operators-guide.md"} {
		require.Contains(t, pages, p)
	}
	links := 0
	for _, page := range pages {
		for _, link := range linksOf(t, page) {
			require.NoError(t, leadsSomewhere(t, page, link), "%s", page)
			links++
		}
	}
	require.Greater(t, links, 100)
}

// The test above sees links that lead nowhere.
func TestLinksSeen(t *testing.T) {
	t.Parallel()
	for link, good := range map[string]bool{
		"README.md": true, "README.md#try-it": true, "#try-it": true, "docs": true, "docs/operators-guide.md#on-ecs-ec2-or-lambda": true, "https://example.com/not-there#x": true,
		"README.m": false, "README.md#try-him": false, "#nothing": false, "../README.md": false, "/README.md": false, "doc.go#L1": false, "docs#x": false,
	} {
		require.Equal(t, good, leadsSomewhere(t, "README.md", link) == nil, link)
	}
	dir := t.TempDir()
	text := "# A b\n\n[a](x.md) `[b](y.md)` ![c](<z.png> \"title\")\n\n```md\n[d](w.md)\n# D\n```\n[e]: v.md\n\n## The `code` of [it](x.md), here!\n## A b\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "page.md"), []byte(text), 0o600))
	require.Equal(t, []string{"x.md", "z.png", "x.md", "v.md"}, linksOf(t, filepath.Join(dir, "page.md")))
	require.Equal(t, []string{"a-b", "the-code-of-it-here", "a-b-1"}, anchorsOf(t, filepath.Join(dir, "page.md")))
}

// markdown are all pages below dir, of every module.
func markdown(t *testing.T, dir string) (pages []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if err == nil && strings.HasSuffix(path, ".md") {
			pages = append(pages, filepath.ToSlash(path))
		}
		return err
	}))
	return pages
}

// prose is a page without its blocks of code.
func prose(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	return fencedCode.ReplaceAllString(string(text), "")
}

func linksOf(t *testing.T, page string) (links []string) {
	t.Helper()
	text := inlineCode.ReplaceAllString(prose(t, page), "code")
	for _, found := range slices.Concat(inlineLink.FindAllStringSubmatch(text, -1), defined.FindAllStringSubmatch(text, -1)) {
		links = append(links, found[1])
	}
	return links
}

// leadsSomewhere checks one link of a page.
func leadsSomewhere(t *testing.T, page, link string) error {
	t.Helper()
	to, err := url.Parse(link)
	switch {
	case err != nil:
		return fmt.Errorf("%s is no link: %w", link, err)
	case to.Scheme != "" || to.Host != "":
		return nil
	case strings.HasPrefix(to.Path, "/"):
		return fmt.Errorf("%s: links go from the page, not from the top", link)
	}
	target := page
	if to.Path != "" {
		target = path.Join(path.Dir(page), to.Path)
	}
	if !filepath.IsLocal(target) {
		return fmt.Errorf("%s leads out of the repository", link)
	}
	if _, err := os.Stat(target); err != nil {
		return fmt.Errorf("%s: %w", link, err)
	}
	if to.Fragment == "" {
		return nil
	}
	if !strings.HasSuffix(target, ".md") || !slices.Contains(anchorsOf(t, target), to.Fragment) {
		return fmt.Errorf("%s: %s has no such heading", link, target)
	}
	return nil
}

// anchorsOf are a page's headings as links name them, by GitHub's rules, and what it names itself.
func anchorsOf(t *testing.T, page string) (anchors []string) {
	t.Helper()
	text := prose(t, page)
	seen := map[string]int{}
	for _, found := range heading.FindAllStringSubmatch(text, -1) {
		words := linkedWords.ReplaceAllString(found[1], "$1")
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
				return unicode.ToLower(r)
			}
			return -1
		}, words)
		if n := seen[anchor]; n > 0 {
			anchors = append(anchors, fmt.Sprintf("%s-%d", anchor, n))
		} else {
			anchors = append(anchors, anchor)
		}
		seen[anchor]++
	}
	for _, found := range htmlAnchor.FindAllStringSubmatch(text, -1) {
		anchors = append(anchors, found[1])
	}
	return anchors
}
