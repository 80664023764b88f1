package iam

import (
	"maps"
	"slices"
	"strings"
)

// Context holds a request's condition keys and their values. Keys are lower-case; use Set and SetTags.
type Context map[string]contextValue

type contextValue struct {
	values []string
	either bool // it is one of them, and nobody knows which
}

// Set gives a key its values; no values remove it. AWS compares condition keys without regard to case.
func (c Context) Set(key string, values ...string) {
	if len(values) == 0 {
		delete(c, strings.ToLower(key))
		return
	}
	c[strings.ToLower(key)] = contextValue{values: values}
}

// SetTags gives the keys prefix/TagKey the tags' values. Tags that differ in case only are one key; AWS says that it takes one
// of them, and not which. So statements hold the worse way: one that allows where it does for any of the values, one that
// denies where it does for all of them.
func (c Context) SetTags(prefix string, tags map[string]string) {
	own := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		lower := strings.ToLower(key)
		own[lower] = append(own[lower], tags[key])
	}
	for key, values := range own {
		c[strings.ToLower(prefix)+"/"+key] = contextValue{values: values, either: len(values) > 1}
	}
}

// with is the context in which key has that value.
func (c Context) with(key, value string) Context {
	one := maps.Clone(c)
	one[key] = contextValue{values: []string{value}}
	return one
}

// listed are the keys that hold a list even where it has one value (IAM User Guide, "AWS global condition context keys", and
// "IAM and AWS STS condition context keys").
var listed = map[string]bool{
	"aws:calledvia": true, "aws:principalorgpaths": true, "aws:principalservicenameslist": true, "aws:resourceorgpaths": true,
	"aws:sourceorgpaths": true, "aws:tagkeys": true, "aws:vpceorgpaths": true, "sts:transitivetagkeys": true,
}
