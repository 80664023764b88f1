package ecrapi

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/awserr"
)

// paging are the parameters of operations that answer in pages.
type paging struct {
	MaxResults *int   `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

// paged cuts a page from sorted keys. The token holds the last key of the page before, so that keys which come and go
// in between neither repeat nor hide others.
func paged(keys []string, p paging) (page []string, next string, _ *awserr.Error) {
	size := 100 // ECR's default
	if p.MaxResults != nil {
		size = *p.MaxResults
		if size < 1 || size > 1000 {
			return nil, "", awserr.InvalidParameter("maxResults", "must be between 1 and 1000")
		}
	}
	if p.NextToken != "" {
		raw, err := base64.URLEncoding.DecodeString(p.NextToken)
		last, found := strings.CutPrefix(string(raw), "after:")
		if err != nil || !found {
			return nil, "", awserr.InvalidParameter("nextToken", "must be the token of the page before")
		}
		i, exact := slices.BinarySearch(keys, last)
		if exact {
			i++
		}
		keys = keys[i:]
	}
	if len(keys) > size {
		keys = keys[:size]
		next = base64.URLEncoding.EncodeToString([]byte("after:" + keys[size-1]))
	}
	return keys, next, nil
}

// pageOf adds to out a page of what keys, which are sorted, name.
func pageOf(out map[string]any, list string, keys []string, p paging, item func(key string) any) (any, *awserr.Error) {
	page, next, err := paged(keys, p)
	if err != nil {
		return nil, err
	}
	items := make([]any, 0, len(page))
	for _, key := range page {
		items = append(items, item(key))
	}
	out[list] = items
	if next != "" {
		out["nextToken"] = next
	}
	return out, nil
}
