package down

func elsewhere() int { return top() }
