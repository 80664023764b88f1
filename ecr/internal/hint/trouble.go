package hint

// Trouble is what likely makes a step fail, in an operator's words: what hints and diagnosis have in common.
type Trouble struct {
	Is     string // what is wrong
	Remedy string // what to do, in one line
	More   string // further lines for diagnosis: statements, commands
}

// Hint is the trouble in one line, for logs.
func (t Trouble) Hint() string {
	if t.Remedy == "" {
		return t.Is
	}
	if t.Is == "" {
		return t.Remedy
	}
	return t.Is + ": " + t.Remedy
}
