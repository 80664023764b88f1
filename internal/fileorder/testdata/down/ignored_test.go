package down

var _ = top()
