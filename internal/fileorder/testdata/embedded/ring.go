package embedded

type ring struct{ *link }
