package iampolicy

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/rise-deploy/rise-registry-go/ecr/internal/policy"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// A Document is an IAM policy. encoding/json writes it in a stable order, and reads what any tool wrote.
type Document struct {
	// Version is the policy language's: always 2012-10-17.
	Version string
	// Statement holds the statements.
	Statement []Statement
}

// A Statement is one statement of a policy. Empty elements are left out.
type Statement struct {
	// Sid is the statement's name, unique in its document; session policies' have none.
	Sid string `json:",omitempty"`
	// Effect is Allow or Deny.
	Effect string
	// Principal says who, in trust and key policies, by kind: AWS, Federated or Service.
	Principal map[string]Strings `json:",omitempty"`
	// Action or NotAction says what.
	Action    Strings `json:",omitempty"`
	NotAction Strings `json:",omitempty"`
	// Resource or NotResource says on what; trust policies have none.
	Resource    Strings `json:",omitempty"`
	NotResource Strings `json:",omitempty"`
	// Condition says when, by operator and condition key.
	Condition map[string]map[string]Strings `json:",omitempty"`
}

// Strings is an element's value: one string or a list of them. In JSON, a single one is no list.
type Strings []string

// MarshalJSON returns a string for a single one, and a list otherwise.
func (s Strings) MarshalJSON() ([]byte, error) {
	if len(s) == 1 {
		return json.Marshal(s[0])
	}
	return json.Marshal([]string(s))
}

// UnmarshalJSON accepts a string or a list of strings.
func (s *Strings) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*s = Strings{""}
		return json.Unmarshal(text, &(*s)[0])
	}
	var list []string
	err := json.Unmarshal(text, &list)
	*s = list
	return err
}

// String returns the document as JSON in its shortest form.
func (d Document) String() string {
	text, err := json.Marshal(d)
	if err != nil {
		panic("iampolicy: strings that don't marshal: " + err.Error())
	}
	return string(text)
}

// Size is the document's length in characters, as IAM and Organizations count it against their quotas: in its shortest
// form.
func (d Document) Size() int { return utf8.RuneCountInString(d.String()) }

// The longest documents, in characters. The functions of this package keep to them.
const (
	// MaxIdentity is that of a managed policy. An inline policy of a role may be longer (all of a role's together
	// 10,240), so that what this package makes fits as either, and controller and diagnosis fit on one role.
	MaxIdentity = 6144
	// MaxUser is that of all inline policies of a user together.
	MaxUser = 2048
	// MaxTrust is the default quota of a trust policy.
	MaxTrust = 2048
	// MaxServiceControl is that of a service control policy.
	MaxServiceControl = 5120
	// MaxKey is that of a key policy.
	MaxKey = 32768
)

// printed is d as this package has it. If it is longer than limit, that is because of what.
func printed(d policy.Document, limit int, what string) (Document, error) {
	text, err := d.JSON()
	if err != nil {
		return Document{}, err
	}
	var same Document
	if err := json.Unmarshal([]byte(text), &same); err != nil {
		return Document{}, err
	}
	if n := same.Size(); n > limit {
		return Document{}, provider.NewConfigError(what, "make a policy of %d characters, which is more than the %d that AWS allows", n, limit)
	}
	return same, nil
}
