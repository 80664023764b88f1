package policy

// ServiceControl returns a service control policy (AWS Organizations) that reserves tags rise:… on repositories under the prefix
// for those principals.
func (s Setup) ServiceControl(principals []string) Document {
	return document(Statement{
		Sid: "ReserveTags", Effect: "Deny", Resource: s.AllRepositories(),
		Action: []string{"ecr:CreateRepository", "ecr:TagResource", "ecr:UntagResource"},
		Condition: Condition{
			"ForAnyValue:StringLike": {"aws:TagKeys": reservedKeys()},
			"ArnNotEquals":           {"aws:PrincipalArn": principals},
		},
	})
}

// reservedKeys match rise:… in every spelling: condition keys such as aws:ResourceTag/rise:managed don't tell upper from
// lower case, values such as those of aws:TagKeys do (IAM User Guide, "AWS global condition context keys").
func reservedKeys() []string {
	var keys []string
	for _, r := range "rR" {
		for _, i := range "iI" {
			for _, s := range "sS" {
				for _, e := range "eE" {
					keys = append(keys, string([]rune{r, i, s, e})+":*")
				}
			}
		}
	}
	return keys
}
