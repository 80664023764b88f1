package transport

// BadAnswer is an answer of AWS that can't be right. Its text holds nothing of the answer.
type BadAnswer string

// Error implements error.
func (e BadAnswer) Error() string { return "AWS's answer can't be used: " + string(e) }
