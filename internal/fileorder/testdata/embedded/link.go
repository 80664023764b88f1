package embedded

type link struct{ ring *ring }
