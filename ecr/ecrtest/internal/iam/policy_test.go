package iam_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const ok = `"Effect":"Allow","Action":"ecr:*","Resource":"*"`
	for _, c := range []struct {
		name, document string
		kind           iam.Kind
		want           string
	}{
		{"no JSON", `{`, iam.Identity, "policy: is no JSON"},
		{"a list", `[]`, iam.Identity, "policy: must be a JSON object"},
		{"text behind", `{"Statement":{` + ok + `}} x`, iam.Identity, "policy: has text after the JSON object"},
		{"no statement", `{"Version":"2012-10-17"}`, iam.Identity, "policy: no Statement"},
		{"empty statement", `{"Statement":[]}`, iam.Identity, "policy: no Statement"},
		{"version", `{"Version":"2013-10-17","Statement":{` + ok + `}}`, iam.Identity,
			"Version must be 2012-10-17 or 2008-10-17"},
		{"unknown element", `{"Statement":{` + ok + `},"Statements":[]}`, iam.Identity, `unknown element "Statements"`},
		{"unknown statement element", `{"Statement":{` + ok + `,"Resources":"*"}}`, iam.Identity,
			`statement 1: unknown element "Resources"`},
		{"element in another case", `{"Statement":{"effect":"Allow","Action":"*","Resource":"*"}}`, iam.Identity,
			`unknown element "effect"`},
		{"repeated element", `{"Statement":{` + ok + `,"Effect":"Deny"}}`, iam.Identity, `"Effect" is there twice`},
		{"repeated Sid", `{"Statement":[{"Sid":"a",` + ok + `},{"Sid":"a",` + ok + `}]}`, iam.Identity,
			`statement 2: Sid "a" is used twice`},
		{"Sid", `{"Statement":{"Sid":"a-b",` + ok + `}}`, iam.Identity, `Sid: "a-b" must be letters and digits`},
		{"effect", `{"Statement":{"Effect":"allow","Action":"*","Resource":"*"}}`, iam.Identity,
			"effect must be Allow or Deny"},
		{"no action", `{"Statement":{"Effect":"Allow","Resource":"*"}}`, iam.Identity, "needs either Action or NotAction"},
		{"both actions", `{"Statement":{` + ok + `,"NotAction":"a:b"}}`, iam.Identity, "needs either Action or NotAction"},
		{"action form", `{"Statement":{"Effect":"Allow","Action":"PutImage","Resource":"*"}}`, iam.Identity,
			`Action: "PutImage" must be service:Action or *`},
		{"empty action", `{"Statement":{"Effect":"Allow","Action":[],"Resource":"*"}}`, iam.Identity, "Action: is empty"},
		{"null action", `{"Statement":{"Effect":"Allow","Action":null,"Resource":"*"}}`, iam.Identity,
			"Action: must be a string"},
		{"no resource", `{"Statement":{"Effect":"Allow","Action":"*"}}`, iam.Identity,
			"needs either Resource or NotResource"},
		{"both resources", `{"Statement":{` + ok + `,"NotResource":"*"}}`, iam.Identity, "has both Resource and NotResource"},
		{"resource form", `{"Statement":{"Effect":"Allow","Action":"*","Resource":"rise/a"}}`, iam.Identity,
			`Resource: "rise/a" must be an ARN or *`},
		{"principal in an identity policy", `{"Statement":{` + ok + `,"Principal":"*"}}`, iam.Identity,
			"an identity-based policy has no Principal"},
		{"no principal", `{"Statement":{` + ok + `}}`, iam.Resource, "a resource-based policy needs a Principal"},
		{"principal with a wildcard", `{"Statement":{` + ok + `,"Principal":{"AWS":"arn:aws:iam::123456789012:role/*"}}}`,
			iam.Resource, "invalid principal in policy"},
		{"principal type", `{"Statement":{` + ok + `,"Principal":{"aws":"*"}}}`, iam.Resource, `unknown type "aws"`},
		{"resource in a trust policy", `{"Statement":{` + ok + `,"Principal":"*"}}`, iam.Trust,
			"a trust policy has no Resource"},
		{"operator", `{"Statement":{` + ok + `,"Condition":{"StringEqual":{"a":"b"}}}}`, iam.Identity,
			`Condition: unknown operator "StringEqual"`},
		{"set operator", `{"Statement":{` + ok + `,"Condition":{"ForSome:StringEquals":{"a":"b"}}}}`, iam.Identity,
			`unknown operator "ForSome:StringEquals"`},
		{"NullIfExists", `{"Statement":{` + ok + `,"Condition":{"NullIfExists":{"a":"true"}}}}`, iam.Identity,
			`unknown operator "NullIfExists"`},
		{"Null's value", `{"Statement":{` + ok + `,"Condition":{"Null":{"a":"yes"}}}}`, iam.Identity,
			`"yes" must be true or false`},
		{"condition value", `{"Statement":{` + ok + `,"Condition":{"StringEquals":{"a":{}}}}}`, iam.Identity,
			"values must be strings, numbers or booleans"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := iam.Parse(c.document, c.kind)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// naiveMatch is the definition of wildcards, word for word.
func naiveMatch(pattern, s string) bool {
	if pattern == "" {
		return s == ""
	}
	p, size := utf8.DecodeRuneInString(pattern)
	switch p {
	case '*':
		for i := range s {
			if naiveMatch(pattern[1:], s[i:]) {
				return true
			}
		}
		return naiveMatch(pattern[1:], "")
	case '?':
		_, n := utf8.DecodeRuneInString(s)
		return n > 0 && naiveMatch(pattern[1:], s[n:])
	}
	return strings.HasPrefix(s, pattern[:size]) && naiveMatch(pattern[size:], s[size:])
}

func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{{"", ""}, {"*", "a/b"}, {"rise/*", "rise/a"}, {"a*b*c", "abbc"}, {"??", "é"},
		{"a?c*", "abc"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if len(pattern) > 24 || len(s) > 24 || strings.Count(pattern, "*") > 4 { // the reference takes exponential time
			t.Skip()
		}
		if !utf8.ValidString(pattern) || !utf8.ValidString(s) {
			iam.Match(pattern, s) // must not panic
			return
		}
		require.Equal(t, naiveMatch(pattern, s), iam.Match(pattern, s))
	})
}

func FuzzParse(f *testing.F) {
	f.Add(document(allowAll), uint8(iam.Identity), "rise/a", "v")
	f.Add(document(denyOther), uint8(iam.Identity), "rise/b", "*")
	f.Add(document(grantTo(toAll, ifOrg)), uint8(iam.Repository), "rise/b", "o-1")
	f.Add(document(grant("sts:AssumeRole", toRole)), uint8(iam.Trust), "x", "")
	f.Add(`{"Statement":{"Effect":"Deny","NotAction":"a:*","NotResource":"arn:${a, 'b'}${*}","Condition":{"ForAllValues:NumericLessThanIfExists":{"k":[1,"${k}"]},`+
		`"IpAddress":{"k":"10.0.0.0/8"},"DateLessThan":{"k":"2026"},"ArnLike":{"k":"*"},"BinaryEquals":{"k":"QQ=="}}}}`,
		uint8(iam.Identity), "k", "10.0.0.1")
	f.Fuzz(func(t *testing.T, document string, kind uint8, name, value string) {
		p, err := iam.Parse(document, iam.Kind(kind))
		if err != nil {
			require.Nil(t, p)
			return
		}
		p.Bind(roleARN, roleID)
		ctx := iam.Context{}
		ctx.Set("k", value)
		ctx.Set("aws:PrincipalOrgID", value, name)
		r := iam.Request{Principal: role(), Action: "ecr:PutImage",
			Resource: "arn:aws:ecr:eu-west-1:123456789012:repository/" + name,
			Account:  account, Context: ctx}
		for _, policies := range []iam.Policies{{Identity: []*iam.Policy{p}}, {Resource: []*iam.Policy{p}}, {Boundary: p}} {
			d := iam.Evaluate(r, policies)
			require.NotEqual(t, d.Allowed, d.Layer != "", "either allowed, or denied by a layer")
		}
	})
}
