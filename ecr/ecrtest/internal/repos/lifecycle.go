package repos

import (
	"encoding/json"
	"fmt"
)

// CheckLifecycle validates a lifecycle policy's form: see the ECR user guide, "Lifecycle policy parameters".
func CheckLifecycle(text string) error {
	var policy struct {
		Rules []struct {
			Priority  int `json:"rulePriority"`
			Selection struct {
				TagStatus   string   `json:"tagStatus"`
				CountType   string   `json:"countType"`
				CountNumber int      `json:"countNumber"`
				CountUnit   string   `json:"countUnit"`
				Prefixes    []string `json:"tagPrefixList"`
				Patterns    []string `json:"tagPatternList"`
			} `json:"selection"`
			Action struct {
				Type string `json:"type"`
			} `json:"action"`
		} `json:"rules"`
	}
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return fmt.Errorf("is no JSON: %w", err)
	}
	if len(policy.Rules) == 0 || len(policy.Rules) > 50 {
		return fmt.Errorf("must have 1 to 50 rules, not %d", len(policy.Rules))
	}
	priorities := map[int]bool{}
	highest, anyPriority := 0, 0
	for i, rule := range policy.Rules {
		sel := rule.Selection
		switch {
		case rule.Priority < 1 || priorities[rule.Priority]:
			return fmt.Errorf("rule %d: rulePriority must be at least 1 and unique", i+1)
		case sel.TagStatus != "tagged" && sel.TagStatus != "untagged" && sel.TagStatus != "any":
			return fmt.Errorf("rule %d: tagStatus must be tagged, untagged or any", i+1)
		case (sel.TagStatus == "tagged") != (len(sel.Prefixes)+len(sel.Patterns) > 0):
			return fmt.Errorf("rule %d: tagPrefixList or tagPatternList goes with tagStatus tagged, and only with it", i+1)
		case sel.CountType != "imageCountMoreThan" && sel.CountType != "sinceImagePushed":
			return fmt.Errorf("rule %d: countType must be imageCountMoreThan or sinceImagePushed", i+1)
		case (sel.CountType == "sinceImagePushed") != (sel.CountUnit == "days"):
			return fmt.Errorf("rule %d: countUnit days goes with countType sinceImagePushed, and only with it", i+1)
		case sel.CountNumber < 1:
			return fmt.Errorf("rule %d: countNumber must be at least 1", i+1)
		case rule.Action.Type != "expire":
			return fmt.Errorf("rule %d: the action's type must be expire", i+1)
		case sel.TagStatus == "any" && anyPriority != 0:
			return fmt.Errorf("rule %d: only one rule may have tagStatus any", i+1)
		}
		priorities[rule.Priority] = true
		highest = max(highest, rule.Priority)
		if sel.TagStatus == "any" {
			anyPriority = rule.Priority
		}
	}
	if anyPriority != 0 && anyPriority != highest {
		return fmt.Errorf("the rule with tagStatus any must have the highest rulePriority")
	}
	return nil
}
