// Package guide reads the operators' guide, so that what is measured is what is pasted.
package guide

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Block is the block of the operators' guide that begins with a line.
func Block(begins string) (string, error) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "operators-guide.md"))
	if err != nil {
		return "", err
	}
	_, text, found := strings.Cut(string(page), "\n"+begins)
	text, _, ended := strings.Cut(text, "\n```")
	if !found || !ended {
		return "", fmt.Errorf("the operators' guide has no %q", begins)
	}
	return begins + text + "\n", nil
}
