package down

type middle struct{ bottom func() int }
