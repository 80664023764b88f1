package upcall

type upper struct{}

func (upper) handle() {}

func (u upper) run() { loop(u, u.handle) }
