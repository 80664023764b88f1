package iampolicy

import (
	"encoding/json"

	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Session returns the session policy that r's session gets, as [ecr.SessionPolicy] has it. Nobody provisions it: it is for
// reading, beside what CloudTrail shows. Errors are those of ecr.SessionPolicy.
func Session(c ecr.Config, r provider.Request) (Document, error) {
	text, err := ecr.SessionPolicy(c, r)
	if err != nil {
		return Document{}, err
	}
	var d Document
	err = json.Unmarshal([]byte(text), &d)
	return d, err
}
