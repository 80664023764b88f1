package embedded

type inner struct{ *base }

func (inner) stop() {}
