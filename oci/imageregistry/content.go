package imageregistry

// content is what a blob or manifest holds. Its bytes never change, and count until the last that uses it lets go: repositories that have it, and requests that
// are being answered with it.
type content struct {
	bytes []byte
	users int
}

// hold adds a user.
func (c *content) hold() *content {
	c.users++
	return c
}

// memory counts what is held, in bytes. A store's lock guards it, and the users of contents.
type memory struct{ used, limit int64 }

// take counts n bytes more, if there is room.
func (m *memory) take(n int64) bool {
	if n > m.limit-m.used {
		return false
	}
	m.used += n
	return true
}

// give is the opposite of take.
func (m *memory) give(n int64) { m.used -= n }

// drop is the opposite of hold.
func (m *memory) drop(c *content) {
	c.users--
	if c.users == 0 {
		m.give(int64(len(c.bytes)))
	}
}
