package iampolicy

import (
	"github.com/rise-deploy/rise-registry-go/ecr"
	"github.com/rise-deploy/rise-registry-go/provider"
)

// Key returns the statements that the key policy of kms_key_arn needs for the controller, to be added to the key's own.
// They are needed where the key is of another account, or where its policy doesn't delegate to IAM; else [Controller]'s
// statements are enough. Alone they are no key policy: they name nobody who administers the key, and KMS refuses such.
func Key(c ecr.Config, o Options) (Document, error) {
	s, err := newScope(c)
	if err != nil {
		return Document{}, err
	}
	if s.KMSKeyARN == "" {
		return Document{}, provider.NewConfigError("kms_key_arn", "is required for the key's policy")
	}
	controller, err := s.controller(o)
	if err != nil {
		return Document{}, err
	}
	statements := s.keyStatements(Strings{"*"}) // in a key policy: the key
	for i := range statements {
		statements[i].Principal = map[string]Strings{"AWS": {controller}}
	}
	return document(MaxKey, "kms_key_arn", statements...)
}

// keyStatements let ECR use the key in the caller's name, for repositories (ECR User Guide, "Encryption at rest").
func (s scope) keyStatements(resource Strings) []Statement {
	via := map[string]Strings{"kms:ViaService": {"ecr." + s.Region + "." + s.domain}}
	return []Statement{
		{
			Sid: "Kms", Effect: "Allow", Action: Strings{"kms:DescribeKey", "kms:RetireGrant"}, Resource: resource,
			Condition: map[string]map[string]Strings{"StringEquals": via},
		},
		{
			Sid: "KmsGrant", Effect: "Allow", Action: Strings{"kms:CreateGrant"}, Resource: resource,
			Condition: map[string]map[string]Strings{"StringEquals": via, "Bool": {"kms:GrantIsForAWSResource": {yes}}},
		},
	}
}
