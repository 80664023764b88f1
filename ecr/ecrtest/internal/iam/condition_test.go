package iam_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/ecr/ecrtest/internal/iam"
)

// conditionHolds evaluates a policy's only statement, an Allow with the condition.
func conditionHolds(t *testing.T, version, condition, resource string, context map[string][]string) bool {
	t.Helper()
	p, err := iam.Parse(`{"Version":"`+version+`","Statement":{"Effect":"Allow","Action":"*","Resource":"`+resource+
		`","Condition":`+condition+`}}`, iam.Identity)
	require.NoError(t, err)
	r := iam.Request{Principal: role(), Action: "ecr:PutImage", Resource: repoA, Account: account, Context: iam.Context{}}
	for key, values := range context {
		r.Context.Set(key, values...)
	}
	return iam.Evaluate(r, iam.Policies{Identity: []*iam.Policy{p}}).Allowed
}

func TestConditions(t *testing.T) {
	t.Parallel()
	type values = map[string][]string
	tag := values{"aws:ResourceTag/rise:project": {"a"}}
	groups := []struct {
		page  string // of the IAM User Guide
		cases []struct {
			name, condition string
			context         values
			want            bool
		}
	}{
		{"IAM JSON policy elements: Condition operators", []struct {
			name, condition string
			context         values
			want            bool
		}{
			{"StringEquals", `{"StringEquals":{"aws:ResourceTag/rise:project":"a"}}`, tag, true},
			{"StringEquals, another value", `{"StringEquals":{"aws:ResourceTag/rise:project":"A"}}`, tag, false},
			{"StringEquals has no wildcards", `{"StringEquals":{"aws:ResourceTag/rise:project":"*"}}`, tag, false},
			{"keys ignore case", `{"StringEquals":{"AWS:resourcetag/RISE:project":"a"}}`, tag, true},
			{"StringEqualsIgnoreCase", `{"StringEqualsIgnoreCase":{"aws:ResourceTag/rise:project":"A"}}`, tag, true},
			{"StringNotEqualsIgnoreCase", `{"StringNotEqualsIgnoreCase":{"aws:ResourceTag/rise:project":"A"}}`, tag, false},
			{"StringLike", `{"StringLike":{"sts:RoleSessionName":["rise-push-*","rise-pull-*"]}}`,
				values{"sts:RoleSessionName": {"rise-pull-x"}}, true},
			{"StringLike, no match", `{"StringLike":{"sts:RoleSessionName":["rise-push-*","rise-pull-*"]}}`,
				values{"sts:RoleSessionName": {"x-rise-pull-x"}}, false},
			{"StringNotLike", `{"StringNotLike":{"sts:RoleSessionName":"rise-*"}}`,
				values{"sts:RoleSessionName": {"rise-x"}}, false},
			{"Bool", `{"Bool":{"aws:SecureTransport":true}}`, values{"aws:SecureTransport": {"true"}}, true},
			{"Bool, false", `{"Bool":{"aws:SecureTransport":"false"}}`, values{"aws:SecureTransport": {"true"}}, false},
			{"NumericLessThan", `{"NumericLessThan":{"k":10}}`, values{"k": {"9.5"}}, true},
			{"NumericLessThan, equal", `{"NumericLessThan":{"k":10}}`, values{"k": {"10"}}, false},
			{"NumericLessThanEquals", `{"NumericLessThanEquals":{"k":"10"}}`, values{"k": {"10"}}, true},
			{"NumericGreaterThan", `{"NumericGreaterThan":{"k":10}}`, values{"k": {"11"}}, true},
			{"NumericGreaterThanEquals", `{"NumericGreaterThanEquals":{"k":10}}`, values{"k": {"9"}}, false},
			{"NumericEquals", `{"NumericEquals":{"k":10}}`, values{"k": {"10.0"}}, true},
			{"NumericEquals, no number", `{"NumericEquals":{"k":10}}`, values{"k": {"ten"}}, false},
			{"NumericNotEquals", `{"NumericNotEquals":{"k":10}}`, values{"k": {"10"}}, false},
			{"DateLessThan", `{"DateLessThan":{"aws:TokenIssueTime":"2026-01-01T00:00:00Z"}}`,
				values{"aws:TokenIssueTime": {"2025-12-31T23:59:59Z"}}, true},
			{"DateLessThan, later", `{"DateLessThan":{"aws:TokenIssueTime":"2026-01-01T00:00:00Z"}}`,
				values{"aws:TokenIssueTime": {"2026-01-01T00:00:00Z"}}, false},
			{"DateGreaterThan, seconds", `{"DateGreaterThan":{"aws:CurrentTime":"0"}}`,
				values{"aws:CurrentTime": {"2026-01-01T00:00:00Z"}}, true},
			{"IpAddress", `{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","127.0.0.1"]}}`, values{"aws:SourceIp": {"127.0.0.1"}},
				true},
			{"IpAddress, range", `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, values{"aws:SourceIp": {"10.1.2.3"}}, true},
			{"NotIpAddress", `{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, values{"aws:SourceIp": {"10.1.2.3"}}, false},
			{"ArnLike, * within a part", `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/Push"}}`,
				values{"aws:PrincipalArn": {roleARN}}, true},
			{"ArnEquals, * doesn't cross parts", `{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam:*:role/Push"}}`,
				values{"aws:PrincipalArn": {roleARN}}, false},
			{"ArnNotLike", `{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/*"}}`,
				values{"aws:PrincipalArn": {roleARN}}, false},
			{"BinaryEquals", `{"BinaryEquals":{"k":"QUE="}}`, values{"k": {"QUE="}}, true},
			{"all keys must hold", `{"StringEquals":{"aws:ResourceTag/rise:project":"a","k":"v"}}`, tag, false},
			{"all operators must hold", `{"StringEquals":{"aws:ResourceTag/rise:project":"a"},"StringNotEquals":{"aws:ResourceTag/rise:project":"a"}}`,
				tag, false},
		}},
		{"Conditions with multiple context keys or values", []struct {
			name, condition string
			context         values
			want            bool
		}{
			{"any value", `{"StringEquals":{"aws:ResourceTag/rise:project":["b","a"]}}`, tag, true},
			{"negated: none of the values", `{"StringNotEquals":{"aws:ResourceTag/rise:project":["b","a"]}}`, tag, false},
			{"negated: neither", `{"StringNotEquals":{"aws:ResourceTag/rise:project":["b","c"]}}`, tag, true},
		}},
		{"IAM JSON policy elements: Condition operators: a key that is missing", []struct {
			name, condition string
			context         values
			want            bool
		}{
			{"positive", `{"StringEquals":{"k":"v"}}`, nil, false},
			{"negated", `{"StringNotEquals":{"k":"v"}}`, nil, true},
			{"StringLike * isn't presence", `{"StringLike":{"k":"*"}}`, nil, false},
			{"IfExists", `{"StringEqualsIfExists":{"k":"v"}}`, nil, true},
			{"IfExists, there", `{"StringEqualsIfExists":{"k":"v"}}`, values{"k": {"w"}}, false},
			{"negated IfExists, there", `{"StringNotEqualsIfExists":{"k":"v"}}`, values{"k": {"v"}}, false},
			{"ArnNotEquals", `{"ArnNotEquals":{"k":"arn:aws:iam::1:role/x"}}`, nil, true},
			{"NumericNotEquals", `{"NumericNotEquals":{"k":1}}`, nil, true},
			{"Null true", `{"Null":{"k":"true"}}`, nil, true},
			{"Null true, there", `{"Null":{"k":"true"}}`, values{"k": {"v"}}, false},
			{"Null false", `{"Null":{"k":"false"}}`, nil, false},
			{"Null false, there", `{"Null":{"k":"false"}}`, values{"k": {"v"}}, true},
			{"Null with an empty value, there", `{"Null":{"k":false}}`, values{"k": {""}}, true},
		}},
		{"Set operators for multi-valued context keys", []struct {
			name, condition string
			context         values
			want            bool
		}{
			{"ForAllValues", `{"ForAllValues:StringEquals":{"aws:TagKeys":["x","y"]}}`, values{"aws:TagKeys": {"y", "x"}}, true},
			{"ForAllValues, one too many", `{"ForAllValues:StringEquals":{"aws:TagKeys":["x","y"]}}`,
				values{"aws:TagKeys": {"x", "z"}}, false},
			{"ForAllValues, empty set", `{"ForAllValues:StringEquals":{"aws:TagKeys":["x","y"]}}`, nil, true},
			{"ForAllValues, empty set, with Null", `{"ForAllValues:StringEquals":{"aws:TagKeys":["x","y"]},"Null":{"aws:TagKeys":"false"}}`,
				nil, false},
			{"ForAllValues, negated", `{"ForAllValues:StringNotEquals":{"aws:TagKeys":"x"}}`, values{"aws:TagKeys": {"y",
				"x"}}, false},
			{"ForAnyValue", `{"ForAnyValue:StringLike":{"aws:TagKeys":"rise:*"}}`, values{"aws:TagKeys": {"y", "rise:x"}}, true},
			{"ForAnyValue, none", `{"ForAnyValue:StringLike":{"aws:TagKeys":"rise:*"}}`, values{"aws:TagKeys": {"y"}}, false},
			{"ForAnyValue, empty set", `{"ForAnyValue:StringLike":{"aws:TagKeys":"*"}}`, nil, false},
			{"ForAnyValue, negated", `{"ForAnyValue:StringNotEquals":{"aws:TagKeys":"x"}}`, values{"aws:TagKeys": {"y",
				"x"}}, true},
		}},
	}
	for _, group := range groups {
		t.Run(group.page, func(t *testing.T) {
			t.Parallel()
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					require.Equal(t, c.want, conditionHolds(t, "2012-10-17", c.condition, "*", c.context))
				})
			}
		})
	}
}

