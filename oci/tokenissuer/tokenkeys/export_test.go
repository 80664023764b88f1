package tokenkeys

// WithStep calls step before each step of writing.
func (d Dir) WithStep(step func(what string)) Dir {
	d.step = step
	return d
}
