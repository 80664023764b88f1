package bearer_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rise-deploy/rise-registry-go/oci/tokenauth/internal/bearer"
)

func token(claims string) string { return tokenOf(`{"alg":"ES256"}`, claims) }

func tokenOf(header, claims string) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(header) + "." + part(claims) + "." + part("signature")
}

const hello = `{"type":"repository","name":"rise-apps/hello","actions":["pull","push"]}`

func TestJudge(t *testing.T) {
	t.Parallel()
	for claims, want := range map[string]string{
		`[` + hello + `]`: "is what was asked for",
		`[ { "type" : "repository" , "name" : "rise-apps\/hello" , "actions" : [ "pu\u0073h" , "pull", "pull" ] } ]`:                                                   "is what was asked for",
		`[{"type":"repository","name":"rise-apps/hello","actions":["pull"]},{"type":"repository","name":"rise-apps/hello","actions":["push"]}]`:                        "is what was asked for",
		`[{"type":"repository","class":"","name":"rise-apps/hello","actions":["pull","push"],"meta":{"project_path":"a","x":[{}]},"parameters":{"pull_limit":"100"}}]`: "is what was asked for",
		`null`: "allows nothing of pull and push",
		`[]`:   "allows nothing of pull and push",
		`[{"type":"repository","name":"rise-apps/hello","actions":[]}]`:                     "allows nothing of pull and push",
		`[{"type":"repository","name":"rise-apps/hello","actions":null}]`:                   "allows nothing of pull and push",
		`[{"type":"repository","name":"rise-apps/hello","actions":["pull"]}]`:               "doesn't allow push",
		`[{"type":"repository","name":"rise-apps/hello","actions":["push"]}]`:               "doesn't allow pull",
		`[` + hello + `,{"type":"repository","name":"rise-apps/other","actions":[]}]`:       "is good for another repository too",
		`[` + hello + `,{"type":"registry","name":"catalog","actions":["*"]}]`:              "is good for something else than repositories",
		`[` + hello + `,{"type":"Repository","name":"rise-apps/hello","actions":["*"]}]`:    "is good for something else than repositories",
		`[{"type":"repository","name":"rise-apps/Hello","actions":["pull","push"]}]`:        "is good for another repository too",
		`[{"type":"repository","name":"rise-apps/*","actions":["pull","push"]}]`:            "is good for another repository too",
		`[{"type":"repository","name":"rise-apps/hello/","actions":["pull","push"]}]`:       "is good for another repository too",
		`[{"type":"repository","name":"rise-apps/hello","actions":["pull","push","*"]}]`:    "allows * too",
		`[{"type":"repository","name":"rise-apps/hello","actions":["delete"]}]`:             "allows delete too",
		`[{"type":"repository","name":"rise-apps/hello","actions":["pull","push","PUSH"]}]`: "allows another action too",
		`[{"type":"repository","name":"rise-apps/hello","actions":["pull,push"]}]`:          "allows another action too",
		`[{"type":"repository","name":"","actions":["pull"]}]`:                              "is good for another repository too",
	} {
		c, err := new(bearer.Reader).Read(token(`{"access":` + claims + `}`))
		require.NoError(t, err, claims)
		_, what := c.Judge("rise-apps/hello", "pull", "push")
		require.Equal(t, want, what, claims)
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ token, want string }{
		"nothing":                {"", "isn't a JWT"},
		"opaque":                 {"djE6cmlzZTpodW50ZXIy", "isn't a JWT"},
		"opaque with dots":       {"ya29.a0AfB", "isn't a JWT"},
		"encrypted":              {"a.b.c.d.e", "isn't a JWT"},
		"no signature":           {strings.TrimSuffix(token(`{"access":[]}`), "c2lnbmF0dXJl"), "isn't a JWT"},
		"a line's end":           {token(`{"access":[]}`) + "\n", "isn't a JWT"},
		"a line's end inside":    {strings.Replace(token(`{"access":[]}`), ".", ".\n", 1), "claims can be read"},
		"padding":                {strings.Replace(token(`{"access":[] }`), ".", "=.", 1), "header can be read"},
		"no header":              {tokenOf(`7`, `{"access":[]}`), "header can be read"},
		"an extension":           {tokenOf(`{"crit":["b64"],"b64":false}`, `{"access":[]}`), "header can be read"},
		"an extension alone":     {tokenOf(`{"crit":["x"],"x":1}`, `{"access":[]}`), "header can be read"},
		"compressed":             {tokenOf(`{"alg":"none","Zip":"DEF"}`, `{"access":[]}`), "header can be read"},
		"no JSON":                {token(`{"access":[],}`), "claims can be read"},
		"two values":             {token(`{"access":[]} {"access":[]}`), "claims can be read"},
		"not a number":           {token(`{"access":[],"exp":NaN}`), "claims can be read"},
		"deep":                   {token(`{"access":` + strings.Repeat("[", 11000)), "claims can be read"},
		"no object":              {token(`[{"access":[]}]`), "claims are an object"},
		"a string":               {token(`"access"`), "claims are an object"},
		"no access":              {token(`{"UserID":1,"Scope":"all","exp":1}`), "no claim named access"},
		"access inside":          {token(`{"claims":{"access":[` + hello + `]}}`), "no claim named access"},
		"access twice":           {token(`{"access":[` + hello + `],"access":[]}`), "claim access twice"},
		"access twice, escaped":  {token(`{"access":[` + hello + `],"\u0061ccess":[]}`), "claim access twice"},
		"access in capitals":     {token(`{"access":[` + hello + `],"ACCESS":[]}`), "claim access twice, or written otherwise"},
		"only in capitals":       {token(`{"Access":[` + hello + `]}`), "claim access twice, or written otherwise"},
		"folded by Unicode":      {token(`{"access":[` + hello + `],"acce\u017f\u017f":[]}`), "claim access twice, or written otherwise"},
		"access a string":        {token(`{"access":"repository:rise-apps/hello:pull"}`), "claim access that can't be read"},
		"access an object":       {token(`{"access":` + hello + `}`), "claim access that can't be read"},
		"access of numbers":      {token(`{"access":[7]}`), "claim access that can't be read"},
		"access of arrays":       {token(`{"access":[[` + hello + `]]}`), "claim access that can't be read"},
		"name twice":             {token(`{"access":[{"type":"repository","name":"a","name":"b","actions":[]}]}`), "has name twice"},
		"Actions":                {token(`{"access":[{"type":"repository","name":"a","actions":[],"Actions":["*"]}]}`), "has actions twice"},
		"no type":                {token(`{"access":[{"name":"a","actions":[]}]}`), "claim access that can't be read"},
		"name a list":            {token(`{"access":[{"type":"repository","name":["a"],"actions":[]}]}`), "claim access that can't be read"},
		"actions a string":       {token(`{"access":[{"type":"repository","name":"a","actions":"pull"}]}`), "claim access that can't be read"},
		"an action that is none": {token(`{"access":[{"type":"repository","name":"a","actions":["pull",null]}]}`), "claim access that can't be read"},
		"an end in words":        {token(`{"access":[],"exp":"1900000000"}`), "claim exp that can't be read"},
		"an end that is null":    {token(`{"access":[],"exp":null}`), "claim exp that can't be read"},
		"two ends":               {token(`{"access":[],"exp":1,"exp":9}`), "claim exp twice"},
		"audience a number":      {token(`{"access":[],"aud":7}`), "claim aud that can't be read"},
		"huge":                   {token(`{"access":[],"x":"` + strings.Repeat("x", 10<<20) + `"}`), "is longer than"},
	} {
		_, err := new(bearer.Reader).Read(test.token)
		var unreadable *bearer.UnreadableError
		require.ErrorAs(t, err, &unreadable, name)
		require.ErrorContains(t, err, test.want, name)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"1900000000": 1900000000, "1900000000.9": 1900000000, "1.9e9": 1900000000, "-1": -1, "1e400": 1 << 36, "-1e400": -1 << 36, "1e300": 1 << 36} {
		c, err := new(bearer.Reader).Read(token(`{"access":[],"aud":["a","b"],"exp":` + text + `,"jti":"x-1"}`))
		require.NoError(t, err, text)
		require.Equal(t, time.Unix(want, 0), c.Expires, text)
		require.Equal(t, []string{"a", "b"}, c.Audience)
		require.Equal(t, "x-1", c.ID)
	}
}

// FuzzRead: whatever a token is, reading it ends, and what is found exact is so for who reads it with encoding/json, too.
func FuzzRead(f *testing.F) {
	for _, claims := range []string{`{"access":[` + hello + `],"aud":"a","exp":1}`, `{"access":null}`, `{"access":[{}]}`, `{"a\"ccess":[{"b":[]}], "access" : [] }`, ` [-0.5e+7,10,true,false,null,"\u00e9\n",{}] `, "[01]", "[1.]", "[-]", `"\x"`, "\"\n\"", "{1:2}", "[1,]", "nul"} {
		f.Add(claims)
	}
	f.Fuzz(func(t *testing.T, claims string) {
		if strings.Count(claims, "[")+strings.Count(claims, "{") < 64 {
			require.Equal(t, json.Valid([]byte(claims)), bearer.Valid(claims))
		}
		c, err := new(bearer.Reader).Read(token(claims))
		if err != nil {
			return
		}
		if v, _ := c.Judge("rise-apps/hello", "pull", "push"); v != bearer.Exact {
			return
		}
		requireExact(t, claims)
	})
}