// The IAM User Guide, "IAM policy elements: Variables and tags".
func TestVariables(t *testing.T) {
	t.Parallel()
	type values = map[string][]string
	const byTag = "arn:aws:ecr:eu-west-1:123456789012:repository/rise/${aws:PrincipalTag/rise:project}"
	for _, c := range []struct {
		name, version, condition, resource string
		context                            values
		want                               bool
	}{
		{"in a resource", "", `{}`, byTag, values{"aws:PrincipalTag/rise:project": {"a"}}, true},
		{"in a resource, another value", "", `{}`, byTag, values{"aws:PrincipalTag/rise:project": {"b"}}, false},
		{"in a resource, unresolved", "", `{}`, byTag, nil, false},
		{"a value's wildcard is literal", "", `{}`, byTag, values{"aws:PrincipalTag/rise:project": {"*"}}, false},
		{"in a condition", "", `{"StringEquals":{"aws:ResourceTag/p":"${aws:PrincipalTag/p}"}}`, "*",
			values{"aws:PrincipalTag/p": {"a"}, "aws:ResourceTag/p": {"a"}}, true},
		{"in a condition, another value", "", `{"StringEquals":{"aws:ResourceTag/p":"${aws:PrincipalTag/p}"}}`, "*",
			values{"aws:PrincipalTag/p": {"a"}, "aws:ResourceTag/p": {"b"}}, false},
		{"in a condition, unresolved", "", `{"StringEquals":{"aws:ResourceTag/p":"${aws:PrincipalTag/p}"}}`, "*",
			values{"aws:ResourceTag/p": {"a"}}, false},
		{"in a condition, both missing", "", `{"StringEquals":{"aws:ResourceTag/p":"${aws:PrincipalTag/p}"}}`, "*", nil,
			false},
		{"unresolved isn't empty", "", `{"StringEquals":{"aws:ResourceTag/p":"${aws:PrincipalTag/p}"}}`, "*",
			values{"aws:ResourceTag/p": {""}}, false},
		{"unresolved isn't its own text", "", `{"StringEquals":{"aws:ResourceTag/p":"${aws:PrincipalTag/p}"}}`, "*",
			values{"aws:ResourceTag/p": {"${aws:PrincipalTag/p}"}}, false},
		{"in StringLike a value's wildcard is literal", "",
			`{"StringLike":{"aws:ResourceTag/p":"${aws:PrincipalTag/p}"}}`, "*",
			values{"aws:PrincipalTag/p": {"*"}, "aws:ResourceTag/p": {"a"}}, false},
		{"a key with several values isn't resolved", "", `{"StringEquals":{"aws:ResourceTag/p":"${aws:TagKeys}"}}`, "*",
			values{"aws:TagKeys": {"a", "b"}, "aws:ResourceTag/p": {"a"}}, false},
		{"a key that holds a list isn't resolved, even with one value", "", `{"StringEquals":{"aws:ResourceTag/p":"${aws:TagKeys}"}}`, "*",
			values{"aws:TagKeys": {"a"}, "aws:ResourceTag/p": {"a"}}, false},
		{"nor by its default", "", `{"StringEquals":{"aws:ResourceTag/p":"${sts:TransitiveTagKeys, 'a'}"}}`, "*",
			values{"sts:TransitiveTagKeys": {"a"}, "aws:ResourceTag/p": {"a"}}, false},
		{"nor in a resource", "", `{}`, "arn:aws:ecr:*:*:repository/rise/${aws:PrincipalOrgPaths}",
			values{"aws:PrincipalOrgPaths": {"a"}}, false},
		{"a value isn't expanded again", "", `{"StringEquals":{"aws:ResourceTag/p":"${aws:PrincipalTag/p}"}}`, "*",
			values{"aws:PrincipalTag/p": {"${aws:username}"}, "aws:username": {"u"}, "aws:ResourceTag/p": {"u"}}, false},
		{"default value", "", `{"StringEquals":{"aws:ResourceTag/p":"${aws:PrincipalTag/p, 'none'}"}}`, "*",
			values{"aws:ResourceTag/p": {"none"}}, true},
		{"default value, not needed", "", `{"StringEquals":{"aws:ResourceTag/p":"${aws:PrincipalTag/p, 'none'}"}}`, "*",
			values{"aws:PrincipalTag/p": {"a"}, "aws:ResourceTag/p": {"none"}}, false},
		{"${*} is an asterisk", "", `{"StringLike":{"k":"a${*}"}}`, "*", values{"k": {"a*"}}, true},
		{"${*} is no wildcard", "", `{"StringLike":{"k":"a${*}"}}`, "*", values{"k": {"ab"}}, false},
		{"${?} is no wildcard", "", `{"StringLike":{"k":"a${?}"}}`, "*", values{"k": {"ab"}}, false},
		{"${$} is a dollar", "", `{"StringEquals":{"k":"${$}"}}`, "*", values{"k": {"$"}}, true},
		{"none in version 2008-10-17", "2008-10-17", `{"StringEquals":{"aws:ResourceTag/p":"${aws:PrincipalTag/p}"}}`, "*",
			values{"aws:PrincipalTag/p": {"a"}, "aws:ResourceTag/p": {"a"}}, false},
		{"text in version 2008-10-17", "2008-10-17", `{"StringEquals":{"k":"${aws:username}"}}`, "*",
			values{"k": {"${aws:username}"}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.version == "" {
				c.version = "2012-10-17"
			}
			require.Equal(t, c.want, conditionHolds(t, c.version, c.condition, c.resource, c.context))
		})
	}
}

