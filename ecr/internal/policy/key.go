package policy

// Key returns the statements that the key policy of KMSKeyARN needs for the controller, to be added to the key's own.
func (s Setup) Key(controller string) Document {
	statements := s.keyStatements("*") // in a key policy: the key
	for i := range statements {
		statements[i].Principal = map[string]any{"AWS": controller}
	}
	return document(statements...)
}

// keyStatements let ECR use the key in the caller's name, for repositories (ECR User Guide, "Encryption at rest").
func (s Setup) keyStatements(resource string) []Statement {
	via := map[string]any{"kms:ViaService": "ecr." + s.Region + "." + s.Domain}
	return []Statement{
		{
			Sid: "Kms", Effect: "Allow", Action: []string{"kms:DescribeKey", "kms:RetireGrant"}, Resource: resource,
			Condition: Condition{"StringEquals": via},
		},
		{
			Sid: "KmsGrant", Effect: "Allow", Action: "kms:CreateGrant", Resource: resource,
			Condition: Condition{"StringEquals": via, "Bool": {"kms:GrantIsForAWSResource": "true"}},
		},
	}
}