// Tags that differ in case only are one condition key ("Controlling access to AWS resources using tags"), and AWS doesn't say
// whose value it has: the worse way, whatever the order.
func TestTagsThatDifferInCase(t *testing.T) {
	t.Parallel()
	const other = `"aws:ResourceTag/rise:project":"b"`
	for _, c := range []struct {
		name, statement string
		tags            map[string]string
		want            bool
	}{
		{"an Allow for one of them", `"Effect":"Allow","Condition":{"StringEquals":{"aws:ResourceTag/rise:project":"a"}}`,
			map[string]string{"rise:project": "a", "Rise:Project": "b"}, true},
		{"for the other", `"Effect":"Allow","Condition":{"StringEquals":{"AWS:ResourceTag/RISE:project":"b"}}`,
			map[string]string{"rise:project": "a", "Rise:Project": "b"}, true},
		{"for neither", `"Effect":"Allow","Condition":{"StringEquals":{"aws:ResourceTag/rise:project":"c"}}`,
			map[string]string{"rise:project": "a", "Rise:Project": "b"}, false},
		{"an Allow but for one of them", `"Effect":"Allow","Condition":{"StringNotEquals":{"aws:ResourceTag/rise:project":"a"}}`,
			map[string]string{"rise:project": "a", "Rise:Project": "b"}, true},
		{"by a variable", `"Effect":"Allow","Condition":{"StringEquals":{"aws:PrincipalTag/rise:project":"${aws:ResourceTag/rise:project}"}}`,
			map[string]string{"rise:project": "a", "RISE:project": "b"}, true},
		{"as one value within a statement", `"Effect":"Allow","Condition":{"StringEquals":{"aws:ResourceTag/rise:project":"a"},"StringNotEquals":{"aws:ResourceTag/rise:project":"a"}}`,
			map[string]string{"rise:project": "a", "RISE:project": "b"}, false},
		{"a Deny for one of them", `"Effect":"Deny","Condition":{"StringEquals":{` + other + `}}`,
			map[string]string{"rise:project": "a", "Rise:Project": "b"}, true},
		{"a Deny but for one of them", `"Effect":"Deny","Condition":{"StringNotEquals":{` + other + `}}`,
			map[string]string{"rise:project": "a", "Rise:Project": "b"}, true},
		{"a Deny for all of them", `"Effect":"Deny","Condition":{"StringLike":{"aws:ResourceTag/rise:project":"?"}}`,
			map[string]string{"rise:project": "a", "Rise:Project": "b", "RISE:PROJECT": "b"}, false},
		{"a Deny where the tags agree", `"Effect":"Deny","Condition":{"StringEquals":{` + other + `}}`,
			map[string]string{"rise:project": "b", "Rise:Project": "b"}, false},
		{"they are there", `"Effect":"Deny","Condition":{"Null":{"aws:ResourceTag/rise:project":"false"}}`,
			map[string]string{"rise:project": "a", "Rise:Project": "b"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			allow := ""
			if strings.Contains(c.statement, "Deny") {
				allow = allowAll + ","
			}
			p, err := iam.Parse(document(allow+`{"Action":"*","Resource":"*",`+c.statement+`}`), iam.Identity)
			require.NoError(t, err)
			for range 20 { // maps have another order each time
				r := iam.Request{Principal: role(), Action: "ecr:PutImage", Resource: repoA, Account: account, Context: iam.Context{}}
				r.Context.SetTags("aws:ResourceTag", c.tags)
				r.Context.SetTags("aws:PrincipalTag", map[string]string{"Rise:project": "c", "rise:Project": "d"})
				r.Context.SetTags("aws:PrincipalTag", map[string]string{"rise:project": "a"}) // a session's go before its role's
				require.Equal(t, c.want, iam.Evaluate(r, iam.Policies{Identity: []*iam.Policy{p}}).Allowed)
			}
		})
	}
}
